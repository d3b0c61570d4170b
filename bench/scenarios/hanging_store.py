"""A store hangs and many objects wait for it: how soon new objects of a healthy store are Ready all the same."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from keywright.engine.records import API_KEY_SECRETS

from ..rows import Row, Target, quantile
from ..testbed import Testbed, at_once, is_ready, objects, until

NAME = "another store hangs"
#: How often new objects are made, before and while the other store hangs.
ROUNDS = 3


async def run(count: int) -> list[Row]:
    """Measure beside the same before the other store hangs."""
    new, stuck = max(5, count // 50), count // 5
    async with Testbed.open() as testbed, _black_hole() as (url, callers):
        testbed.has_keys((2 * ROUNDS + 1) * new)
        testbed.starts_operator()
        # The first ones open the store.
        await _times(testbed, new, first=0)
        before = await _rounds(testbed, new, first=new)

        await testbed.has_store("hanging", url)
        await testbed.has_objects(objects(stuck, store="hanging", name="stuck"))
        await until(lambda: callers, "the hanging store was asked")
        meanwhile = await _rounds(testbed, new, first=(ROUNDS + 1) * new)
    what = f"{new} new objects Ready while {stuck} hang"
    return [
        Row(NAME, f"{what}, p50", quantile(meanwhile, 0.5), "ms", None, quantile(before, 0.5)),
        Row(NAME, f"{what}, p95", quantile(meanwhile, 0.95), "ms", Target(2.0, of="ratio"), quantile(before, 0.95)),
    ]


async def _rounds(testbed: Testbed, new: int, first: int) -> list[float]:
    """Make new objects, some at a time; return after how many milliseconds each was Ready."""
    return [each for number in range(ROUNDS) for each in await _times(testbed, new, first + number * new)]


async def _times(testbed: Testbed, new: int, first: int) -> list[float]:
    began: dict[str, float] = {}
    ready: dict[str, float] = {}
    version = ""
    async for page in testbed.api.pages(API_KEY_SECRETS):
        version = page["metadata"]["resourceVersion"]

    async def follow() -> None:
        async for event in testbed.api.watch(API_KEY_SECRETS, version):
            if event["type"] == "MODIFIED" and is_ready(event["object"]):
                ready.setdefault(event["object"]["metadata"]["name"], time.monotonic())

    async def create(item: dict[str, dict[str, str]]) -> None:
        began[item["metadata"]["name"]] = time.monotonic()
        await testbed.has_objects([item])

    following = asyncio.create_task(follow())
    try:
        await at_once(create, objects(new, first=first), new)
        await until(lambda: began.keys() <= ready.keys(), "the new objects are Ready")
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    return [(ready[name] - at) * 1000 for name, at in began.items()]


@contextlib.asynccontextmanager
async def _black_hole() -> AsyncIterator[tuple[str, list[object]]]:
    """Serve a store that accepts connections and answers nothing; yield its address and who called."""
    callers: list[object] = []
    ended = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(writer.get_extra_info("peername"))
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1")
    host, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}", callers
    finally:
        ended.set()
        server.close()
