"""Nothing is done in a rotation of which nothing can be recorded; it goes on where it was, once that is possible."""

from __future__ import annotations

from audit.trails import SEGMENTS, Kept, lease_events
from build import key_store
from controlplane import Answer, FaultProxy, KillAfter, KillBefore
from keywright import cluster
from rotating import Rotating
from running import Operator
from world import World

#: Where the mark of a key's owner is put and taken away: a rule of a proxy.
MARKS = "/metadata/llm/openai"


def test_a_rotation_waits_while_nothing_can_be_recorded(
    api_proxy: FaultProxy, world: World, rotating: Rotating
) -> None:
    first = rotating.begins(overlap="8s")
    operator = rotating.starts(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.is_ready()

    with api_proxy.fault(Answer(500), method="POST", path=SEGMENTS):
        rotating.wants(every="10s", overlap="8s")
        waits(world, rotating)
        assert rotating.alive() == {first.parts["apiKey"]}
        assert not rotating.changes()
        assert rotating.key() == first.parts["apiKey"] == rotating.stored()["api_key"]
        assert not rotating.marks()
    rotating.reaches("Grace")
    with api_proxy.fault(Answer(500), method="POST", path=SEGMENTS):
        # What is due in the meantime is no matter here.
        rotating.wants(overlap="8s")
        waits(world, rotating)
        assert rotating.told()["step"] == "Grace"
        assert first.parts["apiKey"] in rotating.alive()

    assert rotating.reaches("Idle")["last"]["outcome"] == "Rotated"

    assert rotating.changes() == ["POST", "DELETE"]
    assert rotating.alive() == {rotating.key()} != {first.parts["apiKey"]}
    keeps_its_mark(world, rotating, api_proxy, operator)
    trail = Kept(world)
    for code in ("Mark", "Issue", "StoreNew", "Revoke", "Unmark"):
        trail.has("rotation.outcome", code=code)
    assert operator.stop() == 0
    assert list(map(str, trail.verdict().findings)) == []
    begun = {each["id"] for each in trail.records("rotation.intent")}
    assert begun == {each["id"] for each in trail.records("rotation.outcome")}


def keeps_its_mark(world: World, rotating: Rotating, api_proxy: FaultProxy, operator: Operator) -> None:
    """See that the mark of a key that nobody has rotated any more stays until that can be recorded."""

    def waiting() -> int:
        return operator.log.read_text().count("rotation of openai: AuditUnavailable")

    before = waiting()
    with api_proxy.fault(Answer(500), method="POST", path=SEGMENTS):
        world.delete("ApiKeySecret", "llm")
        world.until(lambda: waiting() > before, "nothing can be recorded")
        assert rotating.marks()
        assert rotating.journals()
    world.until(lambda: not rotating.journals(), "it is over")
    assert not rotating.marks()


def test_what_was_marked_as_the_operator_died_has_an_outcome_from_the_next(
    bao_proxy: FaultProxy, world: World, rotating: Rotating
) -> None:
    rotating.begins()
    world.apply(key_store("vault", bao_proxy.url, world.mount, access="ReadWrite"))
    operator = rotating.starts("--lease-seconds=2")
    world.is_ready()
    with bao_proxy.fault(KillAfter(lambda: operator.process.pid), method="PATCH", path=MARKS, times=1):
        rotating.asks("Rotate")
        operator.process.wait(60)
    assert rotating.marks()
    assert not rotating.journals()
    operator = rotating.starts("--lease-seconds=2")
    world.ends("please", "Succeeded")
    rotating.reaches("Idle")
    # As after a restore; the journal is there by now.
    world.vault.secrets.kv.v2.update_metadata("llm/openai", custom_metadata={}, mount_point=world.mount)
    assert not rotating.marks()
    rotating.asks("Rotate", "again")
    world.ends("again", "Succeeded")
    rotating.reaches("Idle")
    with bao_proxy.fault(KillBefore(lambda: operator.process.pid), method="PATCH", path=MARKS, times=1):
        world.delete("ApiKeySecret", "llm")
        operator.process.wait(60)
    assert rotating.marks()
    operator = rotating.starts("--lease-seconds=2")
    world.until(lambda: not rotating.journals(), "it is over")

    assert not rotating.marks()
    assert operator.stop() == 0
    trail = Kept(world)
    assert (trail.verdict().open, trail.verdict().findings) == ((), ())
    came = {each["id"]: each["code"] for each in trail.records("rotation.outcome")}
    begun = [(each["code"], came[each["id"]]) for each in trail.records("rotation.intent")]
    marked = [("Mark", "Unknown"), ("Mark", "Mark"), ("Unmark", "Unknown"), ("Unmark", "Unmark")]
    assert [each for each in begun if "ark" in each[0]] == marked


def waits(world: World, rotating: Rotating) -> None:
    """Wait until it is told that nothing can be recorded."""
    world.until(lambda: "recorded" in rotating.told().get("waits", ""), lambda: f"it is told: {rotating.told()}")
    assert "AuditUnavailable" in lease_events(world)


def test_a_key_that_was_made_while_nothing_can_be_written_is_kept_until_it_can(
    api_proxy: FaultProxy, world: World, rotating: Rotating
) -> None:
    rotating.begins()
    rotating.starts(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.is_ready()

    # The journal is made, and changed twice, before a key is asked for.
    with api_proxy.fault(Answer(500), method="PUT", path="/secrets/keywright-rotation-", after=2) as troubled:
        rotating.asks("Rotate")
        tries = 3 * cluster.TRIES
        world.until(lambda: troubled.hits >= tries, lambda: f"it is tried again; {troubled.hits} times so far")
        assert rotating.changes() == ["POST"]

    world.ends("please", "Succeeded")
    last = world.until(lambda: rotating.told().get("last"), "it is over")
    assert last["outcome"] == "Rotated"
    assert rotating.changes() == ["POST", "DELETE"]
    assert rotating.alive() == {rotating.key()}
