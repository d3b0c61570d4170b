"""Checks the credentials of an object: their form, then, where that is asked for, whether their issuers accept them.

What may not be written is refused before the target is touched; what is written all the same is told.

Does not belong here: forms and probes (``issuers/``), when an issuer is asked (``prober``), writing (``target``).
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import dataclasses
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Any

from .. import errors, kinds, settings
from ..decide import checks, looks
from ..decide.checks import Checked, History
from ..errors import Reason
from ..issuers._table import Table
from ..issuers.base import Finding, Malformed, Recognised, Recognition, Unrecognised, Verdict
from ..secret import FingerprintKey
from .assemble import Gathered
from .cases import Case, Cases, earliest
from .prober import Probe, Prober
from .records import Record

#: Threads that look at what objects declare themselves, beside the event loop.
BESIDE = 2
_NEW_ONE = "Have a new one made and write it to the store; with fallbackToPrevious the version before is served"
_SOON = "It may take a moment until a new one is known everywhere"
_WAIT = "It is written once the issuer accepts it; with liveness: Warn it would be written before"


class Refused(errors.Stalled):
    """A credential is malformed, or its issuer refuses it for good: an earlier version may be better."""

    #: The credential, as it was found.
    checked: Checked


class Held(errors.Retry):
    """A new credential is held back: its issuer has refused it, but not for long, or has not said anything yet."""

    #: The credential, as it was found.
    checked: Checked
    #: Why, without what changes from try to try.
    why: str


class Checker:
    """Checks credentials.

    Args:
        table: the forms of all credentials.
        prober: asks issuers; None: nobody is asked, as for a forecast.
    """

    def __init__(self, keys: FingerprintKey, chosen: settings.Settings, table: Table, prober: Prober | None) -> None:
        self._keys, self._table, self._asks = keys, table, chosen.probes
        self._prober, self._cases = prober, Cases(keys, chosen, table)
        self._beside = concurrent.futures.ThreadPoolExecutor(BESIDE, thread_name_prefix="check")
        self._turns: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)

    async def before(self, record: Record, spec: kinds.ApiKeySecretSpec, gathered: Gathered) -> tuple[Checked, ...]:
        """Check what must be right before it is written.

        Raises:
            Refused: a credential is malformed or condemned.
            Held: its issuer has not said yet that it accepts it.
            errors.Error: it cannot be checked.
        """
        cases = [self._cases.of(str(record.key), each, gathered) for each in spec.credentials]
        formed = [await self._formed(record, each) for each in cases if each]
        found = await _all(self._enforced(record, each) for each in formed)
        return (*found, *self._by_themselves(record, spec, gathered))

    async def after(self, record: Record, spec: kinds.ApiKeySecretSpec, gathered: Gathered) -> tuple[Checked, ...]:
        """Ask about what is written whatever comes of it; return what is known of all credentials by now."""
        wanted = {each.name: each for each in spec.credentials if each.check.liveness == "Warn"}

        async def one(checked: Checked) -> Checked:
            each = wanted.get(checked.name)
            if not each or checked.malformed or not self._prober or not self._asks:
                return checked
            case = self._cases.of(str(record.key), each, gathered)
            return (await self._asked(record, case, checked, self._prober)).checked if case else checked

        return tuple(await _all(map(one, gathered.checked)))

    async def again(self, record: Record, spec: kinds.ApiKeySecretSpec, held: Gathered) -> tuple[Checked, ...]:
        """Check what a target holds, where that is what the status tells of.

        Raises:
            Refused: a credential is condemned.
        """
        found = []
        for each in spec.credentials:
            case = self._cases.of(str(record.key), each, held)
            if not case or not _told(record, case.checked):
                continue
            checked = await self._enforced(record, await self._formed(record, case))
            if checked.dead:
                raise _refused(Reason.KEY_INVALID, checked.dead, _NEW_ONE, checked)
            found.append(checked)
        return await self.after(record, spec, dataclasses.replace(held, checked=found))

    # One credential.

    async def _formed(self, record: Record, case: Case) -> Case:
        """Look at the form of a credential; what an object itself declares of it may take a while."""
        if case.spec.issuer != "custom":
            return self._looked(case, case.issuer.recognise(case.parts))
        # One of a namespace at a time, so that none takes all threads.
        async with self._turns[record.key.namespace]:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._beside, case.issuer.recognise, case.parts)
        return self._looked(case, found)

    @staticmethod
    def _looked(case: Case, found: Recognition) -> Case:
        policy = case.spec.check.format
        ends = [case.checked.expires_at, *map(looks.expires_at, case.parts.values())]
        match found:
            case Malformed(part, why):
                said = f"{case.spec.parts.get(part, part)} {why}"
                if policy == "Enforce":
                    whole = f"credential {case.spec.name}: {said}"
                    raise _refused(Reason.KEY_MALFORMED, whole, _mend(why), case.checked)
                return case.but(malformed=True, warning=said if policy == "Warn" else "")
            case Recognised(kind, expires_at):
                return case.but(kind=kind, expires_at=earliest(expires_at, *ends))
            case Unrecognised():
                said = f"{case.named} has no form of {case.issuer.title} that is known"
                return case.but(expires_at=earliest(*ends), warning=said if policy != "Off" else "")

    async def _enforced(self, record: Record, case: Case) -> Checked:
        """See that an issuer accepts a credential before it is written, where that is wanted."""
        if case.spec.check.liveness != "Enforce" or not self._prober:
            return case.checked
        old = _told(record, case.checked)
        if case.checked.malformed or not self._asks:
            if old:
                return case.but(verdict=Verdict(old["verdict"])).checked
            raise _unasked(case)
        history, again = await self._history(record, case, self._prober)
        verdict = checks.believed(history, self._prober.over, old.get("verdict"))
        case = _known(case, history, verdict, again)
        why = _why(case, history, verdict)
        if verdict is Verdict.INVALID:
            if old:
                # The target holds it already: what else there is, is written all the same.
                return case.but(dead=why).checked
            raise _refused(Reason.KEY_INVALID, why, _NEW_ONE, case.checked)
        if verdict.is_alive or old:
            # What the target holds stays until it is condemned.
            return case.checked
        if verdict is Verdict.NOT_CHECKED:
            raise errors.Stalled(Reason.KEY_UNVERIFIED, why, "Set check.liveness: Off for this credential")
        raise _held(case, history, why, self._prober.over, max(1.0, again - time.time()))

    async def _asked(self, record: Record, case: Case, checked: Checked, prober: Prober) -> Case:
        """Ask about a credential that is written."""
        history, again = await self._history(record, case, prober)
        verdict = checks.believed(history, prober.over, _told(record, checked).get("verdict"))
        case = _known(dataclasses.replace(case, checked=checked), history, verdict, again)
        return case.but(warning=_why(case, history, verdict)) if verdict is Verdict.INVALID else case

    async def _history(self, record: Record, case: Case, prober: Prober) -> tuple[History | None, float]:
        probe = Probe(case.issuer, case.parts, case.scope, case.spec.check.every_seconds)
        return await prober.ask(probe, record.key, anew=record.is_wished)

    # Values that nobody says what they are.

    def _by_themselves(self, record: Record, spec: kinds.ApiKeySecretSpec, gathered: Gathered) -> Sequence[Checked]:
        """Look at the values that no credential names; tell of those that tell something."""
        named = {key for each in spec.credentials for key in each.parts.values()}
        # The status has one place for a name.
        named |= {each.name for each in spec.credentials}
        found = []
        for key, value in gathered.inputs.items():
            if key in named:
                continue
            look, ends = looks.look(value, self._table), gathered.ends.get(key)
            if look or ends:
                seen = look or looks.Look()
                found.append(
                    Checked(
                        key,
                        (key,),
                        self._keys.fingerprint(f"{record.key}/{key}", value),
                        issuer=seen.issuer,
                        kind=seen.kind,
                        created_at=gathered.created.get(key),
                        expires_at=earliest(seen.expires_at, ends),
                        version=gathered.versions.get(key),
                        warning=f"{key} {seen.warning}" if seen.warning else "",
                    )
                )
        return found


def _refused(reason: Reason, said: str, hint: str, checked: Checked) -> Refused:
    refused = Refused(reason, said, hint)
    refused.checked = checked
    return refused


def refused_as_dead(checked: Checked) -> Refused:
    """Return the error of a credential that the target holds and its issuer has condemned."""
    return _refused(Reason.KEY_INVALID, checked.dead, _NEW_ONE, checked)


def _held(case: Case, history: History | None, why: str, over: float, wait: float) -> Held:
    if history and history.refusals:
        times = f"{history.refusals} of the {checks.TIMES} times over {over / 60:g} minutes that condemn it"
        held = Held(Reason.KEY_INVALID, f"{why}, {times}", _SOON, after=wait)
    else:
        held = Held(Reason.KEY_UNVERIFIED, why, _WAIT, after=wait)
    held.checked, held.why = case.checked, why
    return held


def _unasked(case: Case) -> errors.Stalled:
    if case.checked.malformed:
        said = f"{case.named} is malformed, so {case.issuer.title} is not asked about it"
        return errors.Stalled(Reason.KEY_UNVERIFIED, said, "Write the right one to the store")
    said = f"{case.named} is to be accepted by {case.issuer.title} first, and probes are switched off"
    return errors.Stalled(Reason.KEY_UNVERIFIED, said, "Set liveness: Off, or have the operator run with --probes")


def _why(case: Case, history: History | None, verdict: Verdict) -> str:
    """Say what an issuer said of a credential: what condemned it, whatever it said since."""
    finding = history.finding if history else None
    if verdict is Verdict.INVALID:
        known = history.known if history else None
        finding = known if known and known.verdict is Verdict.INVALID else Finding(verdict, "has refused it before")
    return f"{case.issuer.title} {finding.said if finding else 'has not answered yet'} for {case.named}"


async def _all(checks: Iterable[Awaitable[Checked]]) -> list[Checked]:
    """Wait for all checks of an object together; raise what the first of them raises, in its order."""
    found = await asyncio.gather(*checks, return_exceptions=True)
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return [each for each in found if isinstance(each, Checked)]


def _mend(why: str) -> str:
    if "newline" in why or "white space" in why:
        return "Write it to the store without that (printf, not echo), or set check.trim: true"
    return "Write the right one to the store"


def _told(record: Record, checked: Checked) -> Mapping[str, Any]:
    """Return what the status tells of this very value; empty if it tells of another one, or of none."""
    told = record.status_json().get("credentials") or []
    same = (each for each in told if (each.get("name"), each.get("fingerprint")) == (checked.name, checked.fingerprint))
    return next(same, {})


def _known(case: Case, history: History | None, verdict: Verdict, again: float) -> Case:
    """Add to a case what its issuer has told.

    A silent issuer is no reason to read stores sooner; one that refuses is.
    """
    known = history.known if history else None
    if not history or history.silent:
        again = max(again, time.time() + case.spec.check.every_seconds)
    if known is None:
        return case.but(verdict=verdict, again=again)
    return case.but(
        heard=True,
        verdict=verdict,
        again=again,
        created_at=known.created_at or case.checked.created_at,
        expires_at=earliest(known.expires_at, case.checked.expires_at),
    )
