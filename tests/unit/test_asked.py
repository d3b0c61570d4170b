"""What is asked of a rotation: what it comes to, and that nothing outlives who asks.

Does not belong here: KeyActions (``operator/test_key_actions.py``), the rotation (``operator/test_rotation.py``).
"""

from __future__ import annotations

import dataclasses

import pytest

from keywright import errors
from keywright.decide.act import Ended
from keywright.decide.rotate.journal import Cause, Debt, Half, Journal, Owed, Step, Why
from keywright.engine.act_on import Asked
from keywright.engine.rotate.asked import Orders
from keywright.errors import Reason

OLD, NEW = Half("f0", "k0"), Half("f1", "k1")
#: Of a rotation that began at 1000 and is in grace.
GRACE = Journal("r1", Step.GRACE, 1100.0, Cause.DUE, OLD, NEW, began=1000.0)


async def came_of(asked: Asked, *journals: Journal | None) -> Ended | None:
    """Return what an order comes to, as its rotation goes on."""
    orders = Orders()
    told = orders.add(asked)
    for journal in journals:
        orders.settle(journal)
    return told.result() if told.done() else None


@pytest.mark.parametrize(
    ("at", "reason"),
    [(1050.0, None), (941.0, None), (939.0, Reason.NO_ROTATION)],
    ids=["while it was under way", "by another clock", "of the rotation before"],
)
@pytest.mark.parametrize("action", ["Rollback", "RevokeNow"])
async def test_what_was_asked_of_a_rotation_is_not_done_to_the_next_one(
    action: str, at: float, reason: Reason | None
) -> None:
    ended = await came_of(Asked("u1", action, at=at), GRACE)

    assert (ended.code if ended else None) == reason


@pytest.mark.parametrize(
    ("action", "after", "reason"),
    [
        ("Rollback", GRACE.but(why=Why.ASKED).rest(1200.0), Reason.DONE),
        ("Rollback", GRACE.rest(1200.0), Reason.NO_ROTATION),
        ("RevokeNow", GRACE.rest(1200.0), Reason.DONE),
        ("RevokeNow", GRACE.but(why=Why.NEW_INVALID).rest(1200.0), Reason.ROLLED_BACK),
    ],
)
async def test_an_order_ends_with_its_rotation(action: str, after: Journal, reason: Reason) -> None:
    ended = await came_of(Asked("u1", action, at=1150.0), GRACE, after)

    assert ended
    assert ended.code is reason


async def test_who_turns_back_need_not_wait_until_the_new_key_ends_and_is_told_when_it_does() -> None:
    back = GRACE.at(Step.ROLLING_BACK, 1160.0, why=Why.ASKED)
    everywhere = back.but(back_from=1170.0, until=1230.0)

    asked = Asked("u1", "Rollback", at=1150.0)
    assert await came_of(asked, GRACE, back) is None
    ended = await came_of(asked, GRACE, back, everywhere)
    assert ended
    assert ended.code is Reason.DONE
    assert "the new one works until 1970-01-01T00:20:30Z" in ended.message
    # The old one does not end any more by that.
    late = await came_of(Asked("u2", "RevokeNow", at=1165.0), back)
    assert late
    assert "the new one ends once rotation.overlap is over" in late.message


#: How a rotation in grace may end.
REVOKED = GRACE.at(Step.GRACE, 1180.0, old=dataclasses.replace(OLD, revoked=True))
REFUSED = GRACE.owing(Owed.REVOKE, OLD, 1180.0).at(Step.REVOKED, 1180.0)
UNSEEN = REVOKED.owing(Owed.DIE, OLD, 1190.0).at(Step.REVOKED, 1190.0)
ENDS = GRACE.but(old=dataclasses.replace(OLD, lives_until=5000.0)).at(Step.REVOKED, 1180.0)
#: What was left alive before, came back to the store, and is revoked now.
AGAIN = REVOKED.but(debts=(Debt(Owed.KEEP, "k0", "f0", 10.0),))
ANOTHERS = REVOKED.but(debts=(Debt(Owed.REVOKE, "kx", "fx", 1185.0), Debt(Owed.FIND, "", "", 1185.0)))
WAITS, DONE = Reason.ROTATION_WAITS, Reason.DONE


@pytest.mark.parametrize(
    ("under_way", "code", "said"),
    [
        (REVOKED, DONE, "The old key is dead."),
        (AGAIN, DONE, "The old key is dead."),
        (ANOTHERS, DONE, "The old key is dead."),
        (REFUSED, WAITS, "The old key is still to be revoked: `keywright debts list` says what to do."),
        (
            UNSEEN,
            WAITS,
            "The old key was revoked, and was not seen to be dead: `keywright debts list` says what to do.",
        ),
        (ENDS, Reason.UNSUPPORTED, "The old key was not revoked: it ends by itself at 1970-01-01T01:23:20Z."),
    ],
    ids=["revoked", "kept before", "another one owed", "refused", "not seen dead", "ends by itself"],
)
async def test_nobody_is_told_that_a_key_is_dead_which_is_not_known_to_be(
    under_way: Journal, code: Reason, said: str
) -> None:
    over = under_way.rest(1200.0, left=NEW)
    assert await came_of(Asked("u1", "RevokeNow", at=1150.0), under_way, over) == Ended(code, said)

    placed = Ended(code, f"The new key is in place. {said}")
    of_it = [journal.but(id="kw-u1-0") for journal in (under_way.but(urgent=True), over)]
    assert await came_of(Asked("u1", "Reissue", at=990.0), *of_it) == placed
    # Who asked for a new key has it.
    assert await came_of(Asked("u1", "Rotate", at=990.0), *of_it) == Ended(DONE, placed.message)
    if code is WAITS:
        # Neither is it by a leader that has not seen it.
        assert await came_of(Asked("u1", "Reissue", at=990.0), of_it[1]) == placed


async def test_who_waits_for_nobody_is_not_told_of_an_overlap_and_whose_key_was_the_first_not_of_an_old_one() -> None:
    mine = GRACE.but(id="kw-u1-0")
    said = await came_of(Asked("u1", "Rotate"), mine)
    assert said
    assert "until the overlap is over" in said.message
    assert await came_of(Asked("u1", "Reissue"), mine.but(urgent=True)) is None

    first = mine.but(old=None)
    assert await came_of(Asked("u1", "Rotate"), first) is None
    over = first.rest(1200.0, left=NEW)
    assert await came_of(Asked("u1", "Reissue"), first, over) == Ended(
        DONE, "The new key is in place. There was no key before."
    )


@pytest.mark.parametrize("action", ["Rollback", "RevokeNow"])
async def test_where_there_was_no_key_before_none_is_put_back_and_none_ends(action: str) -> None:
    ended = await came_of(Asked("u1", action, at=1150.0), GRACE.but(old=None))

    assert ended == Ended(Reason.NO_ROTATION, "There was no key before, so the new one stays.")


async def test_who_turns_back_is_told_what_is_there_then() -> None:
    asked, held = Asked("u1", "Rollback", at=1050.0), GRACE.but(step=Step.HELD)
    back = held.at(Step.ROLLING_BACK, 1160.0, why=Why.ASKED)
    assert await came_of(asked, held, back.rest(1200.0, left=OLD)) == Ended(DONE, "The old key is in place.")

    first = back.but(old=None)
    stays = await came_of(asked, first, first.rest(1200.0, left=NEW))
    assert stays == Ended(Reason.NO_ROTATION, "There was no key before, so the new one stays.")
    assert await came_of(asked, first, first.rest(1200.0)) == Ended(DONE, "The rotation turned back.")

    replaced = await came_of(asked, back, back.owing(Owed.KEEP, OLD, 1190.0).rest(1200.0, left=OLD))
    assert replaced
    assert replaced.code is Reason.ROLLED_BACK
    assert "The old key was left alive" in replaced.message


#: The old key is back, and the new one has the overlap.
BACK = GRACE.at(Step.ROLLING_BACK, 1160.0, why=Why.ASKED, back_from=1170.0, until=4770.0)


@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [
        (
            BACK.but(new=dataclasses.replace(NEW, revoked=True)),
            DONE,
            "The key that it turned back from is revoked.",
        ),
        (
            BACK.owing(Owed.REVOKE, NEW, 1180.0).at(Step.ROLLED_BACK, 1180.0),
            WAITS,
            "The key that it turned back from is still to be revoked: `keywright debts list` says what to do.",
        ),
        (BACK.at(Step.ROLLED_BACK, 1180.0), Reason.ROLLED_BACK, "The rotation turned back."),
    ],
)
async def test_who_revokes_on_the_way_back_ends_the_overlap_of_the_new_key(
    ends: Journal, code: Reason, said: str
) -> None:
    orders = Orders()
    told = orders.add(Asked("u1", "RevokeNow", at=1175.0))
    orders.settle(BACK)
    assert orders.wish.now
    assert not told.done()

    orders.settle(ends)
    orders.settle(ends.rest(1200.0, left=OLD))

    assert told.result() == Ended(code, said)


async def test_a_key_that_others_know_is_replaced_once_the_way_back_has_ended_whose_overlap_nobody_waits_for() -> None:
    orders = Orders()
    again, once = orders.add(Asked("u1", "Reissue", at=1175.0)), orders.add(Asked("u2", "Rotate", at=1175.0))
    orders.settle(BACK)
    assert orders.wish.now
    assert not again.done()
    assert once.result().code is Reason.ROTATING
    for named in ("1970-01-01T01:19:30Z", "keywright revoke", "keywright rotate --reissue", "rotation.overlap"):
        assert named in once.result().message

    # It is written once more meanwhile: still nobody waits.
    for journal in (BACK.but(back_from=0.0), BACK.at(Step.ROLLED_BACK, 1180.0)):
        orders.settle(journal)
        assert not again.done()
    over = BACK.rest(1200.0, left=OLD)
    orders.settle(over)
    assert not orders.wish.now
    begin = orders.wanted(over)
    assert begin
    assert begin.urgent
    mine = GRACE.but(id=begin.id, urgent=True)
    orders.settle(mine)
    assert not orders.wish.now
    # Where it goes on after all, another one is under way as ever.
    assert (await came_of(Asked("u1", "Reissue"), BACK, BACK.but(step=Step.STORED, back_from=0.0))) == Ended(
        Reason.ROTATING, "Another rotation of this credential is under way."
    )


async def test_what_nobody_asks_for_any_more_is_no_wish_and_begins_nothing() -> None:
    orders = Orders()
    now = orders.add(Asked("u1", "RevokeNow", at=1150.0))
    again = orders.add(Asked("u2", "Rotate", at=1150.0))
    orders.settle(GRACE)
    assert orders.wish.now
    assert again.result().code is Reason.ROTATING

    orders.withdraw("u1")
    orders.withdraw("unknown")

    assert now.result().code is Reason.NO_ROTATION
    assert not orders
    assert not orders.wish.now

    waiting = orders.add(Asked("u3", "Rotate", at=1300.0))
    assert orders.wanted(GRACE.rest(1200.0))
    orders.withdraw("u3")
    assert orders.wanted(GRACE.rest(1200.0)) is None
    assert waiting.done()


async def test_a_rotation_that_cannot_begin_is_told_to_who_asks_and_not_to_who_waits_for_another() -> None:
    orders = Orders()
    begins, turns = orders.add(Asked("u1", "Rotate")), orders.add(Asked("u2", "Rollback", at=1150.0))
    orders.settle_refused(errors.Retry(Reason.CONFLICT, "was changed"))
    assert not begins.done()

    orders.settle_refused(errors.Stalled(Reason.STORE_READ_ONLY, "is only read"))

    assert begins.result().code is Reason.STORE_READ_ONLY
    assert not turns.done()


@pytest.mark.parametrize(
    ("action", "turned", "at", "said"),
    [
        # Whether there was one, and the store has it, nobody knows who has not seen it.
        ("Rollback", True, 1150.0, "The rotation turned back."),
        ("Rollback", False, 1150.0, "It had ended before."),
        ("RevokeNow", False, 1150.0, "The old key is dead."),
        ("RevokeNow", True, 1150.0, "The rotation turned back."),
        # Not of one that had ended when it was asked; times of objects have no fractions of a second.
        ("Rollback", True, 1199.5, "No rotation of this credential is under way."),
        ("RevokeNow", False, 1300.0, "No rotation of this credential is under way."),
    ],
)
async def test_what_a_rotation_came_to_is_told_by_a_leader_that_has_not_seen_its_end(
    action: str, turned: bool, at: float, said: str
) -> None:
    over = (GRACE.but(why=Why.ASKED) if turned else GRACE).rest(1200.0)

    ended = await came_of(Asked("u1", action, at=at), over)

    assert ended
    assert ended.message == said


async def test_nothing_is_told_of_a_rotation_that_there_never_was() -> None:
    for journal in (None, Journal("", Step.IDLE, 1200.0)):
        ended = await came_of(Asked("u1", "Rollback", at=1150.0), journal)
        assert ended
        assert ended.code is Reason.NO_ROTATION


async def test_what_is_to_be_noted_is_done_once_the_journal_says_so_and_not_before() -> None:
    for action, noted in (("Pin", GRACE.but(pinned=True)), ("Unpin", None)):
        orders = Orders()
        told = orders.add(Asked("u1", action))
        # It came during a look, after which nothing was to be done.
        orders.settle(GRACE)
        assert not told.done()

        assert orders.journal(GRACE, 1200.0) == noted
        orders.settle(noted or GRACE)

        assert told.result().code is Reason.DONE


async def test_a_pin_waits_for_the_journal_that_remembers_it_and_nothing_else_does() -> None:
    assert await came_of(Asked("u1", "Pin"), None) is None

    ended = await came_of(Asked("u1", "ForgetDebt", debt="k0"), None)

    assert ended
    assert ended.code is Reason.NO_ROTATION


async def test_of_debts_without_a_handle_one_is_forgotten_and_none_where_it_is_not_said_which() -> None:
    debts = (
        Debt(Owed.FIND, "", "", 900.0, made_from=600.4, made_until=700.0),
        Debt(Owed.FIND, "", "", 900.0, made_from=601.0, made_until=700.0),
        Debt(Owed.KEEP, "", "f0", 800.0),
        Debt(Owed.REVOKE, "k0", "f0", 800.0),
    )

    async def forgets(start: tuple[Debt, ...], handle: str = "", made: float | None = None) -> tuple[list[int], str]:
        orders, journal = Orders(), GRACE.but(debts=start)
        told = orders.add(Asked("u1", "ForgetDebt", debt=handle, made_from=made))
        # Asked again, as after a journal that could not be written, no other one is forgotten.
        for _ in range(2):
            journal = orders.journal(journal, 1200.0) or journal
        orders.settle(journal)
        return [debts.index(each) for each in debts if each not in journal.debts], told.result().message

    assert await forgets(debts, made=600.0) == ([0], "It is noted.")
    assert await forgets(debts, made=601.0) == ([1], "It is noted.")
    # One of which that is not known, by when it was told first.
    assert await forgets(debts, made=800.0) == ([2], "It is noted.")
    assert await forgets(debts, "k0") == ([3], "It is noted.")
    times = "1970-01-01T00:10:00Z, 1970-01-01T00:10:01Z, 1970-01-01T00:13:20Z"
    assert await forgets(debts) == ([], f"3 debts have no handle: say by madeFrom which one is settled: {times}.")
    gone, said = await forgets(debts, made=1.0)
    assert (gone, said.startswith("There is no such debt;")) == ([], True)
    assert await forgets(debts[2:]) == ([0, 1, 2], "It is noted.")
