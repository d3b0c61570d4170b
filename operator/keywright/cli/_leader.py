"""Who leads, as its Lease tells anybody who may read it.

Does not belong here: taking the Lease (``lease``).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ._output import lasting, seconds_since

if TYPE_CHECKING:
    from ..cluster import Cluster


@dataclasses.dataclass(frozen=True, slots=True)
class Leader:
    """What is known of the leader.

    Attributes:
        leads: whether somebody does; None if that could not be found out.
        identity: who leads, or led last.
        seen: its last sign of life, RFC 3339.
        told: all this as a sentence.
    """

    leads: bool | None
    identity: str | None
    seen: str | None
    told: str


async def find(api: Cluster, namespace: str) -> Leader:
    """Return who leads the operator of a namespace; whoever may not read the Lease is told so."""
    from .. import lease
    from ..cluster import LEASES, Refused

    try:
        found = await api.get(LEASES, namespace, lease.NAME)
    except Refused as refused:
        if refused.status != 403:
            raise
        return Leader(None, None, None, f"who leads is unknown: you may not read the Lease in namespace {namespace}")
    if found is None:
        told = (
            f"nobody leads: namespace {namespace} has no Lease; does the operator run elsewhere (--operator-namespace)?"
        )
        return Leader(False, None, None, told)
    spec = found.get("spec") or {}
    identity, seen = spec.get("holderIdentity") or None, spec.get("renewTime")
    age = seconds_since(seen)
    if identity is None:
        return Leader(False, None, seen, f"nobody leads: the last leader ended in order {lasting(age)} ago")
    if age is None or age > float(spec.get("leaseDurationSeconds") or 0):
        return Leader(False, identity, seen, f"nobody leads: operator {identity} was last seen {lasting(age)} ago")
    return Leader(True, identity, seen, f"operator {identity} leads, last seen {lasting(age)} ago")
