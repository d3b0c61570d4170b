"""500 objects want the same key: how often the store is asked for it in one refresh of them all."""

from __future__ import annotations

from ..rows import Row, Target
from ..testbed import SOON, Testbed, objects, until

NAME = "one key, many objects"


async def run(count: int) -> list[Row]:
    """Measure one refresh."""
    count //= 2
    async with Testbed.open() as testbed:
        testbed.has_keys(1)
        mark = testbed.plane.mark()
        operator = testbed.starts_operator()
        await testbed.has_objects(objects(count, interval=SOON, path="key-0"))
        await testbed.until_written(count, "events", "create", mark)

        # They share their slots: after all were refreshed once more, nothing is under way.
        before = operator.metric("keywright_syncs_total")
        await until(lambda: operator.metric("keywright_syncs_total") >= before + count, "a refresh", pause=0.5)
        before, stored = operator.metric("keywright_syncs_total"), testbed.bao.mark()
        await until(lambda: operator.metric("keywright_syncs_total") >= before + count, "the next refresh", pause=0.5)
        reads = testbed.store_reads(stored)
    return [Row(NAME, f"store reads of a refresh of {count} objects", reads, "", Target(1.0), 1.0)]
