"""A key that is in use, and bears the name of a rotation before: no list makes a lost one of it.

Does not belong here: keys that really were lost (``test_lost.py``).
"""

from __future__ import annotations

import dataclasses

import pytest

from keywright.decide.rotate import calls, machine, outcomes
from keywright.decide.rotate.journal import Ask, Cause, Debt, Half, Journal, Owed, Step, Why
from keywright.decide.rotate.moves import Go, Move, Situation
from keywright.decide.rotate.sight import Keys, Rules, Seen, Trial, Wish
from keywright.issuers.base import Verdict
from keywright.issuing import ISSUING
from keywright.issuing.base import Listed
from stores.contract import HeldCredentials

from .cases import BACK, DAY, GOOD, NEW, NOW, OLD, THEIRS, WELL, at, seen, short

#: Of rotation r1: its first answer was lost, the second was k1, which is in use.
ASK = Ask(NOW - 120, frozenset({"k0"}), "r1", "")
SERVED = at(Step.GRACE, old=OLD, new=NEW, until=NOW, unanswered=(ASK,))


def next_one(last: Journal) -> Journal:
    """Return the rotation after that, at its first step."""
    return machine.begin(last, "r2", Cause.DUE, Half("new"), NOW + 10)


def decided(journal: Journal, looked: Seen) -> Move:
    """Return what is done outside, or where it stops."""
    move: Move = Go(journal)
    for _ in range(3):
        if not isinstance(move, Go):
            break
        move = machine.decide(Situation(Rules(), move.journal, looked, NOW + 10))
    return move


def listed(*handles: str, whole: Seen = BACK, held: Half | None = None) -> Seen:
    """Return a look at a list of which all keys bear our names."""
    return dataclasses.replace(whole, held=held, keys=Keys(frozenset(handles), frozenset(handles)))


def left_by_its_object() -> Journal:
    """Return what is remembered once the object has gone in grace."""
    move = machine.decide(Situation(Rules(), SERVED, seen(WELL, wish=Wish(gone=True)), NOW))
    assert isinstance(move, Go)
    return move.journal


def test_what_was_left_in_use_is_known_by_its_name() -> None:
    left = left_by_its_object()

    assert (left.step, left.left, left.placed) == (Step.IDLE, NEW, NOW)
    assert next_one(left).old == NEW


def moved() -> Journal:
    """Return what is told by the journal of another place: there, the key has another fingerprint."""
    idle = SERVED.at(Step.REVOKED, NOW).rest(NOW, left=NEW)
    return idle.rest(NOW, debts=outcomes.carried(idle.debts), left=None)


@pytest.mark.parametrize("last", [left_by_its_object(), moved()], ids=["object gone", "moved"])
@pytest.mark.parametrize("handle", ["k1", "alias-k1"])
def test_it_is_not_revoked_when_the_next_rotation_begins_or_turns_back(last: Journal, handle: str) -> None:
    begins = next_one(last)
    back = begins.at(Step.ROLLING_BACK, NOW - 200, why=Why.ISSUE_UNCLEAR)

    assert "revoke" not in short(decided(begins, listed(handle)))
    assert "revoke" not in short(decided(back.but(before=frozenset({handle})), listed(handle)))


@pytest.mark.parametrize("last", [left_by_its_object(), moved()], ids=["object gone", "moved"])
@pytest.mark.parametrize("handle", ["k1", "alias-k1"])
def test_nor_in_the_overlap(last: Journal, handle: str) -> None:
    grace = next_one(last).but(before=frozenset({"k0", handle}), new=Half("newer", "k2"))
    grace = grace.at(Step.GRACE, NOW, until=NOW + DAY)

    move = decided(grace, listed(handle, "k2", whole=WELL, held=Half("newer", "k2")))

    assert "revoke" not in short(move)


def test_what_is_listed_and_may_be_the_one_in_use_is_told_rather_than_forgotten() -> None:
    late = dataclasses.replace(ASK, at=NOW - Rules().sure - 1)
    resting = at(Step.GRACE, unanswered=(late,)).rest(NOW, left=NEW)

    move = machine.decide(Situation(Rules(), resting, listed("alias-k1", "alias-kx", held=NEW), NOW))

    assert isinstance(move, Go)
    assert ([each.owed for each in move.journal.debts], move.journal.unanswered) == ([Owed.FIND], ())


def test_of_two_that_were_lost_both_are_found_also_where_nobody_tells_when_they_were_made() -> None:
    asks = Ask(NOW - 300, frozenset(), "r1", ""), Ask(NOW - 100, frozenset(), "r2", "")
    resting = Journal("r3", Step.IDLE, NOW, left=NEW, unanswered=asks)

    def owed(journal: Journal, handle: str, name: str) -> Journal:
        found = [Listed("k1"), Listed(handle, calls.order(journal, {}).named(name))]
        looked = dataclasses.replace(BACK, held=NEW, keys=calls.keys(found, journal))
        move = machine.decide(Situation(Rules(), journal, looked, NOW))
        assert isinstance(move, Go)
        assert [each.handle for each in move.journal.debts] == [handle]
        return move.journal.but(debts=())

    owed(owed(resting, "kx", "r1"), "ky", "r2")


def test_two_journals_of_one_key_become_one() -> None:
    one, two = Debt(Owed.KEEP, "k0", "old", NOW), Debt(Owed.FIND, "", "", NOW, made_from=1.0)
    there = Journal("a", Step.IDLE, NOW, debts=(one,))
    left = Journal("b", Step.IDLE, NOW, debts=(one, two), unanswered=(ASK,), pinned=True)

    joined = outcomes.joined(there, left)

    assert (joined.id, joined.debts, joined.unanswered, joined.pinned) == ("a", (one, two), (ASK,), True)
    assert outcomes.joined(joined, left) == joined


@pytest.mark.parametrize(
    ("endpoint", "verdict", "named"),
    [
        (None, Verdict.VALID, "k0"),
        ("https://API.openai.com:443/v1", Verdict.VALID, "k0"),
        ("https://gateway.example", Verdict.VALID, None),
        (None, Verdict.INVALID, None),
    ],
)
def test_a_part_of_a_key_names_it_where_its_issuer_itself_has_accepted_it(
    endpoint: str | None, verdict: Verdict, named: str | None
) -> None:
    makes = ISSUING["openai"]
    said = {"project": "p", "service_account": "a", "admin_key_ref": {"name": "n", "key": "k"}}
    openai = makes(makes.Config.model_validate(said), HeldCredentials({}), 1.0)
    trial = dataclasses.replace(GOOD, passes=int(verdict.is_alive), last=verdict)

    assert calls.handle([Listed("k0", is_old=True)], openai, trial, endpoint) == named
    assert calls.handle([Listed("k0")], openai, trial, endpoint) is None


def test_on_the_way_back_what_somebody_has_written_stays() -> None:
    old, new, theirs = ({"apiKey": value} for value in ("a", "b", "c"))

    def staying(step: Step, held: dict[str, str]) -> object:
        return calls.staying(at(step), old, new, held)  # type: ignore[arg-type]

    assert staying(Step.ROLLING_BACK, theirs) == theirs
    assert staying(Step.ROLLING_BACK, new) == staying(Step.ROLLING_BACK, {}) == staying(Step.ROLLING_BACK, old) == old
    assert (staying(Step.GRACE, new), staying(Step.IDLE, theirs)) == (new, theirs)


def test_a_key_that_may_do_less_than_the_old_one_is_not_promoted() -> None:
    less, full = dataclasses.replace(GOOD, last=Verdict.LIMITED, tries=9), GOOD

    def move(old: Trial | None, since: float = 10.0, *, limited: bool = False) -> str:
        looked = dataclasses.replace(THEIRS, new=less, old=old)
        return short(machine.decide(Situation(Rules(limited=limited), at(Step.HELD, since=since), looked, NOW)))

    assert move(less) == "Tested"
    assert move(full) == "wait"
    assert move(full, 901) == "RollingBack TestFailed"
    assert move(full, limited=True) == "Tested"
    # What one test does not tell the next one will.
    assert move(dataclasses.replace(GOOD, last=Verdict.UNKNOWN)) == "wait"
    assert move(dataclasses.replace(GOOD, last=Verdict.UNKNOWN), since=901) == "RollingBack TestFailed"
    assert move(None) == "wait"
    assert move(None, since=901) == "Tested"
