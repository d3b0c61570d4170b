"""An API server in trouble: refusals, lost answers and missed events end in the state that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from build import api_key_secret, entry
from controlplane import (
    MUTATING,
    Answer,
    CutWatch,
    Drop,
    DropEvent,
    EndWatch,
    EventFault,
    ExpireWatch,
    Fault,
    FaultProxy,
    Hold,
    LoseAnswer,
)
from running import Operator
from world import World

SECRET, STATUS, EVENT = r"/secrets/llm\b", "/apikeysecrets/llm/status", "/events$"
SECRETS_WATCH, OBJECTS_WATCH = r"/secrets\?.*watch=true", r"/apikeysecrets\?.*watch=true"


def start(world: World, api_proxy: FaultProxy, *flags: str) -> Operator:
    """Start an operator that reaches the API server through the proxy only."""
    operator = world.start("--lease-seconds=15", *flags, server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.until(lambda: api_proxy.count(path=OBJECTS_WATCH), "it watches our objects")
    return operator


def effects(world: World, operator: Operator, since: int) -> dict[str, int]:
    """Count the operator's writes that the API server has done, but for what other tests keep in the cluster."""
    done: dict[str, int] = {}
    for each in world.requests(operator, since):
        others = each.resource.startswith("cluster") or "/namespaces/default/" in each.uri
        if each.verb not in ("get", "list", "watch") and each.code < 300 and not others:
            what = f"{each.verb} {each.resource}/{each.subresource}".rstrip("/")
            done[what] = done.get(what, 0) + 1
    return done


FIRST_SYNC = {
    "patch secrets": 1,
    "patch apikeysecrets/status": 1,
    "patch keystores/status": 1,
    "create events": 1,
}
ONCE: dict[str, tuple[Fault, int]] = {
    "409": (Answer(409), 1),
    "429": (Answer(429, retry_after=1), 2),
    "500": (Answer(500), 1),
    "503": (Answer(503), 2),
    "504": (Answer(504), 1),
    "dropped": (Drop(), 2),
    "not-json": (Answer(500, "<html>", "text/html"), 1),
}


@pytest.mark.parametrize("fault", ONCE)
@pytest.mark.parametrize(("method", "path"), [("PATCH", SECRET), ("PATCH", STATUS), ("POST", EVENT)])
def test_a_write_that_fails_for_a_moment_is_done_once(
    api_proxy: FaultProxy, world: World, method: str, path: str, fault: str
) -> None:
    if path == EVENT and fault == "409":
        # To a create under a fresh name it says that an earlier try arrived.
        fault = "500"
    what, times = ONCE[fault]
    operator = start(world, api_proxy)
    mark = world.plane.mark()

    with api_proxy.fault(what, method=method, path=path, times=times):
        world.has_key()
        world.is_ready()
        world.has_events("Created")

    assert world.secret() == {"OPENAI_API_KEY": "sk-one"}
    assert effects(world, operator, mark) == FIRST_SYNC


@pytest.mark.parametrize(("method", "path"), [("PATCH", SECRET), ("PATCH", STATUS), ("POST", EVENT)])
def test_a_write_whose_answer_is_lost_is_not_done_again(
    api_proxy: FaultProxy, world: World, method: str, path: str
) -> None:
    operator = start(world, api_proxy)
    mark = world.plane.mark()

    with api_proxy.fault(LoseAnswer(), method=method, path=path, times=1):
        world.has_key()
        world.is_ready()
        world.has_events("Created")

    assert world.secret() == {"OPENAI_API_KEY": "sk-one"}
    assert effects(world, operator, mark) == FIRST_SYNC


def test_an_update_whose_answer_is_lost_is_not_done_again(api_proxy: FaultProxy, world: World) -> None:
    operator = start(world, api_proxy)
    world.has_key()
    world.is_ready()
    world.put("llm/openai", api_key="sk-two")
    mark = world.plane.mark()

    with api_proxy.fault(LoseAnswer(), method="PATCH", path=SECRET, times=1):
        world.annotate("llm", refresh="1")
        world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
        world.until(lambda: world.object()["status"].get("lastHandledRefresh") == "1", "it is told")

    assert effects(world, operator, mark)["patch secrets"] == 1


def test_trouble_and_its_end_are_said_though_the_answers_to_their_statuses_are_lost(
    api_proxy: FaultProxy, world: World
) -> None:
    start(world, api_proxy)

    with api_proxy.fault(LoseAnswer(), method="PATCH", path=STATUS, times=1) as lost:
        world.has_store()
        world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key")))
        world.is_refused("NotFound")
        lost.wait()
    world.has_events("Refused")

    with api_proxy.fault(LoseAnswer(), method="PATCH", path=STATUS, times=1) as lost:
        world.put("llm/openai", api_key="sk-one")
        world.annotate("llm", refresh="1")
        world.is_ready()
        lost.wait()
    world.has_events("Refused", "Recovered")


@pytest.mark.parametrize(("status", "reason"), [(422, "TargetRefused"), (503, "KubernetesUnavailable")])
def test_a_secret_that_the_api_server_does_not_take_stays_as_it_was(
    api_proxy: FaultProxy, world: World, status: int, reason: str
) -> None:
    start(world, api_proxy)
    world.has_key()
    world.is_ready()
    world.put("llm/openai", api_key="sk-two")

    with world.untouched(), api_proxy.fault(Answer(status), method="PATCH", path=SECRET):
        world.annotate("llm", refresh="1")
        said = world.told(reason)
        assert said.startswith("The API server ") and "llm" in said and "Secret llm keeps version 1." in said
        assert "sk-" not in said

    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    world.is_ready()


def test_a_status_that_the_api_server_does_not_take_is_told_later(api_proxy: FaultProxy, world: World) -> None:
    start(world, api_proxy)

    with api_proxy.fault(Answer(422), method="PATCH", path=STATUS, times=2) as refused:
        world.has_key()
        refused.wait(2)

    world.is_ready()


# Watches.


def test_a_change_of_a_secret_that_the_watch_did_not_tell_is_found_when_it_starts_again(
    api_proxy: FaultProxy, world: World
) -> None:
    start(world, api_proxy)
    world.has_key()
    world.is_ready()

    with api_proxy.fault(DropEvent(type="MODIFIED", name="llm"), path=SECRETS_WATCH, times=1) as dropped:
        world.change_secret("llm", OPENAI_API_KEY="wrong")
        dropped.wait()
        world.holds(lambda: world.secret() == {"OPENAI_API_KEY": "wrong"}, "nobody has told")
        assert api_proxy.cut()

    world.secret_becomes({"OPENAI_API_KEY": "sk-one"})


@pytest.mark.parametrize("fault", [ExpireWatch, EndWatch, CutWatch])
def test_a_deletion_of_a_secret_survives_the_end_of_its_watch(
    api_proxy: FaultProxy, world: World, fault: type[EventFault]
) -> None:
    start(world, api_proxy)
    world.has_key()
    world.is_ready()

    with api_proxy.fault(fault(type="DELETED", name="llm"), path=SECRETS_WATCH, times=1):
        world.delete_secret("llm")
        world.secret_becomes({"OPENAI_API_KEY": "sk-one"})
    world.has_events("Created", "Repaired")


@pytest.mark.parametrize("fault", [ExpireWatch, EndWatch, CutWatch])
@pytest.mark.parametrize("type_", ["ADDED", "MODIFIED"])
def test_an_object_is_found_though_its_watch_ends_before_telling(
    api_proxy: FaultProxy, world: World, fault: type[EventFault], type_: str
) -> None:
    start(world, api_proxy)
    world.has_store()
    world.put("llm/openai", api_key="sk-one", org="acme")
    first, second = entry("KEY", "llm/openai", "api_key"), entry("ORG", "llm/openai", "org")
    if type_ == "MODIFIED":
        world.apply(api_key_secret("llm", first))
        world.is_ready()

    with api_proxy.fault(fault(type=type_, name="llm"), path=OBJECTS_WATCH, times=1):
        world.apply(api_key_secret("llm", first, second))
        world.secret_becomes({"KEY": "sk-one", "ORG": "acme"})


def test_an_object_whose_event_was_dropped_is_found_when_the_watch_starts_again(
    api_proxy: FaultProxy, world: World
) -> None:
    start(world, api_proxy)

    with api_proxy.fault(DropEvent(type="ADDED", name="llm"), path=OBJECTS_WATCH, times=1) as dropped:
        world.has_key()
        dropped.wait()
        world.holds(lambda: world.secret() is None, "nobody has told")
        assert api_proxy.cut()

    world.is_ready()


def test_the_watch_of_objects_comes_back_after_errors(api_proxy: FaultProxy, world: World) -> None:
    operator = start(world, api_proxy)

    with api_proxy.fault(Answer(500), method="GET", path=r"/apikeysecrets\?", times=3) as refused:
        api_proxy.cut()
        refused.wait(3)
    world.has_key()

    world.is_ready()
    assert operator.process.poll() is None


@pytest.mark.parametrize("fault", [DropEvent, ExpireWatch])
@pytest.mark.parametrize("on_delete", ["Delete", "Retain"])
def test_a_deleted_object_leaves_no_ghost_though_no_watch_told(
    api_proxy: FaultProxy, world: World, fault: type[EventFault], on_delete: str
) -> None:
    operator = start(world, api_proxy, "--ghost-check-seconds=2")
    world.has_key(target={"onDelete": on_delete})
    world.is_ready()

    with api_proxy.fault(fault(type="DELETED", name="llm"), path=OBJECTS_WATCH, times=1) as lost:
        world.delete("ApiKeySecret", "llm")
        lost.wait(1)
        world.until(lambda: operator.metric("keywright_objects") == 0, "it is forgotten")

    kept = {"OPENAI_API_KEY": "sk-one"} if on_delete == "Retain" else None
    world.secret_becomes(kept)
    world.holds(lambda: world.secret() == kept, "it is not written any more", seconds=3)


# The whole API server, and namespaces.


def test_an_api_server_that_is_gone_for_a_minute_is_waited_for(api_proxy: FaultProxy, world: World) -> None:
    operator = start(world, api_proxy)
    world.has_key(refreshInterval="10s")
    world.is_ready()
    world.has_events("Created")

    api_proxy.down()
    world.change_secret("llm", OPENAI_API_KEY="wrong")
    world.put("llm/openai", api_key="sk-two")
    world.put("llm/new", api_key="sk-new")
    world.apply(api_key_secret("new", entry("KEY", "llm/new", "api_key")))
    # Far longer than the Lease.
    world.holds(lambda: operator.process.poll() is None, "it waits", seconds=60)
    assert world.secret() == {"OPENAI_API_KEY": "wrong"}
    api_proxy.up()

    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    world.is_ready("new")
    assert operator.process.poll() is None
    assert faults_in_log(operator) == []


def test_an_api_server_that_hangs_is_waited_for(api_proxy: FaultProxy, world: World) -> None:
    operator = start(world, api_proxy)
    world.has_key(refreshInterval="10s")
    world.is_ready()

    with world.untouched(), api_proxy.fault(Hold()) as held:
        api_proxy.cut()
        held.wait(3)
        # Longer than the Lease.
        world.holds(lambda: operator.process.poll() is None, "it waits", seconds=20)
    world.put("llm/openai", api_key="sk-two")

    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    assert operator.process.poll() is None
    assert faults_in_log(operator) == []


def test_a_namespace_that_is_being_deleted_gets_no_writes_and_makes_no_noise(
    api_proxy: FaultProxy, world: World
) -> None:
    operator = start(world, api_proxy)
    names = [f"key-{number}" for number in range(5)]
    world.has_store()
    for name in names:
        world.put(f"llm/{name}", api_key=f"sk-{name}")
        world.apply(api_key_secret(name, entry("KEY", f"llm/{name}", "api_key")))
    for name in names:
        world.is_ready(name)
    keeps = {"metadata": {"name": "keeps", "finalizers": ["test.keywright.dev/keep"]}}
    path = f"/api/v1/namespaces/{world.namespace}/configmaps"
    world.must("POST", path, keeps)
    mark = world.plane.mark()

    world.must("DELETE", f"/api/v1/namespaces/{world.namespace}")

    world.until(lambda: operator.metric("keywright_objects") == 0, "its objects are forgotten")
    world.holds(lambda: operator.process.poll() is None, "the operator works on", seconds=3)
    tries = [each for each in world.requests(operator, mark) if each.resource == "secrets" and each.verb == "patch"]
    assert len(tries) <= len(names)
    assert faults_in_log(operator) == []
    gone: dict[str, Any] = {"metadata": {"finalizers": None}}
    world.must("PATCH", f"{path}/keeps", gone, "application/merge-patch+json")


def faults_in_log(operator: Operator) -> list[str]:
    """Return the lines of the log that tell of a fault of the operator's own."""
    lines = operator.log.read_text().splitlines()
    ours = (line for line in lines if " kopf." not in line)
    return [line for line in ours if " ERROR " in line or " CRITICAL " in line or "Traceback" in line]


def test_an_operator_that_cannot_renew_its_lease_writes_nothing_until_it_can(
    api_proxy: FaultProxy, world: World
) -> None:
    operator = start(world, api_proxy, "--lease-seconds=3")
    world.has_key()
    world.is_ready()
    world.has_events("Created")

    with api_proxy.fault(Answer(503), method=MUTATING, path="/leases"):
        world.until(lambda: operator.metric("keywright_leader") == 0, "it no longer leads")
        world.change_secret("llm", OPENAI_API_KEY="wrong")
        world.holds(lambda: world.secret() == {"OPENAI_API_KEY": "wrong"}, "nobody writes")

    world.secret_becomes({"OPENAI_API_KEY": "sk-one"})
    assert operator.metric("keywright_leader") == 1
    assert operator.process.poll() is None
