"""A first look at stores that are new or were changed: their `Ready` is told before the first object uses them.

A pipeline that applies stores, waits until they are Ready and then applies objects would else wait for ever.

Does not belong here: what is learnt from reads (``health``), when a store is paused (``breaker``).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from .. import errors, pacing
from ..decide import report
from ..stores.base import Credentials
from .catalog import Catalog, StoreRecord
from .fetch import Fetcher
from .health import StoreHealth
from .reporter import Reporter

log = logging.getLogger(__name__)


class Checkup:
    """Looks at stores until they are known to be well.

    Args:
        credentials: makes the credentials for a store and a namespace.
    """

    def __init__(
        self,
        catalog: Catalog,
        fetcher: Fetcher,
        health: StoreHealth,
        reporter: Reporter,
        credentials: Callable[[StoreRecord, str], Credentials],
    ) -> None:
        self._catalog, self._fetcher, self._health, self._reporter = catalog, fetcher, health, reporter
        self._credentials = credentials
        self._looking: set[asyncio.Task[None]] = set()

    def look(self, record: StoreRecord) -> None:
        """Look at a store in the background, unless its status tells that it is well as it is now."""
        if report.is_ready(record.conditions) and record.observed == record.generation:
            return
        task = asyncio.create_task(self._look(record))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look(self, record: StoreRecord) -> None:
        opened = self._catalog.open(record)
        failures = 0
        while not opened.closed and not self._health.is_valid(opened):
            try:
                if not self._catalog.shares_login(record):
                    await self._reporter.acknowledge(record)
                    return
                await self._fetcher.check(opened, lambda: self._credentials(record, record.namespace))
            except errors.Error as error:
                log.warning("%s: could not be looked at (%s)", record.title, error.reason)
            failures += 1
            if not self._health.is_valid(opened):
                await asyncio.sleep(pacing.backoff(failures, random.random()))  # noqa: S311
