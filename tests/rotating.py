"""A credential that rotates, as tests arrange it and look at it: an issuer that makes keys, a store, users.

Does not belong here: what happens to it (``operator/test_rotation*.py``).
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

from build import API, api_key_secret, credential, entry, key_action
from running import Operator
from vendors import VendorServer
from vendors.base import Made, Request, Response
from world import Json, World

#: A test that takes as little time as one may.
QUICK = {"passes": 2, "apart": "0", "within": "30s"}
_NUMBERS = itertools.count()


#: Where OpenAI has its keys, and its list of them as a server of somebody's own is declared.
PROJECT = "/v1/organization/projects/proj_abc"
LISTED = {"path": f"{PROJECT}/api_keys?limit=100&owner_project_access=any", "items": "data", "handle": "id"}


def declared(url: str, **more: object) -> Json:
    """Return OpenAI, declared call by call as a server of somebody's own."""
    return {
        "server": url,
        "secrets": [{"name": "admin", "secretRef": {"name": "openai-admin", "key": "key"}}],
        "headers": {"Authorization": "Bearer {admin}"},
        "issue": {
            "path": f"{PROJECT}/service_accounts/user-abc/api_keys",
            "body": '{"name": "{name}"}',
            "handle": "id",
            "parts": {"apiKey": "value"},
        },
        "revoke": {"path": f"{PROJECT}/api_keys/{{handle}}", "done": [200]},
        **more,
    }


class Rotating:
    """Credential ``openai`` of ApiKeySecret ``llm``, whose keys a server makes that answers as OpenAI's does."""

    def __init__(self, world: World, server: VendorServer) -> None:
        self.world, self.server = world, server
        self.vendor: Any = server.vendor

    def begins(self, *, store: Json | None = None, issuer: Json | None = None, **rotation: Any) -> Made:
        """Let there be a key that was made by hand, and an object that wants it rotated."""
        first: Made = self.vendor.make("key_first", "by-hand", "service account key")
        self.world.put("llm/openai", api_key=first.parts["apiKey"], region="eu")
        self.world.has_store(access="ReadWrite", **(store or {}))
        self.world.secret_is("openai-admin", {"key": self.vendor.admin})
        self.has_issuer(**(issuer or {}))
        self.wants(**rotation)
        return first

    def has_issuer(self, **limits: Any) -> None:
        """Let there be who makes the keys."""
        said = {
            "endpoint": self.server.url,
            "project": self.vendor.project,
            "serviceAccount": self.vendor.account,
            "adminKeyRef": {"name": "openai-admin", "key": "key"},
        }
        spec = {"limits": {"settle": "1s", **limits}, "openai": said}
        self.world.apply({"apiVersion": API, "kind": "KeyIssuer", "metadata": {"name": "openai"}, "spec": spec})

    def wants(self, name: str = "llm", issuer: str = "openai", **rotation: Any) -> None:
        """Have it rotated so."""
        said = {"overlap": "0", "consumers": "Optional", "test": QUICK, **rotation}
        address = self.server.url if issuer == "openai" else None
        one = credential(issuer, "OPENAI_API_KEY", address, issuerRef={"name": "openai"}, rotation=said)
        spec = {"credentials": [one], "refreshInterval": "1h"}
        self.world.apply(api_key_secret(name, entry("OPENAI_API_KEY", "llm/openai", "api_key"), **spec))

    def starts(self, *flags: str, **more: Any) -> Operator:
        """Start an operator that may ask the issuer."""
        own = (f"--allow-issuer-endpoint={self.server.url}", "--condemn-seconds=10", "--rotations")
        return self.world.start(*own, *flags, **more)

    def gets_to_grace(self, **rotation: Any) -> Made:
        """Have a key that was made by hand replaced as far as both live; return it."""
        first = self.begins(**rotation)
        self.starts()
        self.world.is_ready()
        self.asks("Rotate")
        self.reaches("Grace")
        return first

    def asks(self, action: str, name: str = "please", **more: Any) -> str:
        """Ask for something by a KeyAction."""
        self.world.apply(key_action(name, action=action, reason="Test", **more))
        return name

    def told(self) -> Json:
        """Return what the status tells of the rotation."""
        found = (self.world.object().get("status") or {}).get("rotations") or [{}]
        return dict(found[0])

    def reaches(self, step: str, seconds: float | None = None) -> Json:
        """Wait until the rotation is at a step."""
        more = {} if seconds is None else {"seconds": seconds}
        self.world.until(
            lambda: self.told().get("step") == step, lambda: f"{step} is reached; it is {self.told()}", **more
        )
        return self.told()

    def looks(self) -> None:
        """Wait until the rotation has looked at everything once more."""
        for _ in range(2):
            # One is settled before the look of its turn, the next one after.
            name = self.asks("RetryDebts", f"look-{next(_NUMBERS)}")
            self.world.ends(name, "Succeeded")

    def key(self) -> str:
        """Return the key in the Secret."""
        return (self.world.secret() or {})["OPENAI_API_KEY"]

    def alive(self) -> set[str]:
        """Return the keys that the issuer accepts, of those that were made."""
        return {made.parts["apiKey"] for made in self.vendor.made.values() if not made.off}

    def changes(self) -> list[str]:
        """Return the methods of the requests by which the issuer was asked to change something, in order."""
        return [each.method for each in list(self.server.requests) if each.method != "GET"]

    def when(self) -> Json:
        """Return what differs from rotation to rotation in what is told of the last."""
        return {name: self.told()["last"][name] for name in ("id", "at")}

    def stored(self) -> Json:
        """Return what the store has."""
        found = self.world.vault.secrets.kv.v2.read_secret_version(
            "llm/openai", mount_point=self.world.mount, raise_on_deleted_version=True
        )
        return dict(found["data"]["data"])

    def marks(self) -> Json:
        """Return what is marked in the store's metadata."""
        read = self.world.vault.secrets.kv.v2.read_secret_metadata
        return dict(read("llm/openai", mount_point=self.world.mount)["data"]["custom_metadata"] or {})

    def knows_only(self, made: Made) -> None:
        """Let the issuer accept no other key."""
        known = self.vendor.mark(made.parts)
        self.vendor.state = lambda mark: "valid" if mark == known else "invalid"

    @contextlib.contextmanager
    def refusing(self, method: str) -> Iterator[None]:
        """Let the issuer refuse requests of a kind for a while."""
        answer = self.vendor.answer
        said = {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "forbidden"}}

        def refuse(request: Request) -> Response:
            return Response(403, said) if request.method == method else answer(request)

        self.vendor.answer = refuse
        try:
            yield
        finally:
            self.vendor.answer = answer

    def journals(self) -> list[Json]:
        """Return the journals that there are."""
        path = f"/api/v1/namespaces/{self.world.system}/secrets?labelSelector=keywright.dev/journal=rotation"
        return list(self.world.must("GET", path)["items"])
