"""How a mirror goes on when its watch does not: in process, against a server that always says the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import pytest

from keywright import cluster
from keywright.engine.mirror import Mirror


class Forgetful:
    """A server whose watches end at once: with an error, or without."""

    def __init__(self, error: Exception | None) -> None:
        self.error, self.lists, self.watches = error, 0, 0

    async def pages(self, *_: object, **__: object) -> AsyncIterator[dict[str, Any]]:
        self.lists += 1
        yield {"metadata": {"resourceVersion": "1"}, "items": []}

    async def watch(self, *_: object, **__: object) -> AsyncGenerator[dict[str, Any], None]:
        self.watches += 1
        if self.error:
            raise self.error
        for none in list[dict[str, Any]]():
            yield none


@pytest.mark.parametrize("error", [cluster.Gone(), cluster.unavailable("a watch"), None])
async def test_a_watch_that_always_ends_at_once_is_begun_with_pauses(error: Exception | None) -> None:
    server = Forgetful(error)
    mirror: Mirror[object] = Mirror(cast("cluster.Cluster", server), cluster.SECRETS, dict, lambda *_: None)
    running = asyncio.create_task(mirror.run())

    await asyncio.sleep(1.0)
    running.cancel()

    assert 2 <= server.watches < 8
