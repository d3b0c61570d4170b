"""Credentials of vendors' servers on loopback, as an object says what they are.

Does not belong here: the servers (``dev/vendors``).
"""

from __future__ import annotations

from typing import Any

from build import entry
from keywright.issuers import ISSUERS
from vendors import VendorServer

Json = dict[str, Any]

ENFORCED = {"format": "Enforce", "liveness": "Enforce"}


def samples(server: VendorServer) -> dict[str, str]:
    """Return the parts of a new credential, which the vendor does not know."""
    return dict(next(iter(server.vendor.samples().values())))


def spec(server: VendorServer, parts: dict[str, str], path: str) -> Json:
    """Return the spec of an object that says of the parts at a path what they are, and has them asked about."""
    name = server.vendor.name
    found: Json = {"name": "it", "issuer": name, "parts": {part: part.upper() for part in parts}, "check": ENFORCED}
    if ISSUERS[name].Config and server.vendor.config:
        found[name] = _at(server, dict(server.vendor.config))
    if name != "custom":
        found["endpoint"] = server.url
    return {"data": [entry(part.upper(), path, part) for part in parts], "credentials": [found]}


def _at(server: VendorServer, config: Json) -> Json:
    """Let a declared probe go to the vendor's server."""
    if "probe" not in config:
        return config
    _, _, path = config["probe"]["url"].removeprefix("https://").partition("/")
    return {**config, "probe": {**config["probe"], "url": f"{server.url}/{path}"}}
