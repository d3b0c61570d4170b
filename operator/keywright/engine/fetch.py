"""One read per key, not per object: reads of the same key under the same login are shared.

A read may serve everybody who asked before it began. That keeps the promise that a value is at least as new as the
moment it was asked for, without a time to live that would sometimes be too long: 500 objects that are due at the same
moment are served by one read, and an object created after a key was changed sees the change.

Who asks has been checked already (namespace selector, path prefix): nobody gets an answer because somebody else may.

Does not belong here: threads, logins and limits of a store (``opened``), what is done with a value.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from .. import errors
from ..decide import render
from ..errors import Reason
from ..stores.base import Credentials, Fetched, Ref, Snapshot
from .opened import OpenedStore, chance

log = logging.getLogger(__name__)

#: Seconds for which an answer waits for others who asked before the read began, how many answers are kept at most, and
#: how large each may be (bytes).
KEPT_SECONDS, KEPT_ANSWERS, KEPT_SIZE = 10.0, 1_000, 64 * 1024
#: Objects that may wait for one store at the same time; and where one read serves them all.
WAITING, WAITING_FOR_ALL = 24, 2_000
#: Errors that happen before a store has been asked: they say nothing about it.
UNHEARD = frozenset(
    {
        Reason.CREDENTIAL_MISSING,
        Reason.KUBERNETES_UNAVAILABLE,
        Reason.ENDPOINT_FORBIDDEN,
        Reason.INTERNAL_ERROR,
        Reason.CONFLICT,
    }
)


class Parked(errors.Retry):
    """The store cannot take this read now: it is paused, or its waiting room is full. Ask again when it calls."""

    def __init__(self, store: OpenedStore, cause: errors.Error | None) -> None:
        reason = cause.reason if cause else Reason.STORE_BUSY
        message = cause.message if cause else "has many reads waiting; this one queues"
        super().__init__(reason, message, cause.hint if cause else "")
        self.store = store
        #: The outage for which the store is paused; None when it is only busy.
        self.cause = cause


class Question(NamedTuple):
    """What is read: the same question has the same answer for everybody."""

    store: OpenedStore
    identity: str
    ref: Ref

    @property
    def shared(self) -> Question:
        """What is really read: everything, where the store reads all of its keys at once."""
        return self._replace(ref=Ref("")) if self.store.kind.snapshot else self


#: What a read gives: one answer, or all of the store's.
Result = Fetched | errors.Error | Snapshot


class _Answer(NamedTuple):
    started: float
    result: Result


def _of(result: Result, question: Question) -> Fetched | errors.Error:
    """Return the answer to a question out of what was read for it and for others."""
    if isinstance(result, Fetched | errors.Error):
        return result
    answer = result(question.ref)
    return answer.about(question.store.name) if isinstance(answer, errors.Error) else answer


class _Flight:
    """A read on its way. ``started`` is None until it has really begun; a probe is let through to a paused store."""

    __slots__ = ("probe", "started", "task")

    def __init__(self, *, probe: bool) -> None:
        self.probe = probe
        self.started: float | None = None
        self.task: asyncio.Task[Result] | None = None


class Fetcher:
    """Shares reads.

    Args:
        answered: called after each read with the question and its error, None if there was an answer.
        left: called whenever somebody no longer waits for a store, so that another may.
    """

    def __init__(
        self, answered: Callable[[Question, errors.Error | None], None], left: Callable[[OpenedStore], None]
    ) -> None:
        self._answered, self._left = answered, left
        self._flights: dict[Question, _Flight] = {}
        self._answers: collections.OrderedDict[Question, _Answer] = collections.OrderedDict()

    def kept(self, question: Question, since: float) -> Fetched | errors.Error | None:
        """Return an answer that was kept, if its read began after ``since`` (monotonic seconds)."""
        kept = self._answers.get(question.shared)
        return _of(kept.result, question) if kept and since <= kept.started else None

    def admit(self, stores: AbstractSet[OpenedStore]) -> None:
        """Raise unless each store has room for one more that waits.

        Raises:
            Parked: a store has as many waiting as it may.
        """
        for store in stores:
            if store.waiting >= (WAITING if store.kind.snapshot is None else WAITING_FOR_ALL):
                raise Parked(store, None)

    @contextlib.contextmanager
    def waiting(self, stores: AbstractSet[OpenedStore]) -> Iterator[None]:
        """Count an object that waits for stores: once in each, however many of its keys it reads or shares.

        Raises:
            Parked: a store has as many waiting as it may.
        """
        self.admit(stores)
        for store in stores:
            store.waiting += 1
        try:
            yield
        finally:
            for store in stores:
                store.waiting -= 1
                self._left(store)

    async def read(
        self, question: Question, since: float, namespace: str, credentials: Callable[[], Credentials]
    ) -> Fetched:
        """Return what the store says, as of some moment after ``since``.

        Args:
            since: clock reading (monotonic seconds): an answer whose read began before is too old.
            namespace: who asks; it has a share of the store's threads.
            credentials: made only if this becomes a read of its own.

        Raises:
            Parked: the store cannot take the read now.
            errors.Error: what the store said.
        """
        if kept := self.kept(question, since):
            self._left(question.store)
            if isinstance(kept, errors.Error):
                raise kept.with_traceback(None)
            return kept
        flight = self._flights.get(question.shared)
        if flight is None or (flight.started is not None and flight.started < since):
            flight = self._depart(question.shared, namespace, credentials)
        assert flight.task  # noqa: S101 - set in the same step as the flight
        answer = _of(await asyncio.shield(flight.task), question)
        if isinstance(answer, errors.Error):
            raise answer.with_traceback(None)
        return answer

    async def check(self, store: OpenedStore, credentials: Callable[[], Credentials]) -> None:
        """Log in to a store with the login that all its objects share, unless it is paused; its health is told."""
        question = Question(store, "", Ref(""))
        if not store.breaker.allow(time.monotonic()):
            return
        result: errors.Error | None = None
        try:
            async with store.turn(""):
                if not await store.ready("", credentials):
                    # Logged in by a read, which has told how the store is.
                    store.breaker.unheard(time.monotonic())
                    return
        except errors.Error as error:
            result = _everybodys(error.about(store.name), question)
        self._learn(question, result)

    def _depart(self, question: Question, namespace: str, credentials: Callable[[], Credentials]) -> _Flight:
        """Send a read on its way, unless the store is paused."""
        breaker = question.store.breaker
        probe = breaker.error is not None
        if not breaker.allow(time.monotonic()):
            raise Parked(question.store, breaker.error)
        flight = self._flights[question] = _Flight(probe=probe)
        flight.task = asyncio.create_task(self._fly(question, flight, namespace, credentials))
        # Whoever asked may have been cancelled; nobody is told of an error twice.
        flight.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return flight

    async def _fly(
        self, question: Question, flight: _Flight, namespace: str, credentials: Callable[[], Credentials]
    ) -> Result:
        store = question.store
        result: Result
        try:
            async with store.turn(namespace):
                if store.breaker.error and not flight.probe:
                    # It was paused while this one waited for its turn.
                    raise Parked(store, store.breaker.error)
                flight.started = time.monotonic()
                try:
                    read = store.snapshot if store.kind.snapshot else functools.partial(store.fetch, question.ref)
                    result = await read(question.identity, credentials)
                except errors.Error as error:
                    result = _everybodys(error.about(store.name), question)
        finally:
            if self._flights.get(question) is flight:
                del self._flights[question]
        outcome = result.reason if isinstance(result, errors.Error) else "read"
        log.debug("%s: %s: %s after %.3f s", store.name, question.ref, outcome, time.monotonic() - flight.started)
        self._keep(question, _Answer(flight.started, result))
        self._learn(question, result)
        if isinstance(result, errors.Error):
            raise result
        return result

    def _learn(self, question: Question, result: Result | None) -> None:
        """Tell the breaker and whoever minds the store's health."""
        breaker, now = question.store.breaker, time.monotonic()
        if isinstance(result, errors.Error) and result.remembered:
            breaker.unheard(now)
        elif isinstance(result, errors.Outage):
            breaker.failed(result, now, chance())
        elif isinstance(result, errors.Error) and result.reason in UNHEARD:
            breaker.unheard(now)
        else:
            breaker.succeeded()
        self._answered(question, result if isinstance(result, errors.Error) else None)

    def _keep(self, question: Question, answer: _Answer) -> None:
        """Keep an answer for a moment; drop those whose moment has passed."""
        if isinstance(answer.result, Fetched) and render.size(answer.result.value) > KEPT_SIZE:
            return
        self._answers[question] = answer
        self._answers.move_to_end(question)
        horizon = time.monotonic() - KEPT_SECONDS
        while self._answers:
            oldest = next(iter(self._answers))
            if self._answers[oldest].started >= horizon and len(self._answers) <= KEPT_ANSWERS:
                break
            del self._answers[oldest]

    def sweep(self) -> None:
        """Drop answers whose moment has passed; called now and then, so that none outlives it in a quiet hour."""
        horizon = time.monotonic() - KEPT_SECONDS
        for question in [each for each, answer in self._answers.items() if answer.started < horizon]:
            del self._answers[question]


def _everybodys(error: errors.Error, question: Question) -> errors.Error:
    """Return the error of a read; where a login that all objects share is refused, as one of the store as a whole."""
    if question.identity or error.reason not in errors.LOGIN_TROUBLE:
        return error
    shared = errors.StoreStalled(error.reason, error.message, error.hint)
    return shared.again() if error.remembered else shared
