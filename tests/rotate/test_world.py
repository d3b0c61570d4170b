"""Whatever goes wrong, and whenever: users keep a key that works, nothing is left over, and it ends."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywright.decide.rotate.any_time import RESTORED
from keywright.decide.rotate.journal import Owed, Step, Why
from keywright.decide.rotate.moves import Wait
from keywright.decide.rotate.sight import Place, Rules, Wish
from keywright.issuing.base import Way

from .model import Key, World, begun, ends

RULES = {
    "issue": Rules(),
    "issue, cannot list": Rules(lists=False),
    "two slots, switched off first": Rules(slots=2, disables=True),
    "dual slot": Rules(way=Way.SLOTS),
    "local": Rules(way=Way.LOCAL, tests=False, lists=False),
    "no revoking": Rules(revokes=False),
    "no tests": Rules(tests=False),
    "a person makes keys": Rules(way=Way.MANUAL, revokes=False),
    "minted": Rules(way=Way.MINTED, lists=False, revokes=False),
    "minted, and revoked": Rules(way=Way.MINTED, lists=False, overlap=300.0),
    "minted, no tests": Rules(way=Way.MINTED, lists=False, revokes=False, tests=False),
}


def holds(world: World) -> None:
    """See that nobody is without a key that works, and that none is used which was not tested."""
    for value in {*world.targets, *world.users} - {None}:
        lives = world.rules.way is Way.LOCAL or world.ended(value) or world.accepted(value)
        assert lives, f"{value} is used and dead"
    if world.rules.tests and world.store not in ("v0", None, *world.theirs):
        assert world.store in world.passed, f"{world.store} is in the store and was not tested"


def nothing_left(world: World) -> None:
    """See that of the keys that were made for us one is alive: what the store has; all others are journaled."""
    debts = world.journal.debts if world.journal else ()
    owed: set[str | None] = {each.handle for each in debts}
    # What waits for a person is not over.
    owed |= {half.handle for half in (world.journal.old, world.journal.new) if half} if world.journal else set()
    unfound = any(each.owed is Owed.FIND for each in debts)
    if world.minted:
        assert {each.owed for each in debts} <= {Owed.REVOKE}, "what ends by itself is owed"
    if world.rules.way is Way.ISSUE and not unfound:
        alive = {name for name, key in world.keys.items() if key.value not in world.theirs}
        assert alive - owed <= {world.handle(world.store)}, f"{alive} are alive, {owed} are owed"


def told(world: World) -> str:
    """Return the whole story, for whoever reads why it failed."""
    return "\n".join(world.story)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
def test_a_rotation_ends_with_one_key_that_everybody_uses(rules: Rules) -> None:
    world = begun(World(rules, random.Random(1)))  # noqa: S311 - a test must be repeatable

    ends(world)

    assert (world.store, set(world.targets), set(world.users)) == ("v1", {"v1"}, {"v1"}), told(world)
    assert world.journal is None or world.journal.step is Step.IDLE or not rules.revokes, told(world)
    if rules.revokes and rules.way is Way.ISSUE:
        assert [key.value for key in world.keys.values()] == ["v1"], told(world)


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES.keys())
@given(seed=st.integers(0, 2**32), faults=st.sampled_from((0.0, 0.05, 0.3)))
@settings(max_examples=60, deadline=None)
def test_whatever_fails_users_keep_a_key_that_works(rules: Rules, seed: int, faults: float) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test must be repeatable
    world = begun(World(rules, chance, faults))
    when = chance.randrange(60)
    wish = chance.choice((Wish(), Wish(), Wish(back=True), Wish(gone=True)))

    for turn in range(60):
        if world.journal is None or world.journal.step is Step.IDLE:
            break
        if turn == when:
            world.story.append(f"  {wish}")
            world.wish = wish
        world.turn()
        holds_told(world)
        world.somebody()
        holds_told(world)
    try:
        ends(world)
        holds(world)
        nothing_left(world)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{told(world)}") from None


def holds_told(world: World) -> None:
    """See that all holds; tell the story if it does not."""
    try:
        holds(world)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{told(world)}") from None


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_key_that_somebody_else_writes_counts_and_ours_goes(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test must be repeatable
    world = begun(World(Rules(), chance))
    when = chance.randrange(15)

    for turn in range(30):
        if world.journal is None or world.journal.step is Step.IDLE:
            break
        if turn == when:
            world.keys["human"], world.store = Key("human"), "human"
            world.theirs.add("human")
        world.turn()
        world.somebody()
        holds_told(world)
    ends(world)

    world.settle()
    assert world.accepted(world.store), told(world)
    assert set(world.targets) | set(world.users) == {world.store}, told(world)
    if world.theirs:
        assert world.store == "human", told(world)
        assert not [key.value for key in world.keys.values() if key.named], told(world)


#: What people do with the store of a key that rotates.
MEDDLING = (
    "puts the old key back",
    "writes a dead key",
    "deletes it",
    "writes one that works",
    "asks back, writes dead",
)


def meddles(world: World, how: str) -> None:
    """Write to the store as somebody does who knows nothing of a rotation."""
    world.story.append(f"  somebody {how}")
    if how == "puts the old key back" and world.journal and world.journal.old:
        world.store = world.journal.old.fingerprint
    elif how == "deletes it":
        world.store = None
    elif how == "writes one that works":
        world.keys["human"], world.store = Key("human"), "human"
        world.theirs.add("human")
        world.passed.add("human")
    elif how.endswith("dead") or how == "writes a dead key":
        world.store = "dead"
        world.wish = Wish(back=how.startswith("asks"))


@pytest.mark.parametrize("how", MEDDLING)
@pytest.mark.parametrize(
    "rules",
    [
        Rules(overlap=600.0),
        Rules(slots=2, disables=True, overlap=600.0, observe=20000.0),
        Rules(way=Way.MANUAL, disables=True, overlap=600.0, observe=20000.0),
    ],
    ids=["issue", "switched off first", "a person makes keys"],
)
@given(seed=st.integers(0, 2**32), faults=st.sampled_from((0.0, 0.1)))
@settings(max_examples=60, deadline=None)
def test_whatever_people_write_to_the_store_one_key_goes_on_working(
    rules: Rules, how: str, seed: int, faults: float
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test must be repeatable
    world = begun(World(rules, chance, faults))
    when = chance.randrange(160)
    for turn in range(220):
        if world.journal is None or world.journal.step is Step.IDLE:
            break
        if turn == when:
            meddles(world, how)
        move = world.turn()
        if isinstance(move, Wait) and move.why is Why.NOT_MADE and chance.random() < 0.5:
            world.person()
        world.somebody()
        assert any(world.accepted(each.value) for each in world.keys.values()), told(world)
    if world.journal is None or world.journal.step is Step.IDLE:
        held = world.keys.get(world.handle(world.store) or "")
        assert held is None or not held.disabled, f"the store has a key that is switched off\n{told(world)}"


@pytest.mark.parametrize("wish", [Wish(), Wish(back=True), Wish(gone=True)], ids=["on", "back", "gone"])
@given(seed=st.integers(0, 2**32), unseen=st.sets(st.sampled_from((Place.TARGETS, Place.USERS))))
@settings(max_examples=40, deadline=None)
def test_whoever_never_gets_a_key_holds_up_its_end_and_a_person_is_asked(
    wish: Wish, seed: int, unseen: set[Place]
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test must be repeatable
    world = begun(World(Rules(adopt_within=3600.0), chance))
    when = chance.randrange(40)
    for turn in range(50):
        if turn == when:
            world.stuck, world.unseen, world.wish = frozenset({1}), frozenset(unseen), wish
        world.turn()
        holds_told(world)
        if world.journal is None or world.journal.step is Step.IDLE:
            return
        world.somebody()
    try:
        # It ends, or asks a person: that is seen to there.
        ends(world, 1000)
        holds(world)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{told(world)}") from None


@pytest.mark.parametrize("wish", [Wish(), Wish(back=True)], ids=["on", "back"])
@given(seed=st.integers(0, 2**32), faults=st.sampled_from((0.0, 0.1)), stuck=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_key_ends_that_a_secret_may_have_and_what_has_neither_holds_up_nobody(
    wish: Wish, seed: int, faults: float, stuck: bool
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test must be repeatable
    world = begun(World(Rules(overlap=60.0), chance, faults, targets=["v0", "v0", "else", None]))
    # The last two never get any key; nobody knows what the second one has, which may not get one either.
    world.dark, world.stuck, when = frozenset({1}), frozenset({2, 3} | ({1} if stuck else set())), chance.randrange(20)
    for turn in range(80):
        world.wish = wish if turn >= when else Wish()
        if world.journal is None or world.journal.step is Step.IDLE:
            break
        world.turn()
        stored = "v1" in (*world.targets, world.store)
        assert world.accepted("v0"), told(world)
        assert world.accepted("v1") or not stored, told(world)
        world.somebody()
    move = ends(world, 1000)
    if world.journal and world.journal.step is not Step.IDLE:
        assert isinstance(move, Wait) and move.asks, told(world)
        world.dark, world.stuck = frozenset(), frozenset({2, 3})
        ends(world)

    assert world.journal is None or world.journal.step is Step.IDLE or world.journal.restored >= RESTORED, told(world)


@given(seed=st.integers(0, 2**32), faults=st.sampled_from((0.0, 0.1)), hidden=st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_key_that_is_to_end_now_ends_whoever_has_it_but_not_under_its_own_object(
    seed: int, faults: float, hidden: bool
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test must be repeatable
    world = begun(World(Rules(), chance, faults))
    world.stuck = frozenset({1})
    world.wish = Wish(now=True)
    for _ in range(80):
        if world.journal is None or world.journal.step is Step.IDLE:
            break
        world.unseen = frozenset({Place.USERS}) if hidden else frozenset()
        world.turn()
        assert world.accepted(world.targets[0]), told(world)
        world.somebody()
    # One that turned back does not end under who uses it.
    world.unseen = frozenset()
    ends(world)

    assert world.journal is not None, told(world)
    if world.journal.restored >= RESTORED and world.store == "v0":
        # Somebody restores a backup again and again, and is asked to stop that.
        return
    assert world.journal.step is Step.IDLE, told(world)
    if world.journal.why is None:
        # What its issuer refuses to end is owed.
        assert not world.accepted("v0") or world.journal.debts, told(world)
    assert world.accepted(world.targets[0]), told(world)
