"""How stores are, learnt from real use: a store's `Ready` condition and its one Event, instead of one for each object.

Does not belong here: pausing a store (``breaker``), the wording (``reporter``).
"""

from __future__ import annotations

import asyncio
import logging

from .. import errors, metrics
from ..errors import Reason
from .catalog import Catalog
from .fetch import UNHEARD, Question
from .opened import OpenedStore
from .reporter import Reporter

log = logging.getLogger(__name__)


class StoreHealth:
    """Tells how stores are when that changes."""

    def __init__(self, catalog: Catalog, reporter: Reporter) -> None:
        self._catalog, self._reporter = catalog, reporter
        self._told: dict[OpenedStore, Reason] = {}
        self._news: dict[OpenedStore, errors.Error | None] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def answered(self, question: Question, error: errors.Error | None) -> None:
        """Take note of an answer, or of an error, of a store."""
        opened = question.store
        trouble: errors.Error | None = opened.breaker.error
        if isinstance(error, errors.StoreStalled):
            trouble = error
        elif error and trouble is None and (isinstance(error, errors.Outage) or error.reason in UNHEARD):
            return  # One failure is not an outage, and what never reached the store says nothing about it.
        reason = trouble.reason if trouble else Reason.VALID
        if self._told.get(opened) is reason:
            return
        self._told[opened] = reason
        metrics.STORE_READY.labels(opened.label).set(0 if trouble else 1)
        busy = opened in self._news
        self._news[opened] = trouble
        if not busy:
            task = asyncio.create_task(self._tell(opened))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def forget(self, opened: OpenedStore) -> None:
        """Forget a store that was closed."""
        self._told.pop(opened, None)

    async def _tell(self, opened: OpenedStore) -> None:
        """Write the newest state of a store; what arrives meanwhile is written after it."""
        try:
            while opened in self._news:
                trouble = self._news[opened]
                record = self._catalog.find(opened)
                if record is not None:
                    await self._reporter.store(record, trouble)
                if self._news[opened] is trouble:
                    break
        except errors.Error as error:
            log.warning("%s: its state could not be written (%s)", opened.name, error.reason)
            self._told.pop(opened, None)
        finally:
            self._news.pop(opened, None)
