"""How many objects are worked on at the same time. Who waits long for a store lends its slot to others meanwhile.

Does not belong here: how many may wait for one store (``fetch``), which object is next (``queue``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

#: Objects beyond those at work that may wait to report.
HELD_BACK = 500
#: Seconds that somebody waits for a store before the slot is lent.
PATIENCE = 0.25


class Slots:
    """The slots of one loop. A place is held from the queue to the end of the report, a slot only for the work.

    Args:
        count: objects worked on at the same time.
    """

    def __init__(self, count: int) -> None:
        self._slots = asyncio.Semaphore(count)
        self._places = asyncio.Semaphore(count + HELD_BACK)

    async def take(self) -> None:
        """Wait for a place and a slot."""
        await self._places.acquire()
        try:
            await self._slots.acquire()
        except asyncio.CancelledError:
            self._places.release()
            raise

    def worked(self) -> None:
        """Give the slot back: what is left to do is to report."""
        self._slots.release()

    def done(self) -> None:
        """Give the place back."""
        self._places.release()

    @contextlib.asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Wait for something outside: after a moment slot and place serve others, and are taken back at the end."""
        away = False

        def lend() -> None:
            nonlocal away
            away = True
            self._slots.release()
            self._places.release()

        timer = asyncio.get_running_loop().call_later(PATIENCE, lend)
        try:
            yield
        finally:
            timer.cancel()
            if away:
                await self.take()
