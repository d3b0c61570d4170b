"""Old keys that can be switched off are off for a while before they are revoked; until then one can have them back."""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Iterator

import pytest

from audit.trails import Kept
from rotating_many import Many
from world import World

#: Requests that do something to a key that is there, at the issuers of this file.
_DOES = re.compile(r"/(off|on)$|:(disable|enable)$")


@pytest.fixture
def many(world: World, tmp_path: pathlib.Path) -> Iterator[Many]:
    """The credentials of the world."""
    with contextlib.ExitStack() as stack:
        yield Many(world, tmp_path, stack)


def done(many: Many, name: str, handle: str) -> list[str]:
    """Return what an issuer was asked to do to a key, in order."""
    asked = [each for each in many.desks[name].server.requests if handle in each.path]
    found = [_DOES.search(each.path) for each in asked]
    words = [match[0][1:] if match else each.method for match, each in zip(found, asked, strict=True)]
    return [word for word in words if word != "GET"]


def test_old_keys_are_switched_off_first_then_revoked_or_switched_on_again(world: World, many: Many) -> None:
    ends, returns = many.has("webhook", observe="2s"), many.has("gcpServiceAccount", observe="1h")
    names = ("webhook", "gcpServiceAccount")
    many.starts()
    for name in names:
        world.is_ready(name.lower())

    many.asks("Rotate", *names)
    many.succeed("Rotate", *names)

    # Nobody misses it.
    many.over("webhook")
    assert done(many, "webhook", ends.handle) == ["off", "DELETE"]
    assert many.desks["webhook"].handles().isdisjoint({ends.handle})
    assert many.accepts("webhook", many.key("webhook"))
    # Somebody misses it, also after the operator was started anew.
    google = many.desks["gcpServiceAccount"]
    world.until(lambda: google.vendor.made[returns.handle].off, "it is off")
    world.operators[-1].kill()
    many.starts()
    many.until("gcpServiceAccount", step="Grace")
    (new,) = google.handles() - {returns.handle}
    assert many.key("gcpServiceAccount") == google.vendor.made[new].parts
    many.asks("Rollback", "gcpServiceAccount")
    many.succeed("Rollback", "gcpServiceAccount")

    many.until("gcpServiceAccount", step="Idle")
    assert done(many, "gcpServiceAccount", returns.handle) == ["disable", "enable"]
    assert done(many, "gcpServiceAccount", new) == ["DELETE"]
    assert google.handles() == {returns.handle}
    assert many.key("gcpServiceAccount") == returns.parts
    assert many.stored("gcpServiceAccount") == {**returns.parts, "note": "stays"}
    assert many.accepts("gcpServiceAccount", dict(returns.parts))
    trail = Kept(world)
    for code in ("Disable", "Enable", "Revoke"):
        trail.has("rotation.outcome", code=code)


def test_whoever_writes_a_key_back_that_is_switched_off_gets_one_that_works(world: World, many: Many) -> None:
    first = many.has("anthropic")
    own = many.desks["anthropic"]
    many.starts()
    world.is_ready("anthropic")
    made = own.person_makes()
    many.asks("Rotate", "anthropic")
    many.until("anthropic", step="Issuing", why="WaitsForNewKey")
    many.writes("anthropic", made.parts)
    many.succeed("Rotate", "anthropic")
    world.until(lambda: not many.accepts("anthropic", dict(first.parts)), "the old one is switched off")

    many.writes("anthropic", first.parts)
    many.asks("RetryDebts", "anthropic")

    many.until("anthropic", step="Idle")
    last = many.told("anthropic")["last"]
    assert (last["outcome"], last["why"]) == ("RolledBack", "StoreChanged")
    assert many.accepts("anthropic", dict(first.parts))
    world.until(lambda: many.key("anthropic") == first.parts, "the Secret has it too")
    notes = [each["note"] for each in world.events("anthropic") if each["reason"] == "RolledBack"]
    assert len(notes) == 1 and "Somebody else has written another key to the store" in notes[0]
