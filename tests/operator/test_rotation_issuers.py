"""Every way to have keys made, through a rotation by the real operator: many in one world, as in a cluster."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator

import pytest

from build import api_key_secret, entry, key_issuer
from issuing.cases import desk
from rotating import QUICK, Rotating
from rotating_many import Many, local
from vendors import VendorServer
from vendors.base import Made
from world import Json, World

#: What is made here, by the name of its object: what is configured, and a first key.
LOCAL: dict[str, tuple[Json, dict[str, str]]] = {
    "token": ({"random": {"part": "token", "prefix": "acme_"}}, {"token": "acme_first"}),
    "login": ({"basicAuth": {"username": "ci"}}, {"username": "ci", "password": "first", "auth": "ci:first"}),
}
#: Those that switch a key off for a while before they revoke it.
OFF_FIRST = ("awsIam", "gcpServiceAccount", "webhook")
#: Those that show nothing of a key in their lists: one that was made by hand says itself which one it is.
BY_NAME = ("gitlab", "webhook")


@pytest.fixture
def many(world: World, tmp_path: pathlib.Path) -> Iterator[Many]:
    """The credentials of the world."""
    with contextlib.ExitStack() as stack:
        yield Many(world, tmp_path, stack)


def test_every_issuer_that_makes_keys_replaces_one_and_ends_the_old(world: World, many: Many) -> None:
    names = ("awsIam", "azureOpenai", "gcpServiceAccount", "gitlab", "webhook")
    first = {name: many.has(name) for name in names}
    for name, (config, parts) in LOCAL.items():
        many.wants(name, "generated", config, parts, local(*parts))
    many.starts()
    for name in (*names, *LOCAL):
        world.is_ready(name.lower())

    many.asks("Rotate", *names, *LOCAL)
    many.succeed("Rotate", *names, *LOCAL)
    many.asks("RevokeNow", *OFF_FIRST)
    many.succeed("RevokeNow", *OFF_FIRST)

    many.over(*names, *LOCAL)
    new = {name: many.key(name) for name in names}
    for name in names:
        assert new[name].keys() == first[name].parts.keys()
        assert set(new[name].values()).isdisjoint(first[name].parts.values()), name
    for name in ("azureOpenai", "gcpServiceAccount", "gitlab", "webhook"):
        assert many.accepts(name, new[name]), name
        assert not many.accepts(name, dict(first[name].parts)), name
    # Of two places one was free, and is again.
    assert many.desks["awsIam"].handles() == {new["awsIam"]["accessKeyId"]}
    assert many.key("token")["token"].startswith("acme_")
    login = many.key("login")
    assert login["username"] == "ci"
    assert login["auth"].startswith("ci:$2y$")
    _go_on_by_themselves(many, first["azureOpenai"])


def _go_on_by_themselves(many: Many, first: Made) -> None:
    """Rotate once more: Azure's two places take turns, and what the others call their last key is remembered."""
    azure = many.desks["azureOpenai"]
    assert many.key("azureOpenai") == azure.vendor.made["Key2"].parts
    names = ("azureOpenai", *BY_NAME)

    many.asks("Rotate", *names, token="-2")
    many.succeed("Rotate", *names, token="-2")
    many.asks("RevokeNow", "webhook", token="-2")
    many.succeed("RevokeNow", "webhook", token="-2")

    many.over(*names)
    assert many.key("azureOpenai") == azure.vendor.made["Key1"].parts != first.parts
    for name in BY_NAME:
        (left,) = many.desks[name].vendor.made.values()
        assert many.key(name) == left.parts


def test_a_person_makes_a_key_and_the_rest_goes_by_itself_as_far_as_the_issuer_lets_it(
    world: World, many: Many
) -> None:
    first = many.has("anthropic")
    own = many.desks["anthropic"]
    with desk("gitlab") as other:
        old, new = (other.person_makes() for _ in range(2))
        checked = {"issuer": "gitlab", "endpoint": other.server.url}
        many.desks["manual"] = other
        many.wants("manual", "manual", {}, dict(old.parts), checked)
        many.starts()
        for name in many.desks:
            world.is_ready(name)
        made = own.person_makes()

        many.asks("Rotate", *many.desks)
        for name in many.desks:
            many.until(name, step="Issuing", why="WaitsForNewKey")
        many.writes("anthropic", made.parts)
        many.writes("manual", new.parts)
        many.succeed("Rotate", *many.desks)
        many.asks("RevokeNow", "anthropic")
        many.until("manual", step="Grace", why="WaitsForRevocation")
        assert many.accepts("manual", dict(old.parts))
        assert world.condition("manual", type_="Rotating")["reason"] == "RotationWaits"
        other.vendor.end(old.handle)
        # Whoever has revoked it says so, and it is looked at soon.
        many.asks("RevokeNow", "manual")

        many.succeed("RevokeNow", *many.desks)
        many.over(*many.desks)
        assert many.key("anthropic") == made.parts
        assert own.handles() == {made.handle} != {first.handle}
        assert many.key("manual") == new.parts


def test_neighbours_at_one_account_without_names_leave_each_other_alone_and_what_a_forged_key_names(
    world: World, many: Many
) -> None:
    many.has("gcpServiceAccount")
    own = many.desks["gcpServiceAccount"]
    said = {"name": "gcpserviceaccount"}
    rotation = {"overlap": "0", "consumers": "Optional", "test": QUICK}
    one = {"name": "it", "parts": {"key": "KEY"}, "check": {"liveness": "Enforce"}, **many.checked(own)}
    one |= {"issuerRef": said, "rotation": rotation}
    victim = own.person_makes().handle
    forged = json.loads(own.vendor.samples()["service account key"]["key"]) | {"private_key_id": victim}
    for name, text in (("b", own.person_makes().parts["key"]), ("forger", json.dumps(forged))):
        world.put(f"keys/{name}", key=text)
        held = one | ({"check": {"liveness": "Warn"}} if name == "forger" else {})
        world.apply(api_key_secret(name, entry("KEY", f"keys/{name}", "key"), credentials=[held], refreshInterval="1h"))
    many.starts()
    for name in ("gcpserviceaccount", "b", "forger"):
        world.is_ready(name)

    for name in ("gcpServiceAccount", "b", "forger"):
        many.asks("Rotate", name)
        many.succeed("Rotate", name)
    by_hand = own.person_makes().handle
    # The first looks again.
    many.asks("RevokeNow", "gcpServiceAccount")
    many.succeed("RevokeNow", "gcpServiceAccount")

    # The forged one is dead, as its issuer says.
    many.until("forger", step="Idle")
    used = {json.loads(world.secret(name)["KEY"])["private_key_id"] for name in ("b", "forger")}  # type: ignore[index]
    assert used | {victim, by_hand} <= {handle for handle, each in own.vendor.made.items() if not each.off}


def test_an_admin_key_that_is_an_object_of_ours_is_used_as_it_is_by_then(world: World, openai: VendorServer) -> None:
    rotating, admin = Rotating(world, openai), openai.vendor.admin
    first = rotating.vendor.make("key_first", "by-hand", "service account key")
    world.put("llm/openai", api_key=first.parts["apiKey"])
    world.put("llm/admin", key=admin)
    world.has_store(access="ReadWrite")
    world.apply(api_key_secret("openai-admin", entry("key", "llm/admin", "key"), refreshInterval="1h"))
    rotating.has_issuer()
    rotating.wants()
    rotating.starts()
    world.is_ready()
    rotating.asks("Rotate")
    world.until(lambda: rotating.told().get("last"), "it is over")
    before = rotating.key()
    # Somebody has replaced it at its issuer, and in the store a while later.
    openai.vendor.admin = f"{admin[:-4]}next"

    rotating.asks("Rotate", "again")

    refused = "KeyIssuer/openai answered 401 (invalid_api_key)"
    world.until(lambda: refused in rotating.told().get("waits", ""), lambda: f"it is told: {rotating.told()}")
    assert rotating.key() == before
    world.put("llm/admin", key=openai.vendor.admin)
    world.annotate("openai-admin", refresh="now")
    world.ends("again", "Succeeded")
    rotating.reaches("Idle")
    assert rotating.alive() == {rotating.key()}
    assert rotating.key() not in (before, first.parts["apiKey"])
    made = [each.bearer for each in openai.requests if each.method == "POST"]
    assert made == [admin, openai.vendor.admin]


def test_an_access_key_makes_its_own_successor_and_is_ended_by_it(world: World, many: Many) -> None:
    first = many.has("awsIam", observe="1s")
    own = many.desks["awsIam"]
    held = {"accessKeyIdRef": "ACCESSKEYID", "secretAccessKeyRef": "SECRETACCESSKEY"}
    refs = {field: {"name": "awsiam", "key": key} for field, key in held.items()}
    said = {"endpoint": own.server.url, "user": own.vendor.user, **refs}
    world.apply(key_issuer("awsiam", limits={"settle": "1s"}, awsIam=said))
    many.starts()
    world.is_ready("awsiam")

    for token in ("", "-2"):
        many.asks("Rotate", "awsIam", token=token)
        many.succeed("Rotate", "awsIam", token=token)
        many.over("awsIam")

    assert own.handles() == {many.key("awsIam")["accessKeyId"]} != {first.handle}
