"""When a fault happens: to which requests, after how many, how often; and how often it has.

Does not belong here: what it does (``faults``).
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from .exchange import Seen
from .faults import EventFault, Fault


class NeverHappened(AssertionError):
    """A fault was announced and nothing came by that it could happen to: what followed proves nothing."""


class Pattern:
    """Which requests are meant.

    Args:
        method: one or several; empty for all.
        path: regular expression, searched in path and query.
    """

    def __init__(self, method: str | Collection[str], path: str) -> None:
        self._methods = frozenset([method] if isinstance(method, str) and method else method)
        self._path = re.compile(path)

    def matches(self, seen: Seen) -> bool:
        """Whether this one is."""
        return (not self._methods or seen.method in self._methods) and bool(self._path.search(seen.uri))


class Rule:
    """A fault with its times, in force until ``end`` or the end of its ``with`` block."""

    def __init__(
        self,
        fault: Fault | EventFault,
        pattern: Pattern,
        times: int | None,
        after: int,
        forget: Callable[[Rule], None],
    ) -> None:
        self.fault, self.pattern, self.ended = fault, pattern, asyncio.Event()
        self._times, self._after, self._forget = times, after, forget
        self._met = 0
        self._changed = threading.Condition()

    @property
    def hits(self) -> int:
        """How often it has happened; counted when it begins."""
        met = max(0, self._met - self._after)
        return met if self._times is None else min(met, self._times)

    def take(self) -> bool:
        """Count one more that matches; return whether it happens to that one."""
        with self._changed:
            before = self.hits
            self._met += 1
            self._changed.notify_all()
            return self.hits > before

    def wait(self, hits: int = 1, seconds: float = 30.0) -> None:
        """Wait until it has happened so often.

        Raises:
            TimeoutError: it has not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self.hits >= hits, seconds):
                raise TimeoutError(f"{self.fault} happened {self.hits} times in {seconds:.0f} s, not {hits}")

    def end(self) -> None:
        """End it; who waits for that goes on."""
        self._forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        if not self.hits and error is None:
            raise NeverHappened(f"{self.fault} never happened: no such request or event")
