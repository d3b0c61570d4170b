"""Credentials that rotate, many in one world, whoever makes their keys; configured as in ``tests/issuing/cases.py``.

Does not belong here: what happens to them (``operator/test_rotation_*.py``).
"""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import Any

from build import api_key_secret, entry, key_action, key_issuer
from controlplane.certificates import Authority
from issuing.cases import Desk, desk
from keywright.issuing import ISSUING
from rotating import QUICK
from vendors.base import Made
from vendors.server import MoodyServer
from world import Json, World


class Many:
    """Credentials that rotate, each called as who makes its keys."""

    def __init__(self, world: World, folder: pathlib.Path, stack: contextlib.ExitStack) -> None:
        self.world, self._stack = world, stack
        self.desks: dict[str, Desk] = {}
        authority = Authority("issuers")
        self._trusted = folder / "ca.pem"
        self._trusted.write_text(authority.pem)
        #: Probes that an object declares go over TLS alone.
        self._context = authority.server(folder)
        self._allowed: list[str] = []

    def has(self, way: str, **rotation: Any) -> Made:
        """Let there be a key that was made by hand, and who makes others."""
        own = self.desks[way] = self._stack.enter_context(desk(way))
        name, first = own.name.lower(), own.person_makes()
        right = f"right-{name}"
        said = json.dumps(own.case.config(own.server.url)).replace('"name": "right"', f'"name": "{right}"')
        config = json.loads(said) | ({"user": own.vendor.user} if own.name == "awsIam" else {})
        self.world.secret_is(right, dict(own.vendor.rights))
        self.wants(name, own.name, config, dict(first.parts), self.checked(own), **rotation)
        return first

    def checked(self, own: Desk) -> Json:
        """Return who accepts the keys, as a credential says it."""
        issuer, url = ISSUING[own.name].issuer or "custom", own.server.url
        if issuer != "custom":
            return {"issuer": issuer, "endpoint": url} | ({issuer: own.vendor.config} if own.vendor.config else {})
        probed = MoodyServer(own.vendor.answer, self._context)
        self._stack.callback(probed.close)
        self._allowed.append(probed.url)
        config = dict(own.vendor.config)
        probe = config["probe"] | {"url": f"{probed.url}/v1/whoami?brief=1"}
        return {"issuer": issuer, "custom": config | {"probe": probe}}

    def wants(self, name: str, way: str, config: Json, first: dict[str, str], checked: Json, **rotation: Any) -> None:
        """Let a key be in the store, and an object want it rotated."""
        self.world.put(f"keys/{name}", **first, note="stays")
        entries = [entry(part.upper(), f"keys/{name}", part) for part in first]
        self.rotates(name, way, config, checked, entries, rotation=rotation)

    def rotates(self, name: str, way: str, config: Json, checked: Json, entries: list[Json], **spec: Any) -> None:
        """Let there be who makes keys, and an object; parts are called as their properties, without one: token."""
        self.world.apply(key_issuer(name, limits={"settle": "1s"}, **{way: config}))
        rotation = {"overlap": "0", "consumers": "Optional", "test": QUICK, **spec.pop("rotation", {})}
        parts = {each["remoteRef"].get("property", "token"): each["key"] for each in entries}
        one = {"name": "it", "parts": parts, "check": {"liveness": "Enforce"}, **checked}
        one |= {"issuerRef": {"name": name}, "rotation": rotation}
        self.world.apply(api_key_secret(name, *entries, credentials=[one], refreshInterval="1h", **spec))

    def starts(self, *flags: str) -> None:
        """Start an operator that may ask them all."""
        urls = [*self._allowed, *(each.server.url for each in self.desks.values())]
        allowed = (f"--allow-issuer-endpoint={url}" for url in urls)
        self.world.start(*allowed, f"--issuer-ca-file={self._trusted}", "--condemn-seconds=3", "--rotations", *flags)
        self.world.has_store(access="ReadWrite")

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


def local(*parts: str) -> Json:
    """Return what a credential says of keys that are made here: nobody can be asked about one."""
    form = {"parts": [{"name": part} for part in parts]}
    return {"issuer": "custom", "custom": form, "check": {"liveness": "Off"}}
