"""Every way to have keys made, through one rotation by the real operator: many in one world, as they are in a cluster.

What each way is configured with is that of ``tests/issuing/cases.py``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from build import api_key_secret, entry, key_action, key_issuer
from issuing.cases import Desk, desk
from keywright.issuers import ISSUERS
from keywright.issuing import ISSUING
from rotating import QUICK
from vendors.base import Made
from world import Json, World

#: What is made here, by the name of its object: what is configured, and a first key.
LOCAL: dict[str, tuple[Json, dict[str, str]]] = {
    "token": ({"random": {"part": "token", "prefix": "acme_"}}, {"token": "acme_first"}),
    "login": ({"basicAuth": {"username": "ci"}}, {"username": "ci", "password": "first", "auth": "ci:first"}),
}
#: Those that switch a key off for a while before they revoke it.
OFF_FIRST = ("awsIam", "gcpServiceAccount", "webhook")


class Many:
    """Credentials that rotate, each called as who makes its keys."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.desks: dict[str, Desk] = {}

    def has(self, own: Desk) -> Made:
        """Let there be a key that was made by hand, and who makes others."""
        self.desks[own.name] = own
        name, first = own.name.lower(), own.person_makes()
        right = f"right-{name}"
        said = json.dumps(own.case.config(own.server.url)).replace('"name": "right"', f'"name": "{right}"')
        config = json.loads(said) | ({"user": own.vendor.user} if own.name == "awsIam" else {})
        self.world.secret_is(right, dict(own.vendor.rights))
        self.wants(name, own.name, config, dict(first.parts), self.checked(own))
        return first

    def checked(self, own: Desk) -> Json:
        """Return who accepts the keys, as a credential says it."""
        issuer, url = ISSUING[own.name].issuer or "custom", own.server.url
        if issuer != "custom":
            return {"issuer": issuer, "endpoint": url} | ({issuer: own.vendor.config} if own.vendor.config else {})
        config = dict(own.vendor.config)
        return {"issuer": issuer, "custom": config | {"probe": config["probe"] | {"url": f"{url}/v1/whoami?brief=1"}}}

    def wants(self, name: str, way: str, config: Json, first: dict[str, str], checked: Json) -> None:
        """Let a key be in the store, and an object want it rotated."""
        self.world.put(f"keys/{name}", **first, note="stays")
        self.world.apply(key_issuer(name, limits={"settle": "1s"}, **{way: config}))
        rotation = {"overlap": "0", "consumers": "Optional", "test": QUICK}
        one = {"name": "it", "parts": {part: part.upper() for part in first}, **checked}
        one |= {"check": {"liveness": "Enforce"}, "issuerRef": {"name": name}, "rotation": rotation}
        entries = [entry(part.upper(), f"keys/{name}", part) for part in first]
        self.world.apply(api_key_secret(name, *entries, credentials=[one], refreshInterval="1h"))

    def starts(self, *urls: str) -> None:
        """Start an operator that may ask them all."""
        allowed = (f"--allow-issuer-endpoint={url}" for url in (*urls, *(each.server.url for each in self.urls())))
        self.world.start(*allowed, "--condemn-seconds=3", "--rotations")
        self.world.has_store(access="ReadWrite")

    def urls(self) -> Iterator[Desk]:
        yield from self.desks.values()

    def asks(self, action: str, *names: str, token: str = "") -> None:
        """Ask the same for some of them."""
        for each in names:
            self.world.apply(key_action(f"{action}-{each}{token}".lower(), each.lower(), action=action))

    def succeed(self, action: str, *names: str, token: str = "") -> None:
        """Wait until what was asked came to something good."""
        for each in names:
            self.world.ends(f"{action}-{each}{token}".lower(), "Succeeded")

    def told(self, name: str) -> Json:
        """Return what is told of a rotation."""
        found = self.world.object(name.lower())["status"].get("rotations") or [{}]
        return dict(found[0])

    def until(self, name: str, **said: str) -> None:
        """Wait until this is told of a rotation."""
        self.world.until(lambda: self.told(name).items() >= said.items(), lambda: f"{name}: {self.told(name)}", 60)

    def over(self, *names: str) -> None:
        """Wait until rotations have ended well, and see that store and Secret have one key."""
        for name in names:
            self.until(name, step="Idle")
            assert self.told(name)["last"]["outcome"] == "Rotated", (name, self.told(name))
            assert self.stored(name) == {**self.key(name), "note": "stays"}

    def key(self, name: str) -> dict[str, str]:
        """Return the key in the Secret, by part."""
        found = self.world.secret(name.lower()) or {}
        names = self.world.object(name.lower())["spec"]["credentials"][0]["parts"]
        return {part: found[entry] for part, entry in names.items()}

    def stored(self, name: str) -> Json:
        """Return what the store has."""
        found = self.world.vault.secrets.kv.v2.read_secret_version(
            f"keys/{name.lower()}", mount_point=self.world.mount, raise_on_deleted_version=True
        )
        return dict(found["data"]["data"])

    def writes(self, name: str, parts: Any) -> None:
        """Write a key to the store as a person does, and have it read."""
        self.world.put(f"keys/{name.lower()}", **parts, note="stays")
        self.world.annotate(name.lower(), refresh="written")

    def accepts(self, name: str, parts: dict[str, str]) -> bool:
        """Whether the issuer accepts a key, for all that its server knows."""
        vendor = self.desks[name].vendor
        return str(vendor.state(vendor.mark(parts))) == "valid"


@pytest.fixture
def many(world: World) -> Many:
    """The credentials of the world."""
    return Many(world)


def test_every_issuer_that_makes_keys_replaces_one_and_ends_the_old(world: World, many: Many) -> None:
    names = ("awsIam", "azureOpenai", "gcpServiceAccount", "gitlab", "webhook")
    with contextlib.ExitStack() as stack:
        first = {name: many.has(stack.enter_context(desk(name))) for name in names}
        for name, (config, parts) in LOCAL.items():
            form = {"issuer": "custom", "custom": {"parts": [{"name": part} for part in parts]}}
            many.wants(name, "generated", config, parts, form)
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
        _comes_back_to_the_first_place(many, first["azureOpenai"])


def _comes_back_to_the_first_place(many: Many, first: Made) -> None:
    """Rotate Azure once more: it has two places, which take turns."""
    vendor = many.desks["azureOpenai"].vendor
    assert many.key("azureOpenai") == vendor.made["Key2"].parts

    many.asks("Rotate", "azureOpenai", token="-2")
    many.succeed("Rotate", "azureOpenai", token="-2")

    many.until("azureOpenai", step="Idle")
    assert many.key("azureOpenai") == vendor.made["Key1"].parts != first.parts


def test_a_person_makes_a_key_and_the_rest_goes_by_itself_as_far_as_the_issuer_lets_it(
    world: World, many: Many
) -> None:
    with desk("anthropic") as own, desk("gitlab") as other:
        first = many.has(own)
        vendor = other.vendor
        old, new = (vendor.make("", "by-hand", "access token") for _ in range(2))
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
        vendor.end(old.handle)
        # Whoever has revoked it says so, and it is looked at soon.
        many.asks("RevokeNow", "manual")

        many.succeed("RevokeNow", *many.desks)
        many.over(*many.desks)
        assert many.key("anthropic") == made.parts
        assert own.handles() == {made.handle} != {first.handle}
        assert many.key("manual") == new.parts
