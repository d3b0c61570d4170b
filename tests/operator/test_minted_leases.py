"""Roles of a real database that a real OpenBao leases: renewed, replaced and revoked, all without a person."""

from __future__ import annotations

from typing import Any

import pytest

from audit.trails import Kept
from build import api_key_secret, key_action, key_issuer
from controlplane import OpenBao, PostgreSQL
from leasing import Leasing
from minting import SHORT
from world import World

ENTRIES = {"username": "DB_USER", "password": "DB_PASSWORD"}


class Short(Leasing):
    """Leases that live for so short that a test can wait for it."""

    life = (15, 24)


@pytest.fixture
def servers(openbao: OpenBao, postgres: PostgreSQL) -> tuple[OpenBao, PostgreSQL]:
    """Who leases, and the database."""
    return openbao, postgres


def begins(world: World, vendor: Leasing, **rotation: Any) -> None:
    """Let there be an object that wants a role of the database, and an operator."""
    world.secret_is("vault-login", {"secret": vendor.admin})
    ref = {"name": "vault-login", "key": "secret"}
    auth = {"appRole": {"mount": vendor.method, "roleId": vendor.role_id, "secretIdRef": ref}}
    said = {"server": world.bao.url, "path": vendor.path, "auth": auth}
    world.apply(key_issuer("database", limits={"settle": "1s"}, vaultDynamic=said))
    one = {
        "name": "database",
        "issuer": "custom",
        "custom": {"parts": [{"name": part} for part in ENTRIES]},
        "parts": ENTRIES,
        "issuerRef": {"name": "database"},
        "rotation": SHORT | rotation,
    }
    data = [{"key": each} for each in ENTRIES.values()]
    world.apply(api_key_secret("llm", storeRef=None, data=data, credentials=[one]))
    world.start("--rotations")
    world.is_ready()


def role(world: World) -> dict[str, str]:
    """Return the role in the Secret."""
    held = world.secret() or {}
    return {part: held[key] for part, key in ENTRIES.items()}


def test_a_lease_is_renewed_without_a_word_and_replaced_when_it_lives_no_longer(
    world: World, servers: tuple[OpenBao, PostgreSQL]
) -> None:
    vendor, trail = Short(*servers), Kept(world)
    begins(world, vendor)
    first, ends = role(world), world.object()["status"]["credentials"][0]["expiresAt"]
    assert vendor.knows(first)

    with world.untouched():
        trail.has("rotation.outcome", code="Renew")
        world.until(lambda: world.object()["status"]["credentials"][0]["expiresAt"] > ends, "its new end is told")
    assert vendor.knows(role(world))

    world.until(lambda: role(world) != first, "another one is in the Secret")
    assert vendor.knows(role(world))
    world.until(lambda: len(vendor.made) == 1, "the first one is gone")
    assert not vendor.knows(first)
    assert "RotationWaits" not in world.event_reasons()


def test_what_was_leased_to_be_tried_is_revoked_and_what_is_in_use_outlives_its_object(
    world: World, servers: tuple[OpenBao, PostgreSQL]
) -> None:
    vendor = Leasing(*servers)
    begins(world, vendor)
    held = role(world)
    world.until(lambda: world.object()["status"]["rotations"][0]["step"] == "Idle", "nothing is under way")

    world.apply(key_action("try", action="Rotate", testOnly=True))
    world.ends("try", "Succeeded")
    assert len(vendor.made) == 1
    assert role(world) == held

    world.apply(key_action("please", action="Rotate"))
    world.ends("please", "Succeeded")
    world.until(lambda: len(vendor.made) == 1, "the old one is revoked")
    assert not vendor.knows(held)
    held = role(world)

    world.delete("ApiKeySecret", "llm")
    world.secret_becomes(None)
    path = f"/api/v1/namespaces/{world.system}/secrets?labelSelector="
    for label in ("keywright.dev/minted", "keywright.dev/journal"):
        world.until(lambda label=label: not world.must("GET", path + label)["items"], f"no {label} is left")  # type: ignore[misc]
    assert vendor.knows(held)
