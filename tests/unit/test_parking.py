"""Objects that wait for a store are let go on as many as it can take, and no more."""

from __future__ import annotations

import asyncio
import time

from keywright.engine.breaker import FIRST_PAUSE, OPENS_AFTER
from keywright.engine.opened import THREADS, OpenedStore
from keywright.engine.parking import Parking
from keywright.engine.queue import Key
from unit.desk import DOWN, Desk, Place


def _paused(desk: Desk) -> OpenedStore:
    """Return a store that was given a pause."""
    store = desk.opens(Place())
    for _ in range(OPENS_AFTER):
        store.breaker.failed(DOWN, time.monotonic(), 0.0)
    return store


async def test_while_a_paused_store_is_asked_nobody_else_goes_on(desk: Desk) -> None:
    store = _paused(desk)
    await asyncio.sleep(FIRST_PAUSE)
    assert store.breaker.allow(time.monotonic())
    released = list[Key]()

    def go_on(key: Key) -> None:
        released.append(key)
        asyncio.get_running_loop().call_soon(parking.park, key, store)

    parking = Parking(go_on)
    for number in range(50):
        parking.park(Key("team-a", str(number)), store)
    await asyncio.sleep(FIRST_PAUSE * 2.5)

    assert len(released) <= 3


async def test_a_room_that_was_empty_for_a_moment_is_not_knocked_at_twice(desk: Desk) -> None:
    store = desk.opens(Place())
    released = list[Key]()
    parking = Parking(released.append)
    for number in range(20):
        parking.park(Key("team-a", str(number)), store)
        parking.has_room(store)
    released.clear()

    for number in range(500):
        parking.park(Key("team-a", str(number)), store)
    await asyncio.sleep(1.3)

    assert len(released) == THREADS
