"""Checks the credentials of an object: their form, then, where that is asked for, whether their issuers accept them.

What may not be written is refused before the target is touched; what is written all the same is told.

Does not belong here: forms and probes (``issuers/``), when an issuer is asked (``prober``), writing (``target``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .. import errors, kinds, settings
from ..decide import checks, looks
from ..decide.checks import Checked, History
from ..errors import Reason
from ..issuers._table import Table
from ..issuers.base import Malformed, Recognised, Unrecognised, Verdict
from ..secret import FingerprintKey
from .assemble import Gathered
from .cases import Case, Cases, earliest
from .prober import Probe, Prober
from .records import Record

_NEW_ONE = "Have a new one made and write it to the store; with fallbackToPrevious the version before is served"
_SOON = "It may take a moment until a new one is known everywhere"
_WAIT = "It is written once the issuer accepts it; with liveness: Warn it would be written before"


class Refused(errors.Stalled):
    """A credential is malformed, or its issuer refuses it for good: an earlier version may be better."""

    #: The credential, as it was found.
    checked: Checked


class Checker:
    """Checks credentials.

    Args:
        table: the forms of all credentials.
        prober: asks issuers; None: nobody is asked, as for a forecast.
    """

    def __init__(self, keys: FingerprintKey, chosen: settings.Settings, table: Table, prober: Prober | None) -> None:
        self._keys, self._table, self._asks = keys, table, chosen.probes
        self._prober, self._cases = prober, Cases(keys, chosen, table)

    async def before(self, record: Record, spec: kinds.ApiKeySecretSpec, gathered: Gathered) -> tuple[Checked, ...]:
        """Check what must be right before it is written.

        Raises:
            Refused: a credential is malformed or condemned.
            errors.Error: it cannot be checked, or its issuer has not said yet that it accepts it.
        """
        found = []
        for each in spec.credentials:
            case = self._cases.of(str(record.key), each, gathered)
            if case:
                case = self._formed(case)
                if each.check.liveness == "Enforce" and self._prober:
                    case = await self._accepted(record, case, self._prober)
                found.append(case.checked)
        return (*found, *self._by_themselves(record, spec, gathered))

    async def after(self, record: Record, spec: kinds.ApiKeySecretSpec, gathered: Gathered) -> tuple[Checked, ...]:
        """Ask about what is written whatever comes of it; return what is known of all credentials by now."""
        known = {each.name: each for each in gathered.checked}
        for each in spec.credentials:
            checked = known.get(each.name)
            if each.check.liveness == "Warn" and checked and not checked.malformed and self._prober and self._asks:
                case = self._cases.of(str(record.key), each, gathered)
                if case:
                    known[each.name] = (await self._asked(record, case, checked, self._prober)).checked
        return tuple(known.values())

    # One credential.

    @staticmethod
    def _formed(case: Case) -> Case:
        """Look at the form of a credential."""
        policy = case.spec.check.format
        found = case.issuer.recognise(case.parts)
        ends = [case.checked.expires_at, *map(looks.expires_at, case.parts.values())]
        match found:
            case Malformed(part, why):
                said = f"{case.spec.parts.get(part, part)} {why}"
                if policy == "Enforce":
                    raise _refused(Reason.KEY_MALFORMED, f"credential {case.spec.name}: {said}", _mend(why), case)
                return case.but(malformed=True, warning=said if policy == "Warn" else "")
            case Recognised(kind, expires_at):
                return case.but(kind=kind, expires_at=earliest(expires_at, *ends))
            case Unrecognised():
                said = f"{case.named} has no form of {case.issuer.title} that is known"
                return case.but(expires_at=earliest(*ends), warning=said if policy != "Off" else "")

    async def _accepted(self, record: Record, case: Case, prober: Prober) -> Case:
        """See that an issuer accepts a credential before it is written."""
        old = _told(record, case.checked)
        if not self._asks:
            if old:
                return case
            said = f"{case.named} is to be accepted by {case.issuer.title} first, and probes are switched off"
            hint = "Set liveness: Off, or have the operator run with --probes"
            raise errors.Stalled(Reason.KEY_UNVERIFIED, said, hint)
        history, again = await self._history(record, case, prober)
        verdict = checks.believed(history, prober.over, old.get("verdict"))
        case = _known(case, history, verdict, again)
        said = f"{case.issuer.title} {history.finding.said if history else 'has not answered yet'} for {case.named}"
        if verdict is Verdict.INVALID:
            raise _refused(Reason.KEY_INVALID, said, _NEW_ONE, case)
        if verdict.is_alive or old:
            # What the target holds stays until it is condemned.
            return case
        if verdict is Verdict.NOT_CHECKED:
            raise errors.Stalled(Reason.KEY_UNVERIFIED, said, "Set check.liveness: Off for this credential")
        wait = max(1.0, again - time.time())
        if history and history.refusals:
            lasting = f"{prober.over / 60:g} minutes"
            more = f"{said}, {history.refusals} of the {checks.TIMES} times over {lasting} that condemn it"
            raise errors.Retry(Reason.KEY_INVALID, more, _SOON, after=wait)
        raise errors.Retry(Reason.KEY_UNVERIFIED, said, _WAIT, after=wait)

    async def _asked(self, record: Record, case: Case, checked: Checked, prober: Prober) -> Case:
        """Ask about a credential that is written."""
        history, again = await self._history(record, case, prober)
        verdict = checks.believed(history, prober.over, _told(record, checked).get("verdict"))
        case = _known(case.but(**_facts(checked)), history, verdict, again)
        if verdict is not Verdict.INVALID:
            return case
        said = history.finding.said if history else "did not accept it"
        return case.but(warning=f"{case.issuer.title} {said} for {case.named}")

    async def _history(self, record: Record, case: Case, prober: Prober) -> tuple[History | None, float]:
        probe = Probe(case.issuer, case.parts, case.scope, case.spec.check.every_seconds)
        if case.checked.malformed:
            return None, time.time() + case.spec.check.every_seconds
        return await prober.ask(probe, record.key, anew=record.is_wished)

    # Values that nobody says what they are.

    def _by_themselves(self, record: Record, spec: kinds.ApiKeySecretSpec, gathered: Gathered) -> Sequence[Checked]:
        """Look at the values that no credential names; tell of those that tell something."""
        named = {key for each in spec.credentials for key in each.parts.values()}
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


def _refused(reason: Reason, said: str, hint: str, case: Case) -> Refused:
    refused = Refused(reason, said, hint)
    refused.checked = case.checked
    return refused


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
        verdict=verdict,
        again=again,
        created_at=known.created_at or case.checked.created_at,
        expires_at=earliest(known.expires_at, case.checked.expires_at),
    )


def _facts(checked: Checked) -> dict[str, Any]:
    return {"kind": checked.kind, "expires_at": checked.expires_at, "warning": checked.warning}
