"""How tests ask issuers: over real connections, as the operator does."""

from __future__ import annotations

import time
from collections.abc import Mapping

from keywright import errors, wire
from keywright.issuers import ISSUERS, table
from keywright.issuers.base import Finding, Issuer, Verdict
from keywright.secret import SecretMap, SecretValue
from vendors import VendorServer

#: Texts that no credential is.
UNTRUE = (
    "",
    "\n",
    "\x00",
    "a" * 100_000,
    "{" * 100_000,
    "[]",
    '{"type": 1}',
    "\udcff".encode("utf-8", "replace"),
    b"\xff\xfe\x00",
)


def secret(parts: Mapping[str, str | bytes]) -> SecretMap:
    """Return the parts of a credential."""
    return {name: SecretValue(value) for name, value in parts.items()}


def issuer(vendor: VendorServer) -> Issuer:
    """Return the issuer whose vendor is served."""
    kind = ISSUERS[vendor.vendor.name]
    config = kind.Config.model_validate(vendor.vendor.config) if kind.Config else None
    return kind(config, table(), vendor.url)


def asking(own: Issuer, url: str, parts: SecretMap, seconds: float = 5.0) -> Finding:
    """Probe a credential at an address, as the operator does."""
    server, ends = wire.Server(url, wire.trust(), 1 << 20), time.monotonic() + seconds

    def ask(method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None) -> wire.Answer:
        return server.exchange(method, target, "a probe", deadline=ends, headers=headers, body=body)

    try:
        return own.probe(parts, ask)
    except errors.Error as error:
        return Finding(Verdict.UNKNOWN, error.message)
