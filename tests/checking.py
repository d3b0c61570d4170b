"""What tests of checks share: keys that a vendor knows, objects that say what they are, tokens that end."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from build import api_key_secret, credential, entry
from running import Operator
from vendors import VendorServer
from world import Json, World

ENFORCED = {"format": "Enforce", "liveness": "Enforce"}
OFF = {"liveness": "Off"}
DAY = 86400.0


def key(server: VendorServer, state: Any = "valid") -> str:
    """Make a key, known to its vendor."""
    parts = server.vendor.samples()["project key"]
    if state != "invalid":
        server.vendor.knows(parts, state)
    return parts["apiKey"]


def starts(world: World, *servers: VendorServer, seconds: int = 600) -> Operator:
    """Start an operator that may ask these issuers."""
    allowed = [f"--allow-issuer-endpoint={each.url}" for each in servers]
    return world.start(*allowed, f"--condemn-seconds={seconds}")


def has_key(
    world: World, server: VendorServer, value: str, check: Json, of_entry: Json | None = None, **more: Any
) -> None:
    """Let there be a key in the store, and an object that says what it is."""
    world.put("llm/openai", api_key=value)
    world.has_store()
    credentials = [credential("openai", "OPENAI_API_KEY", server.url, check=check, **more.pop("credential", {}))]
    spec = {"credentials": credentials, "refreshInterval": "10s", **more}
    world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key", **(of_entry or {})), **spec))


def credentials(world: World) -> list[Json]:
    """Return what the status tells of credentials."""
    return list(world.object()["status"].get("credentials") or [])


def token(days: float, **more: object) -> str:
    """Make a JSON Web Token that ends in so many days."""
    parts = ({"alg": "none"}, {"exp": int(time.time() + days * DAY), **more})
    encoded = (base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts)
    return ".".join([*encoded, "x"])
