"""What status tells of credentials: how they are, and when they end.

Does not belong here: how that was found out (``engine/checker.py``), which command shows it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import pacing
from ..errors import Reason
from . import _output
from ._exit import Exit
from ._health import Health
from ._output import lasting, seconds_since

if TYPE_CHECKING:
    from ..cluster import Json

Row = dict[str, Any]

#: What status tells of a credential, for people and programs.
FIELDS = ("name", "issuer", "kind", "verdict", "since", "createdAt", "expiresAt", "version", "fingerprint")

#: How a check ends by why an object is not Ready.
_REASONS = {
    str(Reason.KEY_MALFORMED): Exit.MALFORMED,
    str(Reason.KEY_INVALID): Exit.INVALID,
    str(Reason.KEY_UNVERIFIED): Exit.UNKNOWN,
}


def of(item: Json) -> list[Row]:
    """Return what the status of an object tells of its credentials; what it does not tell is None."""
    told = (item.get("status") or {}).get("credentials") or []
    return [{field: each.get(field) for field in FIELDS} for each in told]


def code(health: Health, credentials: Sequence[Mapping[str, Any]]) -> Exit:
    """Return how a check of an object ends."""
    if health.ready != "True":
        return _REASONS.get(str(health.reason), Exit.NOT_READY)
    verdicts = {each["verdict"] for each in credentials}
    if "Invalid" in verdicts:
        return Exit.INVALID
    return Exit.UNKNOWN if "Unknown" in verdicts else Exit.FINE


def show(page: _output.Page, credentials: Sequence[Mapping[str, Any]]) -> None:
    """Print them as a table."""
    told = ("name", "issuer", "kind", "verdict")
    page.table(
        ["NAME", "ISSUER", "KIND", "VERDICT", "SINCE", "EXPIRES", "VERSION"],
        [
            [
                *(str(each[field] or "-") for field in told),
                lasting(seconds_since(each["since"])),
                *(str(each[field] or "-") for field in ("expiresAt", "version")),
            ]
            for each in credentials
        ],
    )


def ending(items: Sequence[Json], within: float) -> list[Row]:
    """Return the credentials of objects that end within a time, or have ended, the first of them first.

    Args:
        within: seconds from now.
    """
    until, found = time.time() + within, []
    for item in items:
        meta = item["metadata"]
        for each in of(item):
            end = pacing.unix(each["expiresAt"])
            if end is not None and end <= until:
                told = {field: each[field] for field in ("issuer", "kind", "verdict", "expiresAt")}
                row = {"namespace": meta["namespace"], "name": meta["name"], "credential": each["name"], **told}
                found.append((end, meta["namespace"], meta["name"], each["name"], row))
    return [row for *_, row in sorted(found, key=lambda each: each[:4])]


def show_ending(page: _output.Page, found: Sequence[Mapping[str, Any]]) -> None:
    """Print credentials that end."""
    columns = ("namespace", "name", "credential", "issuer", "expiresAt")
    page.table(
        ["NAMESPACE", "NAME", "CREDENTIAL", "ISSUER", "EXPIRES", "IN", "VERDICT"],
        [[*(str(each[field] or "-") for field in columns), _left(each), str(each["verdict"])] for each in found],
    )


def _left(row: Mapping[str, Any]) -> str:
    """Return how long a credential still is good, for people."""
    left = (pacing.unix(row["expiresAt"]) or 0.0) - time.time()
    return lasting(left) if left > 0 else "ended"
