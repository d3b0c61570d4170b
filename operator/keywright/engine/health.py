"""How stores are, learnt from real use: a store's `Ready` condition and its one Event, instead of one for each object.

Does not belong here: pausing a store (``breaker``), the wording (``reporter``).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping

from .. import errors, metrics, pacing
from ..errors import Reason
from .catalog import Catalog, StoreRecord
from .fetch import UNHEARD, Question
from .opened import OpenedStore
from .reporter import Reporter

log = logging.getLogger(__name__)


class StoreHealth:
    """Tells how stores are when that changes.

    Args:
        mended: called with a store whose login, refused before, is accepted.
    """

    def __init__(self, catalog: Catalog, reporter: Reporter, mended: Callable[[StoreRecord], None]) -> None:
        self._catalog, self._reporter, self._mended = catalog, reporter, mended
        self._told: dict[OpenedStore, tuple[Reason, Mapping[str, int]]] = {}
        self._news: dict[OpenedStore, tuple[errors.Error | None, Mapping[str, int]]] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def answered(self, question: Question, error: errors.Error | None) -> None:
        """Take note of an answer, or of an error, of a store."""
        opened = question.store
        trouble: errors.Error | None = opened.breaker.error
        if isinstance(error, errors.StoreStalled):
            trouble = error
        elif error and trouble is None and _says_nothing(error):
            return
        files = opened.files
        state = (trouble.reason if trouble else Reason.VALID, files)
        if self._told.get(opened) == state or opened.closed:
            return
        before, self._told[opened] = self._reason(opened), state
        if trouble is None and before in errors.LOGIN_TROUBLE and (record := self._catalog.find(opened)):
            self._mended(record)
        metrics.STORE_READY.labels(opened.label).set(0 if trouble else 1)
        busy = opened in self._news
        self._news[opened] = (trouble, files)
        if not busy:
            task = asyncio.create_task(self._tell(opened))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def is_valid(self, opened: OpenedStore) -> bool:
        """Whether a store was last found to answer and to accept the login."""
        return self._reason(opened) is Reason.VALID

    def _reason(self, opened: OpenedStore) -> Reason | None:
        told = self._told.get(opened)
        return told[0] if told else None

    def closed(self, opened: OpenedStore, gone: bool) -> None:
        """Forget a store that was closed; one that is gone altogether has no metrics any more."""
        self._told.pop(opened, None)
        self._news.pop(opened, None)
        if gone:
            for metric in (metrics.STORE_READY, metrics.STORE_CALLS, metrics.STORE_SECONDS):
                metric.remove_by_labels({"store": opened.label})

    async def _tell(self, opened: OpenedStore) -> None:
        """Write the newest state of a store, until it is written; what arrives meanwhile is written after it."""
        failures = 0
        while opened in self._news:
            news = self._news[opened]
            try:
                if record := self._catalog.find(opened):
                    await self._reporter.store(record, *news)
            except errors.Error as error:
                failures += 1
                log.warning("%s: its state could not be written (%s)", opened.name, error.reason)
                await asyncio.sleep(pacing.backoff(failures, random.random(), longest=30.0))  # noqa: S311
                continue
            if self._news.get(opened) is news:
                self._news.pop(opened, None)


def _says_nothing(error: errors.Error) -> bool:
    """Whether an error tells nothing of the store: one failure is no outage, and one identity's login is its own."""
    return isinstance(error, errors.Outage) or error.reason in UNHEARD | errors.LOGIN_TROUBLE
