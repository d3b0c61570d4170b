"""Objects that are kept aside until their store can take their read, and when they are let go on.

Does not belong here: why a store cannot take it (``breaker``, ``fetch``), what is told meanwhile (``loop``).
"""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import Callable

from .opened import THREADS, OpenedStore
from .queue import Key


class Parking:
    """Where objects wait for stores, in the order in which they came.

    Args:
        release: called in the event loop with each object that may go on.
    """

    def __init__(self, release: Callable[[Key], None]) -> None:
        self._release_one = release
        self._parked: dict[OpenedStore, collections.OrderedDict[Key, None]] = {}
        self._timers: dict[OpenedStore, asyncio.TimerHandle] = {}

    def park(self, key: Key, opened: OpenedStore) -> None:
        """Keep an object aside until its store can take its read."""
        if opened not in self._parked:
            self._parked[opened] = collections.OrderedDict()
            self._knock_later(opened)
        self._parked[opened][key] = None

    def has_room(self, opened: OpenedStore) -> None:
        """Let two go on for each that no longer waits, so that a store that is back is not flooded."""
        if opened in self._parked and opened.breaker.error is None:
            self._release(opened, 2)

    def _knock_later(self, opened: OpenedStore) -> None:
        """Ask for a store again when its pause is over; without a pause soon, in case nobody's answer does."""
        pause = opened.breaker.pause(time.monotonic()) if opened.breaker.error else 1.0
        self._timers[opened] = asyncio.get_running_loop().call_later(max(pause, 0.05), self._knock, opened)

    def _knock(self, opened: OpenedStore) -> None:
        """Send waiting objects to a store: one to a store that was paused, some to one that was busy."""
        if opened in self._parked:
            self._release(opened, 1 if opened.breaker.error else THREADS)
        if opened in self._parked:
            self._knock_later(opened)

    def _release(self, opened: OpenedStore, count: int) -> None:
        parked = self._parked[opened]
        for _ in range(min(count, len(parked))):
            self._release_one(parked.popitem(last=False)[0])
        if not parked:
            del self._parked[opened]
            self._timers.pop(opened).cancel()
