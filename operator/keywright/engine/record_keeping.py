"""The audit trail of an operator: whose it is, its key, what people are told when it fails, what a leader left open.

Does not belong here: what is recorded (``chronicle``), how (``audit/``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from .. import cluster, errors, lease
from ..audit.record import Entry, Type, Who
from ..audit.trail import Trail
from ..audit.writer import Writer
from ..errors import Reason
from ..events import EventReason, Recorder, Regarding
from ..settings import Settings
from . import installkeys

log = logging.getLogger(__name__)

MIB = 1024 * 1024
#: What an outcome takes over from its intent.
_KEPT = frozenset({"type", "code", "who", "id", "object", "secret", "credential", "action"})

#: What a row of the trail that is an intent has come to, a code; None: somebody goes on with it.
CameOf = Callable[[dict[str, Any]], Awaitable[str | None]]


def trail(settings: Settings, recorder: Recorder, who: Who, committed: Callable[[], None]) -> Trail:
    """Return the trail of an operator; people hear of its troubles by Events on the Lease."""
    regarding = Regarding("Lease", settings.namespace, lease.NAME, "", "coordination.k8s.io/v1")

    def tell(error: errors.Error | None) -> None:
        if error is None:
            recorder.say(
                regarding, EventReason.AUDIT_RESTORED, "Record", "Records are written to the audit trail again."
            )
            return
        nearly = error.reason is Reason.AUDIT_NEARLY_FULL
        reason = EventReason.AUDIT_NEARLY_FULL if nearly else EventReason.AUDIT_UNAVAILABLE
        said = f"{error.message[:1].upper()}{error.message[1:]}." + (f" {error.hint}." if error.hint else "")
        recorder.say(regarding, reason, "Record", said, about=error.message)

    return Trail(who, settings.audit_mode, tell, committed)


async def writer(settings: Settings, api: cluster.Cluster, who: Who, epoch: int) -> Writer:
    """Return what writes the trail.

    Raises:
        errors.Error: its key cannot be had.
    """
    key = await installkeys.signing_key(api, settings.namespace)
    capacity = settings.audit_capacity * MIB
    return Writer(api, settings.namespace, key, who=who, epoch=epoch, capacity=capacity)


async def identity(settings: Settings, api: cluster.Cluster) -> Who:
    """Return who this operator is to the API server: the ServiceAccount that its token names."""
    token = str((await api.credentials()).api_key.get("BearerToken") or "")
    name = _subject(token)
    if name.startswith("system:serviceaccount:"):
        return Who(kind="ServiceAccount", name=name, verified=True, instance=settings.identity[:253])
    # A client certificate, in development.
    return Who(kind="Unknown", name=settings.identity[:253], verified=False)


def _subject(token: str) -> str:
    """Return whom a token (JWT) is about; empty where it tells nobody. The API server has accepted it."""
    body = token.removeprefix("Bearer ").split(".")[1:2]
    try:
        claims = json.loads(base64.urlsafe_b64decode(body[0] + "=" * (-len(body[0]) % 4)))
        said = str(claims.get("sub", ""))
    except (IndexError, ValueError, binascii.Error, AttributeError):
        return ""
    return said if re.fullmatch(r"[-:.a-z0-9]{1,253}", said) else ""


async def settle(trail: Trail, intent: Type, outcome: Type, came_of: CameOf, *, after: float = 0.0) -> None:
    """End what the leader before has begun to record and nobody goes on with.

    Args:
        came_of: may raise ``errors.Error``: then it stays open.
        after: seconds to wait before, if there is something.
    """
    left = [row for row in await trail.left_open() if row.get("type") == intent]
    if left and after:
        await asyncio.sleep(after)
    for row in left:
        try:
            code = await came_of(row)
            entry = Entry.model_validate({name: row[name] for name in row.keys() & _KEPT})
        except (errors.Error, ValueError, KeyError, TypeError):
            log.warning("%s of the leader before stays open: what it is about could not be looked at", intent)
            continue
        if code:
            trail.note(entry.model_copy(update={"type": outcome, "code": code}))
