"""The audit trail of a leader: what waits to be recorded, who waits for it, and what is said while nothing can be.

One create is in flight; it takes what has gathered (group commit). Intents leave at once, and the act waits for them.
Outcomes leave within a moment where somebody waits for their place, within a second else. While nothing can be written,
records gather up to a bound; what is beyond that is counted, and the count is the next thing that is recorded.

Does not belong here: segments and logs (``writer``), what is recorded when (``engine/``).
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from .. import errors, metrics, pacing
from ..errors import Reason
from ..settings import AuditMode
from . import heads
from .chain import stamp
from .record import Entry, Type, Who, parted
from .writer import Writer

log = logging.getLogger(__name__)

#: Seconds between two segments where somebody waits for a record's place, and where nobody does.
WAITED, UNWAITED = 0.1, 0.9
#: Seconds for which the place of a record is waited for, and for which an intent is, before the act is given up.
PLACE_SECONDS, INTENT_SECONDS = 2.0, 10.0
#: Records that wait at most; bytes of them, by and large, that go into one segment.
MAX_WAITING, MAX_TOGETHER = 20_000, 128 * 1024
#: Records that are worth a segment at once.
ENOUGH = 100
#: Seconds between two heads on stdout, and between two looks at how much there is.
HEADS, MEASURE = 60.0, 600.0
#: Share of the capacity at which it is told.
ALARM = 0.8

_HINT = "See the operator's log, and docs/howto/audit.md"


@dataclasses.dataclass(slots=True, eq=False)
class _Waiting:
    entry: Entry
    at: float
    place: asyncio.Future[str] | None = None
    urgent: bool = False


class Trail:
    """What is recorded of what one leader does.

    Args:
        who: this operator.
        mode: whether acts that must be recorded before wait for that, or go on and are told to have gone unrecorded.
        tell: called with what is wrong when nothing can be written, with None when it can again, and with an error when
            there is little room left.
        committed: called after each segment.
    """

    def __init__(
        self,
        who: Who,
        mode: AuditMode,
        tell: Callable[[errors.Error | None], None] = lambda _: None,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        self.who, self._mode, self._tell, self._committed = who, mode, tell, committed
        self._writer: Writer | None = None
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._flying: list[_Waiting] = []
        self._stirred = asyncio.Event()
        self._lost, self._lost_since = 0, 0.0
        self._written_at = 0.0
        self._trouble: errors.Error | None = None
        self._alarmed = False
        self._begun, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()

    # What others ask.

    def note(self, *entries: Entry) -> None:
        """Record what has happened, soon; nobody waits for it."""
        for entry in entries:
            for each in parted(entry):
                self._put(_Waiting(each, time.time()))

    async def record(self, *entries: Entry) -> str | None:
        """Record what has happened, and return once all of it is kept, or nothing can be written at present.

        Returns:
            The place of the first entry, ``<log>/<number>``; None while nothing can be written.
        """
        if self._mode == "off" or not entries:
            return None
        places: list[asyncio.Future[str]] = []
        for entry in entries:
            for each in parted(entry):
                places.append(asyncio.get_running_loop().create_future())
                self._put(_Waiting(each, time.time(), places[-1]))
        if self._trouble:
            return None
        _, missing = await asyncio.wait(places, timeout=PLACE_SECONDS)
        return None if missing else places[0].result()

    async def intent(self, entry: Entry, *, waits: bool = True) -> None:
        """Record what is about to be done, and return when that is kept.

        Args:
            waits: whether the act waits where it cannot be; else it goes on, and is recorded when it can be.

        Raises:
            errors.Retry: ``AuditUnavailable``: it cannot be, so the act must not begin.
        """
        if self._mode == "off":
            return
        place: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(entry, time.time(), place, urgent=True)
        self._put(waiting)
        done, _ = await asyncio.wait([place], timeout=PLACE_SECONDS if self._trouble else INTENT_SECONDS)
        if done or not waits:
            return
        if self._mode == "best-effort":
            self.note(entry.model_copy(update={"type": Type.BREAK_GLASS, "code": "Unrecorded"}))
            return
        self._withdraw(waiting)
        said = f"nothing can be recorded: {self._trouble.message}" if self._trouble else "nothing was recorded in time"
        raise errors.Retry(Reason.AUDIT_UNAVAILABLE, said, self._trouble.hint if self._trouble else _HINT)

    @property
    def keeps(self) -> bool:
        """Whether anything is recorded at all."""
        return self._mode != "off"

    @property
    def trouble(self) -> errors.Error | None:
        """Why nothing can be written at present."""
        return self._trouble

    # What waits.

    def _put(self, waiting: _Waiting) -> None:
        if self._mode == "off":
            return
        if len(self._waiting) >= MAX_WAITING:
            self._lost_since = self._lost_since or waiting.at
            self._lost += 1
            metrics.AUDIT_LOST.inc()
            return
        self._waiting.append(waiting)
        self._idle.clear()
        metrics.AUDIT_WAITING.set(len(self._waiting))
        self._stirred.set()

    def _withdraw(self, waiting: _Waiting) -> None:
        """Take back an intent that nothing follows; one that may be written is closed by an outcome."""
        try:
            self._waiting.remove(waiting)
        except ValueError:
            ending = Type(str(waiting.entry.type).replace(".intent", ".outcome"))
            self.note(waiting.entry.model_copy(update={"type": ending, "code": "NotBegun"}))

    async def _gather(self) -> None:
        """Wait until there is something to write, and it is time to."""
        while True:
            self._stirred.clear()
            if self._waiting or self._lost:
                # A backlog waits for nothing more.
                urgent = len(self._waiting) >= ENOUGH or any(each.urgent for each in self._waiting)
                waited = any(each.place for each in self._waiting)
                pause = 0.0 if urgent else (WAITED if waited else UNWAITED) + self._written_at - time.monotonic()
                if pause <= 0:
                    return
            else:
                self._idle.set()
                pause = MEASURE
            try:
                async with asyncio.timeout(pause):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    def _take(self) -> list[_Waiting]:
        """Take as much as goes into one segment, and what was given up before it."""
        taken, size = [], 0
        if self._lost:
            lost = Entry(
                type=Type.RECORDS_LOST, code="Overflow", who=self.who, count=self._lost, since=stamp(self._lost_since)
            )
            taken.append(_Waiting(lost, time.time()))
            self._lost, self._lost_since = 0, 0.0
        while self._waiting and size < MAX_TOGETHER:
            waiting = self._waiting.popleft()
            size += _measure(waiting.entry)
            taken.append(waiting)
        metrics.AUDIT_WAITING.set(len(self._waiting))
        return taken

    # Writing.

    async def run(self, make: Callable[[], Awaitable[Writer]]) -> None:
        """Write what is recorded, until cancelled.

        Args:
            make: returns what writes, once its key is there; tried again where it fails.
        """
        if self._mode == "off":
            return
        self._writer = await self._made(make)
        self._mended()
        self._begun.set()
        metrics.AUDIT_CAPACITY.set(self._writer.capacity)
        _print(heads.printed_key(self._writer.public))
        loops: tuple[Coroutine[Any, Any, None], ...] = (self._write_all(), self._print_heads(), self._measure())
        async with asyncio.TaskGroup() as tasks:
            for each in loops:
                tasks.create_task(each)

    async def _made(self, make: Callable[[], Awaitable[Writer]]) -> Writer:
        failures, made = 0, None
        while True:
            try:
                # The same one again: it knows what it has sent.
                made = made or await make()
                await made.begin()
            except Exception as foreign:  # noqa: BLE001 - whatever is in the cluster must not stop syncs
                failures += 1
                self._fails(foreign if isinstance(foreign, errors.Error) else _bug(foreign))
                await asyncio.sleep(_pause(failures))
            else:
                return made

    async def _write_all(self) -> None:
        assert self._writer  # noqa: S101 - set by run
        failures = 0
        while True:
            if not self._flying:
                await self._gather()
                self._flying = self._take()
            try:
                places = await self._writer.write([(each.entry, each.at) for each in self._flying])
            except Exception as foreign:  # noqa: BLE001 - a bug here must not stop syncs
                failures += 1
                self._fails(foreign if isinstance(foreign, errors.Error) else _bug(foreign))
                await asyncio.sleep(_pause(failures))
                continue
            failures = 0
            self._wrote(places)

    def _wrote(self, places: list[str]) -> None:
        for waiting, place in zip(self._flying, places, strict=False):
            if waiting.place and not waiting.place.done():
                waiting.place.set_result(place)
        # What had no room in the segment is next.
        self._flying, self._written_at = self._flying[len(places) :], time.monotonic()
        self._mended()
        self._look_at_size()
        self._committed()

    def _mended(self) -> None:
        metrics.AUDIT_READY.set(1)
        before, self._trouble = self._trouble, None
        if before and before.reason is not Reason.NOT_LEADER:
            log.info("records are written again")
            self._tell(None)

    def _fails(self, error: errors.Error) -> None:
        metrics.AUDIT_READY.set(0)
        news = self._trouble is None or self._trouble.message != error.message
        self._trouble = error
        # Who does not hold the Lease writes nothing at all, and tells so itself.
        if news and error.reason is not Reason.NOT_LEADER:
            hint = f". {error.hint}" if error.hint else ""
            log.warning("nothing can be recorded, %d records wait: %s%s", len(self._waiting), error.message, hint)
            self._tell(error)

    def _look_at_size(self) -> None:
        """Tell, once, that there is little room left."""
        assert self._writer  # noqa: S101 - set by run
        metrics.AUDIT_BYTES.set(self._writer.total)
        capacity = self._writer.capacity
        high = self._writer.total > ALARM * capacity
        if high and not self._alarmed:
            said = f"the audit trail has more than {ALARM:.0%} of its {capacity // 1024 // 1024} MiB"
            log.warning("%s. Archive old logs: keywright audit archive", said)
            self._tell(errors.Retry(Reason.AUDIT_NEARLY_FULL, said, "Archive old logs: keywright audit archive"))
        self._alarmed = high

    async def _measure(self) -> None:
        assert self._writer  # noqa: S101 - set by run
        while True:
            await asyncio.sleep(MEASURE)
            try:
                await self._writer.measure()
            except errors.Error as error:
                log.info("how much the audit trail has could not be seen (%s)", error.message)
            else:
                self._look_at_size()

    async def _print_heads(self) -> None:
        """Show the witness, every minute, what there is."""
        while True:
            await asyncio.sleep(HEADS)
            self.print_head()

    def print_head(self) -> None:
        """Print the head to stdout, and whose it is: any stretch of the output is a witness."""
        if self._writer and (head := self._writer.head):
            _print(heads.printed_key(self._writer.public))
            _print(heads.printed(head))

    async def drain(self) -> None:
        """Return when all is written that was recorded."""
        if self._mode != "off":
            await self._idle.wait()

    def give_up(self) -> None:
        """Say what is lost with this process, which may not write any more."""
        if left := len(self._waiting) + len(self._flying):
            log.warning("%d records could not be written before another replica took over, and are lost", left)

    async def close(self) -> None:
        """End the log in order; ``run`` must be cancelled before.

        Raises:
            errors.Error: it could not be written.
        """
        try:
            if self._writer and not self._flying:
                await self._writer.close()
        finally:
            self.print_head()

    async def left_open(self) -> list[dict[str, Any]]:
        """Return the intents of the leader before that have no outcome, once it is known what there is."""
        if self._mode == "off":
            return []
        await self._begun.wait()
        return list(self._writer.open) if self._writer else []


def _measure(entry: Entry) -> int:
    """Return the bytes that an entry takes, by and large."""
    return 600 + sum(200 + len(each.key) + len(each.path or "") + len(each.store or "") for each in entry.keys or ())


def _pause(failures: int) -> float:
    return pacing.backoff(failures, random.random(), first=0.2, longest=15.0)  # noqa: S311


def _bug(foreign: Exception) -> errors.Error:
    said = f"Keywright failed to write a record ({type(foreign).__name__} at {errors.place_of(foreign)})"
    return errors.Retry(Reason.INTERNAL_ERROR, said)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
