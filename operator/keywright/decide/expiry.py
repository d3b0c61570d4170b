"""What there is to say of keys that end: how near the end is, since when that is told, when there is news. Pure.

Does not belong here: where an end is known from (``issuers/``, ``stores/``), writing status and Events (``engine/``).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from .. import pacing, schema
from ..errors import Reason
from . import report

#: Stands for the end itself where else it says how long before it.
ENDED = "0"


@dataclasses.dataclass(frozen=True, slots=True)
class News:
    """Something to be said once.

    Attributes:
        credential: which one it is about.
        stage: how long before its end, as the object writes it; ``0`` once it has ended.
        expires_at: RFC 3339.
    """

    credential: str
    stage: str
    expires_at: str

    @property
    def reason(self) -> Reason:
        """What it is."""
        return Reason.EXPIRED if self.stage == ENDED else Reason.EXPIRING_SOON


@dataclasses.dataclass(frozen=True, slots=True)
class Outlook:
    """What there is to say at one moment.

    Attributes:
        credentials: as in the status, with what has been said of each by now.
        conditions: `ExpiringSoon` and `Expired`, where they hold.
        news: what has not been said yet.
        next: Unix time at which there will be more to say; None if never.
        first: when the first of them ends (RFC 3339); None if none does.
    """

    credentials: list[dict[str, Any]]
    conditions: report.Conditions
    news: tuple[News, ...]
    next: float | None
    first: str | None


def outlook(
    credentials: Sequence[Mapping[str, Any]],
    warn_before: Sequence[str],
    now: float,
    minted: AbstractSet[str] = frozenset(),
) -> Outlook:
    """Return what there is to say of credentials as the status tells of them.

    Args:
        warn_before: how long before the end something is said, as durations.
        now: Unix time.
        minted: names of those that are minted: they end soon all the time, and another one is there before.
    """
    after: list[dict[str, Any]] = []
    news: list[News] = []
    soon: list[str] = []
    ended: list[str] = []
    coming: list[float] = []
    ends: list[tuple[float, str]] = []
    for each in credentials:
        told, end = dict(each), pacing.unix(each.get("expiresAt"))
        after.append(told)
        if end is None:
            continue
        ends.append((end, str(each["expiresAt"])))
        moments = [] if each.get("name") in minted else _within_life(end, each, warn_before)
        stage = _stage(end - now, moments)
        coming += [at for at in _moments(end, moments) if at > now]
        if stage is None:
            told.pop("warned", None)
            continue
        said = f"{each['name']} ({report.clock(str(each['expiresAt']))})"
        (ended if stage == ENDED else soon).append(said)
        if _is_news(stage, told.get("warned")):
            told["warned"] = stage
            news.append(News(str(each["name"]), stage, str(each["expiresAt"])))
    conditions = _conditions(soon, ended)
    first = min(ends)[1] if ends else None
    return Outlook(after, conditions, tuple(news), min(coming, default=None), first)


def _within_life(end: float, told: Mapping[str, Any], warn_before: Sequence[str]) -> list[str]:
    """Return the moments that come while it lives: what lives for a day does not end soon all day long."""
    life = end - (pacing.unix(told.get("createdAt")) or -math.inf)
    return [length for length in warn_before if schema.seconds(length) < life]


def _stage(left: float, warn_before: Sequence[str]) -> str | None:
    """Return the nearest moment before the end that has come; None if none has."""
    if left <= 0:
        return ENDED
    passed = [each for each in warn_before if left <= schema.seconds(each)]
    return min(passed, key=schema.seconds, default=None)


def _is_news(stage: str, warned: object) -> bool:
    """Whether a moment comes after the one that was told of last: a clock that goes back tells nothing."""
    return not isinstance(warned, str) or schema.seconds(stage) < schema.seconds(warned)


def _moments(end: float, warn_before: Sequence[str]) -> list[float]:
    return [end, *(end - schema.seconds(each) for each in warn_before)]


def _conditions(soon: Sequence[str], ended: Sequence[str]) -> report.Conditions:
    found: report.Conditions = []
    for names, kind, begins, hint in (
        (soon, Reason.EXPIRING_SOON, "To expire soon", "Have new ones made, and write them to the store"),
        (ended, Reason.EXPIRED, "Expired", "Write new ones to the store"),
    ):
        if names:
            said = f"{begins}: {report.few(sorted(names))}. {hint}."
            found.append({"type": str(kind), "status": "True", "reason": str(kind), "message": said[:2048]})
    return found
