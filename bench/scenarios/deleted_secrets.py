"""Somebody deletes 100 Secrets: how soon each of them is back, seen by somebody who watches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from keywright import cluster

from ..raw import CONCURRENCY, Raw
from ..rows import Row, Target, quantile
from ..testbed import NAMESPACES, OURS, Testbed, at_once, objects, until

NAME = "deleted Secrets"
#: Namespaces, of ten, in which all Secrets are deleted.
STRUCK = NAMESPACES[:2]

Json = dict[str, Any]
React = Callable[[str, str], Coroutine[Any, Any, None]]


async def run(count: int) -> list[Row]:
    """Measure beside a client that does nothing but write them again."""
    count //= 2
    raw = await _raw(count)
    async with Testbed.open() as testbed:
        testbed.has_keys(count)
        await testbed.has_objects(objects(count))
        mark = testbed.plane.mark()
        testbed.starts_operator()
        await testbed.until_written(count, "events", "create", mark)
        ours = await _strike(testbed, count)
    return [
        Row(NAME, f"{len(ours)} Secrets back, p50", quantile(ours, 0.5), "ms", None, quantile(raw, 0.5)),
        Row(NAME, f"{len(ours)} Secrets back, p99", quantile(ours, 0.99), "ms", Target(200.0), quantile(raw, 0.99)),
    ]


async def _raw(count: int) -> list[float]:
    """Measure the yardstick: whenever one is gone, read its key and write it again."""
    async with Testbed.open() as testbed:
        testbed.has_keys(count)
        raw = Raw(testbed)
        items = await testbed.has_objects(objects(count))
        # As parallel as it will be later: connections are open then.
        await at_once(raw.write, items, CONCURRENCY)
        by_name = {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in items}

        async def write(namespace: str, name: str) -> None:
            await raw.write(by_name[namespace, name])

        return await _strike(testbed, count, write)


async def _strike(testbed: Testbed, count: int, react: React | None = None) -> list[float]:
    """Delete, and return after how many milliseconds each Secret was back."""
    victims = count * len(STRUCK) // len(NAMESPACES)
    async with _watching(testbed, react) as back:
        for namespace in STRUCK:
            await testbed.api.call("DELETE", cluster.SECRETS, namespace, query={"labelSelector": OURS})
        await until(lambda: len(back) >= victims, "all Secrets are back")
    return back


@contextlib.asynccontextmanager
async def _watching(testbed: Testbed, react: React | None) -> AsyncIterator[list[float]]:
    """Note meanwhile how long each Secret is gone."""
    gone: dict[tuple[str, str], float] = {}
    back: list[float] = []
    version = ""
    async for page in testbed.api.pages(cluster.SECRETS, selector=OURS, metadata_only=True):
        version = page["metadata"]["resourceVersion"]

    async def follow(tasks: asyncio.TaskGroup) -> None:
        async for event in testbed.api.watch(cluster.SECRETS, version, selector=OURS, metadata_only=True):
            meta, now = event["object"]["metadata"], time.monotonic()
            key = (meta.get("namespace", ""), meta.get("name", ""))
            if event["type"] == "DELETED":
                gone[key] = now
                if react:
                    tasks.create_task(react(*key))
            elif event["type"] == "ADDED" and key in gone:
                back.append((now - gone.pop(key)) * 1000)

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(follow(tasks))
        yield back
        following.cancel()
