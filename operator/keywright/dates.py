"""Points in time as vendors write them, as objects carry them (RFC 3339, in UTC). Pure.

Does not belong here: what ends or begins then (each issuer and store).
"""

from __future__ import annotations

import datetime
import re

#: The forms that are taken; `fromisoformat` takes weeks, ordinals and times without a zone besides.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})? ?(Z|UTC|[+-]\d\d:?\d\d)", re.ASCII)


def moment(found: object) -> str | None:
    """Return a time as RFC 3339 in UTC, to the second; None if it is none, or none that can be understood.

    Args:
        found: what stood in an answer: ``2026-11-22T10:00:00.000Z``, ``2026-11-22 10:00:00 UTC``, or with an offset.
    """
    if not isinstance(found, str) or not _TIME.fullmatch(found):
        return None
    day, clock = found[:10], found[11:].replace(" ", "").replace("UTC", "Z")
    try:
        at = datetime.datetime.fromisoformat(f"{day}T{clock}").astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None
    return at.strftime("%Y-%m-%dT%H:%M:%SZ") if at.year >= 1000 else None  # strftime does not pad years


def midnight(found: object) -> str | None:
    """Return the first second (UTC) of a day, as RFC 3339; None if it is no day.

    Args:
        found: what stood in an answer: ``2026-11-22``.
    """
    return moment(f"{found}T00:00:00Z") if isinstance(found, str) else None


def of_unix(found: object) -> str | None:
    """Return a Unix time in seconds as RFC 3339; None if it is none."""
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < 253_402_300_800:
        return None
    return datetime.datetime.fromtimestamp(found, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix(found: object) -> float | None:
    """Return the Unix time of a time as ``moment`` takes it; None if it is none."""
    at = moment(found)
    return datetime.datetime.fromisoformat(at).timestamp() if at else None
