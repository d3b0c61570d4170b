"""Asks issuers whether credentials are alive: once for each credential, however many objects hold it, and gently.

What came of it is remembered under a keyed hash whose key lives and dies with the process. Each address has threads, a
pace and a breaker of its own, so that an issuer that hangs holds up nobody else.

Does not belong here: what a probe is (``issuers/``), what follows from it (``checker``, ``decide/checks.py``).
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import dataclasses
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping

from .. import errors, metrics, pacing, wire
from ..decide import checks
from ..decide.checks import History
from ..issuers.base import Finding, Issuer, Verdict
from ..secret import FingerprintKey, SecretMap, SecretValue
from . import egress
from .breaker import Breaker
from .opened import chance
from .queue import Key

log = logging.getLogger(__name__)

#: Threads of one address; seconds that one probe may take, and beyond which its thread is given up; bytes of an answer.
THREADS, TIMEOUT, GRACE, MAX_ANSWER = 4, 10.0, 5.0, 1024 * 1024
#: Seconds that an object waits for a probe; a probe that takes longer wakes it when it is done.
PATIENCE = 12.0
#: Seconds after which an object that is to be called may look by itself.
CALLED = 300.0
#: Seconds for which a finding is as good as new.
RECENT = 1.0
#: Credentials that are remembered; those asked about last.
REMEMBERED = 20_000
#: Addresses that are remembered.
LANES = 256
#: Longest pause that an issuer may ask for (seconds).
LONGEST_PAUSE = 3600.0


@dataclasses.dataclass(frozen=True, slots=True)
class Probe:
    """One credential to be asked about.

    Attributes:
        scope: what addresses the issuer may have.
        every: seconds between probes of a living credential.
    """

    issuer: Issuer
    parts: SecretMap
    scope: egress.Scope
    every: float

    @property
    def address(self) -> str:
        """Where the issuer is asked; empty where that is not known: it is not asked then, and says so itself."""
        return self.issuer.address_for(self.parts)


def asked(probe: Probe, way: Callable[[], wire.Server]) -> tuple[Finding, bool]:
    """Ask an issuer once, in this thread and within the time that a probe may take; what goes wrong is `Unknown`.

    Returns what came of it, and whether the issuer is in trouble: it does not answer, or asks for patience. An answer
    that tells nothing of a credential may be about that credential all the same.

    Args:
        way: leads to the issuer's address; called where the issuer is asked anything.
    """
    ends, troubles = time.monotonic() + TIMEOUT, 0

    def ask(method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None) -> wire.Answer:
        told = {"User-Agent": "keywright", **headers}
        answer = way().exchange(method, target, "a probe", deadline=ends, headers=told, body=body)
        nonlocal troubles
        troubles += answer.status == 429 or answer.status >= 500
        return answer

    try:
        with egress.confined(probe.scope), errors.boundary(_bug):
            return probe.issuer.probe(probe.parts, ask), troubles > 0
    except errors.Error as error:
        return Finding(Verdict.UNKNOWN, _said(error)), True


class _Lane:
    """The way to one issuer's address."""

    def __init__(self, address: str, pace: float, trust: ssl.SSLContext | None) -> None:
        self.address, self.breaker, self._trust = address, Breaker(), trust
        self.users, self.until = 0, 0.0
        self._bucket = pacing.TokenBucket(pace, max(1.0, 2 * pace), time.monotonic())
        self._slots = asyncio.Semaphore(THREADS)
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="probe")
        self._server: wire.Server | None = None

    def wait(self) -> float:
        """Take a turn; return in how many seconds that is."""
        return self._bucket.take(time.monotonic())

    async def run(self, probe: Probe) -> Finding:
        """Probe now, and take note of how the issuer is."""
        async with self._slots:
            loop, finding = asyncio.get_running_loop(), Finding(Verdict.UNKNOWN, "did not answer in time")
            silent = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TIMEOUT + GRACE):
                    finding, silent = await loop.run_in_executor(self._threads, self._probe, probe)
            self._learn(finding, silent=silent)
            return finding

    def _probe(self, probe: Probe) -> tuple[Finding, bool]:
        return asked(probe, self._way)

    def _way(self) -> wire.Server:
        if self._server is None:
            self._server = wire.Server(self.address, self._trust or wire.trust(), MAX_ANSWER)
        return self._server

    def _learn(self, finding: Finding, *, silent: bool) -> None:
        """Take note of how an issuer is: who asks for patience, or is silent, is left alone for a while."""
        now = time.monotonic()
        if finding.after:
            self.until = now + min(finding.after, LONGEST_PAUSE)
        if silent and finding.verdict is Verdict.UNKNOWN:
            silence = errors.Outage(errors.Reason.STORE_UNREACHABLE, finding.said)
            self.breaker.failed(silence, now, chance())
        else:
            self.breaker.succeeded()

    def close(self) -> None:
        """Start no more probes."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Prober:
    """Asks issuers.

    Args:
        over: seconds over which refusals must last to be believed.
        trust: what the certificates of allowed endpoints must chain to; None: to the usual public ones.
        news: called with an object for which a probe has come to something after it stopped waiting.
    """

    def __init__(self, over: float, news: Callable[[Key], None], trust: ssl.SSLContext | None = None) -> None:
        self.over, self._news, self._trust = over, news, trust
        self._keys = FingerprintKey("probe", SecretValue(os.urandom(32)))
        self._known: collections.OrderedDict[str, History] = collections.OrderedDict()
        self._due: dict[str, float] = {}
        self._flights: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, set[Key]] = {}
        self._lanes: collections.OrderedDict[tuple[str, egress.Scope], _Lane] = collections.OrderedDict()

    async def ask(self, probe: Probe, asker: Key, *, anew: bool = False) -> tuple[History | None, float]:
        """Return what is known of a credential, asking its issuer if that is due, and when to ask again (Unix time).

        None: nothing is known yet; the object is called when it is.

        Args:
            anew: a person wants to know how it is now.
        """
        mark, now = self._mark(probe), time.monotonic()
        known = self._known.get(mark)
        if self._due.get(mark, 0.0) <= now or (anew and known and known.at + RECENT <= now):
            await self._asked(mark, probe, asker)
        # Who asked while a probe is on its way is called when it is done.
        left = CALLED if mark in self._flights else max(1.0, self._due.get(mark, 0.0) - time.monotonic())
        return self._known.get(mark), time.time() + left

    async def _asked(self, mark: str, probe: Probe, asker: Key) -> None:
        """Wait for a probe, for a while."""
        flight = self._flights.get(mark)
        if flight is None:
            flight = self._flights[mark] = asyncio.create_task(self._fly(mark, probe))
        await asyncio.wait({flight}, timeout=0 if self._is_far(probe) else PATIENCE)
        if not flight.done():
            self._waiting.setdefault(mark, set()).add(asker)

    def _is_far(self, probe: Probe) -> bool:
        """Whether there are so many probes ahead that waiting is in vain."""
        return self._lane(probe).users > THREADS * 4

    async def _fly(self, mark: str, probe: Probe) -> None:
        lane = self._lane(probe)
        lane.users += 1
        try:
            await asyncio.sleep(lane.wait())
            # The issuer may have asked for patience meanwhile.
            await asyncio.sleep(max(0.0, lane.until - time.monotonic()))
            finding = await self._found(lane, probe)
        finally:
            lane.users -= 1
            del self._flights[mark]
        self._note(mark, probe, finding)
        for asker in self._waiting.pop(mark, ()):
            self._news(asker)

    async def _found(self, lane: _Lane, probe: Probe) -> Finding:
        if not lane.breaker.allow(time.monotonic()):
            paused = lane.breaker.error
            return Finding(Verdict.UNKNOWN, paused.message if paused else "is left alone for a moment")
        finding = await lane.run(probe)
        metrics.PROBES.labels(probe.issuer.name, str(finding.verdict)).inc()
        return finding

    def _note(self, mark: str, probe: Probe, finding: Finding) -> None:
        now = time.monotonic()
        history = checks.noted(self._known.get(mark), finding, now)
        self._known[mark] = history
        self._known.move_to_end(mark)
        self._due[mark] = now + checks.pause(history, probe.every, self.over, chance())
        while len(self._known) > REMEMBERED:
            oldest, _ = self._known.popitem(last=False)
            self._due.pop(oldest, None)

    def _mark(self, probe: Probe) -> str:
        issuer = probe.issuer
        config = issuer.config.model_dump_json() if issuer.config else ""
        return self._keys.of_entries(f"{issuer.name} {probe.address} {config}", probe.parts)

    def _lane(self, probe: Probe) -> _Lane:
        at = (probe.address, probe.scope)
        lane = self._lanes.get(at)
        if lane is None:
            lane = self._lanes[at] = _Lane(
                probe.address, probe.issuer.pace, self._trust if probe.scope.private else None
            )
            for key, idle in [pair for pair in self._lanes.items() if not pair[1].users][: len(self._lanes) - LANES]:
                idle.close()
                del self._lanes[key]
        return lane

    def close(self) -> None:
        """Start no more probes."""
        for flight in self._flights.values():
            flight.cancel()
        for lane in self._lanes.values():
            lane.close()


def _said(error: errors.Error) -> str:
    """Return what an exchange failed for, as a clause behind the issuer's name."""
    return re.sub(",? for a probe$", "", error.message)


def _bug(foreign: Exception) -> errors.Error:
    log.error("an issuer failed in an unforeseen way: %s at %s", type(foreign).__name__, errors.place_of(foreign))
    return errors.Retry(errors.Reason.INTERNAL_ERROR, "could not be asked: a bug, of which the log tells the place")
