"""An old key that can be switched off is off for a while before it is revoked: until then there is a way back."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywright.decide.rotate import outcomes
from keywright.decide.rotate.journal import Half, Journal, Step, Why
from keywright.decide.rotate.moves import Came, Do, Effect, Move, Situation, Wait
from keywright.decide.rotate.sight import Rules, Wish

from .model import World, begun, ends

OBSERVED = 600.0
RULES = Rules(slots=2, disables=True, observe=OBSERVED)


@dataclasses.dataclass
class Watched(World):
    """A world that takes down when a key is switched off and on, and revoked.

    Attributes:
        done: what was done to which key, and when.
        killed: effects at which the operator is killed once, each before it is done or after.
        refuses: effects that the issuer refuses.
    """

    done: list[tuple[str, str, float]] = dataclasses.field(default_factory=list)
    killed: dict[Effect, str] = dataclasses.field(default_factory=dict)
    refuses: frozenset[Effect] = frozenset()
    #: Whether the issuer has refused to switch a key off.
    straight: bool = False

    def act(self, at: Situation, do: Do, before: Journal) -> None:
        """Do something outside, unless the operator is killed at it or it is refused."""
        if when := self.killed.pop(do.effect, ""):
            if when == "after":
                self._done(at.journal, do)
            self.tests.clear()
            self.tries.clear()
        elif do.effect in self.refuses:
            self.journal = outcomes.came(at, do, Came.REFUSED, None, before)
        else:
            super().act(at, do, before)
        self.straight |= bool(self.journal and self.journal.straight)

    def _done(self, journal: Journal, do: Do) -> tuple[Came, Half | None]:
        if do.effect in (Effect.DISABLE, Effect.ENABLE, Effect.REVOKE):
            self.done.append((do.effect, do.handle, self.now))
        return super()._done(journal, do)

    def of(self, handle: str) -> list[str]:
        """Return what was done to a key, in order."""
        return [effect for effect, of, _ in self.done if of == handle]

    def watched(self) -> float:
        """Return for how many seconds the old key was off when it was revoked, since it was last switched off."""
        off = max(at for effect, of, at in self.done if (effect, of) == (Effect.DISABLE, "k0"))
        (dead,) = (at for effect, of, at in self.done if (effect, of) == (Effect.REVOKE, "k0"))
        return dead - off


def watched(rules: Rules = RULES, seed: int = 1, **more: object) -> Watched:
    """Return a world in which a rotation has begun."""
    world = Watched(rules, random.Random(seed), **more)  # type: ignore[arg-type] # noqa: S311 - must be repeatable
    begun(world)
    return world


def goes_on(world: Watched, until: Callable[[Move], bool], turns: int = 2000) -> None:
    """Let time pass and the rotation go on, up to a move."""
    for _ in range(turns):
        move = world.turn()
        world.settle()
        if until(move):
            return
        if isinstance(move, Wait):
            world.now = max(world.now + 1.0, move.until)
    raise AssertionError("it does not come to that:\n" + "\n".join(world.story))


def is_off(world: Watched) -> Callable[[Move], bool]:
    """Return whether the old key is switched off, and nothing is done but to wait."""
    return lambda move: isinstance(move, Wait) and world.keys["k0"].disabled


def is_back(world: Watched) -> None:
    """See that everybody has the old key, which works, and the new one is gone."""
    ends(world)
    assert (world.store, set(world.targets), set(world.users)) == ("v0", {"v0"}, {"v0"}), world.story
    assert list(world.keys) == ["k0"]
    assert world.accepted("v0")


@pytest.mark.parametrize("observe", [0.0, 1.0, 300.0, 3600.0])
def test_a_key_that_nobody_misses_is_revoked_after_exactly_so_long(observe: float) -> None:
    world = watched(dataclasses.replace(RULES, observe=observe))

    ends(world)

    assert world.of("k0") == [Effect.DISABLE, Effect.REVOKE]
    assert world.watched() == observe
    assert list(world.keys) == ["k1"]


@pytest.mark.parametrize("after", [0.0, 1.0, OBSERVED - 1.0])
def test_whoever_misses_it_gets_it_back_as_long_as_it_is_only_off(after: float) -> None:
    world = watched()
    goes_on(world, is_off(world))
    world.now += after

    world.wish = Wish(back=True)
    is_back(world)

    assert world.of("k0") == [Effect.DISABLE, Effect.ENABLE]
    assert world.journal is not None
    assert world.journal.why is Why.ASKED


def test_once_it_is_revoked_there_is_no_way_back() -> None:
    world = watched()
    goes_on(world, lambda _: "k0" not in world.keys)

    world.wish = Wish(back=True)
    ends(world)

    assert world.of("k0") == [Effect.DISABLE, Effect.REVOKE]
    assert world.store == "v1"


def test_a_new_key_that_is_in_doubt_at_the_end_keeps_the_old_one_and_one_that_is_dead_brings_it_back() -> None:
    world = watched()
    goes_on(world, is_off(world))
    world.keys["k1"].disabled = True
    world.now += OBSERVED

    goes_on(world, lambda move: isinstance(move, Wait) and move.why is Why.NOT_ALIVE)
    assert world.of("k0") == [Effect.DISABLE]
    is_back(world)

    assert world.of("k0") == [Effect.DISABLE, Effect.ENABLE]
    assert world.journal is not None
    assert world.journal.why is Why.NEW_INVALID


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_operator_that_is_killed_while_it_switches_a_key_off_does_so_again_and_watches_it_as_long(when: str) -> None:
    world = watched(killed={Effect.DISABLE: when})

    ends(world)

    assert world.of("k0") == [*[Effect.DISABLE] * (2 if when == "after" else 1), Effect.REVOKE]
    assert world.watched() == OBSERVED


def test_an_operator_that_is_killed_while_it_watches_watches_no_longer_and_no_shorter() -> None:
    world = watched()
    goes_on(world, is_off(world))
    world.now += OBSERVED / 2
    world.tests.clear()
    world.tries.clear()

    ends(world)

    assert world.of("k0") == [Effect.DISABLE, Effect.REVOKE]
    assert world.watched() == OBSERVED


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_operator_that_is_killed_while_it_switches_a_key_on_does_so_again(when: str) -> None:
    world = watched(killed={Effect.ENABLE: when})
    goes_on(world, is_off(world))

    world.wish = Wish(back=True)
    is_back(world)

    assert world.of("k0")[0] == Effect.DISABLE
    assert set(world.of("k0")[1:]) == {Effect.ENABLE}


def test_an_issuer_that_does_not_switch_it_on_again_leaves_everybody_with_the_new_key() -> None:
    world = watched(refuses=frozenset({Effect.ENABLE}))
    goes_on(world, is_off(world))

    world.wish = Wish(back=True)
    ends(world)

    assert world.of("k0") == [Effect.DISABLE, Effect.REVOKE]
    assert (world.store, set(world.users), world.accepted("v1")) == ("v1", {"v1"}, True)


def test_an_issuer_that_does_not_switch_it_off_has_it_revoked_at_once() -> None:
    world = watched(refuses=frozenset({Effect.DISABLE}))

    ends(world)

    assert world.of("k0") == [Effect.REVOKE]


def test_who_wants_it_gone_now_does_not_wait_for_that() -> None:
    world = watched()
    goes_on(world, is_off(world))
    before = world.now

    world.wish = Wish(now=True)
    goes_on(world, lambda _: "k0" not in world.keys)

    assert world.now == before


@given(seed=st.integers(0, 2**32), back=st.none() | st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_whatever_fails_no_key_is_revoked_that_was_not_off_for_so_long(seed: int, back: int | None) -> None:
    world = watched(dataclasses.replace(RULES, overlap=60.0), seed, faults=0.2)
    for turn in range(100):
        if world.journal is None or world.journal.step is Step.IDLE:
            break
        world.wish = Wish(back=turn == back)
        world.turn()
        world.somebody()
    world.wish = Wish()
    ends(world)

    dead = next((at for effect, of, at in world.done if (effect, of) == (Effect.REVOKE, "k0")), None)
    off = [at for effect, of, at in world.done if (effect, of) == (Effect.DISABLE, "k0")]
    kept = dead is None or world.straight
    assert kept or any(at <= dead - OBSERVED for at in off if dead), "\n".join(world.story)
