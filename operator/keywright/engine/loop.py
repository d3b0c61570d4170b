"""The loop: every trigger becomes a key in the queue, workers reconcile, the outcome says when to look again.

Does not belong here: what one reconcile does (``reconcile``), Kopf (``handlers``), processes and signals (``cli``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from .. import cluster, errors, metrics, pacing
from ..decide import report
from ..errors import Reason
from . import records
from .bugs import bug
from .catalog import DEFAULT_STORE
from .diary import Diary
from .fetch import Parked
from .opened import Changed, chance
from .parking import Parking
from .queue import Key, Priority, Queue
from .reconcile import Leaving, Outcome, Reconciler
from .records import Record
from .reporter import Reporter
from .slots import Slots
from .wishes import Wishes

log = logging.getLogger(__name__)

#: What is told only when it still holds at the second try: objects that were applied together arrive in any order.
NOT_YET = frozenset(
    {Reason.STORE_NOT_FOUND, Reason.NO_DEFAULT_STORE, Reason.NAMESPACE_NOT_SELECTED, Reason.KEY_NOT_MINTED}
)


class Loop:
    """Decides which object is worked on when.

    Args:
        as_told: whether the store of an identifier is as its status tells of it.
        reads_all: whether one read of the store of an identifier gives all of its keys.
        concurrency: objects worked on at the same time.
        alive_before: Unix time until which somebody is known to have refreshed objects.
        behind: whether a status tells acts that are not recorded yet.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        reporter: Reporter,
        as_told: Callable[[str], bool],
        reads_all: Callable[[str], bool],
        *,
        concurrency: int,
        alive_before: float,
        behind: Callable[[dict[str, Any]], bool] = lambda _: False,
    ) -> None:
        self._behind = behind
        self._reconciler, self._reporter, self._calm = reconciler, reporter, reconciler.calm
        self._as_told, self._alive_before = as_told, alive_before
        self._slots = Slots(concurrency)
        self.parking = Parking(self._go_on)
        self._running: set[asyncio.Task[None]] = set()
        #: Keys that are worked on, and whether their Secret was seen to change meanwhile.
        self._busy: dict[Key, bool] = {}
        #: Who waits until a Secret is gone that belongs to another object.
        self._blocked: dict[Key, set[Key]] = {}
        self.records: dict[Key, Record] = {}
        self.wishes = Wishes(self.records, self._enqueue)
        self.queue = Queue()
        self.diary = Diary(self._slot_has_come, self._reminder_has_come, reads_all)
        self.schedule = self.diary.refreshes

    # Triggers.

    def observe(self, item: cluster.Json) -> bool:
        """Take note of an ApiKeySecret as the API server has it, and look at it if it says something new.

        Returns whether it is the newest that is known under its name.
        """
        new = records.read(item)
        old = self.records.get(new.key)
        if item["metadata"].get("deletionTimestamp"):
            if old and old.uid == new.uid:
                self._leave(old)
            return not old or old.uid == new.uid
        if old and new.is_older(old):
            return False
        if old and old.uid == new.uid:
            if old.took(new):
                self._enqueue(old, Priority.CHANGE)
            return True
        if old:
            # The watch may tell of the end of one object later than of the next one under its name.
            self.forget(new.key)
        self.records[new.key] = new
        if not self._settled(new):
            self._enqueue(new, Priority.NEW)
        new.read_status = None
        return True

    def _leave(self, record: Record) -> None:
        """Leave alone what belongs to an object that is being deleted: its Secret's fate is decided by then."""
        record.leaving = True
        if self.records.get(record.key) is record:
            # Else it was made anew meanwhile, and that one waits.
            self._discard(record.key)

    def _discard(self, key: Key) -> None:
        self.queue.discard(key)
        self.diary.forget(key)
        self.wishes.gone(key)
        self._calm.queued(self.queue.urgent)

    def forget(self, key: Key, uid: str | None = None) -> bool:
        """Forget an ApiKeySecret that is gone; False if there is another one under its name."""
        record = self.records.get(key)
        if record is None or (uid and record.uid != uid):
            return record is None
        del self.records[key]
        record.leaving = True
        self._discard(key)
        for waiting in self._blocked.values():
            waiting.discard(key)
        if target := record.told_target:
            self._reporter.gone(record, str(target.get("name")))
        return True

    def target_gone(self, target: Key) -> None:
        """Let those go on who waited for another object's Secret to go."""
        for key in self._blocked.pop(target, ()):
            self.again(key)

    def target_changed(self, owner: Key, secret: str) -> None:
        """Take note of a Secret of ours that was changed, or is gone. Our own writes come by here too.

        Args:
            owner: the ApiKeySecret that it says to belong to.
            secret: its name.
        """
        record = self.records.get(owner)
        if record is None or (time.monotonic() < record.contested and self._reconciler.is_there(record)):
            return
        record.noticed = time.monotonic()
        if record.key in self._busy:
            # Most likely our own write, whose answer is still on its way: looked at when the work is done.
            self._busy[record.key] = True
        elif not self._reconciler.as_written(record) or self._reconciler.is_former(record, secret):
            self._enqueue(record, Priority.NEW, ask=False)

    def store_changed(self, identifier: str) -> None:
        """Look at every object that uses a store, because it is new, changed or gone."""
        for record in self._users(identifier):
            self._enqueue(record, Priority.CHANGE)

    def store_mended(self, identifier: str) -> None:
        """Look at the objects in trouble of a store whose login is accepted again."""
        for record in self._users(identifier):
            if record.failures:
                self._enqueue(record, Priority.CHANGE)

    def _users(self, identifier: str) -> Iterator[Record]:
        for record in self.records.values():
            default = DEFAULT_STORE in record.uses and identifier.startswith(DEFAULT_STORE)
            if identifier in record.uses or default:
                yield record

    def namespace_changed(self, namespace: str) -> None:
        """Look at the objects of a namespace that are in trouble: its labels may have been why."""
        for record in self.records.values():
            if record.key.namespace == namespace and record.failures:
                self._enqueue(record, Priority.CHANGE)

    def again(self, key: Key) -> None:
        """Look at an object once more, because what was known of it turned out to be old."""
        if record := self.records.get(key):
            self._enqueue(record, Priority.CHANGE)

    def resume(self) -> None:
        """Look at everything that failed while nothing could be written."""
        for record in self.records.values():
            if record.failures:
                self._enqueue(record, Priority.CHANGE)

    def _slot_has_come(self, key: Key) -> None:
        record = self.records.get(key)
        if record:
            self._enqueue(record, Priority.CHANGE if record.failures else Priority.REFRESH)

    def _reminder_has_come(self, key: Key) -> None:
        if record := self.records.get(key):
            record.remind = True
            self._enqueue(record, Priority.REFRESH, ask=False)

    def _enqueue(self, record: Record, priority: Priority, *, ask: bool = True) -> None:
        if record.leaving:
            return
        now = time.monotonic()
        if ask:
            record.ask, record.since = True, now
        self.queue.add(record.key, priority, now)
        self._calm.queued(self.queue.urgent)
        metrics.QUEUE_DEPTH.set(len(self.queue))

    # Work.

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.diary.run())
            tasks.create_task(self._dispatch())

    async def _dispatch(self) -> None:
        while True:
            # In this order: a slot that waits for a key is one that nobody can have back.
            await self.queue.filled()
            await self._slots.take()
            if not len(self.queue):
                self._slots.lend()
                continue
            key, priority, since = self.queue.take()
            self._calm.queued(self.queue.urgent)
            metrics.QUEUE_SECONDS.labels(priority.name.lower()).observe(time.monotonic() - since)
            metrics.QUEUE_DEPTH.set(len(self.queue))
            task = asyncio.create_task(self._work(key))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _work(self, key: Key) -> None:
        """Work on one key: first its target, then, once no other target is waited for, what there is to tell."""
        started, record = time.monotonic(), self.records.get(key)
        self._busy[key] = False
        try:
            since = record.since if record else 0.0
            try:
                result = await self._attempt(record) if record else None
            finally:
                self._slots.worked()
            if record:
                await self._calm.wait()
                await self._follow(record, result, since)
        except Exception as foreign:  # noqa: BLE001 - a bug in reporting must not end the worker
            # Reporting failed: the API server is in trouble, or we no longer lead. Once more, later.
            error = foreign if isinstance(foreign, errors.Error) else bug(key, foreign)
            log.warning("%s: could not be reported on (%s): %s", key, error.reason, error)
            if record := self.records.get(key):
                # A look at the target alone would find nothing to tell.
                record.ask = True
                record.failures += 1
                self.schedule.after(key, pacing.backoff(record.failures, chance()))
        finally:
            metrics.SYNC_SECONDS.observe(time.monotonic() - started)
            if record:
                # Thousands of objects cost little memory as text.
                record.parsed = record.read_status = None
            touched, record = self._busy.pop(key), self.records.get(key)
            if touched and record and not self._reconciler.as_written(record):
                self._enqueue(record, Priority.NEW, ask=False)
            self.queue.done(key)
            self._slots.done()

    async def _attempt(self, record: Record) -> Outcome | errors.Error | None:
        """Reconcile one object; return what came of it, an error too."""
        record.working, record.working_refresh = record.generation, record.refresh
        try:
            record.parsed = record.spec_model()
            return await self._reconciler.reconcile(record, self._slots.lent)
        except errors.Error as error:
            return error
        except Exception as foreign:  # noqa: BLE001 - one object's bug must not stop the others
            return bug(record.key, foreign)

    async def _follow(self, record: Record, result: Outcome | errors.Error | None, since: float) -> None:
        """See to what follows a reconcile."""
        if isinstance(result, Leaving):
            self._leave(record)
        elif isinstance(result, Changed):
            self._enqueue(record, Priority.CHANGE)
        elif isinstance(result, Parked):
            await self._park(record, result)
        elif isinstance(result, errors.Error):
            await self._failed(record, result)
        else:
            await self._done(record, result, since)
        await self._remind(record)
        self.wishes.settle(record, result, since)

    async def _remind(self, record: Record) -> None:
        """Say what there is to say of keys that end, if it is time, and note when it is again."""
        if record.remind and not record.leaving:
            checked, record.remind, record.rechecked = record.rechecked, False, ()
            await self._reporter.remind(record, checked)
            self.diary.check(record, checked)
        self.diary.remind(record)

    async def _done(self, record: Record, outcome: Outcome | None, since: float) -> None:
        """See to what follows a reconcile that went well."""
        metrics.SYNCS.labels("nothing" if outcome is None else "success").inc()
        log.debug("%s: %s", record.key, "as it was left" if outcome is None else outcome)
        record.failures, record.contested = 0, 0.0
        if outcome is None and self.schedule.at(record.key) is not None:
            return
        if outcome is not None and outcome.rechecked is not None:
            record.rechecked, outcome = outcome.rechecked, None
        if outcome is not None:
            if outcome.gathered is not None:
                record.checked_at = time.time()
            if record.since == since:
                record.ask = False
            await self._reporter.in_order(record, outcome)
            if outcome.suspended:
                self.schedule.discard(record.key)
                return
        # A moment on, or the slot that has just come may come again.
        self.diary.refresh(record, time.time() + 1.0)
        if outcome and outcome.gathered:
            self.diary.sooner(record, outcome.gathered)

    async def _failed(self, record: Record, error: errors.Error) -> None:
        """See to what follows an error: tell it, unless the store tells it for all, and try again later."""
        metrics.SYNCS.labels(str(error.reason)).inc()
        record.failures += 1
        record.ask = True
        after = error.after if isinstance(error, errors.Retry) else None
        pause = min(after, pacing.LONGEST_PAUSE) if after else pacing.backoff(record.failures, chance())
        self.schedule.after(record.key, pause)
        if error.reason is Reason.TARGET_OWNED_ELSEWHERE:
            target = Key(record.key.namespace, record.spec_model().target_name(record.key.name))
            self._blocked.setdefault(target, set()).add(record.key)
        log.info("%s: %s: %s", record.key, error.reason, error)
        if record.failures > 1 or error.reason not in NOT_YET:
            await self._tell(record, error, quiet=isinstance(error, errors.StoreStalled))

    async def _park(self, record: Record, parked: Parked) -> None:
        """Keep an object aside until its store can take its read."""
        record.ask = True
        self.parking.park(record.key, parked.store)
        if parked.cause:
            record.failures += 1
            await self._tell(record, parked, quiet=True)

    async def _tell(self, record: Record, error: errors.Error, *, quiet: bool) -> None:
        """Report trouble. An object whose target is right stays Ready through an outage, until it is stale."""
        outage = isinstance(error, errors.Outage | Parked)
        status = record.status_json()
        old = report.find(status.get("conditions") or [], "Ready")
        # What is known to be right is right for the spec that it was made for.
        ready = record.ready and status.get("observedGeneration") == record.working
        missing = error.reason is not Reason.INVALID_SPEC and self._reconciler.missing(record, record.spec_model())
        if outage and (ready or old.get("reason") in (Reason.STALE, Reason.SECRET_MISSING)):
            fresh = self._stale_or_missing(record, error, missing=missing)
            if fresh is None and ready:
                return
            error = fresh or error
        await self._reporter.troubled(record, error, quiet=quiet or outage, missing=missing)

    def _stale_or_missing(self, record: Record, error: errors.Error, *, missing: bool) -> errors.Error | None:
        """Return what an outage means for an object that was in order: None while it still is."""
        spec = record.spec_model()
        if missing:
            return errors.Retry(
                Reason.SECRET_MISSING,
                f"Secret {spec.target_name(record.key.name)} was deleted while {error.message}",
                "It is written again as soon as the store answers",
            )
        interval = spec.refresh_seconds
        stale_at = (record.checked_at or self._alive_before) + 2 * interval
        if not interval or time.time() < stale_at:
            if interval:
                self.schedule.set(record.key, min(stale_at, self.schedule.at(record.key) or stale_at))
            return None
        return errors.Retry(Reason.STALE, f"not confirmed for more than {2 * interval:g} s, because {error.message}")

    def _go_on(self, key: Key) -> None:
        """Put an object that waited for its store back into the queue."""
        record = self.records.get(key)
        if record and not record.leaving:
            if record.failures:
                # What is known of the outage is old by now.
                record.since = time.monotonic()
            self.queue.add(key, Priority.CHANGE, time.monotonic())

    # When to look again.

    def _settled(self, record: Record) -> bool:
        """Whether an object that was just listed is in order, so that it only has to wait for its next slot."""
        status = record.status_json()
        handled = status.get("observedGeneration") == record.generation
        refreshed = status.get("lastHandledRefresh", "") == record.refresh[:256]
        if not (record.ready and handled and refreshed and self._reconciler.as_written(record)):
            return False
        if self._behind(status) or not all(map(self._as_told, record.uses)):
            return False
        record.ask = False
        self.diary.refresh(record, self._alive_before)
        self.diary.recall(record)
        return True
