"""The machine: what is done next.

``begin`` makes the journal that a rotation begins with, ``decide`` says what is done next.

Does not belong here: what is remembered of what was done (``outcomes``), when a rotation is due (``decide/due.py``),
looking and acting (``engine``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ...issuing.base import Way
from . import back, clock, ending, living, makers, making, spreading
from .any_time import LATER, NOW_AND_THEN, is_other, payable
from .journal import Cause, Debt, Half, Journal, Owed, Step, Why
from .lost import not_looked_for, owes, remembered, surely_none, turned_up
from .moves import Do, Effect, End, Go, Move, Row, Situation, first
from .outcomes import FIRST_AGAIN, LONGEST_AGAIN, tried, turned_back
from .owed import keeps
from .sight import Rules

#: Seconds after which a rotation that turned back may begin by itself again: first, longest, where it was asked for.
FIRST_PAUSE, LONGEST_PAUSE, ASKED_PAUSE = 3600.0, 86400.0, 86400.0
#: The same where keys live for a short while: first, and longest.
SHORT_PAUSE, LONGEST_SHORT_PAUSE = 15.0, 900.0
#: Failures in a row, of rotations and of one effect, after which a person is asked.
TOO_OFTEN = 3
#: What an issuer is like of which nothing else is said.
ANY = Rules()


# Between rotations.


def rolled_back(at: Situation) -> Move | None:
    """Remember how often it failed, and when the next may begin."""
    at = dataclasses.replace(at, journal=remembered(at.rules, at.journal))
    why, failures = at.journal.why, at.journal.failures
    # Of one that is kept people are told by now, as the store has another one.
    kept = keeps(at.journal, at.journal.old)
    left = None if kept else at.journal.old or _first(at.journal) or at.journal.left
    # What nobody had yet may be tried again sooner.
    at = dataclasses.replace(at, journal=_reissued(at)) if at.journal.stored or why is Why.ASKED else at
    if why in (Why.TEST_ONLY, Why.OBJECT_GONE):
        return Go(at.journal.rest(at.now, left=left))
    minted = at.rules.way is Way.MINTED
    if why is Why.ASKED:
        pause = LONGEST_SHORT_PAUSE if minted else ASKED_PAUSE
        return Go(at.journal.rest(at.now, left=left, not_before=at.now + pause))
    first_, longest = (SHORT_PAUSE, LONGEST_SHORT_PAUSE) if minted else (FIRST_PAUSE, LONGEST_PAUSE)
    pause = min(longest, first_ * 2 ** min(failures, 16))
    return Go(at.journal.rest(at.now, left=left, failures=failures + 1, not_before=at.now + pause))


def _first(journal: Journal) -> Half | None:
    """Return a first key that stays, as there was none to put back."""
    return journal.new if journal.new and journal.old is None and not journal.new.revoked else None


def succeeded(at: Situation) -> Move | None:
    """Forget failures."""
    stored = at.journal.stored or at.now
    return Go(_reissued(at).rest(at.now, left=at.journal.new, placed=stored, failures=0, not_before=0.0))


def _reissued(at: Situation) -> Journal:
    """Return the journal with when a key was last replaced because it was dead."""
    return at.journal.but(reissued=at.now) if at.journal.cause is Cause.INVALID else at.journal


def pay(at: Situation) -> Move | None:
    """Revoke what is owed, unless somebody has or uses it."""
    owed = payable(at)
    return Do(Effect.REVOKE, owed[0].handle, tried(at.journal, owed[0].handle, at.now)) if owed else None


def forget(at: Situation) -> Move | None:
    """Forget the journal: nothing is owed, or may be, and its object is gone."""
    return End() if at.seen.wish.gone and not owes(at.journal) else None


def rest(at: Situation) -> Move | None:
    """Wait; a person is asked where something is owed, or it fails again and again."""
    asks = bool(at.journal.debts) or at.journal.failures >= TOO_OFTEN
    pause = min(LATER if owes(at.journal) else NOW_AND_THEN, max(1.0, living.renewal(at) - at.now))
    return at.wait(pause, asks=asks)


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
    Step.IDLE: (
        Row(not_looked_for),
        Row(turned_up),
        Row(surely_none),
        Row(pay, does=(Effect.REVOKE,)),
        Row(forget),
        Row(living.renew, does=(Effect.RENEW,)),
        Row(rest),
    ),
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
    rules: Rules = ANY,
) -> Journal:
    """Return the journal that a rotation begins with.

    Args:
        last: the journal of the one before, where something is remembered of it.
        name: id of the new one.
        old: what is to be replaced; None where there is nothing yet.
        rules: who makes the new one, and how.

    Raises:
        ValueError: one is under way.
    """
    if last and last.step is not Step.IDLE:
        raise ValueError("a rotation of this key is under way")
    kept = last.rest(now) if last else Journal(name, Step.IDLE, now)
    left = kept.left if makers.same(kept.issuer, rules.issuer) else None
    if old and old.handle is None and left and left.fingerprint == old.fingerprint:
        old = dataclasses.replace(old, handle=left.handle, later=left.later)
    elif old and old.handle is None and (kept_as := _owed_as(old, kept, rules)):
        old = dataclasses.replace(old, handle=kept_as.handle, later=kept_as.later)
    if kept.left and kept.left.handle and kept.left.lives_until is None and _is_replaced(kept.left, old, rules.way):
        # It was there when the last rotation ended, and lives on.
        kept = kept.owing(Owed.KEEP, kept.left, now)
    kept = kept.using(old)
    begun = {"id": name, "cause": cause, "old": old, "urgent": urgent, "test_only": test_only}
    return kept.but(**begun, issuer=rules.issuer, why=None, began=now).at(Step.ISSUING, now)


def _owed_as(old: Half, kept: Journal, rules: Rules) -> Debt | None:
    """Return what tells of a key that had been replaced, and is back."""
    named = (each for each in keeps(kept, old) if each.handle)
    return next((each for each in named if makers.same(each.issuer, rules.issuer)), None)


def _is_replaced(left: Half, old: Half | None, way: Way) -> bool:
    """Whether the store has another key by now, which no rotation has put there, or none."""
    if old is None:
        return True
    # Of two places the other one is filled anew as ever.
    return way is not Way.SLOTS and is_other(left, old) and (old.handle is None or old.handle != left.handle)


def decide(at: Situation) -> Move:
    """Return what to do next, after a look at what ``sight.looks`` says.

    Whatever is done outside is written to the journal before: of two who believe to lead, one can.
    """
    journal = clock.put_right(at.journal, at.rules, at.now)
    if journal != at.journal:
        return Go(journal)
    if journal.step is not Step.IDLE and not makers.same(journal.issuer, at.rules.issuer):
        return at.wait(LATER, Why.ISSUER_CHANGED, asks=True)
    move = first(STEPS[journal.step], at) or at.wait(LATER)
    if isinstance(move, Go):
        return Go(turned_back(at, move.journal))
    if not isinstance(move, Do) or journal.step is Step.IDLE:
        return move
    asks = journal.tries >= TOO_OFTEN
    left = journal.again - at.now
    if left > 0:
        return at.wait(left, journal.why, asks=asks)
    pause = min(LONGEST_AGAIN, FIRST_AGAIN * 2 ** min(journal.tries, 16))
    first_ = (move.first or journal).but(tries=journal.tries + 1, again=at.now + pause)
    return dataclasses.replace(move, first=first_)
