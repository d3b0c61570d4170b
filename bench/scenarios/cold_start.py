"""1,000 new objects, each with a key of its own: how fast all of them are Ready, and what one of them costs."""

from __future__ import annotations

import contextlib
import dataclasses

from ..raw import Cost, Raw
from ..rows import Row, Target
from ..testbed import NAMESPACES, GaveUp, Json, Testbed, cpu_seconds, objects, peak_memory, seconds

NAME = "cold start"


@dataclasses.dataclass(frozen=True)
class ColdStart:
    """What it took to bring objects into order that were there before the operator.

    Attributes:
        ready: seconds from the operator's first list of objects to the last status.
        told: the same to the last Event.
        cpu: seconds of the operator, its start apart.
        writes: of Secrets and statuses.
        reads: single objects that were read.
        peak: most memory that the operator has had (MiB).
    """

    ready: float
    told: float
    cpu: float
    writes: int
    events: int
    reads: int
    peak: float


async def run(count: int) -> list[Row]:
    """Measure."""
    before = await raw_cost(count)
    async with Testbed.open() as testbed:
        ours = await cold_start(testbed, count)
    after = await raw_cost(count)
    # The better of two: a yardstick that something disturbed would flatter us.
    raw = Cost(min(before.wall, after.wall), min(before.cpu, after.cpu))
    return [
        _row(f"{count} new objects all Ready", count / ours.ready, "/s", Target(0.6, "high", "ratio"), 1 / raw.wall),
        _row("the same, until the last Event", count / ours.told, "/s", None, 1 / raw.wall),
        _row("CPU of a first sync", ours.cpu / count * 1000, "ms", Target(3.0), raw.cpu * 1000),
        _row("writes of a first sync", ours.writes / count, "", Target(2.0)),
        _row("Events of a first sync", ours.events / count, "", Target(1.0)),
        _row("reads of a first sync", ours.reads / count, "", Target(1.0)),
        _row(f"peak memory with {count} objects", ours.peak, "MiB", Target(100.0)),
    ]


async def raw_cost(count: int) -> Cost:
    """Measure the yardstick, on servers of its own."""
    async with Testbed.open() as testbed:
        testbed.has_keys(count)
        return await Raw(testbed).syncs(await testbed.has_objects(objects(count)))


async def cold_start(
    testbed: Testbed, count: int, items: list[Json] | None = None, *flags: str, keys: bool = True
) -> ColdStart:
    """Let an operator find objects that it has never seen.

    Args:
        keys: make keys for them; else they are there.
    """
    if keys:
        testbed.has_keys(count)
    await testbed.has_objects(items or objects(count))
    mark = testbed.plane.mark()
    operator = testbed.starts_operator(*flags)
    spent = cpu_seconds(operator)
    await testbed.until_written(count, "apikeysecrets", "patch", mark, "status")
    # Lost Events are a number in the table.
    with contextlib.suppress(GaveUp):
        await testbed.until_written(count, "events", "create", mark)
    cpu = cpu_seconds(operator) - spent
    if late := await testbed.not_ready():
        raise GaveUp(f"{len(late)} of {count} objects are not Ready, for example {late[0]}")
    asked = testbed.asked(mark)
    began = min(seconds(each.at) for each in asked if (each.verb, each.resource) == ("list", "apikeysecrets"))
    written = [each for each in asked if each.verb in ("patch", "create", "update", "delete") and each.code < 300]
    events = [each for each in written if each.resource == "events"]
    ours = [each for each in written if each.resource in ("secrets", "apikeysecrets") and each.namespace in NAMESPACES]
    return ColdStart(
        ready=max(seconds(each.at) for each in ours) - began,
        told=max(seconds(each.at) for each in written) - began,
        cpu=cpu,
        writes=len(ours),
        events=len(events),
        reads=sum(each.verb == "get" and each.namespace in NAMESPACES for each in asked),
        peak=peak_memory(operator),
    )


def _row(what: str, measured: float, unit: str, target: Target | None, yardstick: float | None = None) -> Row:
    return Row(NAME, what, measured, unit, target, yardstick)
