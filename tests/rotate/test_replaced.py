"""A key that we made and that somebody has replaced lives on: that is told; and one in use of which no journal knows.

Does not belong here: keys whose making no answer tells of (``test_lost.py``).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from keywright.decide.rotate import machine, outcomes
from keywright.decide.rotate.journal import Ask, Cause, Debt, Half, Journal, Owed, Step, Why
from keywright.decide.rotate.moves import Came, Do, Effect, Go, Situation
from keywright.decide.rotate.sight import Holds, Keys, Place, Rules, Seen, Targets, Trial, Users, Wish, looks
from keywright.issuers.base import Verdict
from keywright.issuing.base import Way

from .cases import (
    BACK,
    BAD,
    DAY,
    GOOD,
    KEYS,
    LEASED,
    LONG,
    NEW,
    NOW,
    OFF,
    OLD,
    RULES,
    THEIRS,
    UNTESTED,
    WELL,
    at,
    lives,
    seen,
    short,
)

REPLACED: dict[str, Any] = {"why": Why.STORE_CHANGED}
NOTHING_MADE: dict[str, Any] = REPLACED | {"new": None, "reached": Step.ISSUING}
LOST: dict[str, Any] = NOTHING_MADE | {"asked_at": NOW - 61}


def rests(rules: Rules, journal: Journal, looked: Seen, *refuses: Effect) -> Journal:
    """Return the journal once the rotation is over; what is done outside is done, but for what is refused."""
    while journal.step is not Step.IDLE:
        at_ = Situation(rules, journal, looked, NOW)
        move = machine.decide(at_)
        if isinstance(move, Do):
            journal = move.first or journal
            came = Came.REFUSED if move.effect in refuses else Came.DONE
            journal = outcomes.came(dataclasses.replace(at_, journal=journal), move, came)
        else:
            assert isinstance(move, Go), move
            journal = move.journal
    return journal


@pytest.mark.parametrize(
    ("rules", "journal", "refuses"),
    [
        (RULES, at(Step.ROLLING_BACK, **REPLACED), (Effect.REVOKE,)),
        (RULES, at(Step.ROLLING_BACK, **REPLACED), ()),
        (RULES, at(Step.ROLLING_BACK, **LOST), ()),
        (Rules(lists=False), at(Step.ROLLING_BACK, **LOST), ()),
        (RULES, at(Step.ROLLING_BACK, **NOTHING_MADE), ()),
        (Rules(way=Way.MANUAL), at(Step.ROLLING_BACK, **REPLACED), ()),
    ],
    ids=["the new one stays", "it ends", "an answer was lost", "and nobody lists", "none was asked for", "by a person"],
)
def test_the_old_key_is_told_of_however_the_rotation_ends(
    rules: Rules, journal: Journal, refuses: tuple[Effect, ...]
) -> None:
    debts = rests(rules, journal, THEIRS, *refuses).debts

    assert (Owed.KEEP, "k0") in {(each.owed, each.handle) for each in debts}


def test_what_a_rotation_has_left_is_told_of_once_another_key_is_there() -> None:
    rest = at(Step.REVOKED).rest(NOW, left=NEW)

    begun = machine.begin(rest, "r2", Cause.INVALID, Half("of a backup"), NOW + 10)
    assert begun.debts == (Debt(Owed.KEEP, "k1", "new", NOW + 10),)
    # Not where it is the same, is one of two places, cannot be compared, or is in use again.
    assert machine.begin(rest, "r2", Cause.DUE, Half("new"), NOW + 10).debts == ()
    slots = Rules(way=Way.SLOTS)
    assert machine.begin(rest, "r2", Cause.DUE, Half("other"), NOW + 10, rules=slots).debts == ()
    assert machine.begin(rest, "r2", Cause.DUE, Half("another key:new"), NOW + 10).debts == ()
    owing = at(Step.IDLE, left=Half("of a backup"), debts=begun.debts)
    assert machine.begin(owing, "r3", Cause.DUE, Half("new"), NOW + 20).debts == ()


def test_who_is_back_is_not_told_of() -> None:
    journal = at(Step.ROLLING_BACK, why=Why.ASKED, debts=(Debt(Owed.KEEP, "k0", OLD.fingerprint, NOW - 60),))

    assert rests(RULES, journal, BACK).debts == ()


#: A journal out of a backup, at Held: the key that it knows as new may be the one in use by now.
HELD: dict[str, Any] = {"why": Why.OBJECT_GONE, "reached": Step.HELD}


CANDIDATE = at(Step.ROLLING_BACK, reached=Step.HELD, why=Why.TEST_FAILED, back_from=0.0)
SILENT = seen(BACK, store=None, held=None)
EMPTY = seen(BACK, store=Holds.NOTHING, held=None)
GONE = Wish(gone=True)
KEPT, NOT_WRITTEN = "RolledBack TestFailed", "wait TargetNotWritten!"
UNCLEAR = Trial(Verdict.UNKNOWN, tries=1)
MINTED: dict[str, Any] = {"new": lives(NEW, 3000), "old": lives(OLD, 600)}


@pytest.mark.parametrize(
    ("rules", "journal", "looked", "said"),
    [
        (RULES, CANDIDATE, BACK, "revoke k1"),
        (RULES, CANDIDATE, seen(BACK, targets=None, users=None), "revoke k1"),
        (RULES, CANDIDATE.but(old=None), EMPTY, "revoke k1"),
        # A first key may have been taken out of the store; Secrets keep it.
        (RULES, CANDIDATE.but(old=None), seen(EMPTY, targets=None), "wait ReadersUnknown"),
        (RULES, CANDIDATE.but(old=None), seen(EMPTY, targets=Targets(unknown=1)), "wait TargetNotWritten"),
        # Which no Secret tells before there is a key: not for ever, nor of one that is dead.
        (RULES, CANDIDATE.but(old=None, since=NOW - 3601), seen(EMPTY, targets=Targets(unknown=1)), KEPT),
        (RULES, CANDIDATE.but(old=None, since=NOW - 3601), seen(EMPTY, targets=Targets(new=1)), NOT_WRITTEN),
        (RULES, CANDIDATE.but(old=None), seen(EMPTY, targets=Targets(unknown=1), new=BAD), "revoke k1"),
        # So may one that was in use, after which the old one ended.
        (RULES, CANDIDATE, seen(EMPTY, old=GOOD), "revoke k1"),
        (RULES, CANDIDATE, seen(EMPTY, old=None), "RolledBack TestFailed"),
        (RULES, CANDIDATE, seen(EMPTY, old=BAD), "RolledBack TestFailed"),
        (RULES, CANDIDATE, seen(EMPTY, old=BAD, new=BAD), "revoke k1"),
        (RULES, CANDIDATE, seen(EMPTY, old=UNCLEAR), "wait OldKeyUnconfirmed"),
        (RULES, CANDIDATE, seen(EMPTY, old=UNCLEAR, targets=Targets(unknown=1)), "wait TargetNotWritten"),
        (RULES, at(Step.ROLLING_BACK, **HELD), SILENT, "wait StoreSilent"),
        (RULES, CANDIDATE.but(since=NOW - 3601), SILENT, "wait StoreSilent!"),
        (RULES, CANDIDATE, seen(BACK, targets=Targets(new=3)), "wait TargetNotWritten"),
        (RULES, CANDIDATE, seen(THEIRS, targets=Targets(new=3)), "wait TargetNotWritten"),
        (RULES, CANDIDATE, seen(THEIRS, targets=None), "wait ReadersUnknown"),
        (RULES, CANDIDATE, seen(THEIRS, targets=Targets(unknown=1)), "wait TargetNotWritten"),
        (RULES, CANDIDATE, seen(THEIRS, users=Users(3, 1)), "wait NotAdopted"),
        (RULES, CANDIDATE, seen(THEIRS, theirs=BAD, old=BAD), "wait StoredKeyUnconfirmed!"),
        (RULES, CANDIDATE, seen(THEIRS, wish=GONE), "RolledBack TestFailed"),
        (RULES, CANDIDATE, WELL, "Stored"),
        (UNTESTED, CANDIDATE, seen(new=None, old=None), "Stored"),
        (UNTESTED, CANDIDATE, seen(new=None, old=None, wish=GONE), "Stored"),
        (LEASED, CANDIDATE.but(**MINTED), seen(BACK, keys=None, targets=None, users=None), "revoke k1"),
        (Rules(way=Way.MANUAL), CANDIDATE, SILENT, "wait StoreSilent"),
    ],
)
def test_a_new_key_that_was_nowhere_yet_ends_only_where_that_is_seen(
    rules: Rules, journal: Journal, looked: Seen, said: str
) -> None:
    assert short(machine.decide(Situation(rules, journal, looked, NOW))) == said


LOOKED_FOR = at(Step.ISSUING, asked_at=NOW - 61, asks=1)
LONG_AGO = LOOKED_FOR.but(old=None, since=NOW - 91)
TURNED_BACK = at(Step.ROLLING_BACK, **LOST)
LISTED = Keys(frozenset({"k0", "k9"}), frozenset({"k9"}))
CLAIMED = dataclasses.replace(LISTED, claimed=frozenset({"k9"}))
ASKS = (Ask(NOW - 61, frozenset({"k0"}), "r1", ""),)


@pytest.mark.parametrize(
    ("journal", "looked", "said"),
    [
        (LOOKED_FOR, seen(BACK, keys=LISTED), "revoke k9"),
        (TURNED_BACK, seen(BACK, keys=LISTED), "revoke k9"),
        (LOOKED_FOR, seen(SILENT, keys=LISTED), "wait StoreSilent"),
        # By a journal from a backup it may be what Secrets have, or what the store has.
        (TURNED_BACK, seen(EMPTY, keys=LISTED), "RollingBack StoreChanged +Find"),
        (TURNED_BACK, seen(THEIRS, keys=LISTED), "RollingBack StoreChanged +Find"),
        (LOOKED_FOR.but(old=None), seen(EMPTY, keys=LISTED, targets=Targets()), "revoke k9"),
        (LOOKED_FOR.but(old=None), seen(EMPTY, keys=LISTED, targets=None), "wait ReadersUnknown"),
        (LOOKED_FOR.but(old=None), seen(EMPTY, keys=LISTED, targets=Targets(unknown=1)), "wait ReadersUnknown"),
        (LONG_AGO, seen(EMPTY, keys=LISTED, targets=Targets(unknown=1)), "Issuing +Find"),
        # Another rotation knows it, at an address or for an account that is written otherwise.
        (TURNED_BACK, seen(BACK, keys=CLAIMED), "RolledBack StoreChanged"),
        (at(Step.IDLE, unanswered=ASKS), seen(BACK, keys=LISTED), "Idle +Revoke"),
        (at(Step.IDLE, unanswered=ASKS), seen(BACK, keys=CLAIMED), "Idle +Find"),
    ],
)
def test_a_key_whose_answer_was_lost_is_revoked_only_where_nobody_may_have_it(
    journal: Journal, looked: Seen, said: str
) -> None:
    rules = dataclasses.replace(RULES, names=False)
    move = machine.decide(Situation(rules, journal, looked, NOW))

    owed = [f" +{each.owed}" for each in move.journal.debts] if isinstance(move, Go) else []
    assert short(move) + "".join(owed) == said


@pytest.mark.parametrize("names", [True, False])
def test_what_a_person_was_told_to_find_is_not_revoked_by_the_way(names: bool) -> None:
    find = Debt(Owed.FIND, "", "", NOW - 60, made_from=NOW - 160, made_until=NOW - 40)
    rules = dataclasses.replace(RULES, names=names)

    def said(*debts: Debt) -> str:
        journal = CANDIDATE.but(old=None, debts=debts, began=NOW - 200, before=frozenset(), asked_at=NOW - 61)
        looked = seen(EMPTY, keys=Keys(frozenset({"k1", "k9"}), frozenset({"k1", "k9"})), targets=Targets())
        return short(machine.decide(Situation(rules, journal, looked, NOW)))

    assert said(find) == "revoke k1"
    assert said(dataclasses.replace(find, made_until=NOW - 300)) == ("revoke k9" if names else "revoke k1")


def test_a_key_that_comes_back_is_called_what_it_was() -> None:
    rest = rests(RULES, at(Step.ROLLING_BACK, **REPLACED), THEIRS)

    begun = machine.begin(rest, "r2", Cause.DUE, Half(OLD.fingerprint), NOW + DAY)

    assert (begun.old, begun.debts) == (OLD, ())


def test_a_first_key_that_was_asked_for_is_looked_for_in_secrets_too() -> None:
    for old, asked_at, there in ((OLD, NOW, False), (None, None, False), (None, NOW, True)):
        assert (Place.TARGETS in looks(RULES, LOOKED_FOR.but(old=old, asked_at=asked_at), NOW)) is there


def test_what_a_person_has_settled_is_not_owed_once_more() -> None:
    rest = rests(RULES, at(Step.ROLLING_BACK, **REPLACED), THEIRS)
    assert [each.owed for each in rest.debts] == [Owed.KEEP]

    begun = machine.begin(rest.but(debts=()), "r2", Cause.DUE, Half("of a person"), NOW + DAY)

    assert begun.debts == ()


def test_what_we_have_switched_off_is_not_dead_for_that() -> None:
    off = dataclasses.replace(OFF, off_from=NOW - 999)
    journal = at(Step.GRACE, since=LONG, until=NOW - 9, old=off)

    move = machine.decide(Situation(Rules(revokes=False, anew=False), journal, seen(old=BAD), NOW))

    assert isinstance(move, Go)
    assert (move.journal.step, [each.owed for each in move.journal.debts]) == (Step.REVOKED, [Owed.REVOKE])


def test_a_persons_key_is_turned_back_once_the_store_answers() -> None:
    back = at(Step.ROLLING_BACK, why=Why.ASKED, reached=Step.HELD)
    silent = Seen(KEYS, None, None, None, None, None, GOOD, GOOD)

    assert short(machine.decide(Situation(Rules(way=Way.MANUAL), back, silent, NOW))) == "wait StoreSilent"
