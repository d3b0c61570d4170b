"""How many objects are worked on at the same time. Who waits long for a store lends its slot to others meanwhile.

Does not belong here: how many may wait for one store (``fetch``), which object is next (``queue``).
"""

from __future__ import annotations

import asyncio
import contextlib

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

    def lent(self) -> Lent:
        """Return a block in which something outside is waited for: after a moment slot and place serve others."""
        return Lent(self)

    def lend(self) -> None:
        """Let others have a slot and a place, for good or until ``take``."""
        self._slots.release()
        self._places.release()


class Lent(contextlib.AbstractAsyncContextManager[None]):
    """Waiting for something outside. Every sync passes here, so it is not written as a generator."""

    __slots__ = ("_away", "_slots", "_timer")

    def __init__(self, slots: Slots) -> None:
        self._slots, self._away = slots, False
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._leave)

    async def __aexit__(self, *_: object) -> None:
        assert self._timer  # noqa: S101 - set on entering
        self._timer.cancel()
        if self._away:
            await self._slots.take()

    def _leave(self) -> None:
        self._away = True
        self._slots.lend()
