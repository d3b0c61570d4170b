"""Which points are tried: a few that matter most in every run of the tests, all of them in the whole sweep.

What there is to try is taken from a recording of what a rotation does, not from a list: a place that it asks more often
tomorrow is swept more often tomorrow.

Does not belong here: what a point is (``points``), trying it (``stage``).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence

from sweeping.points import FAULTS, PLACES, Point, Recording

#: Places that every rotation passes as often as the recorded one. Others put several things into one request.
EXACT = frozenset({"claim", "journal", "issue", "revoke", "mark", "store", "Secret", "reader's Secret"})
#: Faults of what changes nothing: whether it is done or not is the same.
READING = ("killed before", "cut", "500", "429", "503 thrice")
#: Pairs that are drawn for the whole sweep, and in how many worlds they are tried.
DOUBLES, WORLDS = 100, 10


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """What is tried in one world: each element in a rotation of its own.

    Attributes:
        points: which faults, once it is known what a rotation asks.
    """

    name: str
    points: Callable[[Recording], Sequence[tuple[Point, ...]]]


def shares(seed: int, *, whole: bool) -> Iterator[Share]:
    """Yield what is tried."""
    yield from (SHORT if not whole else [])
    if whole:
        for place, what in PLACES.items():
            for fault in FAULTS if what.effect else READING:
                yield Share(f"{place}, {fault}", _each(place, fault))
        for number in range(WORLDS):
            yield Share(f"double faults of seed {seed + number}", _doubles(seed + number))


def _each(place: str, fault: str) -> Callable[[Recording], Sequence[tuple[Point, ...]]]:
    return lambda found: [(Point(place, number, fault),) for number in range(found.count(place))]


def _doubles(seed: int) -> Callable[[Recording], Sequence[tuple[Point, ...]]]:
    def drawn(found: Recording) -> list[tuple[Point, ...]]:
        chance = random.Random(seed)  # noqa: S311 - a sweep must be repeatable
        every = sorted(found.counts.items())

        def point() -> Point:
            place, count = chance.choice(every)
            faults = list(FAULTS) if PLACES[place].effect else list(READING)
            return Point(place, chance.randrange(count), chance.choice(faults))

        return [(point(), point()) for _ in range(DOUBLES // WORLDS)]

    return drawn


def _one(place: str, fault: str, *, after: str = "", before: str = "") -> Callable[[Recording], tuple[Point, ...]]:
    """Return one point: at the first such request, at the next one after something, or at the last one before it."""

    def found(recording: Recording) -> tuple[Point, ...]:
        until = recording.places.index(after or before) if after or before else 0
        passed = recording.places[:until].count(place)
        return (Point(place, passed - 1 if before else passed, fault),)

    return found


def _few(name: str, *points: Callable[[Recording], tuple[Point, ...]]) -> Share:
    return Share(name, lambda found: [each(found) for each in points])


#: What is tried each time: around each of the effects that cannot be undone.
SHORT = (
    _few(
        "a key is made",
        _one("journal", "killed after", before="issue"),
        _one("issue", "killed after"),
        _one("issue", "answer lost"),
        _one("journal", "killed before", after="issue"),
    ),
    _few(
        "it is stored",
        _one("journal", "killed after", before="store"),
        _one("store", "killed after"),
        _one("store", "answer lost"),
        _one("Secret", "killed before"),
    ),
    _few(
        "the old one is revoked",
        _one("revoke", "killed before"),
        _one("revoke", "killed after"),
        _one("revoke", "500"),
        _one("journal", "killed before", after="revoke"),
    ),
    _few(
        "it begins and ends",
        _one("claim", "killed after"),
        _one("mark", "answer lost"),
        _one("intent", "500", before="issue"),
        lambda found: (*_one("issue", "answer lost")(found), *_one("store", "killed after")(found)),
    ),
)
