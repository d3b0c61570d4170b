"""Nothing is done in a rotation of which nothing can be recorded; it goes on where it was, once that is possible."""

from __future__ import annotations

from audit.trails import SEGMENTS, Kept, lease_events
from controlplane import Answer, FaultProxy
from rotating import Rotating
from world import World


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
    trail = Kept(world)
    for code in ("Issue", "StoreNew", "Revoke"):
        trail.has("rotation.outcome", code=code)
    assert operator.stop() == 0
    assert list(map(str, trail.verdict().findings)) == []
    begun = {each["id"] for each in trail.records("rotation.intent")}
    assert begun == {each["id"] for each in trail.records("rotation.outcome")}


def waits(world: World, rotating: Rotating) -> None:
    """Wait until it is told that nothing can be recorded."""
    world.until(lambda: "recorded" in rotating.told().get("waits", ""), lambda: f"it is told: {rotating.told()}")
    assert "AuditUnavailable" in lease_events(world)
