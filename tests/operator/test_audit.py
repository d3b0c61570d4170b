"""The audit trail of a running operator: it holds all that was done, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from audit.trails import SEGMENTS, Kept, lease_events
from build import api_key_secret, entry
from controlplane import Answer, FaultProxy, KillAfter, KillBefore
from keywright.audit.verify import Problem, State
from world import World

Json = dict[str, Any]


def tried(trail: Kept) -> list[str]:
    """Return the paths of refused keys."""
    return [each["keys"][0]["path"] for each in trail.records("sync.refused") if each["object"]["name"] == "gone"]


def is_repaired(world: World, mine: str) -> None:
    """Edit the Secret, and wait until it is put right."""
    before = world.secret_object()
    world.change_secret("llm", OPENAI_API_KEY=mine)

    def right() -> bool:
        return world.secret() == {"OPENAI_API_KEY": "sk-two"} and world.secret_object() != before

    world.until(right, "it is put right")


def versions(record: Json) -> dict[str, tuple[str | None, str | None]]:
    """Return of which version each key was, and is."""
    told = {each["key"]: (each.get("old") or {}, each.get("new") or {}) for each in record["keys"]}
    return {key: (old.get("version"), new.get("version")) for key, (old, new) in told.items()}


def test_what_was_done_for_objects_is_recorded(world: World) -> None:
    operator = world.start()
    world.has_key()
    world.is_ready()
    trail = Kept(world)

    written = trail.has("sync.written", code="Created")
    assert (written["object"]["kind"], written["object"]["name"], written["secret"]) == ("ApiKeySecret", "llm", "llm")
    (key,) = written["keys"]
    assert (key["key"], key["store"], key["path"]) == ("OPENAI_API_KEY", "KeyStore/vault", "llm/openai")
    assert versions(written) == {"OPENAI_API_KEY": (None, "1")}
    who = written["who"]
    assert (who["name"], who["verified"]) == (f"system:serviceaccount:{world.system}:keywright", True)

    world.put("llm/openai", api_key="sk-two")
    world.refreshes("two")
    updated = trail.has("sync.written", code="Updated")
    assert versions(updated) == {"OPENAI_API_KEY": ("1", "2")}
    assert updated["keys"][0]["old"] == key["new"]

    for number in range(3):
        is_repaired(world, f"mine-{number}")
    assert operator.stop() == 0

    repairs = trail.records("sync.repaired")
    # The first at once, the others of the same minute together.
    assert [each["count"] for each in repairs] == [1, 2]
    verdict = trail.verdict(*trail.printed())
    assert (verdict.state, list(map(str, verdict.findings))) == (State.WHOLE, [])
    assert verdict.logs[0].closed


def test_what_was_refused_and_what_was_removed_is_recorded(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    trail = Kept(world)

    world.apply(api_key_secret("gone", entry("KEY", "not/there")))
    world.apply(api_key_secret("kube", entry("KEY", "llm/openai", "api_key"), target={"type": "helm.sh/release.v1"}))
    assert trail.has("sync.refused", code="NotFound")["keys"][0]["path"] == "not/there"
    world.apply(api_key_secret("gone", entry("KEY", "nor/here")))
    # The same reason, but another wish.
    world.until(lambda: tried(trail) == ["not/there", "nor/here"], lambda: f"both are recorded: {tried(trail)}")
    assert trail.has("policy.denied", code="ForbiddenType")["object"]["name"] == "kube"
    world.has_key(target={"name": "moved"})
    assert trail.has("sync.deleted", code="Renamed")["secret"] == "llm"
    world.until(lambda: world.object()["status"]["target"]["name"] == "moved", "its status tells of it")
    world.delete("ApiKeySecret", "llm")
    assert trail.has("sync.deleted", code="ObjectDeleted")["secret"] == "moved"


def test_the_object_itself_tells_its_last_acts_with_their_records(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    for number in range(10):
        world.put("llm/openai", api_key=f"sk-{number}")
        world.refreshes(str(number))
    world.refreshes("nothing new")

    history = world.object()["status"]["history"]

    assert [each["act"] for each in history] == ["Updated"] * 10
    assert {tuple(each["keys"]) for each in history} == {("OPENAI_API_KEY",)}
    places = {f"{each['log']}/{each['seq']}" for each in Kept(world).records("sync.written")}
    assert {each["record"] for each in history} < places


def test_a_refresh_without_news_writes_no_record(world: World) -> None:
    operator = world.start()
    world.has_key()
    world.is_ready()
    trail = Kept(world)
    trail.has("sync.written")
    mark = world.plane.mark()

    world.refreshes("nothing new")

    assert world.segments_written(operator, mark) == 0


@pytest.mark.parametrize("kill", [KillBefore, KillAfter])
def test_a_write_is_recorded_though_the_operator_dies_while_it_records_it(
    api_proxy: FaultProxy, world: World, kill: type[KillBefore | KillAfter]
) -> None:
    first = world.start("--lease-seconds=3", server=api_proxy.url, ca_file=api_proxy.ca_file)
    with api_proxy.fault(kill(first.process.pid), method="POST", path=SEGMENTS, times=1) as killed:
        world.has_key()
        killed.wait()
    first.process.wait()
    world.secret_becomes({"OPENAI_API_KEY": "sk-one"})
    trail = Kept(world)
    second = world.start("--lease-seconds=3")
    world.is_ready()

    written = trail.has("sync.written")

    assert versions(written) == {"OPENAI_API_KEY": (None, "1")}
    assert second.stop() == 0
    verdict = trail.verdict()
    assert list(map(str, verdict.findings)) == []
    # Of the first only what the API server had got is there; that it did not end in order is told.
    assert len(trail.records("log.recovered")) == (kill is KillAfter)


def test_syncs_go_on_while_nothing_can_be_recorded_and_are_recorded_later(api_proxy: FaultProxy, world: World) -> None:
    first = world.start("--lease-seconds=3", server=api_proxy.url, ca_file=api_proxy.ca_file)
    trail = Kept(world)
    with api_proxy.fault(Answer(500), method="POST", path=SEGMENTS):
        world.has_key()
        world.is_ready()
        world.until(lambda: "AuditUnavailable" in lease_events(world), "it is told on the Lease")
        assert first.metric("keywright_audit_ready") == 0
        assert trail.segments() == []
        assert "record" not in world.object()["status"]["history"][0]

    assert versions(trail.has("sync.written", code="Created")) == {"OPENAI_API_KEY": (None, "1")}
    world.until(lambda: "AuditRestored" in lease_events(world), "that it is over is told")

    with api_proxy.fault(Answer(500), method="POST", path=SEGMENTS):
        world.put("llm/openai", api_key="sk-two")
        world.refreshes("two")
        # What waits in memory goes with it.
        first.kill()
    second = world.start("--lease-seconds=3")

    late = trail.has("sync.written", code="Late")

    assert (late["object"]["name"], late["secret"]) == ("llm", "llm")
    history = world.until(lambda: marked(world.object()["status"]["history"]), "all acts have their records")
    assert [each["act"] for each in history] == ["Updated", "Created"]
    assert second.stop() == 0
    assert list(map(str, trail.verdict().findings)) == []


def marked(history: list[Json]) -> list[Json] | None:
    return history if all("record" in each for each in history) else None


def test_a_segment_that_somebody_took_away_is_missed_by_who_has_seen_its_head(world: World) -> None:
    operator = world.start("--lease-seconds=3")
    world.has_key()
    world.is_ready()
    trail = Kept(world)
    trail.has("sync.written")
    assert operator.stop() == 0
    last = trail.segments()[-1]
    world.must("DELETE", f"{trail.path}/{last['metadata']['name']}")
    second = world.start("--lease-seconds=3")
    world.put("llm/openai", api_key="sk-two")
    world.refreshes("two")
    trail.has("sync.written", code="Updated")
    second.stop()

    assert trail.verdict().state is State.UNWITNESSED
    (finding,) = trail.verdict(*trail.printed()).findings
    assert finding.problem is Problem.CUT
    assert finding.seq == last["spec"]["first"]


def test_without_a_trail_nothing_is_recorded_and_no_right_is_needed(world: World) -> None:
    world.start("--audit-mode=off")
    world.has_key()

    status = world.is_ready()["status"]

    assert Kept(world).segments() == []
    assert [set(each) for each in status["history"]] == [{"act", "time", "secret", "keys"}]
