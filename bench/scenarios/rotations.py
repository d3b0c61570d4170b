"""Rotations that are asked for, of all keys at once: what one costs, whether that grows with their number, and rest.

Keys are made by the operator itself: what an issuer takes is none of what is measured.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import time
from collections.abc import Mapping

from keywright import kinds
from keywright.engine.actions import KEY_ACTIONS
from keywright.engine.records import API_KEY_SECRETS, ISSUER_RESOURCES

from ..rows import Row, Target
from ..testbed import PATIENCE, SYSTEM, GaveUp, Json, Testbed, at_once, cpu_seconds, objects

NAME = "rotations"
#: So many times fewer keys are few.
FEWER = 10
#: Seconds for which nothing is due.
REST = 20.0
#: What of the requests to the API server is counted: verb, resource, and whether they are in the operator's namespace.
COUNTED = {
    ("create", "secrets", True): "writes of its journal",
    ("update", "secrets", True): "writes of its journal",
    ("patch", "secrets", False): "writes of its Secret",
    ("patch", "apikeysecrets", False): "writes of its status",
    ("patch", "keyactions", False): "writes of the KeyAction's status",
    ("create", "events", False): "Events",
    ("create", "auditsegments", True): "segments of the audit trail",
    ("get", "secrets", False): "reads of its Secret",
    ("list", "pods", False): "lists of pods",
}
#: What one may take, with a little for those that have to look once more; tests count exactly.
LIMITS = {"writes of its journal": 11.5, "writes of its Secret": 1.05, "writes of its status": 3.3, "Events": 6.5}
LIMITS |= {"reads of the store": 11.5, "writes of the store": 2.05}


@dataclasses.dataclass(frozen=True)
class Found:
    """What it took to replace a number of keys.

    Attributes:
        cpu: seconds of the operator, for each.
        wall: seconds until all were replaced.
        counts: requests, for each, by what they are.
        rest: requests to the API server and the store while nothing was due.
        idle: seconds of CPU in a second meanwhile.
    """

    cpu: float
    wall: float
    counts: Mapping[str, float]
    rest: int
    idle: float


async def run(count: int) -> list[Row]:
    """Measure few of them, and half of what stands for 1,000."""
    count //= 2
    few, many = await _rotated(count // FEWER), await _rotated(count)
    cpu, growth = f"CPU of one of {count}, beside one of {count // FEWER}", Target(1.5, "low", "ratio")
    limits = {what: Target(limit) for what, limit in LIMITS.items()}
    return [
        Row(NAME, f"{count} keys replaced", count / many.wall, "/s"),
        Row(NAME, cpu, many.cpu * 1000, "ms", growth, few.cpu * 1000),
        *(Row(NAME, f"{what} for one", many.counts[what], "", limits.get(what)) for what in sorted(many.counts)),
        Row(NAME, f"requests in {REST:.0f} s with nothing due", many.rest, "", Target(0.0)),
        Row(NAME, "CPU meanwhile", many.idle * 1000, "ms/s"),
    ]


async def _rotated(count: int) -> Found:
    """Have so many keys replaced."""
    async with Testbed.open({"rotation": {"enabled": True}}, access="ReadWrite") as testbed:
        testbed.has_keys(count)
        await testbed.api.call("POST", ISSUER_RESOURCES["ClusterKeyIssuer"], body=_issuer())
        items = [_rotating(each) for each in objects(count)]
        await testbed.has_objects(items)
        mark = testbed.plane.mark()
        operator = testbed.starts_operator("--rotations")
        await testbed.until_written(count, "events", "create", mark)
        await _until_told(testbed, count, "nextRotation")

        mark, stored, spent, began = testbed.plane.mark(), testbed.bao.mark(), cpu_seconds(operator), time.monotonic()
        await at_once(lambda item: _asks(testbed, item), items)
        await _until_told(testbed, count, "rotations", "last")
        cpu, wall = cpu_seconds(operator) - spent, time.monotonic() - began
        counts = _counts(testbed, mark, stored)

        await asyncio.sleep(REST / 2)
        mark, stored, spent = testbed.plane.mark(), testbed.bao.mark(), cpu_seconds(operator)
        await asyncio.sleep(REST)
        asked = [each for each in testbed.asked(mark) if each.verb != "watch"]
        return Found(
            cpu / count,
            wall,
            {what: number / count for what, number in counts.items()},
            len(asked) + sum(1 for _ in testbed.bao.requests(stored)),
            (cpu_seconds(operator) - spent) / REST,
        )


def _issuer() -> Json:
    """Return who makes the keys: the operator."""
    spec = {"bindings": [{"namespaceSelector": {}, "generated": {"random": {"part": "token", "length": 40}}}]}
    return {"apiVersion": kinds.API_VERSION, "kind": "ClusterKeyIssuer", "metadata": {"name": "own"}, "spec": spec}


def _rotating(item: Json) -> Json:
    """Return an object that wants its key rotated."""
    one = {"name": "own", "issuer": "custom", "custom": {"parts": [{"name": "token"}]}, "parts": {"token": "API_KEY"}}
    one |= {"issuerRef": {"kind": "ClusterKeyIssuer", "name": "own"}, "check": {"liveness": "Off"}}
    one |= {"rotation": {"every": "30d", "overlap": "0", "consumers": "Optional"}}
    return item | {"spec": item["spec"] | {"credentials": [one]}}


async def _asks(testbed: Testbed, item: Json) -> None:
    """Ask for a new key."""
    meta = item["metadata"]
    body = {"apiVersion": kinds.API_VERSION, "kind": "KeyAction", "metadata": {"name": meta["name"]}}
    asked = {"action": "Rotate", "apiKeySecret": meta["name"], "reason": "Test", "requestedBy": "admin"}
    body |= {"spec": asked}
    await testbed.api.call("POST", KEY_ACTIONS, meta["namespace"], body=body)


async def _until_told(testbed: Testbed, count: int, field: str, within: str = "") -> None:
    """Wait until the status of so many objects has a field, or that of their first rotation has one."""
    found, moved = -1, time.monotonic()
    while found < count:
        await asyncio.sleep(1)
        pages = [page async for page in testbed.api.pages(API_KEY_SECRETS)]
        told = [(item.get("status") or {}).get(field) for page in pages for item in page["items"]]
        now = sum(bool(each and (not within or each[0].get(within))) for each in told)
        if now > found:
            found, moved = now, time.monotonic()
        elif time.monotonic() - moved > PATIENCE:
            raise GaveUp(f"{found} of {count} objects tell {field} after {PATIENCE:.0f} s without another")


def _counts(testbed: Testbed, mark: int, stored: int) -> Mapping[str, int]:
    """Count what was asked since marks of the API server and the store."""
    found: collections.Counter[str] = collections.Counter()
    for each in testbed.asked(mark):
        if what := COUNTED.get((each.verb, each.resource, each.namespace == SYSTEM)):
            found[what] += 1
    for asked in testbed.bao.requests(stored):
        found["reads of the store" if asked.operation == "read" else "writes of the store"] += 1
    return found
