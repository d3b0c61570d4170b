"""A clock that was wrong holds up no rotation once it is right: what it has written is taken for now."""

from __future__ import annotations

import dataclasses

import pytest

from keywright.decide import due
from keywright.decide.rotate import machine
from keywright.decide.rotate.journal import Ask, Debt, Half, Journal, Owed, Step, Why
from keywright.decide.rotate.moves import Go, Situation, Wait
from keywright.decide.rotate.sight import Keys, Rules, Seen
from keywright.issuing.base import SKEW

from .cases import BACK, BAD, DAY, GOOD, NAMELESS, NOW, OFF, OLD, RULES, WELL, at, seen, short

AHEAD = NOW + 10 * DAY


def mended(journal: Journal, rules: Rules = RULES, looked: Seen = WELL) -> Journal:
    """Return a journal as the first look leaves it after the clock was put right."""
    move = machine.decide(Situation(rules, journal, looked, NOW))
    assert isinstance(move, Go)
    assert move.journal.step is journal.step
    return move.journal


@pytest.mark.parametrize("step", [each for each in Step if each not in (Step.IDLE, Step.ADOPTED, Step.REVOKED)])
def test_whatever_the_step_its_time_counts_from_now(step: Step) -> None:
    assert mended(at(step, since=-10 * DAY)) == at(step, since=0.0)
    assert mended(at(step, since=-SKEW - 1)).since == NOW
    # By so much clocks may differ.
    assert machine.decide(Situation(RULES, at(step, since=-SKEW), WELL, NOW)) != Go(at(step, since=0.0))


def test_the_overlap_ends_and_a_dead_key_is_seen_to_be_dead() -> None:
    for rules in (Rules(overlap=3600.0), Rules(overlap=3600.0, anew=False)):
        grace = mended(at(Step.GRACE, since=-10 * DAY, until=AHEAD + 3600), rules)
        assert (grace.since, grace.until) == (NOW, NOW + 3600)
        assert short(machine.decide(Situation(rules, grace, WELL, NOW))) == "wait"
    revoked = mended(at(Step.GRACE, since=-10 * DAY, old=dataclasses.replace(OLD, revoked=True, ending=True)))
    assert short(machine.decide(Situation(RULES, revoked, seen(old=BAD), NOW))) == "Revoked"


def test_what_is_switched_off_is_watched_from_now() -> None:
    off = dataclasses.replace(OFF, off_from=AHEAD)
    journal = mended(at(Step.GRACE, since=DAY, until=AHEAD + 300, old=off), Rules(disables=True, anew=False))

    assert (journal.old, journal.until) == (dataclasses.replace(OFF, off_from=NOW), NOW + Rules().observe)


def test_between_rotations_a_key_is_not_younger_than_new_and_what_is_owed_is_tried() -> None:
    debts = (Debt(Owed.REVOKE, "kd", "", 0.0, due=AHEAD), Debt(Owed.FIND, "", "", 0.0))
    journal = at(Step.IDLE, since=-10 * DAY, placed=AHEAD, reissued=AHEAD, debts=debts)

    after = mended(journal, looked=BACK)

    assert (after.placed, after.reissued, after.debts[0].due, after.debts[1]) == (NOW, NOW, NOW, debts[1])
    assert short(machine.decide(Situation(RULES, after, BACK, NOW))) == "revoke kd"
    rested = at(Step.IDLE, since=-10 * DAY, left=Half("old"))
    assert isinstance(machine.decide(Situation(RULES, rested, BACK, NOW)), Wait)


def test_what_came_to_nothing_is_tried_again_soon_and_a_lost_answer_is_not_waited_for() -> None:
    dead = dataclasses.replace(WELL, new=BAD, old=GOOD)
    back = at(Step.ROLLING_BACK, why=Why.NEW_INVALID, tries=1, again=AHEAD, back_from=0.0)
    assert short(machine.decide(Situation(RULES, mended(back, looked=dead), dead, NOW))) == "storeOld"

    lost = at(Step.ROLLING_BACK, why=Why.ASKED, new=None, reached=Step.ISSUING, asked_at=NOW - 61)
    lost = lost.but(unanswered=(Ask(AHEAD, frozenset({"k0"}), "r1"),))
    assert short(machine.decide(Situation(RULES, lost, BACK, NOW))) == "RolledBack Asked"


def test_a_rotation_that_turned_back_by_then_does_not_hold_up_the_next() -> None:
    rest = at(Step.IDLE, since=-10 * DAY, failures=1, not_before=AHEAD, why=Why.TEST_FAILED)
    known = due.Known(seen=NOW - 31 * DAY, born=NOW - 31 * DAY, journal=rest)

    first = due.due(due.Policy(every=30 * DAY), known, NOW)

    assert first and first.at <= NOW


@pytest.mark.parametrize("step", [Step.ISSUING, Step.ROLLING_BACK])
def test_when_a_key_was_asked_for_is_compared_with_the_list_before_it_is_put_right(step: Step) -> None:
    lost = at(step, asked_at=AHEAD, old=OLD, new=None, reached=Step.ISSUING, why=Why.ASKED)
    listed = seen(BACK, keys=Keys(frozenset({"k0", "kx"}), frozenset({"kx"})))

    assert short(machine.decide(Situation(NAMELESS, lost, listed, NOW))) == "revoke kx"
    after = mended(lost, NAMELESS, BACK)
    assert (after.asked_at, after.but(asked_at=AHEAD)) == (NOW, lost)
    assert short(machine.decide(Situation(NAMELESS, after, BACK, NOW))) == "wait"
