"""Where copies of the audit trail go, outside the cluster: one file a sink, found by being there.

A sink is plain synchronous code. It knows nothing of queues, cursors, retries and threads: those are those of
``copies``. Sinks do not import each other; what they need of an SDK is imported when the first copy is delivered.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from ... import errors
from ...errors import Reason
from ...members import members
from .base import Sink, address_of

#: Every sink of this version by the scheme of its addresses.
SINKS = MappingProxyType(
    {
        scheme: each
        for each in members(__name__, __path__, Sink)  # type: ignore[type-abstract]
        for scheme in each.schemes
    }
)


def read(url: str) -> Sink:
    """Return the sink at an address, without I/O.

    Raises:
        errors.Stalled: ``InvalidSpec``: the address is none; the message says what is wrong, and repeats no value.
    """
    scheme = url.partition("://")[0]
    if scheme not in SINKS:
        raise errors.Stalled(
            Reason.INVALID_SPEC,
            "has an address of no known kind",
            "Write it as https://host/path or s3://bucket/prefix",
        )
    return SINKS[scheme](address_of(url))


def read_all(urls: Sequence[str], *, loopback: bool = False) -> tuple[Sink, ...]:
    """Return the sinks at these addresses, without I/O.

    Args:
        loopback: whether one may be reached without TLS, on this machine.

    Raises:
        errors.Stalled: ``InvalidSpec``: one of them cannot be used, or is named twice.
    """
    found = tuple(map(read, urls))
    for number, each in enumerate(found):
        if each.plain and not loopback:
            said = f"{each.label} would be reached without TLS"
            hint = "Write https; http is for this machine, with --allow-loopback-stores"
            raise errors.Stalled(Reason.INVALID_SPEC, said, hint)
        if any(each.identity == other.identity for other in found[:number]):
            raise errors.Stalled(Reason.INVALID_SPEC, f"{each.label} is named twice")
    return found
