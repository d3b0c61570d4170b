"""Whoever has read the new key where nobody sees it can use it for the overlap, also where the rotation turns back."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from keywright.decide.rotate.journal import Step
from keywright.decide.rotate.sight import Rules, Wish

from .model import World, begun, ends
from .test_world import holds_told, nothing_left, told

#: Longer than anything that happens meanwhile.
OVERLAP = 20_000.0


@given(seed=st.integers(0, 2**32), faults=st.sampled_from((0.0, 0.1)))
@settings(max_examples=100, deadline=None)
def test_a_key_that_was_in_the_store_lives_for_the_overlap_after_it_left_it(seed: int, faults: float) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test must be repeatable
    world = begun(World(Rules(overlap=OVERLAP, needs_users=False), chance, faults))
    when, last = chance.randrange(10, 60), dict[str, float]()

    for turn in range(150):
        if world.journal is None or world.journal.step is Step.IDLE:
            break
        world.wish = Wish(back=turn >= when)
        world.turn()
        holds_told(world)
        if world.store and world.store != "v0":
            last[world.store] = world.now
        cut = [value for value, at in last.items() if world.now < at + OVERLAP and not world.accepted(value)]
        assert not cut, f"{cut} are read elsewhere, and dead\n{told(world)}"
        world.somebody()
    ends(world)
    holds_told(world)
    nothing_left(world)
