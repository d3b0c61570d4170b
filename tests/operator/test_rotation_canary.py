"""Keys are made, tested, written and revoked, also where issuers answer with what they were sent: no output holds one.

Does not belong here: reading keys and writing Secrets (``test_canary.py``).
"""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator

import pytest

import outputs
from cli.terminal import place
from rotating_many import Many
from sweep import Canaries
from vendors.base import Made
from world import World

NAMES = ("awsIam", "azureOpenai", "gcpServiceAccount", "gitlab", "webhook")
#: What the issuer calls the key, or whose it is: no secret.
NO_SECRETS = ("accessKeyId", "username", "keyId")


@pytest.fixture
def many(world: World, tmp_path: pathlib.Path) -> Iterator[Many]:
    """The credentials of the world."""
    with contextlib.ExitStack() as stack:
        yield Many(world, tmp_path, stack)


def watch(canary: Canaries, name: str, value: str) -> None:
    """Look for a value; of a key file, for what is secret in it."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        value = json.loads(value)["private_key"]
    canary.watch(name, value)


def learn(canary: Canaries, many: Many, first: dict[str, Made]) -> None:
    """Look for every key that there ever was, and every right to make some."""
    for name, desk in many.desks.items():
        for right, text in desk.vendor.rights.items():
            if right not in NO_SECRETS:
                watch(canary, f"right {right} of {name}", text)
        for made in (first[name], *desk.vendor.made.values()):
            for part, value in made.parts.items():
                if part not in NO_SECRETS:
                    watch(canary, f"{part} of {made.handle} of {name}", value)


def test_no_output_holds_a_key_that_is_made_or_a_right_to_make_some(
    world: World, many: Many, tmp_path: pathlib.Path
) -> None:
    canary, first = Canaries(), {name: many.has(name) for name in NAMES}
    many.starts("--log-level=debug")
    for name in NAMES:
        world.is_ready(name.lower())
    many.asks("Rotate", *NAMES)
    many.succeed("Rotate", *NAMES)
    learn(canary, many, first)
    before = {name: len(desk.server.requests) for name, desk in many.desks.items()}
    for desk in many.desks.values():
        desk.server.mood = "echo"
    many.asks("RevokeNow", *NAMES)
    many.asks("Reissue", *NAMES, token="-2")

    def asked() -> set[str]:
        return {name for name, desk in many.desks.items() if len(desk.server.requests) > before[name] + 2}

    world.until(lambda: asked() == set(NAMES), lambda: f"all are asked: {asked()}", 60)
    learn(canary, many, first)

    operator = world.operators[0]
    export = tmp_path / "trail.jsonl"
    apart = [each for each in place(world) if not each.startswith("--namespace=")]
    commands = [[command, name.lower(), *place(world)] for name in NAMES for command in ("history", "status")]
    commands += [["debts", "list", *place(world)], ["debts", "list", "--gone", *apart], ["report", *place(world)]]
    commands += [["audit", "log", "-o", "json", *apart], ["audit", "export", "-o", str(export), *apart]]
    found = outputs.of_commands(commands) | outputs.of_process(operator, tmp_path / "none") | outputs.of_cluster(world)
    found["the export"] = export.read_text()

    assert "rotation.outcome" in found["the export"]
    assert {where: names for where, text in found.items() if (names := canary.found_in(text))} == {}
    # And it would have been seen: the journals do hold them.
    path = f"/api/v1/namespaces/{world.system}/secrets?labelSelector=keywright.dev/journal=rotation"
    assert canary.found_in(json.dumps(world.must("GET", path)))
