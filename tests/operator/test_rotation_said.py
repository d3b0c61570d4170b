"""What people are told of the keys of a rotation: never that one is dead which is not known to be.

Does not belong here: the words of each case (``unit/test_asked.py``), what a rotation does (``test_rotation.py``).
"""

from __future__ import annotations

from rotating import QUICK, Rotating
from world import World


def notes(world: World) -> str:
    return " ".join(each["note"] for each in world.events())


def test_who_revokes_is_not_told_that_the_old_key_is_dead_where_its_issuer_refuses(
    world: World, rotating: Rotating
) -> None:
    first = rotating.gets_to_grace(overlap="1h")

    with rotating.refusing("DELETE"):
        rotating.asks("RevokeNow", "now")
        said = world.ends("now", "Failed")
        world.until(lambda: "is still to be revoked" in notes(world), lambda: f"it is told: {notes(world)}")

    assert said["reason"] == "RotationWaits"
    assert "The old key is still to be revoked: `keywright debts list` says what to do." in said["message"]
    assert "is dead" not in notes(world)
    assert first.parts["apiKey"] in rotating.alive()


def test_who_replaces_a_leaked_key_hears_nothing_before_that_is_dead(world: World, rotating: Rotating) -> None:
    first = rotating.begins(overlap="1h")
    rotating.starts()
    world.is_ready()

    with rotating.refusing("DELETE"):
        rotating.asks("Reissue")
        said = world.ends("please", "Failed")
    assert said["reason"] == "RotationWaits"
    assert "The new key is in place. The old key is still to be revoked" in said["message"]
    assert first.parts["apiKey"] in rotating.alive()

    rotating.asks("Reissue", "again")
    assert "The new key is in place. The old key is dead." in world.ends("again", "Succeeded")["message"]
    assert rotating.key() in rotating.alive()


def test_a_leaked_key_is_replaced_in_the_overlap_of_the_way_back(world: World, rotating: Rotating) -> None:
    first = rotating.gets_to_grace(overlap="90d")
    rotating.asks("Rollback", "back")
    world.ends("back", "Succeeded")

    rotating.asks("Rotate", "plain")
    assert "`keywright rotate --reissue`" in world.ends("plain", "Failed")["message"]
    rotating.asks("Reissue", "leaked")
    world.ends("leaked", "Succeeded")

    assert first.parts["apiKey"] not in rotating.alive()
    assert rotating.alive() == {rotating.key()}


def test_who_revokes_on_the_way_back_ends_the_key_that_it_turned_back_from(world: World, rotating: Rotating) -> None:
    first = rotating.gets_to_grace(overlap="90d")
    rotating.asks("Rollback", "back")
    world.ends("back", "Succeeded")

    rotating.asks("RevokeNow", "now")

    assert "The key that it turned back from is revoked." in world.ends("now", "Succeeded")["message"]
    assert rotating.alive() == {first.parts["apiKey"]} == {rotating.key()}


def test_a_key_of_fewer_scopes_replaces_one_of_all_only_where_that_is_meant(world: World, rotating: Rotating) -> None:
    first = rotating.begins(test=QUICK | {"within": "10s"})
    known = rotating.vendor.mark(first.parts)
    state = rotating.vendor.state
    rotating.vendor.state = lambda mark: "limited" if state(mark) == "valid" and mark != known else state(mark)
    rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    assert "rotation.test.allowLimited" in world.ends("please", "Failed")["message"]
    assert rotating.alive() == {rotating.key()} == {first.parts["apiKey"]}

    rotating.wants(test=QUICK | {"allowLimited": True})
    rotating.asks("Rotate", "meant")
    world.ends("meant", "Succeeded")
    rotating.reaches("Idle")
    assert rotating.alive() == {rotating.key()} != {first.parts["apiKey"]}
