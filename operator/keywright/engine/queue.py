"""Which object is next: deduplicated, by urgency, and fair between namespaces. Pure but for the waiting in ``filled``.

Does not belong here: why something is in the queue, and what is done with it.
"""

from __future__ import annotations

import asyncio
import collections
import enum
from typing import NamedTuple


class Key(NamedTuple):
    """Names an ApiKeySecret."""

    namespace: str
    name: str

    @classmethod
    def of(cls, text: str | None) -> Key:
        """Return what a text names that is written like ``str`` of one; nothing that exists, if it is not."""
        namespace, _, name = (text or "").partition("/")
        return cls(namespace, name)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Priority(enum.IntEnum):
    """How urgent: people and pods wait for the first, nobody for the last."""

    NEW = 0
    """New objects, and targets that were deleted or changed."""
    CHANGE = 1
    """Changed objects and stores, retries, requests for a refresh."""
    REFRESH = 2
    """Refresh slots."""


#: Every so many takes one of the less urgent goes first, so that a flood of urgent ones does not starve them.
_LESS_URGENT_EVERY = 8


class _Lane:
    """Keys of one urgency, taken in turn from each namespace."""

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns: collections.OrderedDict[str, dict[str, None]] = collections.OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def add(self, key: Key) -> None:
        self._turns.setdefault(key.namespace, {})[key.name] = None

    def discard(self, key: Key) -> None:
        names = self._turns.get(key.namespace)
        if names is not None:
            names.pop(key.name, None)
            if not names:
                del self._turns[key.namespace]

    def take(self) -> Key:
        namespace, names = self._turns.popitem(last=False)
        name = next(iter(names))
        del names[name]
        if names:
            self._turns[namespace] = names
        return Key(namespace, name)


class Queue:
    """Keys to work on. A key is in it once, and is handed out to one worker at a time.

    A key added while it is being worked on is handed out again after ``done``.
    """

    def __init__(self) -> None:
        self._lanes = {priority: _Lane() for priority in Priority}
        self._waiting: dict[Key, tuple[Priority, float]] = {}
        self._working: set[Key] = set()
        self._again: dict[Key, tuple[Priority, float]] = {}
        self._filled = asyncio.Event()
        self._taken = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def urgent(self) -> bool:
        """Whether a key of the highest priority waits."""
        return bool(self._lanes[Priority.NEW])

    def __contains__(self, key: Key) -> bool:
        return key in self._waiting or key in self._working

    def add(self, key: Key, priority: Priority, now: float) -> None:
        """Put a key in; one that waits already becomes as urgent as the more urgent of the two.

        Args:
            now: clock reading, seconds; ``take`` gives the earliest one back, to tell how long the key has waited.
        """
        if key in self._working:
            old = self._again.get(key)
            self._again[key] = (min(old[0], priority), old[1]) if old else (priority, now)
            return
        old = self._waiting.get(key)
        if old is None:
            self._waiting[key] = (priority, now)
            self._lanes[priority].add(key)
        elif priority < old[0]:
            self._waiting[key] = (priority, old[1])
            self._lanes[old[0]].discard(key)
            self._lanes[priority].add(key)
        self._filled.set()

    def discard(self, key: Key) -> None:
        """Forget a key that is gone."""
        self._again.pop(key, None)
        waiting = self._waiting.pop(key, None)
        if waiting:
            self._lanes[waiting[0]].discard(key)

    async def filled(self) -> None:
        """Wait until there is a key."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()

    def take(self) -> tuple[Key, Priority, float]:
        """Return the next key, its priority and since when it waited. ``done`` must follow.

        Raises:
            LookupError: there is none.
        """
        if not self._waiting:
            raise LookupError("the queue is empty")
        self._taken += 1
        turn, rest = divmod(self._taken, _LESS_URGENT_EVERY)
        favoured = Priority.NEW if rest else (Priority.CHANGE, Priority.REFRESH)[turn % 2]
        lane = next(lane for lane in (self._lanes[favoured], *self._lanes.values()) if lane)
        key = lane.take()
        priority, since = self._waiting.pop(key)
        self._working.add(key)
        return key, priority, since

    def done(self, key: Key) -> None:
        """Say that a key is no longer worked on."""
        self._working.discard(key)
        again = self._again.pop(key, None)
        if again:
            self.add(key, *again)
