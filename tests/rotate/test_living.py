"""Keys that live for a short while: nobody is left with one that has ended, and none is minted early."""

from __future__ import annotations

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywright.decide import due
from keywright.decide.due import Known, Minted, Next, Policy
from keywright.decide.rotate import living, machine, outcomes
from keywright.decide.rotate.journal import Cause, Half, Journal, Step
from keywright.decide.rotate.moves import Came, Do, Effect, Situation
from keywright.decide.rotate.sight import Holds, Rules, Seen
from keywright.issuing.base import Way

from .model import LIFE, World

MINTED = Rules(way=Way.MINTED, lists=False, revokes=False)
LEASED = Rules(way=Way.MINTED, lists=False, renews=True, overlap=60.0)
#: Seconds between two looks of an operator that is there.
PACE = 20.0
NOW = 1_000_000.0
HALF = Half("v1", "k1", lives_from=NOW, lives_until=NOW + LIFE)


def next_one(world: World) -> Next | None:
    """Return when the next one is minted by itself."""
    half = world.half(world.store) if world.store else None
    renews = living.renews(world.rules, world.journal)
    expires = half.lives_until if half else None
    known = Known(world.now, expires=expires, journal=world.journal, minted=Minted(half, renews))
    return due.due(Policy(), known, world.now)


def live(world: World, seconds: float) -> None:
    """Let time pass, with an operator that looks at it again and again, and users that take up what is there."""
    ends = world.now + seconds
    while world.now < ends:
        coming = next_one(world)
        if coming and coming.at <= world.now:
            old = world.half(world.store) if world.store else None
            world.journal = machine.begin(world.journal, f"r{world.made}", coming.cause, old, world.now)
            world.tell(f"a rotation begins: {coming.cause}")
        elif world.journal:
            world.turn()
        world.settle()
        world.now += PACE
        for value in {*world.targets, *world.users} - {None}:
            assert world.accepted(value), f"{value} is used and dead\n" + "\n".join(world.story[-40:])


@pytest.mark.parametrize("rules", [MINTED, LEASED], ids=["minted", "leased"])
@given(seed=st.integers(0, 2**32), faults=st.sampled_from((0.0, 0.02)))
@settings(max_examples=20, deadline=None)
def test_over_many_lives_everybody_has_a_key_that_lives(rules: Rules, seed: int, faults: float) -> None:
    world = World(rules, random.Random(seed), faults, renewals=3)  # noqa: S311 - a test must be repeatable
    world.settle()

    live(world, 10 * LIFE)

    if not faults:
        # Each lives for two thirds of its time, and those that are renewed for as long again.
        assert world.made == 15 if rules is MINTED else world.made < 14
    assert world.journal
    assert not [each for each in world.journal.debts if each.handle in world.keys], world.journal


def test_the_first_one_is_minted_at_once_and_the_next_when_a_third_is_left() -> None:
    weekly = Policy(every=7 * 86400.0, windows=(due.Window(Never(), 60.0),))
    idle = Journal("r1", Step.IDLE, NOW)

    assert due.due(weekly, Known(NOW, minted=Minted(None)), NOW) == Next(NOW, Cause.DUE)
    failed = Known(NOW, minted=Minted(None), journal=idle.but(not_before=NOW + 60))
    assert due.due(Policy(), failed, NOW) == Next(NOW + 60, Cause.DUE, held=True)
    known = Known(NOW, expires=NOW + LIFE, minted=Minted(HALF))
    assert due.due(Policy(), known, NOW) == Next(NOW + 2400, Cause.EXPIRING)
    assert due.due(Policy(before_expiry=600.0), known, NOW) == Next(NOW + 3000, Cause.EXPIRING)
    # Not more than half of its life is given away, whatever is asked for.
    assert due.due(Policy(before_expiry=9e9), known, NOW) == Next(NOW + 1800, Cause.EXPIRING)
    # A renewal has its time before another one is minted.
    assert due.due(Policy(), dataclasses.replace(known, minted=Minted(HALF, renews=True)), NOW) == Next(
        NOW + 3000, Cause.EXPIRING
    )
    assert due.due(Policy(), dataclasses.replace(known, journal=idle.but(pinned=True)), NOW) is None
    # Of one that says nothing of its end, nothing is known.
    assert due.due(Policy(), dataclasses.replace(known, minted=Minted(Half("v1"))), NOW) is None


class Never:
    """Times that never come."""

    def after(self, moment: float) -> float | None:
        """Return none."""
        return None

    def before(self, moment: float) -> float | None:
        """Return none."""
        return None


def came(outcome: Came, until: float | None = None) -> Half:
    """Return what is remembered of a key that was to be renewed at two thirds of its life."""
    journal = Journal("r1", Step.IDLE, NOW, left=HALF)
    at = Situation(LEASED, journal, Seen(store=Holds.OTHER, held=HALF), NOW + 2400)
    move = machine.decide(at)
    assert isinstance(move, Do)
    assert move.effect is Effect.RENEW
    assert move.first
    assert move.first.again > at.now
    issued = dataclasses.replace(HALF, lives_until=until) if until else None
    after = outcomes.came(dataclasses.replace(at, journal=move.first), move, outcome, issued)
    assert after.left
    return after.left


def test_a_key_that_was_renewed_lives_on_and_one_that_was_hardly_is_replaced() -> None:
    later, little = NOW + 2400 + LIFE, NOW + LIFE + 600

    assert came(Came.DONE, later) == dataclasses.replace(HALF, lives_from=NOW + 2400, lives_until=later)
    assert came(Came.DONE, little) == dataclasses.replace(HALF, lives_until=little, spent=NOW + 2400)
    assert came(Came.REFUSED) == dataclasses.replace(HALF, spent=NOW + 2400)
    # No answer: it is asked again.
    assert came(Came.UNCLEAR) == HALF
