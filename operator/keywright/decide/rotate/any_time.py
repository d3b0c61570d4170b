"""What may turn up at any step on the way to a new key, and what is known of a key by its tests.

Does not belong here: what belongs to one step (``making``, ``spreading``, ``ending``), the way back (``back``).
"""

from __future__ import annotations

from ...issuers.base import Verdict
from ...issuing.base import Way
from .journal import Owed, Step, Why
from .moves import Go, Move, Situation
from .sight import Holds, Trial

#: Seconds after which a look is worth while: at what answers in a moment, at what people or Pods do, at a key in grace.
SOON, LATER, NOW_AND_THEN = 5.0, 30.0, 900.0


def orphans(at: Situation) -> list[str]:
    """Return the keys that were made for us and whose values nobody has: their answers were lost."""
    if at.seen.keys is None or at.rules.way is not Way.ISSUE:
        return []
    known = {half.handle for half in (at.journal.old, at.journal.new) if half}
    return sorted(at.seen.keys.ours - known - {each.handle for each in at.journal.debts})


def condemned(trial: Trial | None) -> bool:
    """Whether an issuer is known not to accept a key."""
    return trial is not None and trial.verdict is Verdict.INVALID


def alive(trial: Trial | None) -> bool:
    """Whether an issuer is known to accept a key, and did so the last time it said anything."""
    return trial is not None and trial.verdict.is_alive and trial.last is not Verdict.INVALID


def asked_back(at: Situation) -> Move | None:
    """Turn back because somebody asked, unless the old key is dead by now."""
    old = at.journal.old
    return at.back(Why.ASKED) if at.seen.wish.back and not (old and old.revoked) else None


def gone_early(at: Situation) -> Move | None:
    """Turn back because nobody wants a new key any more."""
    return at.back(Why.OBJECT_GONE) if at.seen.wish.gone else None


def gone_late(at: Situation) -> Move | None:
    """Leave both keys alive: the new one is in use, and a deletion revokes nothing."""
    old = at.journal.old
    if not at.seen.wish.gone:
        return None
    if old is None or old.revoked:
        return at.go(Step.REVOKED)
    return Go(at.journal.owing(Owed.KEEP, old, at.now).rest(at.now))


def new_invalid(at: Situation) -> Move | None:
    """Turn back because the new key died on the way."""
    return at.back(Why.NEW_INVALID) if condemned(at.seen.new) else None


def store_changed(at: Situation) -> Move | None:
    """Turn back because somebody else has written to the store: theirs counts."""
    return at.back(Why.STORE_CHANGED) if at.seen.store in (Holds.OTHER, Holds.NOTHING) else None


def store_restored(at: Situation) -> Move | None:
    """Write the new key once more: the store has the old one again, from a backup perhaps."""
    return at.go(Step.TESTED) if at.seen.store is Holds.OLD else None
