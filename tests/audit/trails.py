"""The audit trail as a test finds it in a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from keywright.audit import heads, segment
from keywright.audit.verify import Verdict, Verifier
from world import GROUP, World

Json = dict[str, Any]
#: Where segments are written: a rule of a proxy.
SEGMENTS = "/auditsegments$"


def lease_events(world: World) -> set[str]:
    """Return the reasons of the Events on the operator's Lease, which tell how its trail is."""
    found = world.must("GET", f"/apis/events.k8s.io/v1/namespaces/{world.system}/events")["items"]
    return {each["reason"] for each in found if each["regarding"]["kind"] == "Lease"}


def in_order(segments: Iterable[Json]) -> list[Json]:
    """Return segments as they follow each other: a log's name begins with the leader's term."""
    return sorted(segments, key=lambda each: str(each["metadata"]["name"]))


class Kept:
    """What is kept of the trail of a world's operator."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path = f"{GROUP}/namespaces/{world.system}/auditsegments"

    def segments(self) -> list[Json]:
        """Return the segments."""
        return in_order(self.world.must("GET", self.path)["items"])

    def lines(self) -> Iterator[bytes]:
        """Yield its lines."""
        for item in self.segments():
            yield from segment.lines_of(item)

    def records(self, kind: str = "", **fields: Any) -> list[Json]:
        """Return the records of a type, in which top-level fields are so."""
        every = Verifier().take_all(self.lines())
        wanted = [each for each in every if each["type"].startswith(kind)]
        return [each for each in wanted if fields.items() <= each.items()]

    def has(self, kind: str, **fields: Any) -> Json:
        """Wait for a record of a type; return the newest."""
        return self.world.until(
            lambda: next(reversed(self.records(kind, **fields)), None),
            lambda: f"a record {kind} {fields}; there are {[(each['type'], each['code']) for each in self.records()]}",
        )

    def verdict(self, *witnesses: heads.Head) -> Verdict:
        """Verify it."""
        verifier = Verifier(witnesses)
        for line in self.lines():
            verifier.take(line)
        return verifier.verdict()

    def printed(self) -> list[heads.Head]:
        """Return the heads that operators have printed."""
        return [head for each in self.world.operators for head in heads.found_in(each.log.read_text().splitlines())]
