"""Asks issuers whether credentials are alive: once for each credential, however many objects hold it, and gently.

What came of it is remembered under a keyed hash whose key lives and dies with the process. Each host has a lane of its
own, so that an issuer that hangs holds up nobody else.

Does not belong here: what a probe is (``issuers/``), turns, pace and breakers (``lanes``), what follows from a finding
(``checker``, ``decide/checks.py``).
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
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
from . import egress, endpoints
from .lanes import THREADS, Lane, Lanes
from .queue import Key

log = logging.getLogger(__name__)

#: Seconds that one probe may take, and beyond which its thread is given up; bytes of an answer.
TIMEOUT, GRACE, MAX_ANSWER = 10.0, 5.0, 1024 * 1024
#: Seconds that an object waits for a probe; a probe that takes longer wakes it when it is done.
PATIENCE = 12.0
#: Seconds after which an object that is to be called may look by itself.
CALLED = 300.0
#: Seconds for which a finding is as good as new.
RECENT = 1.0
#: Credentials that are remembered; where there are more, the namespace with the most forgets the oldest of its own.
REMEMBERED = 20_000


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


@dataclasses.dataclass(slots=True)
class _Flight:
    """A probe on its way.

    Attributes:
        turn: done when it may start.
        namespaces: in whose queues it stands.
        waiting: who is called when it is done.
    """

    lane: Lane
    turn: asyncio.Future[None]
    namespaces: list[str] = dataclasses.field(default_factory=list)
    waiting: set[Key] = dataclasses.field(default_factory=set)
    task: asyncio.Task[None] | None = None

    def join(self, namespace: str) -> None:
        """Let it start when it is a namespace's turn, if not sooner."""
        if namespace not in self.namespaces:
            self.namespaces.append(namespace)
            self.lane.queue(self.turn, namespace)


class _Memory:
    """What is known of credentials, and for which namespace that was found out: no namespace pushes out another's."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, History]] = {}
        self._shares: dict[str, collections.OrderedDict[str, None]] = {}

    def get(self, mark: str) -> History | None:
        """Return what is known of a credential."""
        _, history = self._known.get(mark, ("", None))
        return history

    def put(self, mark: str, namespace: str, history: History) -> None:
        """Take note of what is known of a credential now."""
        self._forget(mark)
        self._known[mark] = namespace, history
        self._shares.setdefault(namespace, collections.OrderedDict())[mark] = None
        while len(self._known) > REMEMBERED:
            largest = max(self._shares, key=lambda each: len(self._shares[each]))
            self._forget(next(iter(self._shares[largest])))

    def _forget(self, mark: str) -> None:
        if mark in self._known:
            namespace, _ = self._known.pop(mark)
            share = self._shares[namespace]
            del share[mark]
            if not share:
                del self._shares[namespace]


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
        self._known, self._lanes = _Memory(), Lanes()
        self._flights: dict[str, _Flight] = {}

    async def ask(self, probe: Probe, asker: Key, *, anew: bool = False) -> tuple[History | None, float]:
        """Return what is known of a credential, asking its issuer if that is due, and when to ask again (Unix time).

        None: nothing is known yet; the object is called when it is.

        Args:
            anew: a person wants to know how it is now; a wish of the issuer for patience goes before that.
        """
        mark, now = self._mark(probe), time.monotonic()
        if self._due(mark, probe) <= now or (anew and self._may_be_asked(mark, now)):
            await self._asked(mark, probe, asker)
        # Who asked while a probe is on its way is called when it is done.
        left = CALLED if mark in self._flights else max(1.0, self._due(mark, probe) - time.monotonic())
        return self._known.get(mark), time.time() + left

    def _due(self, mark: str, probe: Probe) -> float:
        """Return when whoever asks wants a credential to be asked about (monotonic clock)."""
        known = self._known.get(mark)
        if known is None:
            return 0.0
        # The same however often it is worked out.
        chance = pacing.fraction(f"{mark} {known.at}")
        return known.at + checks.pause(known, probe.every, self.over, chance)

    def _may_be_asked(self, mark: str, now: float) -> bool:
        known = self._known.get(mark)
        return known is not None and known.at + max(RECENT, checks.patience(known.finding)) <= now

    async def _asked(self, mark: str, probe: Probe, asker: Key) -> None:
        """Wait for a probe, for a while."""
        flight = self._flights.get(mark) or self._started(mark, probe, asker.namespace)
        if flight is None or flight.task is None:
            return
        # Where there are so many probes ahead, waiting is in vain.
        is_far = not flight.turn.done() and flight.lane.ahead(asker.namespace) > THREADS * 4
        flight.join(asker.namespace)
        await asyncio.wait({flight.task}, timeout=0 if is_far else PATIENCE)
        if not flight.task.done():
            flight.waiting.add(asker)

    def _started(self, mark: str, probe: Probe, namespace: str) -> _Flight | None:
        """Start a probe; None where there is no way to its issuer now."""
        lane = self._lane(probe)
        if lane is None:
            said = "is not asked yet: too many addresses are asked already"
            self._note(mark, namespace, Finding(Verdict.UNKNOWN, said))
            return None
        flight = self._flights[mark] = _Flight(lane, asyncio.get_running_loop().create_future())
        lane.users += 1
        flight.task = asyncio.create_task(self._fly(mark, flight, probe, namespace))
        return flight

    async def _fly(self, mark: str, flight: _Flight, probe: Probe, namespace: str) -> None:
        try:
            finding = await self._found(mark, flight, probe)
        finally:
            flight.lane.users -= 1
            del self._flights[mark]
        self._note(mark, namespace, finding)
        for asker in flight.waiting:
            self._news(asker)

    async def _found(self, mark: str, flight: _Flight, probe: Probe) -> Finding:
        lane = flight.lane
        work = functools.partial(asked, probe, functools.partial(lane.way, probe.address))
        try:
            with errors.boundary(_bug):
                finding = await lane.run(flight.turn, mark, work, TIMEOUT + GRACE)
        except errors.Error as error:
            finding = Finding(Verdict.UNKNOWN, _said(error))
        if finding is None:
            paused = lane.breaker.error
            return Finding(Verdict.UNKNOWN, paused.message if paused else "is left alone for a moment")
        metrics.PROBES.labels(probe.issuer.name, str(finding.verdict)).inc()
        return finding

    def _note(self, mark: str, namespace: str, finding: Finding) -> None:
        self._known.put(mark, namespace, checks.noted(self._known.get(mark), finding, time.monotonic()))

    def _mark(self, probe: Probe) -> str:
        issuer = probe.issuer
        config = issuer.config.model_dump_json() if issuer.config else ""
        return self._keys.of_entries(f"{issuer.name} {probe.address} {config}", probe.parts)

    def _lane(self, probe: Probe) -> Lane | None:
        """Return the lane to the issuer's host, whatever the path; None where too many are in use.

        Where many issuers may be behind one host, those of one name do not hold up the others.
        """
        issuer, private = probe.issuer, probe.scope.private
        apart = issuer.name if private or issuer.name == "custom" else ""
        trust = self._trust if private else None
        place = (endpoints.origin(probe.address), probe.scope, apart)
        return self._lanes.at(place, lambda: Lane(issuer.pace, functools.partial(_server, trust)))

    def close(self) -> None:
        """Start no more probes."""
        for flight in self._flights.values():
            if flight.task:
                flight.task.cancel()
        self._lanes.close()


def _server(trust: ssl.SSLContext | None, address: str) -> wire.Server:
    return wire.Server(address, trust or wire.trust(), MAX_ANSWER)


def _said(error: errors.Error) -> str:
    """Return what an exchange failed for, as a clause behind the issuer's name."""
    return re.sub(",? for a probe$", "", error.message)


def _bug(foreign: Exception) -> errors.Error:
    log.error("an issuer failed in an unforeseen way: %s at %s", type(foreign).__name__, errors.place_of(foreign))
    return errors.Retry(errors.Reason.INTERNAL_ERROR, "could not be asked: a bug, of which the log tells the place")
