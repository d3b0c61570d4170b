"""Objects are refreshed and nothing has changed: what that costs the API server and the store."""

from __future__ import annotations

import time

from ..raw import CONCURRENCY, Raw
from ..rows import Row, Target
from ..testbed import SOON, Testbed, at_once, cpu_seconds, objects, until

NAME = "unchanged refresh"


async def run(count: int) -> list[Row]:
    """Measure over two refreshes of each object."""
    async with Testbed.open() as testbed:
        testbed.has_keys(count)
        mark = testbed.plane.mark()
        operator = testbed.starts_operator()
        items = await testbed.has_objects(objects(count, interval=SOON))
        await testbed.until_written(count, "events", "create", mark)

        mark, stored = testbed.plane.mark(), testbed.bao.mark()
        before, spent = operator.metric("keywright_syncs_total"), cpu_seconds(operator)
        await until(
            lambda: operator.metric("keywright_syncs_total") >= before + 2 * count,
            "all were refreshed twice",
            pause=1.0,
        )
        asked, reads, cpu = testbed.asked(mark), testbed.store_reads(stored), cpu_seconds(operator) - spent
        refreshes = operator.metric("keywright_syncs_total") - before
        operator.stop()
        raw = await _raw_cpu(Raw(testbed), items)
    writes = sum(each.verb not in ("get", "list", "watch") for each in asked)
    return [
        Row(NAME, "writes of a refresh", writes / refreshes, "", Target(0.0)),
        Row(NAME, "API reads of a refresh", (len(asked) - writes) / refreshes, "", Target(0.0)),
        Row(NAME, "store reads of a refresh", reads / refreshes, "", Target(1.01), 1.0),
        Row(NAME, "CPU of a refresh", cpu / refreshes * 1000, "ms", None, raw * 1000),
    ]


async def _raw_cpu(raw: Raw, items: list[dict[str, object]]) -> float:
    """Measure the bare read of a key, in seconds of CPU."""

    async def read(item: dict[str, object]) -> None:
        await raw.read(item)

    spent = time.process_time()
    await at_once(read, items, CONCURRENCY)
    return (time.process_time() - spent) / len(items)
