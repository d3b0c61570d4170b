"""When an object is due: one heap and one task, whatever the number of objects.

Does not belong here: how due times are chosen (``pacing``, ``reconcile``).
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable

from .queue import Key


class Schedule:
    """Calls back when a key is due. A key has one due time; setting it anew replaces it.

    Args:
        due: called in the loop with each key whose time has come.
        clock: seconds that pass evenly, whatever happens to the wall clock.
        wall: Unix time in seconds.
    """

    def __init__(
        self,
        due: Callable[[Key], None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._due, self._clock, self._wall = due, clock, wall
        self._times: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._sooner = asyncio.Event()

    def __len__(self) -> int:
        return len(self._times)

    def set(self, key: Key, at: float) -> None:
        """Make a key due at a Unix time, as the wall clock stands now."""
        self.after(key, at - self._wall())

    def after(self, key: Key, seconds: float) -> None:
        """Make a key due after so many seconds."""
        at = self._clock() + seconds
        self._times[key] = at
        if not self._heap or at < self._heap[0][0]:
            self._sooner.set()
        heapq.heappush(self._heap, (at, key))
        if len(self._heap) > 64 + 2 * len(self._times):
            self._compact()

    def discard(self, key: Key) -> None:
        """Make a key never due."""
        self._times.pop(key, None)

    def at(self, key: Key) -> float | None:
        """Return the Unix time at which a key is due."""
        at = self._times.get(key)
        return None if at is None else at - self._clock() + self._wall()

    async def run(self) -> None:
        """Call back, until cancelled."""
        while True:
            self._sooner.clear()
            pause = self.fire()
            try:
                async with asyncio.timeout(min(pause, 3600.0)):
                    await self._sooner.wait()
            except TimeoutError:
                continue

    def fire(self) -> float:
        """Call back for every key whose time has come; return the seconds until the next one (infinite if none)."""
        now = self._clock()
        while self._heap:
            at, key = self._heap[0]
            if self._times.get(key) != at:
                heapq.heappop(self._heap)
            elif at <= now:
                heapq.heappop(self._heap)
                del self._times[key]
                self._due(key)
            else:
                return at - now
        return float("inf")

    def _compact(self) -> None:
        """Drop entries that were replaced."""
        self._heap = [(at, key) for key, at in self._times.items()]
        heapq.heapify(self._heap)
