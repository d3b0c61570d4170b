"""What checks of a credential come to: when an issuer's word condemns it, when it is asked again, what is told. Pure.

Does not belong here: forms and probes (``issuers/``), doing the checks (``engine/checker.py``), expiry (``expiry``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ..issuers.base import Finding, Verdict

#: How often an issuer must refuse a credential before that is believed.
TIMES = 3
#: When a refusal is looked into again, as shares of the time over which it must last.
_LOOKS = (0.1, 0.4, 0.5)
#: Seconds after a probe that told nothing, first and longest; and the longest after a refusal that is believed.
_FIRST_PAUSE, _LONGEST_PAUSE, _STILL_DEAD = 15.0, 1800.0, 900.0
#: Longest pause that an issuer may ask for (seconds).
LONGEST_PATIENCE = 3600.0


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """What probes of one credential have come to.

    Attributes:
        finding: the last one.
        at: when that was (seconds, of a clock that only grows).
        known: the last one that told something; None if none did.
        refusals: how often the issuer has refused it since it last accepted it.
        refused: when it did so for the first time, and for the last.
        silent: probes in a row that told nothing.
    """

    finding: Finding
    at: float
    known: Finding | None = None
    refusals: int = 0
    refused: tuple[float, float] = (0.0, 0.0)
    silent: int = 0

    def condemned(self, over: float) -> bool:
        """Whether the issuer has refused it often and long enough.

        Args:
            over: seconds from the first to the last refusal.
        """
        return self.refusals >= TIMES and self.refused[1] - self.refused[0] >= over

    def verdict(self, over: float) -> Verdict:
        """Return what is believed: a refusal counts once it condemns, a silence never unsays what was known."""
        if self.known is None or (self.known.verdict is Verdict.INVALID and not self.condemned(over)):
            return Verdict.UNKNOWN
        return self.known.verdict


def noted(before: History | None, finding: Finding, now: float) -> History:
    """Return the history with one more finding."""
    old = before or History(finding, now)
    if finding.verdict.is_alive or finding.verdict is Verdict.NOT_CHECKED:
        return History(finding, now, finding)
    if finding.verdict is Verdict.INVALID:
        first = old.refused[0] if old.refusals else now
        if old.known:
            # When it was made and ends it does not unsay.
            made, ends = old.known.created_at, old.known.expires_at
            finding = dataclasses.replace(finding, created_at=made, expires_at=ends)
        return History(finding, now, finding, old.refusals + 1, (first, now))
    return dataclasses.replace(old, finding=finding, at=now, silent=old.silent + 1)


def believed(history: History | None, over: float, before: str | None) -> Verdict:
    """Return the verdict on a credential.

    Args:
        over: seconds over which refusals must last to be believed.
        before: what the status tells of the same value, if it does: it holds until the issuer says something else.
    """
    verdict = history.verdict(over) if history else Verdict.UNKNOWN
    return Verdict(before) if verdict is Verdict.UNKNOWN and before in _WORDS else verdict


def patience(finding: Finding) -> float:
    """Return for how many seconds an issuer wants a credential not to be asked about; no wish holds for ever."""
    return min(finding.after or 0.0, LONGEST_PATIENCE)


def pause(history: History, every: float, over: float, chance: float) -> float:
    """Return for how many seconds after its last probe a credential is left in peace.

    Args:
        every: seconds between probes of one that is alive.
        over: seconds over which refusals must last to be believed.
        chance: uniform in [0, 1): spreads probes over the last tenth.
    """
    if history.silent:
        backoff = min(_FIRST_PAUSE * 2.0 ** min(history.silent - 1, 16), _LONGEST_PAUSE, max(every, _FIRST_PAUSE))
        return max(patience(history.finding), backoff * (0.9 + 0.1 * chance))
    if history.refusals:
        if history.condemned(over):
            return min(every, _STILL_DEAD)
        return over * _LOOKS[min(history.refusals, len(_LOOKS)) - 1]
    return every * (0.9 + 0.1 * chance)


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """A credential as it was found, to be told in the status.

    Attributes:
        entries: names of its entries.
        warning: what is wrong with it although it is written, as a clause; empty if nothing is.
        again: Unix time at which its issuer is to be asked again; None if it is not asked.
        malformed: it cannot be such a credential; nobody is asked about it.
        asked: its issuer is asked about it.
        dead: why it is condemned although the target holds it, as a clause; empty if it is not.
        heard: its issuer has told something of it since this process began.
    """

    name: str
    entries: tuple[str, ...]
    fingerprint: str
    verdict: Verdict = Verdict.NOT_CHECKED
    issuer: str | None = None
    kind: str | None = None
    created_at: str | None = None
    expires_at: str | None = None
    version: str | None = None
    warning: str = ""
    again: float | None = None
    malformed: bool = False
    asked: bool = False
    heard: bool = False
    dead: str = ""


def told(before: Sequence[Mapping[str, Any]], found: Sequence[Checked], now: str) -> list[dict[str, Any]]:
    """Return ``status.credentials``: what was known of the same value is not forgotten because nobody told it again.

    Args:
        before: as it was.
        now: RFC 3339.
    """
    known = {each.get("name"): each for each in before}
    return [_told(known.get(each.name) or {}, each, now) for each in found]


def _told(old: Mapping[str, Any], found: Checked, now: str) -> dict[str, Any]:
    same = old if old.get("fingerprint") == found.fingerprint else {}
    verdict = str(found.verdict)
    expires_at, created_at = found.expires_at, found.created_at
    if found.asked and not found.heard:
        # It may be the issuer that told the end once.
        ends = [each for each in (expires_at, same.get("expiresAt")) if each]
        expires_at, created_at = min(ends, default=None), same.get("createdAt") or created_at
    facts = {
        "name": found.name,
        "issuer": found.issuer,
        "kind": found.kind,
        "verdict": verdict,
        "since": same["since"] if same.get("verdict") == verdict and "since" in same else now,
        "createdAt": created_at,
        "expiresAt": expires_at,
        "version": (found.version or same.get("version") or "")[:128] or None,
        "fingerprint": found.fingerprint,
        "warned": same.get("warned") if expires_at == same.get("expiresAt") else None,
    }
    return {name: value for name, value in facts.items() if value is not None}


#: What an issuer once said of a value, and holds until it says something else.
_WORDS = frozenset({str(Verdict.VALID), str(Verdict.LIMITED), str(Verdict.INVALID)})
