"""Answers that are lost, and keys that are listed late: none lives on unknown, and none of somebody else's ends.

Does not belong here: whatever else fails (``test_world.py``), what an issuer's list proves (``issuing``).
"""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywright.decide.rotate import calls, lost, machine, outcomes, written
from keywright.decide.rotate.journal import Ask, Cause, Debt, Half, Journal, Owed, Step
from keywright.decide.rotate.moves import Came, Do, Effect, Go, Situation, Wait
from keywright.decide.rotate.sight import Keys, Rules, Seen, Wish
from keywright.issuing.base import SKEW, Listed

from .cases import BACK, BEFORE, DAY, NAMELESS, NEW, NOW, OLD, THEIRS, WELL, at, short
from .model import Key, World, begun, ends

RULES = {
    "names": Rules(),
    "no names": NAMELESS,
    "no names, two slots": dataclasses.replace(NAMELESS, slots=2, disables=True),
    "no names, no overlap": dataclasses.replace(NAMELESS, overlap=0.0),
}


def rests(world: World, turns: int = 400) -> None:
    """Let what is not known for sure become so."""
    for _ in range(turns):
        if world.journal is None or not world.journal.unanswered:
            return
        move = world.turn()
        if isinstance(move, Wait) and move.asks and world.journal and world.journal.step is not Step.IDLE:
            # It is remembered, and looked for once a person has seen to the rotation.
            return
        if isinstance(move, Wait):
            world.now = max(world.now + 1.0, move.until)
    raise AssertionError("it never becomes sure")


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
@given(seed=st.integers(0, 2**32), faults=st.sampled_from((0.05, 0.3)), lag=st.sampled_from((0.0, 50.0, 400.0, 3500.0)))
@settings(max_examples=80, deadline=None)
def test_a_key_that_is_listed_late_ends_or_is_told_and_nobody_elses_does(
    rules: Rules, seed: int, faults: float, lag: float
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test must be repeatable
    world = begun(World(rules, chance, faults, lag=lag))
    # Others make keys, but not while one is asked for.
    world.keys |= {
        "early": Key("theirs", made_at=world.now - 2 * SKEW),
        "hidden": Key("theirs too", listed_from=NOW + 60),
    }
    world.wish = chance.choice((Wish(), Wish(), Wish(), Wish(gone=True)))

    for _ in range(60):
        if world.journal is None or world.journal.step is Step.IDLE:
            break
        world.turn()
        world.somebody()
    try:
        ends(world)
        rests(world)
        nothing_lost(world)
    except AssertionError as error:
        raise AssertionError(f"{error}\n" + "\n".join(world.story)) from None


def nothing_lost(world: World) -> None:
    """See that of ours only what is in use lives, or is told, and that all others live."""
    debts = world.journal.debts if world.journal else ()
    waits = [half for half in (world.journal.old, world.journal.new) if half] if world.journal else []
    told = {each.handle for each in debts} | {half.handle for half in waits}
    ours = {name for name, key in world.keys.items() if not key.value.startswith("theirs")}
    remembered = world.journal and world.journal.unanswered
    if not remembered and not any(each.owed is Owed.FIND for each in debts):
        assert ours - told <= {world.handle(world.store)}, f"{ours} are alive, {told} are told"
    assert {"early", "hidden"} <= world.keys.keys(), "somebody else's was ended"


def asked_twice(rules: Rules = NAMELESS, **more: object) -> Journal:
    """Return a journal at rest, of a rotation whose first answer was lost, and whose second was not."""
    journal = at(Step.ISSUING, asked_at=NOW - 61, issuer=rules.issuer)
    move = machine.decide(Situation(rules, journal, BEFORE, NOW))
    assert isinstance(move, Do)
    assert move.first
    held = outcomes.came(Situation(rules, move.first, BEFORE, NOW), move, Came.DONE, NEW)
    return held.rest(NOW, left=NEW, **more)


def move_of(
    journal: Journal, *handles: str, rules: Rules = NAMELESS, now: float = NOW + 60, made: float = NOW - 61
) -> object:
    """Return what is done where such keys are in the list, in so many words, and what is remembered then."""
    listed = [Listed(each, order_of(journal, each, made), created_at=None) for each in ("k1", *handles)]
    whole = WELL if journal.step is Step.GRACE else BACK
    seen = dataclasses.replace(whole, keys=calls.keys(listed, journal), held=NEW)
    return machine.decide(Situation(rules, journal, seen, now))


def order_of(journal: Journal, handle: str, made: float) -> bool:
    """Whether a key of the list is said to be ours."""
    return calls.order(journal, {}).made(handle, made, 10.0)


def test_what_was_asked_for_first_is_remembered_until_it_is_found() -> None:
    journal = asked_twice()
    assert [(each.at, each.name) for each in journal.unanswered] == [(NOW - 61, "r1")]

    none = move_of(journal)
    found = move_of(journal, "kx")

    assert isinstance(none, Wait)
    assert isinstance(found, Go)
    assert found.journal.unanswered == ()
    assert [(each.owed, each.handle, each.fingerprint) for each in found.journal.debts] == [(Owed.REVOKE, "kx", "")]
    paid = move_of(found.journal, "kx")
    assert isinstance(paid, Do)
    assert (paid.effect, paid.handle) == (Effect.REVOKE, "kx")


def test_also_by_the_rotation_itself_as_long_as_it_goes_on() -> None:
    journal = at(Step.GRACE, until=NOW + DAY, unanswered=asked_twice().unanswered)

    move = move_of(journal, "kx")

    assert isinstance(move, Do)
    assert (move.effect, move.handle) == (Effect.REVOKE, "kx")
    listed = [Listed("kx", ours=True)]
    situation = Situation(NAMELESS, journal, dataclasses.replace(BACK, keys=calls.keys(listed, journal)), NOW)
    assert outcomes.came(situation, move, Came.DONE).unanswered == ()
    refused = outcomes.came(situation, move, Came.REFUSED)
    assert (refused.unanswered, [each.handle for each in refused.debts]) == ((), ["kx"])
    assert outcomes.came(situation, move, Came.UNCLEAR).unanswered == journal.unanswered


@pytest.mark.parametrize(
    ("handles", "made"),
    [(("k0",), NOW - 61), (("kx",), NOW - 62 - SKEW), (("kx",), NOW + SKEW)],
    ids=["it was there before", "it was made before", "it was made later"],
)
def test_what_is_not_ours_for_sure_is_left_alone(handles: tuple[str, ...], made: float) -> None:
    assert isinstance(move_of(asked_twice(), *handles, made=made), Wait)


def test_where_more_turn_up_than_were_asked_for_a_person_looks() -> None:
    move = move_of(asked_twice(), "kx", "ky")

    assert isinstance(move, Go)
    assert move.journal.unanswered == ()
    since, until = NOW - 61 - SKEW, NOW - 61 + 2 * SKEW
    assert move.journal.debts == (Debt(Owed.FIND, "", "", NOW + 60, made_from=since, made_until=until),)
    in_grace = at(Step.GRACE, until=NOW + DAY, unanswered=asked_twice().unanswered)
    assert isinstance(move_of(in_grace, "kx", "ky"), Wait)


def test_what_is_not_in_the_list_for_long_was_not_made_and_what_cannot_be_looked_for_is_told() -> None:
    journal, later = asked_twice(), NOW + NAMELESS.sure

    gone = move_of(journal, now=later)
    assert isinstance(gone, Go)
    assert (gone.journal.unanswered, gone.journal.debts) == ((), ())
    blind = dataclasses.replace(BACK, keys=None)
    elsewhere = dataclasses.replace(NAMELESS, issuer="another")
    moves = [
        machine.decide(Situation(NAMELESS, journal, blind, later)),
        machine.decide(Situation(dataclasses.replace(NAMELESS, lists=False), journal, BACK, NOW)),
        machine.decide(Situation(elsewhere, journal, BACK, NOW)),
        machine.decide(Situation(NAMELESS, journal, BACK, NOW - 3600)),
    ]
    for move in moves:
        assert isinstance(move, Go)
        assert (move.journal.unanswered, [each.owed for each in move.journal.debts]) == ((), [Owed.FIND])
    assert isinstance(machine.decide(Situation(NAMELESS, journal, blind, later - 100)), Wait)


def test_what_cannot_be_listed_or_was_given_up_is_told_with_when_it_was_made() -> None:
    journal = at(Step.ISSUING, asked_at=NOW - 61, issuer="a b c d")
    blind = machine.decide(Situation(Rules(lists=False, issuer="a b c d"), journal, BEFORE, NOW))
    assert isinstance(blind, Go)

    debts = [*blind.journal.debts, *outcomes.lost(journal, NOW, local=False).debts[1:]]

    told = {(each.owed, each.issuer, each.made_from, each.made_until) for each in debts}
    assert told == {(Owed.FIND, "a b c d", NOW - 61 - SKEW, NOW - 61 + 2 * SKEW)}


def test_the_next_rotation_goes_on_looking_and_so_does_a_key_whose_object_is_gone() -> None:
    journal = asked_twice()

    begins = machine.begin(journal, "r2", Cause.DUE, NEW, NOW)

    assert [each.name for each in begins.unanswered] == ["r1"]
    assert calls.order(begins, {}).named("r1")
    # What was known when it ended is none of those.
    assert begins.unanswered[0].before >= {"k1"}
    gone = Situation(NAMELESS, journal, dataclasses.replace(BACK, wish=Wish(gone=True)), NOW)
    assert isinstance(machine.decide(gone), Wait)


def test_what_was_refused_at_last_leaves_what_was_lost_before() -> None:
    journal = at(Step.ISSUING, asked_at=NOW - 61)
    move = machine.decide(Situation(NAMELESS, journal, BEFORE, NOW))
    assert isinstance(move, Do)
    assert move.first

    back = outcomes.came(Situation(NAMELESS, move.first, BEFORE, NOW), move, Came.REFUSED)

    assert [each.at for each in lost.asked(back)] == [NOW - 61]
    late = dataclasses.replace(BACK, keys=Keys(frozenset({"k0", "kx"}), frozenset({"kx"})))
    found = machine.decide(Situation(NAMELESS, back, late, NOW + 1))
    assert isinstance(found, Do)
    assert found.handle == "kx"


def test_other_versions_leave_it_as_it_is_until_it_is_known() -> None:
    asks = (Ask(NOW, frozenset({"k0"}), "r1", "a", '{"x":1}'),)
    journal = Journal("r1", Step.IDLE, NOW, unanswered=asks, debts=(Debt(Owed.FIND, "", "", NOW, made_from=1.0),))

    assert written.read(written.text(journal), "it") == journal
    # The version before keeps what outlasts a rotation.
    assert '"lasts":["unanswered"]' in written.text(journal)
    frozen = journal.but(later='{"frozen":1,"lasts":["frozen"]}')
    assert written.read(written.text(frozen), "it") == frozen
    assert "lasts" not in written.text(journal.but(unanswered=()))


def test_the_key_that_is_in_use_is_never_taken_for_one_that_was_lost() -> None:
    for step in (Step.GRACE, Step.IDLE):
        nameless = Half("new", None)
        asks = asked_twice().unanswered
        journal = at(step, new=nameless, left=nameless, old=OLD, until=NOW + DAY, unanswered=asks)
        assert isinstance(move_of(journal, "kx"), Wait)


def lost_key(step: Step, whole: Seen, journal: Journal | None = None, **keys: frozenset[str]) -> str:
    """Return what is done where a key is listed that bears the name of the rotation, and is none that is known."""
    listed = Keys(frozenset({"kx", *keys.get("also", ())}), frozenset({"kx"}))
    seen = dataclasses.replace(whole, keys=listed)
    return short(machine.decide(Situation(Rules(), journal or at(step), seen, NOW)))


@pytest.mark.parametrize("step", [Step.GRACE, Step.ROLLING_BACK])
def test_where_a_list_calls_keys_otherwise_than_their_issuer_did_the_one_in_use_is_not_taken_for_a_lost_one(
    step: Step,
) -> None:
    whole = WELL if step is Step.GRACE else BACK
    journal = at(step, until=NOW + DAY)

    assert lost_key(step, whole, journal, also=frozenset({"k0", "k1"})) == "revoke kx"
    assert lost_key(step, whole, journal, also=frozenset({"k0"})) != "revoke kx"


@pytest.mark.parametrize("asked_at", [NOW - 61, NOW - DAY])
def test_a_key_that_a_journal_from_a_backup_does_not_know_and_the_store_may_have_is_left_to_a_person(
    asked_at: float,
) -> None:
    journal = at(Step.ROLLING_BACK, new=None, reached=Step.ISSUING, asked_at=asked_at)

    assert lost_key(Step.ROLLING_BACK, BACK, journal) == "revoke kx"
    assert lost_key(Step.ROLLING_BACK, dataclasses.replace(BACK, store=None, held=None), journal) != "revoke kx"
    listed = dataclasses.replace(THEIRS, keys=Keys(frozenset({"kx"}), frozenset({"kx"})))
    told = machine.decide(Situation(Rules(), journal, listed, NOW))
    assert isinstance(told, Go)
    assert [each.owed for each in told.journal.debts] == [Owed.FIND]
    over = machine.decide(Situation(Rules(), told.journal, listed, NOW))
    assert isinstance(over, Go)
    assert (over.journal.step, over.journal.unanswered) == (Step.ROLLED_BACK, ())


def test_the_end_of_a_key_without_a_value_waits_as_long_as_the_store_may_have_that_one() -> None:
    owed = Debt(Owed.REVOKE, "kx", "", NOW)
    resting = Journal("r1", Step.IDLE, NOW, left=NEW, debts=(owed,))

    def move(held: Half) -> str:
        return short(machine.decide(Situation(Rules(), resting, dataclasses.replace(WELL, held=held), NOW)))

    assert move(NEW) == move(Half("another", "k7")) == "revoke kx"
    assert move(Half("unknown")) != "revoke kx"
