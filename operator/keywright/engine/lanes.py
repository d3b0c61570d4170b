"""The ways to issuers' hosts: each has threads, turns, a pace, patience and a breaker of its own, and they are bounded.

A lane serves namespaces in turn, so that one with many credentials does not make all others wait.

Does not belong here: what is asked there and what becomes of the answer (``prober``), which hosts may be asked
(``endpoints``).
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import functools
import time
from collections.abc import Callable, Hashable

from .. import errors, pacing, wire
from ..issuers.base import Finding, Verdict
from .breaker import Breaker
from .opened import chance

#: Threads of one lane, and paths of its host to which connections are kept.
THREADS, PATHS = 4, 8
#: Lanes that are remembered; those used last.
LANES = 256
#: Longest time for which a host's wish for patience holds up everybody (seconds).
LONGEST_PAUSE = 60.0


class Lane:
    """The way to one host.

    Args:
        pace: probes a second.
        connect: returns the server at an address; called in threads.
    """

    def __init__(self, pace: float, connect: Callable[[str], wire.Server]) -> None:
        self.breaker, self.way = Breaker(), functools.lru_cache(PATHS)(connect)
        #: How many use it; kept by who does.
        self.users = 0
        self._until = 0.0
        self._troubled: set[str] = set()
        self._bucket = pacing.TokenBucket(pace, max(1.0, 2 * pace), time.monotonic())
        self._slots = asyncio.Semaphore(THREADS)
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="probe")
        self._turns: collections.OrderedDict[str, collections.deque[asyncio.Future[None]]] = collections.OrderedDict()
        self._giving: asyncio.Task[None] | None = None

    def queue(self, turn: asyncio.Future[None], namespace: str) -> None:
        """Let a turn come when it is a namespace's; one may stand in the queues of several, and comes once."""
        self._turns.setdefault(namespace, collections.deque()).append(turn)
        if self._giving is None or self._giving.done():
            self._giving = asyncio.create_task(self._give())

    def ahead(self, namespace: str) -> int:
        """Return how many turns come before the next that a namespace would queue."""
        own = len(self._turns.get(namespace, ()))
        return sum(min(len(each), own + 1) for each in self._turns.values())

    async def _give(self) -> None:
        """Give turns, each with a slot of its own."""
        while self._is_awaited():
            await self._slots.acquire()
            await asyncio.sleep(self._bucket.take(time.monotonic()))
            while (left := self._until - time.monotonic()) > 0:  # noqa: ASYNC110 - it may ask for more meanwhile
                await asyncio.sleep(left)
            if turn := self._next():
                turn.set_result(None)
            else:
                self._slots.release()

    def _is_awaited(self) -> bool:
        """Whether a turn is waited for: those that came in another namespace's queue are not, and go."""
        for namespace, waiting in list(self._turns.items()):
            while waiting and waiting[0].done():
                waiting.popleft()
            if not waiting:
                del self._turns[namespace]
        return bool(self._turns)

    def _next(self) -> asyncio.Future[None] | None:
        if not self._is_awaited():
            return None
        namespace, waiting = self._turns.popitem(last=False)
        turn = waiting.popleft()
        if waiting:
            self._turns[namespace] = waiting  # behind all others
        return turn

    async def run(
        self, turn: asyncio.Future[None], mark: str, work: Callable[[], tuple[Finding, bool]], longest: float
    ) -> Finding | None:
        """Probe when the turn has come, and take note of how the issuer is; None: it is left alone for a while.

        Args:
            mark: of the credential.
            work: done in a thread; returns what came of it, and whether the issuer is in trouble.
            longest: seconds after which a thread is given up.
        """
        await turn
        try:
            return await self._run(mark, work, longest) if self.breaker.allow(time.monotonic()) else None
        except BaseException:
            self.breaker.unheard(time.monotonic())
            raise
        finally:
            self._slots.release()

    async def _run(self, mark: str, work: Callable[[], tuple[Finding, bool]], longest: float) -> Finding:
        loop, finding, silent = asyncio.get_running_loop(), Finding(Verdict.UNKNOWN, "did not answer in time"), True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                finding, silent = await loop.run_in_executor(self._threads, work)
        self._learn(mark, finding, in_trouble=bool(finding.after) or (silent and finding.verdict is Verdict.UNKNOWN))
        return finding

    def _learn(self, mark: str, finding: Finding, *, in_trouble: bool) -> None:
        """Take note of how an issuer is.

        What one credential meets, however often, may be about that one: a quota, a path. It waits, and no other does.
        """
        now = time.monotonic()
        if not in_trouble:
            self._troubled.clear()
            self.breaker.succeeded()
            return
        closed, again = self.breaker.error is None, mark in self._troubled
        if closed:
            self._troubled.add(mark)
        if finding.after and len(self._troubled) > 1:
            self._until = max(self._until, now + min(finding.after, LONGEST_PAUSE))
        if not (closed and again):
            self.breaker.failed(errors.Outage(errors.Reason.STORE_UNREACHABLE, finding.said), now, chance())

    def close(self) -> None:
        """Start no more probes."""
        if self._giving:
            self._giving.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)


class Lanes:
    """The lanes that there are: at most ``LANES``, of which those that nobody uses make room."""

    def __init__(self) -> None:
        self._lanes: collections.OrderedDict[Hashable, Lane] = collections.OrderedDict()

    def __len__(self) -> int:
        return len(self._lanes)

    def at(self, place: Hashable, make: Callable[[], Lane]) -> Lane | None:
        """Return the lane to a place, a new one where there is none; None where all others are in use."""
        lane = self._lanes.get(place)
        if lane is None:
            if not self._has_room():
                return None
            lane = self._lanes[place] = make()
        self._lanes.move_to_end(place)
        return lane

    def _has_room(self) -> bool:
        """Whether there may be one more lane, once one that nobody uses has gone if need be."""
        if len(self._lanes) < LANES:
            return True
        idle = next((place for place, lane in self._lanes.items() if not lane.users), None)
        if idle is not None:
            self._lanes.pop(idle).close()
        return idle is not None

    def close(self) -> None:
        """Start no more probes."""
        for lane in self._lanes.values():
            lane.close()
