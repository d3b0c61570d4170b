"""How a rotation is told to people: status, condition, Events. Pure; the time is an argument.

Does not belong here: writing them (``engine/rotate/telling.py``).
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from ... import errors, pacing
from ...errors import Reason
from .. import report
from . import fate, makers
from .journal import AnyWhy, Cause, Debt, Journal, Owed, Step, Why
from .owed import by_hand
from .sight import Rules

#: The condition of an object that tells of its rotations.
ROTATING = "Rotating"

#: So many Secrets are named, and so many namespaces.
NAMED = 5
#: What is waited for, or why a rotation turns back, as sentences.
WORDS: dict[Why, str] = {
    Why.SAME_KEY: "The issuer gave the old key once more.",
    Why.ISSUE_REFUSED: "The issuer refuses to make a key.",
    Why.ISSUE_UNCLEAR: "The issuer did not say in time whether it made a key, or what keys there are.",
    Why.SLOT_UNKNOWN: "It is not known which of the issuer's two places nobody uses: the key in the store is in "
    "neither, or the other one is kept. Write the key of the place that is in use to the store; where `keywright debts "
    "list` names the other one, see that nobody uses it, then `keywright debts forget`.",
    Why.ISSUER_CHANGED: "The object names another issuer than the one that made the keys. Name the former one until "
    "this rotation has ended; where that is gone for good, take rotation out of the object until the journal is given "
    "up: what is owed is told then.",
    Why.SLOTS_FULL: "There are as many keys as the issuer allows, and none of them is ours. Delete one that "
    "nobody uses.",
    Why.TEST_FAILED: "The issuer did not accept the new key in time, or lets it do less than the old "
    "one; where that is meant, set rotation.test.allowLimited.",
    Why.TEST_UNCLEAR: "The issuer does not say whether it accepts the new key.",
    Why.TEST_ONLY: "No more than a test was asked for.",
    Why.OWNED_ELSEWHERE: "The store says that somebody else rotates this key.",
    Why.STORE_CHANGED: "Somebody else has written another key to the store; that one counts.",
    Why.STORE_REFUSED: "The store does not take the new key.",
    Why.STORE_SILENT: "The store does not answer.",
    Why.NOT_WRITTEN: "Not every Secret has the new key yet.",
    Why.READERS_UNKNOWN: "It is not known yet who has the key.",
    Why.NEW_INVALID: "The issuer does not accept the new key any more.",
    Why.ASKED: "Somebody asked for it.",
    Why.OBJECT_GONE: "The object is gone.",
    Why.NOT_MADE: "Have a new key made, and write it to the store.",
    Why.NOT_ADOPTED: "Not everybody is seen to use the new key; `keywright consumers` says who does not.",
    Why.NO_USERS: "Nobody is seen to use the Secret, so nobody is seen to use the new key. Where its users are outside "
    "of the cluster, set rotation.consumers: Optional.",
    Why.STILL_USED: "The issuer says that the old key is still used.",
    Why.NOT_ALIVE: "It is not known that the new key works, so the old one stays.",
    Why.OLD_NOT_ALIVE: "It is not known that the old key works, so it is not put back.",
    Why.OLD_DEAD: "Neither key works any more. Have one made, and write it to the store.",
    Why.THEIRS_UNKNOWN: "Somebody else has written a key to the store of which it is not known that it works, so the "
    "new key stays alive. Write one to the store that works.",
    Why.TO_REVOKE: "Revoke the old key at its issuer; this ends once it is seen to be dead.",
    Why.OLD_ENDS: "Not everybody is seen to use the new key, and the old one ends by itself: who does not take up the "
    "new one is left without. `keywright consumers` says who that is.",
    Why.WORN_OUT: "Most of the new key's life was over before it was in use.",
    Why.NEW_IN_OVERLAP: "Nobody is seen to have the new key any more; it still works until the overlap is over, for "
    "whoever has read it elsewhere.",
    Why.QUEUED: "Other rotations at its issuer go first, as many as its rotationsAtOnce.",
    Why.SUSPENDED: "The object is suspended: it goes on once spec.suspend is false.",
}
#: The same on the way back.
_BACK: dict[Why, str] = {
    Why.NOT_WRITTEN: "There are Secrets that still have the new key, or may have it.",
    Why.NOT_ADOPTED: "Not everybody is seen to use the old key again; `keywright consumers` says who does not.",
}
#: The same of an old key that a person has to revoke: where it has the new one's name, and where nobody can be asked.
_ONE_NAME = (
    "Old and new key have one name at their issuer, so nothing is revoked by it. See there that the old one ends: this "
    "ends once it is seen to be dead, or by `keywright revoke`, and then `keywright debts forget` says that it is."
)
_UNSEEN = (
    "Revoke the old key at its issuer. Nobody can be asked whether it is dead: `keywright revoke` ends this, and then "
    "`keywright debts forget` says that it is."
)
#: What somebody outside has answered for, which is told with it.
_FAILED = frozenset({Why.ISSUE_REFUSED, Why.ISSUE_UNCLEAR, Why.STORE_REFUSED})
_STEPS: dict[Step, str] = {
    Step.ISSUING: "A new key is being made.",
    Step.HELD: "The new key is being tested.",
    Step.TESTED: "The new key is being written to the store.",
    Step.STORED: "The Secrets are being written.",
    Step.WRITTEN: "Whoever uses the Secret is taking up the new key.",
    Step.ADOPTED: "Everybody uses the new key.",
    Step.GRACE: "Everybody has the new key; the old one still works.",
    Step.ROLLING_BACK: "The old key is put back, and the new one revoked.",
    Step.ROLLED_BACK: "All is as it was.",
}
_HURRIED = "The new key is in place; nobody else is waited for to end the old one."
_ENDS = "The new key is in place, and the old one is being revoked."
_OFF = "Everybody has the new key; the old one is switched off, and is revoked if nobody wants it back."


def words(why: AnyWhy) -> str:
    """Return what is waited for, or why a rotation turned back, as a sentence."""
    return WORDS[why] if isinstance(why, Why) else f"A later version of Keywright calls it {why}."


def turned_back(journal: Journal, failed: errors.Error | None) -> str:
    """Return why a rotation turned back, as sentences; empty where nothing says why.

    Args:
        failed: why no key was made, or none written to the store.
    """
    parts = [words(journal.why)] if journal.why else []
    parts += [_trouble(failed)] if failed and journal.why in _FAILED else []
    return " ".join(parts)


def _to_revoke(journal: Journal, *, tested: bool) -> str:
    """Return what a person has to do for an old key that we do not end."""
    if journal.same_handle:
        return _ONE_NAME
    return words(Why.TO_REVOKE) if tested else _UNSEEN


def _trouble(error: errors.Error) -> str:
    return f"{report.begun(error.message)}.{f' {error.hint}.' if error.hint else ''}"


@dataclasses.dataclass(frozen=True, slots=True)
class Behind:
    """Those who read a key and do not have the one that they should.

    Attributes:
        namespace: of the object that rotates it: what others call their Secrets is no business of its readers.
        secrets: namespace, object and Secret of each.
    """

    namespace: str
    secrets: tuple[tuple[str, str, str], ...]

    def sentence(self) -> str:
        """Return who they are, for who may read the object; empty where nobody is."""
        own = sorted(secret for namespace, _, secret in self.secrets if namespace == self.namespace)
        others = collections.Counter(each[0] for each in self.secrets if each[0] != self.namespace)
        parts = [f"Secret {each}" for each in own[:NAMED]]
        parts += [f"{count} of namespace {name}" for name, count in sorted(others.items())[:NAMED]]
        more = max(0, len(own) - NAMED) + sum(count for _, count in sorted(others.items())[NAMED:])
        parts += [f"{more} more"] if more else []
        return f"These are behind: {', '.join(parts)}." if parts else ""

    def names(self) -> str:
        """Return the objects, for whoever runs the operator."""
        return ", ".join(f"{namespace}/{name}" for namespace, name, _ in sorted(self.secrets))


@dataclasses.dataclass(frozen=True, slots=True)
class Tale:
    """What there is to tell of the rotation of one credential.

    Attributes:
        journal: None: none was ever begun.
        why: what is waited for; None where nothing is.
        asks: whether a person has to do something.
        error: what is in the way.
        next: Unix time at which the next one begins by itself.
        pods: what a status tells of those who use the Secrets; None where that was not looked at.
        behind: who is waited for, where it is Secrets that are.
        rules: what its issuer can do; None where that is not known now.
    """

    credential: str
    journal: Journal | None
    why: AnyWhy | None = None
    asks: bool = False
    error: errors.Error | None = None
    next: float | None = None
    pods: Mapping[str, Any] | None = None
    behind: Behind | None = None
    rules: Rules | None = None

    @property
    def tested(self) -> bool:
        """Whether its issuer can be asked about the new key, as far as is known."""
        return self.rules is None or self.rules.tests

    @property
    def runs(self) -> bool:
        """Whether one is under way."""
        return self.journal is not None and self.journal.step is not Step.IDLE

    def waits(self) -> str:
        """Return what is waited for, for a person; empty where nothing is."""
        back = self.journal is not None and self.journal.step is Step.ROLLING_BACK
        behind = self.behind.sentence() if self.behind and self.why is Why.NOT_WRITTEN else ""
        # It may have turned back for the same word.
        if back and isinstance(self.why, Why) and (behind or self.why is Why.NOT_ADOPTED):
            parts = [_BACK[self.why]]
        elif self.why is Why.TO_REVOKE and self.journal:
            parts = [_to_revoke(self.journal, tested=self.tested)]
        else:
            parts = [words(self.why)] if self.why else []
        parts += [behind] if behind else []
        parts += [_trouble(self.error)] if self.error else []
        return " ".join(parts)

    def sentence(self) -> str:
        """Return how it is, for a person."""
        begins = _begins(self.journal) if self.journal and self.runs else ""
        if self.journal and self.journal.debts and not self.runs:
            begins = f"{len(self.journal.debts)} keys are still to be cleaned up; `keywright debts` lists them."
        return f"Credential {self.credential}: {' '.join(part for part in (begins, self.waits()) if part)}"


def _begins(journal: Journal) -> str:
    if journal.step is Step.REVOKED:
        return fate.of_old(journal, journal).said
    if journal.step is not Step.GRACE:
        return _STEPS[journal.step]
    if journal.old is None:
        return "Everybody has the new key."
    if journal.old_may_be_dead:
        return _ENDS
    if journal.old.disabled:
        return _OFF
    return _HURRIED if journal.urgent else _STEPS[Step.GRACE]


def status(tale: Tale) -> dict[str, Any]:
    """Return what the status tells of it."""
    journal = tale.journal
    facts: dict[str, Any] = {"credential": tale.credential, "step": "Idle", "next": _time(tale.next)}
    facts |= {"waits": tale.waits()[:1024] or None, "asks": tale.asks or None}
    if journal is None:
        return _there(facts)
    facts |= {"step": str(journal.step), "pinned": journal.pinned or None, "debts": _debts(journal, tale.rules)}
    if not tale.runs:
        facts["last"] = last(journal)
        return _there(facts)
    why = tale.why or (journal.why if journal.step is Step.ROLLING_BACK else None)
    lives = journal.step is Step.GRACE or journal.back_from
    # One of a later version is none of the CRD's.
    cause = str(journal.cause) if isinstance(journal.cause, Cause) else None
    facts |= {"id": journal.id, "cause": cause, "why": str(why) if why else None}
    return _there(
        facts
        | {"since": _time(journal.since), "until": _time(journal.until if lives else None)}
        | dict(tale.pods or {})
    )


def last(journal: Journal) -> dict[str, Any] | None:
    """Return what the rotation before came to, as a journal at rest tells it."""
    if not journal.id:
        return None
    outcome = "RolledBack" if journal.why else "Rotated"
    outcome = "Tested" if journal.why is Why.TEST_ONLY else outcome
    why = str(journal.why) if journal.why and outcome == "RolledBack" else None
    return _there({"id": journal.id, "outcome": outcome, "at": _time(journal.since), "why": why})


def condition(tales: Sequence[Tale]) -> dict[str, Any] | None:
    """Return the condition of an object with these rotations; None where there is nothing to tell."""
    refused = next((each for each in tales if each.error and not each.runs), None)
    runs = [each for each in tales if each.runs]
    asks = next((each for each in tales if each.asks), None)
    message = " ".join(each.sentence() for each in [*([asks] if asks else []), *(r for r in runs if r is not asks)])
    if runs or asks:
        reason = Reason.ROTATION_WAITS if asks else Reason.ROTATING
        return _condition("True" if runs else "False", reason, message)
    if refused and refused.error:
        return _condition("False", refused.error.reason, refused.sentence())
    return None


def _condition(status_: str, reason: Reason, message: str) -> dict[str, Any]:
    return {"type": ROTATING, "status": status_, "reason": str(reason), "message": message[:2048]}


def _debts(journal: Journal, rules: Rules | None) -> list[dict[str, Any]] | None:
    return [_there(debt(each, rules)) for each in journal.debts[:20]] or None


def debt(owed: Debt, rules: Rules | None = None) -> dict[str, Any]:
    """Return what is told of something that is owed; where a key is to be found, also where, and when it was made; of
    one that is to be revoked, whether a person has to.

    Args:
        rules: what its issuer can do; None where that is not known.
    """
    facts = {"owed": str(owed.owed), "handle": owed.handle, "since": _time(owed.since), "tries": owed.tries}
    if owed.owed is Owed.REVOKE and rules:
        return facts | {"byHand": by_hand(owed, rules)}
    if owed.owed is not Owed.FIND:
        return facts
    made = {"madeFrom": _time(owed.made_from), "madeUntil": _time(owed.made_until)}
    return facts | {"issuer": makers.people(owed.issuer) or None} | made


def _time(unix: float | None) -> str | None:
    return pacing.rfc3339(unix) if unix is not None else None


def _there(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
