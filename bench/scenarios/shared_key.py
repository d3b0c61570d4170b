"""500 objects want the same key: how often the store is asked for it in one refresh of them all."""

from __future__ import annotations

from ..rows import Row, Target
from ..testbed import SOON, Testbed, objects, until_synced

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
        await until_synced(operator, count, "a refresh")
        stored = testbed.bao.mark()
        await until_synced(operator, count, "the next refresh")
        reads = testbed.store_reads(stored)
    return [Row(NAME, f"store reads of a refresh of {count} objects", reads, "", Target(1.0), 1.0)]
