"""The operator is restarted and nothing is due: what it asks, and how soon it reacts to something new."""

from __future__ import annotations

import time

from ..rows import Row, Target
from ..testbed import NAMESPACES, SYSTEM, Testbed, objects, seconds, until

NAME = "restart"


async def run(count: int) -> list[Row]:
    """Restart twice: once with nothing to do, once with one object that was made meanwhile."""
    async with Testbed.open() as testbed:
        testbed.has_keys(count + 1)
        await testbed.has_objects(objects(count))
        mark = testbed.plane.mark()
        operator = testbed.starts_operator()
        await testbed.until_written(count, "events", "create", mark)
        operator.stop()

        mark, stored = testbed.plane.mark(), testbed.bao.mark()
        operator = testbed.starts_operator()
        await until(lambda: operator.metric("keywright_objects") == count, "it knows its objects", pause=0.5)
        operator.stop()
        asked = [each for each in testbed.asked(mark) if each.namespace != SYSTEM]
        reads = testbed.store_reads(stored)

        bare = await testbed.bare_start()
        await testbed.has_objects(objects(1, first=count))
        mark, started = testbed.plane.mark(), time.time()
        operator = testbed.launches_operator()
        await testbed.until_written(1, "apikeysecrets", "patch", mark, "status")
        reacted = next(seconds(each.at) for each in testbed.asked(mark) if each.subresource == "status") - started
    writes = sum(each.verb not in ("get", "list", "watch") for each in asked)
    return [
        Row(NAME, f"writes with {count} objects", writes, "", Target(0.0)),
        Row(
            NAME,
            "requests for single objects",
            sum(each.verb == "get" and each.namespace in NAMESPACES for each in asked),
            "",
            Target(0.0),
        ),
        Row(NAME, "store reads", reads, "", Target(0.0)),
        Row(NAME, "from its start to the first Ready", reacted, "s", Target(3.0), bare),
    ]
