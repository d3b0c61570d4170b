"""Where an issuer may be asked: at its own hosts, or where the operator's administrator allows it.

A probe shows a live key to whoever answers there.

Does not belong here: what addresses such a host may have (``egress``).
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence

from .. import errors
from ..errors import Reason
from ..issuers.base import Issuer
from . import egress

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def scope(issuer: type[Issuer], address: str, allowed: Sequence[str], *, loopback: bool) -> egress.Scope:
    """Return what network addresses an issuer may have that is asked at an address.

    Args:
        allowed: scheme, host and port of the addresses that are allowed beside the issuer's own.
        loopback: whether allowed ones may be on loopback (development).

    Raises:
        errors.Stalled: ``EndpointForbidden``: keys may not be shown there. ``InvalidSpec``: nobody can be there.
    """
    named = origin(address)
    if named in map(origin, allowed) and (named[0] == "https" or (loopback and named[1] in _LOOPBACK)):
        return egress.Scope(private=True, loopback=loopback)
    if issuer.may_be_at(address):
        return egress.Scope()
    shown = urllib.parse.urlsplit(address).hostname or "nowhere"
    raise errors.Stalled(
        Reason.ENDPOINT_FORBIDDEN,
        f"names {shown} as its endpoint, which is neither one of {issuer.title}'s own hosts by https nor allowed",
        "Ask the operator's administrator for --allow-issuer-endpoint",
    )


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address: who is asked there, whatever the path and however it is written.

    Raises:
        errors.Stalled: ``InvalidSpec``: it is no address.
    """
    with errors.boundary(_no_address):
        parts = urllib.parse.urlsplit(url)
        usual = 443 if parts.scheme == "https" else 80
        return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or usual


def _no_address(_: Exception) -> errors.Error:
    return errors.Stalled(
        Reason.INVALID_SPEC,
        "names an endpoint at which no server can be",
        "Write https://, a host name, and perhaps a port up to 65535 and a path",
    )
