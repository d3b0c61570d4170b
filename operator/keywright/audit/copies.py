"""Copies of the audit trail outside the cluster: every segment, in order, to every sink.

Each sink has its own pace: one that is down holds up no other, nor the trail, nor a sync. What waits for it are names;
a segment is read when its turn comes. How far each sink has come is kept in a ConfigMap now and then: what is delivered
again after a restart was there already, by its name.

Does not belong here: what a sink is (``sinks``), the order of segments (``shelf``).
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import dataclasses
import hashlib
import logging
import random
import re
from collections.abc import Coroutine, Sequence
from typing import Any

from .. import cluster, errors, metrics, pacing
from ..errors import Reason
from . import segment
from .shelf import Cursor, Shelf
from .sinks.base import Sink

log = logging.getLogger(__name__)

#: The ConfigMap that keeps how far each sink has come.
NAME = "keywright-audit-sinks"
#: What is in a record that ends a log; another log may begin behind it.
_CLOSED = b'"type":"log.closed"'
#: Seconds that a sink may ask us to wait at most, and that the last cursor may take to be written.
_PATIENCE, _LAST = 3600.0, 3.0
#: Lists that may follow each other at once: a leader begins with a list, and then with a log.
_LISTS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """How soon things are done, seconds.

    Attributes:
        first: pause after the first failure in a row; it doubles.
        longest: longest pause, and the one where a person must act.
        saving: between two writes of the cursors.
        listing: between two lists of all segments, where something is to be found; some may follow each other at once.
        relisting: after which they are listed in any case.
    """

    first: float = pacing.FIRST_PAUSE
    longest: float = pacing.LONGEST_PAUSE
    saving: float = 10.0
    listing: float = 15.0
    relisting: float = 120.0

    def after(self, error: errors.Error, failures: int) -> float:
        """Return how long to wait after a failure."""
        if isinstance(error, errors.Stalled | cluster.Refused):
            return self.longest
        asked = (error.after if isinstance(error, errors.Retry) else None) or 0.0
        pause = pacing.backoff(failures, random.random(), first=self.first, longest=self.longest)  # noqa: S311
        return max(pause, min(asked, _PATIENCE))


class _Line:
    """What leads to one sink.

    Attributes:
        label: what it is called in logs and metrics.
        key: its entry in the ConfigMap.
        trouble: why nothing was delivered at the last try.
    """

    def __init__(self, sink: Sink, label: str) -> None:
        self.sink, self.label = sink, label
        told = hashlib.blake2b(sink.identity.encode(), digest_size=8).hexdigest()
        self.key = f"{re.sub('[^a-zA-Z0-9.-]+', '-', sink.label)[:100]}-{told}"
        self.cursor = Cursor()
        self.stirred = asyncio.Event()
        self.trouble: errors.Error | None = None

    def told_of(self, shelf: Shelf) -> None:
        """Take note that there is more, or less."""
        self.cursor.keep_to(shelf)
        self.measure(shelf)
        self.stirred.set()

    def measure(self, shelf: Shelf) -> None:
        """Tell how far it is behind."""
        metrics.AUDIT_SINK_LAG.labels(self.label).set(self.cursor.left(shelf))

    def fails(self, error: errors.Error) -> None:
        """Tell of trouble, once."""
        news = self.trouble is None or self.trouble.message != error.message
        self.trouble = error
        if news:
            hint = f". {error.hint}" if error.hint else ""
            log.warning("audit sink %s: %s (%s)%s", self.label, error.message, error.reason, hint)

    def works(self, name: str) -> None:
        """Tell that trouble is over."""
        if self.trouble:
            self.trouble = None
            log.info("audit sink %s takes segments again, from %s on", self.label, name)


class Copies:
    """Copies every segment of a namespace to sinks, while its leader leads.

    Args:
        namespace: where the segments are, and the ConfigMap.
    """

    def __init__(self, api: cluster.Cluster, namespace: str, sinks: Sequence[Sink], pace: Pace | None = None) -> None:
        self._api, self._namespace, self._pace = api, namespace, pace or Pace()
        self._lines = [_Line(each, label) for each, label in zip(sinks, _labels(sinks), strict=True)]
        self._shelf = Shelf()
        self._kept: set[str] = set()
        self._written = self._told()
        self._listed: collections.deque[float] = collections.deque(maxlen=_LISTS)
        self._stirred, self._moved = asyncio.Event(), asyncio.Event()
        self._threads: concurrent.futures.ThreadPoolExecutor | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._trouble = ""

    def more(self) -> None:
        """Take note that there is another segment. To be called on the event loop."""
        self._stirred.set()

    async def run(self) -> None:
        """Copy until stopped or cancelled. Without sinks there is nothing to do."""
        if not self._lines:
            return
        # One thread each: a sink that hangs holds up no other.
        self._threads = concurrent.futures.ThreadPoolExecutor(len(self._lines), "audit-sink")
        loops: list[Coroutine[Any, Any, None]] = [self._look(), self._save(), *map(self._copy, self._lines)]
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = [tasks.create_task(each) for each in loops]
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def stop(self) -> None:
        """Copy no more, and keep how far each sink has come."""
        for task in self._tasks:
            task.cancel()
        if self._tasks and self._told() != self._written:
            try:
                async with asyncio.timeout(_LAST):
                    await self._keep()
            except (errors.Error, TimeoutError):
                log.info("how far the audit sinks have come was not kept; some segments will be delivered again")

    # What there is.

    async def _look(self) -> None:
        """Know what there is: by a list of all, and one by one where only the next segment can have come."""
        failures, owed = 0, True
        while True:
            self._stirred.clear()
            try:
                if self._shelf.logs and await self._ahead():
                    owed = False
                pause = self._rest() if owed else self._pace.relisting
                if owed and not pause:
                    await self._list()
                    owed, pause = False, self._pace.relisting
                failures = 0
                self._sees(None)
            except errors.Error as error:
                failures += 1
                self._sees(error)
                pause = self._pace.after(error, failures)
            try:
                async with asyncio.timeout(pause):
                    await self._stirred.wait()
            except TimeoutError:
                pass
            owed = True

    def _rest(self) -> float:
        """Return how long no list may be asked for."""
        ends = self._listed[0] + len(self._listed) * self._pace.listing if len(self._listed) == _LISTS else 0.0
        return max(0.0, ends - asyncio.get_running_loop().time())

    async def _list(self) -> None:
        self._listed.append(asyncio.get_running_loop().time())
        shelf = Shelf(
            [
                segment.listed(item["metadata"])
                async for page in self._api.pages(segment.SEGMENTS, self._namespace, metadata_only=True)
                for item in page["items"]
            ]
        )
        if not self._shelf.logs:
            await self._remember(shelf)
        self._shelf = shelf
        for line in self._lines:
            line.told_of(self._shelf)

    async def _ahead(self) -> bool:
        """Take in segments that the newest log has got; return whether there were any."""
        grown = False
        while await self._is_there(self._shelf.ahead):
            self._shelf.grow()
            grown = True
            for line in self._lines:
                line.told_of(self._shelf)
        return grown

    async def _is_there(self, name: str) -> bool:
        try:
            await self._api.call("GET", segment.SEGMENTS, self._namespace, name, accept=cluster.METADATA)
        except cluster.Refused as refused:
            if refused.status == 404:
                return False
            raise
        return True

    def _sees(self, error: errors.Error | None) -> None:
        """Tell, once, that it cannot be seen what there is, and that it can again."""
        said = error.message if error else ""
        if said and said != self._trouble:
            log.warning("audit segments are not copied, because they cannot be listed: %s", said)
        elif self._trouble and not said:
            log.info("audit segments can be listed again")
        self._trouble = said

    # Copying.

    async def _copy(self, line: _Line) -> None:
        """Deliver one segment after the other."""
        failures = 0
        while True:
            line.stirred.clear()
            ahead = line.cursor.next(self._shelf)
            if ahead is None:
                await line.stirred.wait()
                continue
            name = segment.name(*ahead[:2])
            try:
                await self._deliver(line, name)
            except errors.Error as error:
                failures += 1
                line.fails(error)
                await asyncio.sleep(self._pace.after(error, failures))
                continue
            failures = 0
            line.works(name)
            if ahead[2]:
                log.warning(
                    "%d audit segments before %s are gone, and were not copied to %s", ahead[2], name, line.label
                )
            line.cursor.done(*ahead[:2])
            line.measure(self._shelf)
            self._moved.set()

    async def _deliver(self, line: _Line, name: str) -> None:
        """Read a segment and deliver it.

        Raises:
            errors.Error: it is not delivered.
        """
        found = await self._api.get(segment.SEGMENTS, self._namespace, name)
        if found is None:
            log.warning("audit segment %s is gone, and was not copied to %s", name, line.label)
            return
        body = b"".join(each + b"\n" for each in segment.lines_of(found))
        assert self._threads  # noqa: S101 - made by run
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, _delivered, line.sink, name, body)
        except errors.Error as error:
            metrics.AUDIT_SINK_DELIVERIES.labels(line.label, error.reason).inc()
            raise
        metrics.AUDIT_SINK_DELIVERIES.labels(line.label, "Success").inc()
        if _CLOSED in body:
            self.more()

    # How far each sink has come.

    async def _remember(self, shelf: Shelf) -> None:
        found = await self._api.get(cluster.CONFIG_MAPS, self._namespace, NAME)
        kept = (found or {}).get("data") or {}
        self._kept = set(kept)
        for line in self._lines:
            line.cursor = Cursor.load(str(kept.get(line.key, "")), shelf)

    async def _save(self) -> None:
        """Keep how far each sink has come, now and then."""
        failures = 0
        while True:
            await self._moved.wait()
            self._moved.clear()
            try:
                await self._keep()
                failures, pause = 0, self._pace.saving
            except errors.Error as error:
                failures += 1
                self._moved.set()
                pause = max(self._pace.saving, self._pace.after(error, failures))
                if failures == 1:
                    log.warning("how far the audit sinks have come cannot be kept: %s", error.message)
            await asyncio.sleep(pause)

    def _told(self) -> dict[str, str]:
        return {line.key: line.cursor.dump(self._shelf) for line in self._lines}

    async def _keep(self) -> None:
        told = self._told()
        # Entries of sinks that are named no more go.
        body = {"data": dict.fromkeys(self._kept - told.keys()) | told}
        try:
            await self._api.call(
                "PATCH", cluster.CONFIG_MAPS, self._namespace, NAME, body=body, content_type=cluster.MERGE
            )
        except cluster.Refused as refused:
            if refused.status != 404:
                raise
            labels = {"app.kubernetes.io/part-of": "keywright"}
            meta = {"name": NAME, "namespace": self._namespace, "labels": labels}
            made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": told}
            await self._api.call("POST", cluster.CONFIG_MAPS, self._namespace, body=made)
        self._kept, self._written = set(told), told


def _labels(sinks: Sequence[Sink]) -> list[str]:
    """Return what sinks are called; those at one place are told apart by a number."""
    labels = [each.label for each in sinks]
    return [
        label if labels.count(label) == 1 else f"{label} {labels[:number].count(label) + 1}"
        for number, label in enumerate(labels)
    ]


def _delivered(sink: Sink, name: str, body: bytes) -> None:
    """Deliver, in a thread; whatever goes wrong is an error of ours."""

    def bug(foreign: Exception) -> errors.Error:
        said = f"could not be sent segment {name} ({type(foreign).__name__} at {errors.place_of(foreign)})"
        return errors.Retry(Reason.INTERNAL_ERROR, said)

    with errors.boundary(bug):
        sink.deliver(name, body)
