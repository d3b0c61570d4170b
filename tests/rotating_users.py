"""Keys that rotate while pods use them, many in one world; object, Secret and path of a key are called alike.

Does not belong here: what happens to them (``operator/test_rotation_users.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from build import api_key_secret, credential, entry, key_action, key_issuer, openai_admin
from rolling import Rolling
from rotating import QUICK
from vendors import VendorServer
from vendors.base import Made, Request
from world import Json, World

#: Seconds between two looks that a test asks for.
EVERY = 1.0


class Used:
    """Keys of one issuer, and who uses them.

    Attributes:
        first: the keys that were made by hand, by name.
        revoked: the pods that there were when a key was revoked, by UID, by the issuer's name of the key.
    """

    def __init__(self, world: World, server: VendorServer) -> None:
        self.world, self.server, self.rolling = world, server, Rolling(world)
        self.vendor: Any = server.vendor
        self.first: dict[str, Made] = {}
        self.revoked: dict[str, set[str]] = {}
        server.before_answer = self._asked
        self._looks, self._looked = 0, 0.0

    def _asked(self, request: Request) -> None:
        if request.method == "DELETE":
            self.revoked[request.path.rpartition("/")[2]] = self.pods()

    def starts(self, *flags: str) -> None:
        """Start an operator, and let there be a store and an issuer."""
        self.world.has_store(access="ReadWrite")
        self.world.secret_is("openai-admin", {"key": self.vendor.admin})
        limits = {"settle": "1s", "rotationsAtOnce": 32}
        self.world.apply(key_issuer("openai", limits=limits, openai=openai_admin(self.server.url)))
        self.world.start(f"--allow-issuer-endpoint={self.server.url}", "--rotations", "--rollouts", *flags)

    def looks_until(self, there: Callable[[], object], *names: str) -> None:
        """Have rotations look again each second, as they do when somebody asks for anything of them, until it holds."""

        def looked() -> bool:
            if time.monotonic() > self._looked + EVERY:
                self._looked, self._looks = time.monotonic(), self._looks + 1
                for name in names:
                    self.world.apply(key_action(f"look-{self._looks}-{name}", name, action="RetryDebts"))
            return bool(there())

        self.world.until(looked, lambda: f"{ {name: self.told(name) for name in names} }")

    def has(self, name: str, rollout: Json | None = None, **rotation: Any) -> None:
        """Let there be a key that was made by hand, and an object that wants it rotated."""
        made: Made = self.vendor.make(f"key_{name}", "by-hand", "service account key")
        self.first[name] = made
        self.world.put(f"keys/{name}", api_key=made.parts["apiKey"])
        said = {"overlap": "0", "adoptionTimeout": "10s", "test": QUICK, **rotation}
        one = credential("openai", "KEY", self.server.url, issuerRef={"name": "openai"}, rotation=said)
        self.reads(name, name, rollout, credentials=[one])

    def reads(self, name: str, of: str, rollout: Json | None = None, **spec: Any) -> None:
        """Let there be an object that reads a key."""
        wanted = entry("KEY", f"keys/{of}", "api_key")
        self.world.apply(api_key_secret(name, wanted, rollout=rollout, refreshInterval="1h", **spec))
        self.world.is_ready(name)

    def asks(self, action: str, *names: str) -> None:
        """Ask the same for some of them."""
        for name in names:
            self.world.apply(key_action(f"{action}-{name}".lower(), name, action=action))

    def told(self, name: str) -> Json:
        """Return what is told of a rotation."""
        found = (self.world.object(name).get("status") or {}).get("rotations") or [{}]
        return dict(found[0])

    def until(self, name: str, **said: object) -> None:
        """Wait until this is told of a rotation."""
        self.world.until(lambda: self.told(name).items() >= said.items(), lambda: f"{name}: {self.told(name)}")

    def ends(self, name: str) -> None:
        """Look until a rotation is over, and see that it has ended the old key, and nothing but that."""
        self.looks_until(lambda: self.told(name).get("step") == "Idle", name)
        assert self.told(name)["last"]["outcome"] == "Rotated"
        assert not self.lives(name)
        assert self.key(name) in {each.parts["apiKey"] for each in self.vendor.made.values()}

    def lives(self, name: str) -> bool:
        """Whether the key that was there first still lives."""
        return self.first[name].handle in self.vendor.made

    def key(self, name: str) -> str:
        """Return the key in a Secret."""
        return (self.world.secret(name) or {})["KEY"]

    def pods(self, name: str = "") -> set[str]:
        """Return the UIDs of the pods that there are, of one workload if it is named."""
        chosen = f"?labelSelector=app%3D{name}" if name else ""
        found = self.world.must("GET", f"/api/v1/namespaces/{self.world.namespace}/pods{chosen}")["items"]
        return {each["metadata"]["uid"] for each in found}
