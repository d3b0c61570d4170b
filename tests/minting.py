"""Credentials that are minted, as tests arrange them and look at them: issuers, objects, the shelf.

Does not belong here: what happens to them (``operator/test_minted*.py``).
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Iterator
from typing import Any

from build import api_key_secret, credential, key_action, key_issuer
from keywright import pacing
from keywright.engine import shelf
from rotating import QUICK
from running import Operator
from vendors import VendorServer
from world import Json, World

SHORT = {"overlap": "0", "consumers": "Optional", "test": QUICK}


class Minting:
    """Credential ``github`` of ApiKeySecret ``llm``, whose tokens a server mints that answers as GitHub's does."""

    def __init__(self, world: World, server: VendorServer) -> None:
        self.world, self.server = world, server
        self.vendor: Any = server.vendor

    def begins(self, **rotation: Any) -> None:
        """Let there be who mints, and an object that wants a token."""
        self.world.secret_is("github-app", {"key": self.vendor.admin})
        self.has_issuer()
        self.wants(**rotation)

    def has_issuer(self) -> None:
        """Let there be who mints."""
        app = {"endpoint": self.server.url, "appId": 123456, "installationId": 4711}
        key = {"privateKeyRef": {"name": "github-app", "key": "key"}}
        self.world.apply(key_issuer("github", limits={"settle": "1s"}, githubApp=app | key))

    def wants(self, issuer: str = "github", spec: Json | None = None, **rotation: Any) -> None:
        """Have a token minted so."""
        said = {"issuerRef": {"name": issuer}, "rotation": SHORT | rotation}
        one = credential("github", "GITHUB_TOKEN", self.server.url, part="token", **said)
        own = {"storeRef": None, "data": [{"key": "GITHUB_TOKEN"}], "credentials": [one], **(spec or {})}
        self.world.apply(api_key_secret("llm", **own))

    def starts(self, *flags: str, **more: Any) -> Operator:
        """Start an operator that may ask the issuer."""
        own = (f"--allow-issuer-endpoint={self.server.url}", "--condemn-seconds=10", "--rotations")
        return self.world.start(*own, *flags, **more)

    def asked(self) -> int:
        """Return how often a token was asked for."""
        return sum(each.method == "POST" for each in self.server.requests)

    def token(self) -> str:
        """Return the token in the Secret; empty where there is none."""
        return (self.world.secret() or {}).get("GITHUB_TOKEN", "")

    def tokens(self) -> list[str]:
        """Return the tokens that were minted, oldest first."""
        return [each.parts["token"] for each in self.vendor.made.values()]

    def told(self) -> Json:
        """Return what the status tells of the rotation."""
        found = (self.world.object().get("status") or {}).get("rotations") or [{}]
        return dict(found[0])

    def rests(self) -> Json:
        """Wait until nothing is under way; return what is told of it."""
        self.world.until(lambda: self.told().get("step") == "Idle" and "last" in self.told(), lambda: f"{self.told()}")
        return self.told()

    def shelves(self) -> list[Json]:
        """Return what lies on the shelf of this namespace's objects."""
        return [each for each in self._kept("keywright.dev/minted=credential") if self._is_ours(each)]

    def shelved(self) -> dict[str, str]:
        """Return the one credential on the shelf, as it lies there."""
        (found,) = self.shelves()
        return {name: base64.b64decode(each).decode() for name, each in found["data"].items()}

    def journals(self) -> list[Json]:
        """Return the journals that there are."""
        return self._kept("keywright.dev/journal=rotation")

    def _kept(self, label: str) -> list[Json]:
        path = f"/api/v1/namespaces/{self.world.system}/secrets?labelSelector={label}"
        return list(self.world.must("GET", path)["items"])

    def _is_ours(self, secret: Json) -> bool:
        return str(secret["metadata"]["annotations"][shelf.OF]).startswith(f"{self.world.namespace}/")

    def forgets(self, secrets: list[Json]) -> None:
        """Let Secrets of the operator be lost."""
        for each in secrets:
            self.world.must("DELETE", _path(each))

    def asks(self, action: str, name: str = "please", **more: Any) -> None:
        """Ask for something by a KeyAction."""
        self.world.apply(key_action(name, action=action, reason="Test", **more))

    def is_refused(self, said: str) -> None:
        """Wait until it is told why this cannot be minted."""

        def told() -> bool:
            found = self.world.condition(type_="Rotating")
            return found.get("reason") == "RotationUnsupported" and said in found["message"]

        self.world.until(told, lambda: f"{said}; it is {self.world.condition(type_='Rotating')}")

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Let the issuer mint nothing for a while."""
        self.vendor.denies = True
        try:
            yield
        finally:
            self.vendor.denies = False

    def ages(self, seconds: float) -> None:
        """Let so many seconds be left of what lies on the shelf, of an hour; its journal is lost."""
        (found,) = self.shelves()
        now = time.time()
        said = shelf.times(now + seconds - 3600, now + seconds)
        told = {name: base64.b64encode(each.reveal()).decode() for name, each in said.items()}
        self.world.must("PUT", f"{_path(found)}", found | {"data": found["data"] | told})
        self.forgets(self.journals())

    def left(self) -> float:
        """Return how many seconds the token in the Secret lives yet, as the status tells."""
        (told,) = self.world.object()["status"]["credentials"]
        return (pacing.unix(told["expiresAt"]) or 0.0) - time.time()


def _path(secret: Json) -> str:
    meta = secret["metadata"]
    return f"/api/v1/namespaces/{meta['namespace']}/secrets/{meta['name']}"
