"""Whether targets are waited for: pods wait for Secrets, nobody waits for words. Reports give way for a moment.

A target counts while it waits for a worker and while it is written, not while its store is asked: a store that hangs
must not hold up what there is to tell of others.

Does not belong here: the order of the queue (``queue``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

#: Seconds for which a report gives way at most.
PATIENCE = 1.0


class Calm:
    """Set while no target is waited for."""

    def __init__(self) -> None:
        self._queued, self._writing = False, 0
        self._event = asyncio.Event()
        self._event.set()

    def queued(self, urgent: bool) -> None:
        """Take note of whether a target waits for a worker."""
        self._queued = urgent
        self._feel()

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Count a target while it is written."""
        self._writing += 1
        self._feel()
        try:
            yield
        finally:
            self._writing -= 1
            self._feel()

    async def wait(self) -> None:
        """Wait until no target is waited for, or patience has ended."""
        if not self._event.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._event.wait()

    def _feel(self) -> None:
        if self._queued or self._writing:
            self._event.clear()
        else:
            self._event.set()
