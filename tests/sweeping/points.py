"""Where a rotation can be hurt and how: each place on the wire at which it does something outside, and the faults.

Does not belong here: a rotation under such a fault (``stage``), which of them are tried when (``plan``).
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping

from controlplane import Answer, Drop, KillAfter, KillBefore, LoseAnswer
from controlplane.exchange import Seen
from controlplane.faults import Fault

#: What has to be known of a rotation to tell its requests: where it happens, and its names.
Names = Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A kind of request that a rotation makes.

    Attributes:
        server: ``api``, ``store`` or ``issuer``.
        path: regular expression, in which names stand in braces.
        effect: whether it changes anything.
    """

    server: str
    methods: tuple[str, ...]
    path: str
    effect: bool = True

    def pattern(self, names: Names) -> str:
        """Return the regular expression for one rotation."""
        return self.path.format(**{name: re.escape(value) for name, value in names.items()})

    def matches(self, seen: Seen, names: Names) -> bool:
        """Whether a request is one of these."""
        return seen.method in self.methods and bool(re.search(self.pattern(names), seen.uri))


_SECRETS = "/namespaces/{namespace}/secrets"
PLACES: dict[str, Place] = {
    "claim": Place("api", ("POST",), r"/namespaces/{system}/secrets(\?|$)"),
    "journal": Place("api", ("PUT",), "/secrets/{journal}"),
    "intent": Place("api", ("POST",), "/auditsegments"),
    "Secret": Place("api", ("PATCH", "PUT", "POST"), _SECRETS + r"/{name}(\?|$)"),
    "reader's Secret": Place("api", ("PATCH", "PUT", "POST"), _SECRETS + "/{name}-reader"),
    "status": Place("api", ("PATCH",), "/apikeysecrets/{name}/status"),
    "reader's status": Place("api", ("PATCH",), "/apikeysecrets/{name}-reader/status"),
    "action": Place("api", ("PATCH", "PUT"), "/keyactions/{name}"),
    "event": Place("api", ("POST", "PATCH"), "/namespaces/({namespace}|{system})/events"),
    "issue": Place("issuer", ("POST",), "/api_keys"),
    "list": Place("issuer", ("GET",), r"/api_keys\?", effect=False),
    "revoke": Place("issuer", ("DELETE",), "/api_keys/"),
    "test": Place("issuer", ("GET",), "/v1/models", effect=False),
    "mark": Place("store", ("POST", "PUT", "PATCH"), "/metadata/llm/{name}"),
    "store": Place("store", ("POST", "PUT", "PATCH"), "/data/llm/{name}"),
    "Secrets Manager": Place("store", ("POST",), r"^/(\?|$)"),
    "IAM": Place("issuer", ("POST",), r"^/(\?|$)"),
    "read": Place("store", ("GET",), "/data/llm/{name}", effect=False),
}
#: At which place is done what the trail announces.
ANNOUNCED = {"Issue": "issue", "Revoke": "revoke", "Mark": "mark", "StoreNew": "store", "StoreOld": "store"}
#: What an operator asks for all the time, whether anything rotates or not; it tells of cluster objects of tests beside
#: this one too.
ALWAYS = re.compile("/leases/|/auth/|/selfsubject|/subjectaccessreviews|/clusterkey(issuer|store)s/[^/]+/status")

#: Changes of files, which a call tells of itself (``writes``); the fault is "killed before" each.
FILE = "file"

#: How often in a row a fault happens, where that is not once.
TIMES = {"503 thrice": 3}
#: What happens to a request, by its name. A kill needs to know whom.
FAULTS: dict[str, Callable[[Callable[[], int]], Fault]] = {
    "killed before": KillBefore,
    "killed after": KillAfter,
    "answer lost": lambda _: LoseAnswer(),
    "cut": lambda _: Drop(),
    "500": lambda _: Answer(500),
    "429": lambda _: Answer(429),
    "503 thrice": lambda _: Answer(503),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """One fault at one request.

    Attributes:
        number: which of the requests of its place, from 0.
    """

    place: str
    number: int
    fault: str

    def __str__(self) -> str:
        return f"{self.place} {self.number + 1} {self.fault}"


@dataclasses.dataclass(frozen=True, slots=True)
class Recording:
    """What a rotation asked outside when nothing went wrong.

    Attributes:
        places: in the order of time.
        times: when, by ``time.monotonic()``.
    """

    places: tuple[str, ...]
    times: tuple[float, ...]

    def count(self, place: str) -> int:
        """Return how often it asked something."""
        return self.places.count(place)

    @property
    def counts(self) -> Mapping[str, int]:
        """How often it asked what."""
        return collections.Counter(self.places)

    def beside(self, place: str, times: Iterable[float]) -> Recording:
        """Return it with what was done at one place more."""
        return Recording.of([*zip(self.times, self.places, strict=True), *((each, place) for each in times)])

    @classmethod
    def of(cls, found: Iterable[tuple[float, str]]) -> Recording:
        """Put what was done, and when, in order."""
        ordered = sorted(found)
        return cls(tuple(place for _, place in ordered), tuple(at for at, _ in ordered))


def recording(requests: Mapping[str, Iterable[Seen]], names: Names) -> tuple[Recording, list[str]]:
    """Tell what was asked, by place; and what changed something and is of no place: that would escape the sweep."""
    found: list[tuple[float, str]] = []
    unknown: list[str] = []
    for server, each in requests.items():
        for seen in each:
            place = next((n for n, p in PLACES.items() if p.server == server and p.matches(seen, names)), None)
            if place:
                found.append((seen.at, place))
            elif seen.method not in ("GET", "HEAD") and not ALWAYS.search(seen.uri):
                unknown.append(f"{server} {seen.method} {seen.path}")
    return Recording.of(found), unknown
