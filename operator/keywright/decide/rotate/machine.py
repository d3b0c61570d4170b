"""The machine: what is done next.

``begin`` makes the journal that a rotation begins with, ``decide`` says what is done next.

Does not belong here: what is remembered of what was done (``outcomes``), when a rotation is due (``decide/due.py``),
looking and acting (``engine``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import back, ending, making, spreading
from .any_time import LATER, NOW_AND_THEN
from .journal import Cause, Debt, Half, Journal, Owed, Step, Why
from .moves import Do, Effect, End, Go, Move, Row, Situation, first
from .sight import Rules, Seen

#: Seconds after which a rotation that turned back may begin by itself again: first, longest, where it was asked for.
FIRST_PAUSE, LONGEST_PAUSE, ASKED_PAUSE = 3600.0, 86400.0, 86400.0


# Between rotations.


def rolled_back(at: Situation) -> Move | None:
    """Remember how often it failed, and when the next may begin."""
    why, failures = at.journal.why, at.journal.failures
    if why in (Why.TEST_ONLY, Why.OBJECT_GONE):
        return Go(at.journal.rest(at.now))
    if why is Why.ASKED:
        return Go(at.journal.rest(at.now, not_before=at.now + ASKED_PAUSE))
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, 16))
    return Go(at.journal.rest(at.now, failures=failures + 1, not_before=at.now + pause))


def succeeded(at: Situation) -> Move | None:
    """Forget failures."""
    return Go(at.journal.rest(at.now, failures=0, not_before=0.0))


def pay(at: Situation) -> Move | None:
    """Try what is owed and can be done by us; never to a key that the store has, or may have."""
    for debt in at.journal.debts:
        ours = debt.owed in (Owed.REVOKE, Owed.DIE) and debt.handle and at.rules.revokes
        if ours and debt.due <= at.now and not _in_use(at, debt):
            return Do(Effect.REVOKE, debt.handle)
    return None


def _in_use(at: Situation, debt: Debt) -> bool:
    held = at.seen.held
    return at.seen.store is None or (held is not None and held.fingerprint == debt.fingerprint)


def forget(at: Situation) -> Move | None:
    """Forget the journal: nothing is owed, and there is nothing to remember."""
    if at.journal.debts or at.journal.pinned:
        return None
    remembers = at.now < at.journal.not_before or (at.journal.failures and at.lasts() < 2 * LONGEST_PAUSE)
    return End() if at.seen.wish.gone or not remembers else None


def rest(at: Situation) -> Move | None:
    """Wait; a person is asked where something is owed."""
    return at.wait(LATER if at.journal.debts else NOW_AND_THEN, asks=bool(at.journal.debts))


#: Of each step, what may be done; the first that applies counts.
STEPS: Mapping[Step, Sequence[Row]] = {
    Step.ISSUING: making.ISSUING,
    Step.HELD: making.HELD,
    Step.TESTED: spreading.TESTED,
    Step.STORED: spreading.STORED,
    Step.WRITTEN: spreading.WRITTEN,
    Step.ADOPTED: ending.ADOPTED,
    Step.GRACE: ending.GRACE,
    Step.REVOKED: (Row(succeeded, (Step.IDLE,)),),
    Step.ROLLING_BACK: back.ROLLING_BACK,
    Step.ROLLED_BACK: (Row(rolled_back, (Step.IDLE,)),),
    Step.IDLE: (Row(pay, does=(Effect.REVOKE,)), Row(forget), Row(rest)),
}


def begin(
    last: Journal | None,
    name: str,
    cause: Cause,
    old: Half | None,
    now: float,
    *,
    urgent: bool = False,
    test_only: bool = False,
) -> Journal:
    """Return the journal that a rotation begins with.

    Args:
        last: the journal of the one before, where something is remembered of it.
        name: id of the new one.
        old: what is to be replaced; None where there is nothing yet.
    """
    kept = last.rest(now) if last else Journal(name, Step.IDLE, now)
    fresh = kept.but(id=name, cause=cause, old=old, urgent=urgent, test_only=test_only, why=None, reached=Step.IDLE)
    return fresh.at(Step.ISSUING, now)


def decide(rules: Rules, journal: Journal, seen: Seen, now: float) -> Move:
    """Return what to do next, after a look at what ``sight.LOOKS`` says of the step.

    Args:
        now: Unix time.
    """
    at = Situation(rules, journal, seen, now)
    return first(STEPS[journal.step], at) or at.wait(LATER)
