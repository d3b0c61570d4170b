"""The way to a new key, first part: it is made and tested. Of each step, the first reason that applies counts.

A key is named, or counted, so that one whose answer was lost is found and revoked; what is not ours is never removed.

Does not belong here: writing it anywhere (``spreading``).
"""

from __future__ import annotations

from ...issuers.base import Verdict
from ...issuing.base import Way
from .any_time import LATER, SOON, alive, asked_back, gone_early, payable
from .journal import Owed, Step, Why
from .living import worn_before
from .lost import asked, finding, orphan, remembered, settling
from .moves import Do, Effect, Go, Move, Row, Situation
from .sight import Holds, doubtful


def owned_elsewhere(at: Situation) -> Move | None:
    """Leave a key alone that somebody else rotates."""
    return None if at.seen.ours else at.back(Why.OWNED_ELSEWHERE)


def made_by_a_person(at: Situation) -> Move | None:
    """Take up the key that a person has written to the store, or wait for it."""
    if at.rules.way is not Way.MANUAL:
        return None
    if at.seen.store is Holds.OTHER and at.seen.held:
        return at.go(Step.HELD, new=at.seen.held)
    return at.wait(LATER, Why.NOT_MADE, asks=True)


def changed_before(at: Situation) -> Move | None:
    """Turn back because the store has another key than the one that was to be replaced."""
    wanted = Holds.OLD if at.journal.old else Holds.NOTHING
    return at.back(Why.STORE_CHANGED) if at.seen.store not in (wanted, None) else None


def made_here(at: Situation) -> Move | None:
    """Make the key here."""
    return Do(Effect.ISSUE) if at.rules.way is Way.LOCAL else None


def took_too_long(at: Situation) -> Move | None:
    """Turn back because the store did not answer, or else the issuer, where it is what is waited for."""
    if at.lasts() <= at.rules.issue_within:
        return None
    if at.seen.store is None:
        return at.back(Why.STORE_SILENT)
    waits = at.journal.asked_at is not None or (at.rules.lists and at.seen.keys is None)
    return at.back(Why.ISSUE_UNCLEAR) if waits else None


def keys_unknown(at: Situation) -> Move | None:
    """Wait until it is known which keys there are."""
    return at.wait(SOON) if at.rules.lists and at.seen.keys is None else None


def before_unknown(at: Situation) -> Move | None:
    """Remember which keys there were before."""
    if at.journal.before is not None:
        return None
    return Go(at.journal.but(before=at.seen.keys.handles if at.seen.keys else frozenset()))


def answer_lost(at: Situation) -> Move | None:
    """See that a key which was asked for is found if it was made, before another one is asked for."""
    if at.journal.asked_at is None or at.rules.way is not Way.ISSUE:
        return None
    if not at.rules.lists:
        owing = finding(at.journal, asked(at.journal), at.now).but(asked_at=None)
        return Go(owing.at(Step.ROLLING_BACK, at.now, why=Why.ISSUE_UNCLEAR))
    return settling(at)


def slot_unknown(at: Situation) -> Move | None:
    """Fill no place of two of which it is not known that nobody uses it."""
    if at.rules.way is not Way.SLOTS:
        return None
    old = at.journal.old
    kept = any(each.owed is Owed.KEEP and old and each.handle != old.handle for each in at.journal.debts)
    known = old is not None and old.handle is not None and not kept
    return None if known else at.wait(LATER, Why.SLOT_UNKNOWN, asks=True)


def slots_full(at: Situation) -> Move | None:
    """Make room by what is owed anyway, or turn back: a key that is not ours is never removed."""
    if at.rules.slots is None or at.rules.way is not Way.ISSUE or at.seen.keys is None:
        return None
    if len(at.seen.keys.handles) < at.rules.slots:
        return None
    ours = [each.handle for each in payable(at) if each.handle in at.seen.keys.handles]
    return Do(Effect.REVOKE, ours[0]) if ours else at.back(Why.SLOTS_FULL)


def store_unknown(at: Situation) -> Move | None:
    """Wait until it is known that the store has what is to be replaced."""
    return at.wait(SOON, Why.STORE_SILENT) if at.seen.store is None else None


def issue(at: Situation) -> Move | None:
    """Have a key made."""
    before = at.seen.keys.handles if at.seen.keys else at.journal.before
    first = at.journal.but(asked_at=at.now, asks=at.journal.asks + 1, before=before)
    # What was asked for before, and not answered, may be listed late.
    return Do(Effect.ISSUE, first=first.but(unanswered=remembered(at.rules, at.journal).unanswered))


# Testing.


def same_key(at: Situation) -> Move | None:
    """Turn back because the new key is the old one."""
    return at.back(Why.SAME_KEY) if at.journal.same_key else None


def nothing_to_test(at: Situation) -> Move | None:
    """Go on with a key that nobody can be asked about, once its issuer has surely heard of it everywhere."""
    if at.rules.tests:
        return None
    if at.rules.way is not Way.LOCAL and at.lasts() < at.rules.settle:
        return at.wait(SOON)
    return at.back(Why.TEST_ONLY) if at.journal.test_only else at.go(Step.TESTED)


def passed(at: Situation) -> Move | None:
    """Go on with a key that was accepted often enough in a row."""
    trial = at.seen.new
    if trial is None or not alive(at, trial) or trial.passes < at.rules.passes or trial.over < at.rules.apart:
        return None
    if _does_less(at) or (_is_silent(at) and at.lasts() <= at.rules.test_within):
        return None
    return at.back(Why.TEST_ONLY) if at.journal.test_only else at.go(Step.TESTED)


def _does_less(at: Situation) -> bool:
    """Whether the new key is known to be let do less than the old one, which nobody wants."""
    if at.rules.limited:
        return False
    new, old = at.seen.new, at.seen.old
    # That a test is not answered does not take back what is known.
    full = old is not None and old.verdict is Verdict.VALID and old.last is not Verdict.LIMITED
    return doubtful(new) and full and alive(at, old)


def _is_silent(at: Situation) -> bool:
    """Whether the last test of the old key told nothing, with which the new one is to be compared."""
    if at.rules.limited or at.journal.old is None or not doubtful(at.seen.new):
        return False
    return at.seen.old is None or at.seen.old.last is Verdict.UNKNOWN


def failed(at: Situation) -> Move | None:
    """Turn back because the key was not accepted in time: a new one may take a while to be known everywhere."""
    if at.lasts() <= at.rules.test_within:
        return None
    if at.seen.new is None or at.seen.new.tries <= at.rules.passes:
        # Nobody has tried: that is no failure of the key.
        return at.wait(SOON, Why.TEST_UNCLEAR, asks=True)
    refused = at.seen.new.last is Verdict.INVALID or _does_less(at)
    return at.back(Why.TEST_FAILED if refused else Why.TEST_UNCLEAR)


def test_again(at: Situation) -> Move | None:
    """Wait for the next test."""
    return at.wait(SOON)


_BACK = (Step.ROLLING_BACK,)

ISSUING = (
    Row(owned_elsewhere, _BACK),
    Row(gone_early, _BACK),
    Row(asked_back, _BACK),
    Row(made_by_a_person, (Step.HELD,)),
    Row(changed_before, _BACK),
    Row(made_here, does=(Effect.ISSUE,)),
    Row(took_too_long, _BACK),
    Row(keys_unknown),
    Row(before_unknown),
    Row(orphan, does=(Effect.REVOKE,)),
    Row(answer_lost, _BACK),
    Row(store_unknown),
    Row(slot_unknown),
    Row(slots_full, _BACK, (Effect.REVOKE,)),
    Row(issue, does=(Effect.ISSUE,)),
)
HELD = (
    Row(gone_early, _BACK),
    Row(asked_back, _BACK),
    Row(worn_before, _BACK),
    Row(same_key, _BACK),
    Row(nothing_to_test, (Step.TESTED, *_BACK)),
    Row(passed, (Step.TESTED, *_BACK)),
    Row(failed, _BACK),
    Row(test_again),
)
