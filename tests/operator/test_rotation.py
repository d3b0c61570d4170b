"""Credentials are rotated: made, tested, stored, spread, taken up, and the old one revoked; or all stays as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from audit.trails import Kept
from rotating import Rotating
from vendors import serving
from world import World

ALIVE = {"raise_on_deleted_version": True}


@pytest.fixture
def rotating(world: World) -> Iterator[Rotating]:
    """A credential that rotates."""
    with serving("openai") as server:
        yield Rotating(world, server)


def test_a_key_is_replaced_when_somebody_asks_for_it(world: World, rotating: Rotating) -> None:
    first = rotating.begins()
    rotating.starts()
    world.is_ready()
    assert rotating.key() == first.parts["apiKey"]

    rotating.asks("Rotate")
    world.ends("please", "Succeeded")
    told = rotating.reaches("Idle")

    assert told["last"]["outcome"] == "Rotated"
    (made,) = rotating.vendor.made.values()
    assert rotating.key() == made.parts["apiKey"] != first.parts["apiKey"]
    held = world.vault.secrets.kv.v2.read_secret_version("llm/openai", mount_point=world.mount, **ALIVE)["data"]["data"]
    assert held == {"api_key": made.parts["apiKey"], "region": "eu"}
    world.until(lambda: "Rotated" in world.event_reasons(), "the end is said")
    reasons = world.event_reasons()
    told_of = ["RotationStarted", "KeyStored", "KeyAdopted", "Rotated"]
    assert [each for each in reasons if each not in ("Created", "Updated", "ActionDone")] == told_of
    trail = Kept(world)
    for code in ("Issue", "StoreNew", "Revoke"):
        trail.has("rotation.outcome", code=code)
    (journal,) = rotating.journals()
    assert journal["data"].keys() == {"about", "journal"}
