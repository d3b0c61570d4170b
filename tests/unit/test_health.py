"""How a store is, as far as is known: what tells something, and what does not. In process, with a stand-in writer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import cast

from keywright import errors
from keywright.engine.breaker import FIRST_PAUSE, OPENS_AFTER
from keywright.engine.catalog import Catalog, StoreRecord
from keywright.engine.fetch import Question
from keywright.engine.health import StoreHealth
from keywright.engine.opened import OpenedStore
from keywright.engine.reporter import Reporter
from keywright.errors import Reason
from keywright.stores.base import Ref
from unit.desk import DOWN, Desk, Nothing, Place


class Slow:
    """Finds any store, and writes its state when it is let."""

    def __init__(self) -> None:
        self.go, self.written = asyncio.Event(), list[str]()

    def find(self, opened: OpenedStore) -> StoreRecord:
        return cast("StoreRecord", opened)

    async def store(self, record: StoreRecord, error: errors.Error | None, files: Mapping[str, int]) -> None:
        await self.go.wait()
        self.written.append(error.reason if error else "Valid")


async def test_a_store_that_goes_while_its_state_is_written_troubles_nobody(desk: Desk) -> None:
    slow = Slow()
    health = StoreHealth(cast("Catalog", slow), cast("Reporter", slow), lambda _: None)
    store = desk.opens(Place())
    health.answered(Question(store, "", Ref("llm")), None)
    (telling,) = health._telling
    await asyncio.sleep(0)

    health.closed(store, gone=True)
    slow.go.set()
    await telling

    assert slow.written == ["Valid"]


async def test_the_login_of_one_namespace_tells_nothing_of_the_store(desk: Desk) -> None:
    slow = Slow()
    health = StoreHealth(cast("Catalog", slow), cast("Reporter", slow), lambda _: None)
    refused = errors.Stalled(Reason.AUTH_FAILED, "answered 403")

    health.answered(Question(desk.opens(Place()), "team-a@uid", Ref("llm")), refused)

    assert not health._telling


async def test_a_check_that_asks_nobody_does_not_open_a_store_that_is_paused(desk: Desk) -> None:
    store = desk.opens(Place())
    await desk.fetcher.check(store, Nothing)
    for _ in range(OPENS_AFTER):
        store.breaker.failed(DOWN, time.monotonic(), 0.0)
    await asyncio.sleep(FIRST_PAUSE)

    await desk.fetcher.check(store, Nothing)

    assert store.breaker.error is DOWN


async def test_a_failure_that_is_remembered_counts_once(desk: Desk) -> None:
    store = desk.opens(Place(login_failing=DOWN))

    for number in range(OPENS_AFTER):
        try:
            await desk.reads(store, f"key-{number}")
        except errors.Outage as outage:
            assert outage.remembered == (number > 0)  # noqa: PT017 - the attempts differ

    assert desk.places[0].logins == 1
    assert store.breaker.error is None
