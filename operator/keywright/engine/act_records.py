"""What is recorded of KeyActions: an intent before each begins, an outcome when it ends.

Does not belong here: carrying them out (``actions``), keeping records (``audit/``).
"""

from __future__ import annotations

from typing import Any

from .. import cluster
from ..audit.record import Action, Credential, Entry, Object, Type, Who
from ..audit.trail import Trail
from ..decide import act
from . import record_keeping
from .actions import KEY_ACTIONS, UNRECORDED_TOO, ActionRecord

#: Seconds after which every KeyAction that goes on has surely been taken up.
SETTLED = 10.0


class ActRecords:
    """Records KeyActions; an ``ActionJournal``."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    async def begin(self, action: ActionRecord) -> None:
        """Record that an act is about to begin, and return when that is kept.

        Raises:
            errors.Retry: it cannot be recorded now.
        """
        waits = action.action not in UNRECORDED_TOO
        await self._trail.intent(_entry(action, Type.ACTION_INTENT, "Begun"), waits=waits)

    async def end(self, action: ActionRecord, code: str) -> None:
        """Record how an act ended, or why it does not begin."""
        await self._trail.record(_entry(action, Type.ACTION_OUTCOME, code))


async def settle(api: cluster.Cluster, trail: Trail) -> None:
    """End what the leader before has begun and nobody goes on with: its KeyAction is over, or was deleted."""

    async def came_of(row: dict[str, Any]) -> str | None:
        return None if await _goes_on(api, row) else "Unknown"

    await record_keeping.settle(trail, Type.ACTION_INTENT, Type.ACTION_OUTCOME, came_of, after=SETTLED)


async def _goes_on(api: cluster.Cluster, row: dict[str, Any]) -> bool:
    found = await api.get(KEY_ACTIONS, row["object"]["namespace"], row["action"]["name"])
    if found is None or found["metadata"]["uid"] != row["id"]:
        return False
    return (found.get("status") or {}).get("phase") not in act.OVER


def _entry(action: ActionRecord, kind: Type, code: str) -> Entry:
    return Entry(
        type=kind,
        code=code,
        who=_who(action),
        id=action.uid,
        object=Object(
            kind="ApiKeySecret",
            namespace=action.namespace,
            name=action.api_key_secret,
            uid=action.api_key_secret_uid or None,
            generation=action.generation or None,
        ),
        credential=Credential(name=action.credential) if action.credential else None,
        action=Action(
            name=action.name,
            uid=action.uid,
            act=action.action,
            reason=action.reason,
            reference=action.reference or None,
        ),
    )


def _who(action: ActionRecord) -> Who:
    if not action.requested_by:
        return Who(kind="Unknown", name="nobody who is named", verified=False)
    account = action.requested_by.startswith("system:serviceaccount:")
    return Who(kind="ServiceAccount" if account else "User", name=action.requested_by, verified=action.verified)
