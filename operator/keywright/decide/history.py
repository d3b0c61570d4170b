"""The last acts of an object, as its status tells them to those who may not read the audit trail. Pure.

Does not belong here: the audit trail (``audit/``), Events (``events``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: Acts that are told.
LENGTH = 10
#: Names of keys that one act tells.
NAMES = 10

Item = dict[str, Any]


def act(
    what: str, at: str, *, reason: str = "", secret: str = "", keys: Sequence[str] = (), credential: str = ""
) -> Item:
    """Return one act.

    Args:
        what: a word of the closed list of Events, or of what rotations come to.
        at: when (RFC 3339).
        reason: why, as conditions say it.
        keys: which keys it changed.
        credential: which was rotated.
    """
    told = {"act": str(what), "time": at, "reason": str(reason), "secret": secret, "credential": credential}
    item: Item = {name: value for name, value in told.items() if value}
    return item | ({"keys": sorted(keys)[:NAMES]} if keys else {})


def with_acts(before: Sequence[Mapping[str, Any]], acts: Sequence[Item], place: str | None) -> list[Item]:
    """Return the history with acts that were recorded at a place, newest first; None: they are not, so far."""
    marked = [each | ({"record": place} if place else {}) for each in acts]
    return [*reversed(marked), *map(dict, before)][:LENGTH]


def unrecorded(history: Sequence[Mapping[str, Any]]) -> list[Item]:
    """Return the acts of which no record is known. Each step of a rotation is recorded before it is done."""
    return [dict(each) for each in history if not each.get("record") and not each.get("credential")]
