"""Which segments a cluster has, in the order in which they are read, and how far somebody has come in it. Pure.

Logs stand in the order in which they name each other, the segments of a log by their numbers.

Does not belong here: how segments are found and delivered (``copies``), what is in them (``verify``).
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .. import canonical
from . import segment
from .segment import Listed

#: Logs of which a cursor keeps how far it came; all before them are behind it.
KEPT = 16


class Shelf:
    """The segments that are known. Those that are not called as segments are called are left out."""

    def __init__(self, listed: Iterable[Listed] = ()) -> None:
        self._logs: dict[str, list[int]] = {}
        previous: dict[str, str] = {}
        created: dict[str, str] = {}
        for each in sorted(listed, key=lambda one: one.number):
            if each.name == segment.name(each.log, each.number):
                self._logs.setdefault(each.log, []).append(each.number)
                previous.setdefault(each.log, each.previous)
                created.setdefault(each.log, each.created)
        #: The logs, oldest first.
        self.logs = _chained(previous, created)

    @property
    def ahead(self) -> str:
        """The name that the next segment will have, if its log goes on; empty if there is none."""
        return segment.name(self.logs[-1], self._logs[self.logs[-1]][-1] + 1) if self.logs else ""

    def grow(self) -> None:
        """Take in the segment that was ahead."""
        numbers = self._logs[self.logs[-1]]
        numbers.append(numbers[-1] + 1)

    def last(self, log: str) -> int:
        """Return the number of a log's last segment; -1 if there is none."""
        return self._logs[log][-1] if log in self._logs else -1

    def count(self, log: str, number: int) -> int:
        """Return how many segments of a log are behind one."""
        numbers = self._logs.get(log, [])
        return len(numbers) - bisect.bisect_right(numbers, number)

    def first(self, log: str, number: int) -> int | None:
        """Return the number of a log's first segment behind one; None if there is none."""
        numbers = self._logs.get(log, [])
        at = bisect.bisect_right(numbers, number)
        return numbers[at] if at < len(numbers) else None


class Cursor:
    """How far somebody has come: of each log, the number of the last segment that is done."""

    def __init__(self, at: Mapping[str, int] | None = None) -> None:
        self._at = dict(at or {})

    @classmethod
    def load(cls, text: str, shelf: Shelf) -> Cursor:
        """Return the cursor that was kept as a text; the beginning, where that is none."""
        try:
            told: Any = json.loads(text or "{}")
            kept = {str(log): int(number) for log, number in told.items()}
        except (ValueError, TypeError, AttributeError):
            kept = {}
        at = {log: number for log, number in kept.items() if log in shelf.logs}
        if at:
            first = next(place for place, log in enumerate(shelf.logs) if log in at)
            at |= {log: shelf.last(log) for log in shelf.logs[:first]}
        return cls(at)

    def dump(self, shelf: Shelf) -> str:
        """Return the cursor as a text that ``load`` reads."""
        there = [log for log in shelf.logs if log in self._at][-KEPT:]
        return canonical.text({log: self._at[log] for log in there})

    def next(self, shelf: Shelf) -> tuple[str, int, int] | None:
        """Return the first segment that is not done: log, number, and how many before it are missing; None for none."""
        for log in shelf.logs:
            done = self._at.get(log, -1)
            number = shelf.first(log, done)
            if number is not None:
                return log, number, number - done - 1
        return None

    def done(self, log: str, number: int) -> None:
        """Come to a segment."""
        self._at[log] = number

    def left(self, shelf: Shelf) -> int:
        """Return how many segments are not done."""
        return sum(shelf.count(log, self._at.get(log, -1)) for log in shelf.logs)

    def keep_to(self, shelf: Shelf) -> None:
        """Forget logs that are not there any more."""
        there = set(shelf.logs)
        self._at = {log: number for log, number in self._at.items() if log in there}


def _chained(previous: Mapping[str, str], created: Mapping[str, str]) -> list[str]:
    """Return logs, each behind the one that it names; those that name the same, or none that is there, by their age."""
    following: dict[str, list[str]] = {}
    for log in sorted(previous, key=lambda each: (created[each], each), reverse=True):
        before = previous[log]
        following.setdefault(before if before in previous else "", []).append(log)
    ordered: dict[str, None] = {}
    ahead = list(following.get("", []))
    while ahead:
        log = ahead.pop()
        ordered[log] = None
        ahead += following.get(log, [])
    # What names itself in a circle was made by hand; it is read too.
    ordered |= dict.fromkeys(sorted(previous.keys() - ordered.keys()))
    return list(ordered)
