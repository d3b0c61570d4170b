"""Which points are tried: a few that matter most in every run of the tests, all of them in the whole sweep.

What there is to try is taken from a recording of what a rotation does, not from a list: a place that it asks more often
tomorrow is swept more often tomorrow.

Does not belong here: what a point is (``points``), trying it (``stage``).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence

from sweeping.points import FAULTS, FILE, PLACES, Point, Recording

#: Places that every rotation passes as often as the recorded one. Others put several things into one request.
EXACT = frozenset({"claim", "journal", "issue", "revoke", "mark", "store", "Secret", "reader's Secret"})
#: Faults of what changes nothing: whether it is done or not is the same.
READING = ("killed before", "cut", "500", "429", "503 thrice")
#: Places with AWS alone: a server each.
OF_AWS = ("Secrets Manager", "IAM")
#: Faults of the way back.
KILLS = ("killed before", "killed after")
#: Servers that are away for a while, and the places where a rotation is then.
SERVERS, AWAY_AT = ("api", "store", "issuer"), ("claim", "issue", "test", "store", "Secret", "revoke")
#: What a laptop asks its issuer, the worlds in which it dies while it writes, and how often it dies again.
OF_LAPTOP, PARTS, TWICE = ("issue", "list", "revoke", "test"), 4, 30
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
    if not whole:
        yield from SHORT
        return
    for place, what in PLACES.items():
        if place in OF_AWS:
            continue
        for fault in FAULTS if what.effect else READING:
            yield Share(f"{place}, {fault}", _each(place, fault))
    for number in range(WORLDS):
        yield Share(f"double faults of seed {seed + number}", _doubles(seed + number))


def shares_back(*, whole: bool) -> Iterator[Share]:
    """Yield what is tried on the way back: kills around each effect."""
    if not whole:
        yield SHORT_BACK
        return
    for place in BACK:
        yield Share(f"{place}, killed", _kills(place))


def shares_of_file(*, whole: bool) -> Iterator[Share]:
    """Yield what is tried where the store is a file, which no proxy stands before: kills around what is beside it."""
    if not whole:
        yield SHORT_OF_FILE
        return
    for place in BESIDE_FILE:
        yield Share(f"{place}, killed", _kills(place))


def shares_of_aws(*, whole: bool) -> Iterator[Share]:
    """Yield what is tried with AWS: a kill after each of its requests, and an answer that is lost."""
    if not whole:
        yield SHORT_OF_AWS
        return
    for place in OF_AWS:
        for fault in ("killed after", "answer lost"):
            yield Share(f"{place}, {fault}", _each(place, fault))


def shares_of_laptop(seed: int, *, whole: bool) -> Iterator[Share]:
    """Yield what is tried without a cluster: kills before each change of a file, and faults of requests."""
    if not whole:
        yield SHORT_OF_LAPTOP
        return
    for number in range(PARTS):
        yield Share(f"{FILE} {number + 1} of {PARTS}, killed before", _files(number, PARTS))
    for place in OF_LAPTOP:
        for fault in FAULTS if PLACES[place].effect else READING:
            yield Share(f"{place}, {fault}", _each(place, fault))
    yield Share(f"killed twice, seed {seed}", _twice(seed))


def shares_of_laptop_back(*, whole: bool) -> Iterator[Share]:
    """Yield the same on the way back: kills alone."""
    yield SHORT_OF_LAPTOP_BACK if not whole else Share(f"{FILE}, killed before", _files(0, 1))
    if whole:
        yield Share("revoke, killed", _kills("revoke"))


def outages(*, whole: bool) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield what is tried in one world: which server is away, from which place of a rotation on."""
    if not whole:
        yield SHORT_OUTAGES
        return
    for server in SERVERS:
        yield tuple((server, place) for place in AWAY_AT)


def _each(place: str, fault: str) -> Callable[[Recording], Sequence[tuple[Point, ...]]]:
    return lambda found: [(Point(place, number, fault),) for number in range(found.count(place))]


def _kills(place: str) -> Callable[[Recording], Sequence[tuple[Point, ...]]]:
    return lambda found: [(Point(place, number, fault),) for number in range(found.count(place)) for fault in KILLS]


def _files(first: int, step: int) -> Callable[[Recording], Sequence[tuple[Point, ...]]]:
    return lambda found: [(Point(FILE, each, KILLS[0]),) for each in range(first, found.count(FILE), step)]


def _twice(seed: int) -> Callable[[Recording], Sequence[tuple[Point, ...]]]:
    def drawn(found: Recording) -> list[tuple[Point, ...]]:
        chance = random.Random(seed)  # noqa: S311 - a sweep must be repeatable
        every = [each for (each,) in _files(0, 1)(found)]
        return [(chance.choice(every), chance.choice(every)) for _ in range(TWICE)]

    return drawn


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


def _one(
    place: str, fault: str, *, after: str = "", before: str = "", steps: int = 0
) -> Callable[[Recording], tuple[Point, ...]]:
    """Return one point: at the first such request, at the next one after something, or at the last one before it.

    Args:
        steps: how many such requests earlier.
    """

    def found(recording: Recording) -> tuple[Point, ...]:
        until = recording.places.index(after or before) if after or before else 0
        passed = recording.places[:until].count(place)
        return (Point(place, (passed - 1 if before else passed) - steps, fault),)

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
        _one("journal", "killed before", after="revoke"),
    ),
    _few(
        "it begins and ends",
        _one("claim", "killed after"),
        _one("mark", "answer lost"),
        _one("intent", "500", before="issue"),
        _one("status", "503 thrice", after="revoke"),
        lambda found: (*_one("issue", "answer lost")(found), *_one("store", "killed after")(found)),
    ),
)
#: What is done on the way back, and changes more than what is told.
BACK = ("journal", "intent", "store", "Secret", "reader's Secret", "revoke", "action")
#: The same on the way back: the old key comes back, the new one ends.
SHORT_BACK = _few(
    "on the way back",
    lambda found: (*_one("store", "killed after")(found), *_one("revoke", "killed before")(found)),
)
#: What is done before and after a file is written.
BESIDE_FILE = ("journal", "issue", "Secret", "reader's Secret", "revoke")
#: The last thing before it is written, and the first one after.
SHORT_OF_FILE = _few(
    "a file is written",
    _one("journal", "killed after", before="Secret", steps=2),
    _one("journal", "killed before", before="Secret", steps=1),
)
#: All servers at once.
SHORT_OUTAGES = (("all", "store"),)
#: After the last that Secrets Manager is asked, and the last that IAM is: the new key is stored, and the old one dead.
SHORT_OF_AWS = Share(
    "a key of AWS",
    lambda found: [
        tuple(Point(place, max(0, found.count(place) - 2), "killed after") for place in OF_AWS),
    ],
)
#: Around the effects that cannot be undone, and here and there while files are written.
SHORT_OF_LAPTOP = Share(
    "a laptop dies",
    lambda found: [
        _one("issue", "killed after")(found),
        _one(FILE, "killed before", after="issue")(found),
        _one(FILE, "killed before", before="revoke")(found),
        _one("revoke", "killed after")(found),
        *_files(3, 16)(found),
    ],
)
#: The last change of a file is the one that says that it is over.
SHORT_OF_LAPTOP_BACK = Share("a laptop dies on the way back", lambda found: _files(0, 1)(found)[-1:])
