"""Row by row: what is done at each step, what is remembered of it, and how it is drawn."""

from __future__ import annotations

import dataclasses

import pytest

from keywright.decide.rotate import calls, fate, machine, outcomes, picture
from keywright.decide.rotate.journal import Cause, Debt, Half, Journal, Owed, Step, Why
from keywright.decide.rotate.moves import Came, Do, Effect, Go, Move, Situation, Wait
from keywright.decide.rotate.sight import Holds, Keys, Place, Rules, Seen, Targets, Users, Wish, looks
from keywright.errors import Reason
from keywright.issuers import ISSUERS, table
from keywright.issuing.base import Issued
from keywright.secret import SecretValue
from vendors.bedrock import short_term

from .cases import BACK, BAD, BEFORE, CASES, DAY, GOOD, NEW, NOW, OLD, REFUSED, RULES, WELL, at, seen, short


@pytest.mark.parametrize(
    ("rules", "journal", "looked", "said"), [each[1:] for each in CASES], ids=[x[0] for x in CASES]
)
def test_the_first_reason_counts(rules: Rules, journal: Journal, looked: Seen, said: str) -> None:
    assert short(machine.decide(Situation(rules, journal, looked, NOW))) == said


def test_every_word_for_a_delay_has_a_case() -> None:
    told = " ".join(each[4].removesuffix("!") for each in CASES).split()

    # One is told of an effect, not of a look; of turns and of objects that sleep the machine knows nothing.
    assert {*told, Why.ISSUE_REFUSED, Why.QUEUED, Why.SUSPENDED} >= set(Why)


def after(journal: Journal, effect: Effect, came: Came, handle: str = "", issued: Half | None = None) -> Journal:
    """Return what is remembered of an effect."""
    return outcomes.came(Situation(RULES, journal, WELL, NOW), Do(effect, handle), came, issued)


def test_a_new_key_is_remembered_before_anything_else_is_done() -> None:
    held = after(at(Step.ISSUING), Effect.ISSUE, Came.DONE, issued=NEW)

    assert (held.step, held.new, held.since) == (Step.HELD, NEW, NOW)


def test_what_is_owed_of_a_key_that_has_the_name_of_the_other_one_is_nobody_s_to_end_by_that_name() -> None:
    grace = at(Step.GRACE, urgent=True, new=Half("new", "k0"))
    said = machine.decide(Situation(RULES, grace, seen(wish=Wish(now=True)), NOW))
    assert isinstance(said, Go)
    rested = machine.decide(Situation(RULES, said.journal, WELL, NOW))
    assert isinstance(rested, Go)

    assert [(each.owed, each.handle, each.fingerprint) for each in rested.journal.debts] == [(Owed.REVOKE, "", "old")]
    assert fate.of_old(rested.journal, grace).code is Reason.ROTATION_WAITS
    # Whoever writes another key to the store since does not have the one in use revoked.
    theirs = seen(BACK, store=Holds.OTHER, held=Half("theirs"))
    assert short(machine.decide(Situation(RULES, rested.journal, theirs, NOW + DAY))) == "wait !"
    gone = machine.decide(Situation(RULES, grace, seen(wish=Wish(gone=True)), NOW))
    assert isinstance(gone, Go)
    assert [(each.owed, each.handle) for each in gone.journal.debts] == [(Owed.KEEP, "")]


@pytest.mark.parametrize(("since", "pause"), [(0.0, 2.0), (4.0, 2.0), (6.0, 5.0), (40.0, 30.0)])
def test_the_death_of_a_revoked_key_is_looked_for_at_once_and_then_less_and_less_often(
    since: float, pause: float
) -> None:
    journal = at(Step.GRACE, since=since, old=dataclasses.replace(OLD, revoked=True, ending=True))

    assert machine.decide(Situation(RULES, journal, seen(old=GOOD), NOW)) == Wait(NOW + pause)


def test_a_dead_key_is_replaced_again_soon_where_no_new_one_reached_anybody() -> None:
    begun = machine.begin(at(Step.IDLE, reissued=1.0), "r2", Cause.INVALID, OLD, NOW)

    def after(step: Step, **more: object) -> Journal:
        move = machine.decide(Situation(RULES, begun.but(step=step, new=NEW, **more), BACK, NOW))
        assert isinstance(move, Go)
        return move.journal

    failed = after(Step.ROLLED_BACK, why=Why.TEST_FAILED)
    assert (failed.reissued, failed.not_before) == (1.0, NOW + machine.FIRST_PAUSE)
    assert after(Step.ROLLED_BACK, why=Why.NEW_INVALID, stored=NOW - 9).reissued == NOW
    assert after(Step.ROLLED_BACK, why=Why.ASKED).reissued == NOW
    assert after(Step.REVOKED).reissued == NOW
    assert after(Step.REVOKED, cause=Cause.DUE).reissued == 1.0


def test_a_key_that_is_of_no_use_is_given_up_at_once() -> None:
    situation, do = Situation(RULES, at(Step.ISSUING), WELL, NOW), Do(Effect.ISSUE, "")

    back = outcomes.came(situation, do, Came.DONE, NEW, fits=False)
    unnamed = outcomes.came(situation, do, Came.DONE, dataclasses.replace(NEW, handle=None), fits=False)

    assert (back.step, back.new, back.why) == (Step.ROLLING_BACK, NEW, Why.ISSUE_REFUSED)
    there = dataclasses.replace(BACK, keys=Keys(frozenset({"k0", "k1"}), frozenset({"k1"})))
    assert short(machine.decide(Situation(RULES, back, there, NOW))) == "revoke k1"
    # Whoever lists it by another name than its value ends it by that; else a person has to.
    assert short(machine.decide(Situation(RULES, unnamed, there, NOW))) == "revoke k1"
    move = machine.decide(Situation(RULES, unnamed, BACK, NOW))
    assert isinstance(move, Go)
    assert [(each.owed, each.handle) for each in move.journal.debts] == [(Owed.REVOKE, "")]


@pytest.mark.parametrize(
    ("parts", "handle", "wanted", "said"),
    [
        ({"apiKey": "sk-secret"}, "key_1", ("apiKey",), ""),
        ({"apiKey": "sk-secret"}, None, ("apiKey",), ""),
        ({"id": "AKIA1", "secret": "long-secret"}, "AKIA1", ("id", "secret"), ""),
        ({"apiKey": "sk-secret"}, "sk-secret", ("apiKey",), "names a key by its value, which must not be shown"),
        ({"id": "1", "secret": "sk-secret"}, "of/sk-secret", ("id",), "names a key by its value, which must not be"),
        ({"token": "sk-secret"}, "key_1", ("apiKey",), "makes no part apiKey, which the credential has"),
    ],
)
def test_of_use_is_a_key_that_has_its_parts_and_a_name_that_may_be_shown(
    parts: dict[str, str], handle: str | None, wanted: tuple[str, ...], said: str
) -> None:
    issued = Issued({name: SecretValue(each) for name, each in parts.items()}, handle)
    why = calls.unfit(issued, wanted, None, ids=frozenset(), formed=True, tests=True)

    assert (why.message if why else "")[: len(said)] == said
    assert bool(why) is bool(said)


def test_what_its_testers_cannot_accept_or_be_asked_about_is_of_no_use() -> None:
    def why(key: str, *, formed: bool = True, tests: bool = True) -> str:
        issued = Issued({"apiKey": SecretValue(key)})
        tester = ISSUERS["bedrock"](None, table())
        found = calls.unfit(issued, ("apiKey",), tester, ids=frozenset(), formed=formed, tests=tests)
        return found.message if found else ""

    assert why(short_term()) == ""
    assert why("two words") == "makes a key whose apiKey holds white space or control characters"
    assert why("two words", formed=False, tests=False) == ""
    assert why("elsewhere") == "makes a key of which Amazon Bedrock cannot be asked"
    assert why("elsewhere", tests=False) == ""


@pytest.mark.parametrize(
    ("step", "effect", "why"),
    [
        (Step.ISSUING, Effect.ISSUE, Why.ISSUE_REFUSED),
        (Step.TESTED, Effect.STORE_NEW, Why.STORE_REFUSED),
    ],
)
def test_what_is_refused_turns_back(step: Step, effect: Effect, why: Why) -> None:
    once, again = (after(at(step, asked_at=NOW, asks=count), effect, Came.REFUSED) for count in (1, 2))

    assert (once.step, once.why) == (again.step, again.why) == (Step.ROLLING_BACK, why)
    # What an earlier answer did not tell is looked for still.
    assert again.asked_at == NOW


@pytest.mark.parametrize("effect", [each for each in Effect if each is not Effect.REVOKE])
def test_an_unclear_answer_changes_nothing_so_that_the_next_look_tells(effect: Effect) -> None:
    journal = at(Step.GRACE)

    assert after(journal, effect, Came.UNCLEAR, "k0") == journal


def test_a_key_that_was_switched_off_is_watched_for_a_while() -> None:
    off = after(at(Step.GRACE), Effect.DISABLE, Came.DONE, "k0")
    on = after(at(Step.ROLLING_BACK, old=off.old), Effect.ENABLE, Came.DONE, "k0")

    assert (off.old, off.until) == (dataclasses.replace(OLD, disabled=True, off_from=NOW), NOW + RULES.observe)
    assert on.old == OLD
    refused = after(at(Step.GRACE, tries=1), Effect.DISABLE, Came.REFUSED, "k0")
    assert (refused.straight, refused.old) == (True, OLD)
    # What had no answer before may have switched it off.
    lost = at(Step.GRACE, tries=2, old=dataclasses.replace(OLD, disabled=True))
    assert after(lost, Effect.DISABLE, Came.REFUSED, "k0").old == lost.old
    assert after(at(Step.ROLLING_BACK, old=off.old), Effect.ENABLE, Came.REFUSED, "k0").old == dataclasses.replace(
        OLD, disabled=True, ending=True, off_from=NOW
    )


def test_a_wait_ends_by_what_is_wanted_now_and_the_journal_says_so() -> None:
    def until(journal: Journal, **rules: float) -> float:
        move = machine.decide(Situation(dataclasses.replace(RULES, **rules), journal, WELL, NOW))  # type: ignore[arg-type]
        assert isinstance(move, Go)
        assert (move.journal.step, move.journal.since) == (Step.GRACE, journal.since)
        return move.journal.until - NOW

    grace = at(Step.GRACE, since=100, until=NOW + 86300)
    watched = grace.but(old=dataclasses.replace(OLD, disabled=True, off_from=NOW - 10), until=NOW + 290)
    ends = grace.but(old=dataclasses.replace(OLD, lives_until=NOW + 5))
    assert (until(grace, overlap=60.0), until(grace, overlap=2 * 86400.0)) == (-40.0, 172700.0)
    assert (until(watched, observe=20.0), until(watched, observe=900.0)) == (10.0, 890.0)
    # What ends by itself before that is not waited for.
    assert until(ends, overlap=60.0) == -40.0
    assert until(ends, overlap=2 * 86400.0) == 5.0


def test_on_the_way_back_the_new_key_lives_for_the_overlap_once_nobody_is_seen_to_have_it() -> None:
    def after(journal: Journal, looked: Seen = BACK, now: float = NOW, **rules: float) -> Move:
        return machine.decide(Situation(dataclasses.replace(RULES, **rules), journal, looked, now))  # type: ignore[arg-type]

    late = dataclasses.replace(BACK, users=Users(3, 1))
    turned = at(Step.ROLLING_BACK, back_from=0.0, until=NOW - 5, why=Why.ASKED)
    assert short(after(turned, late)) == "wait NotAdopted"
    move = after(turned)
    assert isinstance(move, Go)
    noted = move.journal
    assert noted == turned.but(back_from=NOW, until=NOW + DAY)
    wait = after(noted)
    assert isinstance(wait, Wait)
    assert (wait.until, wait.asks) == (NOW + 900, False)
    # What was refused is looked at until it is known to be dead.
    doubted = after(noted, seen(BACK, new=REFUSED))
    assert isinstance(doubted, Wait)
    assert doubted.until == NOW + 30
    assert (
        short(after(noted, seen(BACK, new=dataclasses.replace(GOOD, at=NOW + DAY)), NOW + DAY, fresh=2 * DAY))
        == "revoke k1"
    )
    # A change counts for a wait that has begun.
    sooner = after(noted, overlap=60.0)
    assert isinstance(sooner, Go)
    assert sooner.journal.until == NOW + 60
    # What others may have read once more begins anew, also where it was not known that the store has it.
    again = after(noted, WELL)
    unsure = after(at(Step.ROLLING_BACK, reached=Step.TESTED), WELL)
    assert isinstance(again, Do) and isinstance(unsure, Do) and again.first and unsure.first
    assert again.first.back_from == unsure.first.back_from == 0.0
    assert (unsure.first.reached, unsure.first.stored) == (Step.STORED, NOW)
    # Its old key died meanwhile: it goes on.
    on = after(noted, dataclasses.replace(BACK, old=BAD))
    assert isinstance(on, Go)
    assert (on.journal.step, on.journal.back_from) == (Step.STORED, 0.0)


def test_while_the_old_key_can_be_put_back_the_new_one_is_watched_and_all_the_more_once_it_was_refused() -> None:
    grace = at(Step.GRACE, until=NOW + 86400)

    def pause(rules: Rules = RULES, **more: object) -> float:
        move = machine.decide(Situation(rules, grace, dataclasses.replace(WELL, **more), NOW))  # type: ignore[arg-type]
        assert isinstance(move, Wait)
        return move.until - NOW

    assert (pause(), pause(new=REFUSED), pause(dataclasses.replace(RULES, tests=False))) == (120.0, 30.0, 900.0)
    # Often, so little: who has it and uses it is looked at before the old one ends.
    assert looks(RULES, grace, NOW) == {Place.STORE, Place.NEW}
    assert Place.OLD not in looks(RULES, grace, NOW + 86400)
    # What we do not end has to be seen to be dead.
    assert Place.OLD in looks(RULES, grace.but(new=Half("new", "k0")), NOW + 86400)
    assert looks(RULES, grace, NOW + 86400) > {Place.STORE, Place.NEW, Place.TARGETS, Place.USERS}


def test_whatever_is_done_outside_is_journaled_before_and_seldom_again() -> None:
    journal, pauses = at(Step.GRACE), []
    for _ in range(20):
        move = machine.decide(Situation(RULES, journal.but(again=0.0), WELL, NOW))
        assert isinstance(move, Do)
        assert move.first is not None
        assert move.first.old == dataclasses.replace(OLD, ending=True)
        journal = move.first
        pauses.append(journal.again - NOW)
    assert pauses[:3] == [5.0, 10.0, 20.0]
    assert pauses[-1] == outcomes.LONGEST_AGAIN
    assert after(journal, Effect.REVOKE, Came.DONE, "k0").tries == 0


def test_a_place_that_is_filled_anew_is_owed_no_more() -> None:
    debts = (Debt(Owed.REVOKE, "k1", "older", 0.0), Debt(Owed.REVOKE, "k7", "other", 0.0))

    assert after(at(Step.ISSUING, debts=debts), Effect.ISSUE, Came.DONE, issued=NEW).debts == debts[1:]


def test_what_was_reached_is_remembered_on_the_way_back_and_forth() -> None:
    restored = at(Step.WRITTEN).at(Step.TESTED, NOW).at(Step.HELD, NOW).at(Step.ROLLING_BACK, NOW)

    assert restored.reached is Step.WRITTEN
    assert restored.got(Step.STORED)


def test_no_second_rotation_is_begun_over_one_that_is_under_way() -> None:
    with pytest.raises(ValueError, match="under way"):
        machine.begin(at(Step.GRACE), "r2", Cause.DUE, NEW, NOW)


def test_what_was_not_begun_was_not_asked_for_and_is_tried_later() -> None:
    before = at(Step.ISSUING)
    move = machine.decide(Situation(RULES, before, BEFORE, NOW))
    assert isinstance(move, Do)
    assert move.first

    came = outcomes.came(Situation(RULES, move.first, BEFORE, NOW), move, Came.NOT_BEGUN, before=before)

    assert (move.first.asked_at, move.first.asks) == (NOW, 1)
    assert came == before.but(tries=1, again=NOW + outcomes.FIRST_AGAIN)


def test_a_key_is_as_old_as_its_place_in_the_store_not_as_the_end_of_its_overlap() -> None:
    stored = machine.begin(None, "r1", Cause.DUE, OLD, NOW).at(Step.STORED, NOW + 10).at(Step.GRACE, NOW + 20)
    again = stored.at(Step.TESTED, NOW + 30).at(Step.STORED, NOW + 40).at(Step.REVOKED, NOW + 50)

    move = machine.decide(Situation(RULES, again, WELL, NOW + 60))

    assert isinstance(move, Go)
    assert (move.journal.step, move.journal.placed, move.journal.since) == (Step.IDLE, NOW + 10, NOW + 60)
    turned = move.journal.but(why=None).at(Step.ROLLED_BACK, NOW + 99, why=Why.TEST_FAILED)
    kept = machine.decide(Situation(RULES, turned, BACK, NOW + 100))
    assert isinstance(kept, Go)
    assert kept.journal.placed == NOW + 10


def test_what_is_not_revoked_is_owed_once_and_tried_ever_more_seldom() -> None:
    owing = after(at(Step.GRACE), Effect.REVOKE, Came.REFUSED, "k0")
    back = after(at(Step.ROLLING_BACK), Effect.REVOKE, Came.REFUSED, "k1")
    lost = after(at(Step.ISSUING), Effect.REVOKE, Came.REFUSED, "kx")

    assert (owing.step, owing.debts) == (Step.REVOKED, (Debt(Owed.REVOKE, "k0", "old", NOW),))
    assert (back.step, back.debts) == (Step.ROLLED_BACK, (Debt(Owed.REVOKE, "k1", "new", NOW),))
    assert (lost.step, lost.debts) == (Step.ISSUING, (Debt(Owed.REVOKE, "kx", "", NOW),))
    assert owing.owing(Owed.REVOKE, OLD, NOW + 1) == owing

    idle, pauses = owing.rest(NOW), []
    for came in (Came.REFUSED, Came.UNCLEAR, Came.REFUSED, *[Came.REFUSED] * 20):
        idle = idle.but(debts=tuple(dataclasses.replace(each, due=NOW) for each in idle.debts))
        nothing_there = dataclasses.replace(BACK, store=Holds.NOTHING, held=None, targets=Targets())
        move = machine.decide(Situation(RULES, idle, nothing_there, NOW))
        assert isinstance(move, Do)
        assert move.first
        # That it is tried is written before: of two who believe to lead, one does it.
        idle = after(move.first, Effect.REVOKE, came, "k0")
        assert idle == move.first
        pauses.append(idle.debts[0].due - NOW)
    assert pauses[:4] == [60.0, 120.0, 240.0, 480.0]
    assert pauses[-1] == outcomes.LONGEST_TRY
    assert after(idle, Effect.REVOKE, Came.DONE, "k0").debts == ()


def test_a_rotation_begins_with_what_the_one_before_has_left() -> None:
    left = at(Step.IDLE, debts=(Debt(Owed.FIND, "", "", 0.0),), failures=2, why=Why.TEST_FAILED, pinned=True)

    begun = machine.begin(left, "r2", Cause.ASKED, NEW, NOW, test_only=True)

    assert (begun.id, begun.step, begun.cause, begun.old, begun.new) == ("r2", Step.ISSUING, Cause.ASKED, NEW, None)
    assert (begun.debts, begun.failures, begun.why, begun.test_only) == (left.debts, 2, None, True)
    assert machine.begin(None, "r1", Cause.DUE, None, NOW).reached is Step.ISSUING


def test_a_first_key_that_stays_is_known_again_by_its_name() -> None:
    stays = at(Step.ROLLED_BACK, old=None, why=Why.ASKED)
    revoked = at(Step.ROLLED_BACK, old=None, why=Why.ASKED, new=dataclasses.replace(NEW, revoked=True))

    def left(journal: Journal) -> Half | None:
        move = machine.decide(Situation(RULES, journal, WELL, NOW))
        assert isinstance(move, Go)
        return move.journal.left

    assert (left(stays), left(revoked)) == (NEW, None)


def test_who_fails_again_waits_longer_and_who_asked_is_left_in_peace() -> None:
    def pause(why: Why, failures: int) -> float:
        move = machine.decide(Situation(RULES, at(Step.ROLLED_BACK, why=why, failures=failures), WELL, NOW))
        assert isinstance(move, Go)
        return max(0.0, move.journal.not_before - NOW)

    assert [pause(Why.TEST_FAILED, count) for count in (0, 1, 2, 99)] == [3600.0, 7200.0, 14400.0, 86400.0]
    assert [pause(why, 0) for why in (Why.ASKED, Why.TEST_ONLY, Why.OBJECT_GONE)] == [86400.0, 0.0, 0.0]


def test_every_step_can_be_reached_and_left() -> None:
    edges = [(of, to) for of, to, _ in picture.edges()]

    assert {of for of, _ in edges} == {to for _, to in edges} == set(Step)
    assert "  Tested --> Stored: storeNew" in picture.mermaid().splitlines()
    assert all(told for step in Step for told, _, _ in picture.reasons(step))
