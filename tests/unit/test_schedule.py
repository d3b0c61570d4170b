"""When keys are due, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import math

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from keywright.engine.queue import Key
from keywright.engine.schedule import Schedule

A, B, C = Key("n", "a"), Key("n", "b"), Key("n", "c")


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _schedule() -> tuple[Schedule, Clock, list[Key]]:
    clock, fired = Clock(), list[Key]()
    return Schedule(fired.append, clock, clock), clock, fired


def test_keys_are_called_in_the_order_of_their_times_and_once() -> None:
    schedule, clock, fired = _schedule()
    schedule.set(B, 1002.0)
    schedule.set(A, 1001.0)
    schedule.set(C, 1003.0)

    clock.now = 1002.0
    assert schedule.fire() == 1.0
    assert fired == [A, B]
    assert len(schedule) == 1
    clock.now = 2000.0
    assert schedule.fire() == math.inf
    assert fired == [A, B, C]


def test_nothing_is_called_before_its_time() -> None:
    schedule, clock, fired = _schedule()
    schedule.set(A, 1010.0)
    clock.now = 1009.999

    assert schedule.fire() > 0
    assert fired == []


def test_a_new_time_replaces_the_old_one_sooner_or_later() -> None:
    schedule, clock, fired = _schedule()
    schedule.set(A, 1010.0)
    schedule.set(A, 1020.0)
    schedule.set(B, 1020.0)
    schedule.set(B, 1005.0)

    clock.now = 1015.0
    assert schedule.fire() == 5.0
    assert fired == [B]
    assert (schedule.at(A), schedule.at(B)) == (1020.0, None)


def test_a_time_that_is_set_back_and_forth_fires_once() -> None:
    schedule, clock, fired = _schedule()
    for at in (1010.0, 1020.0, 1010.0, 1020.0, 1010.0):
        schedule.set(A, at)
    clock.now = 1030.0
    schedule.fire()

    assert fired == [A]


def test_a_discarded_key_is_never_due() -> None:
    schedule, clock, fired = _schedule()
    schedule.set(A, 1001.0)
    schedule.discard(A)
    schedule.discard(B)
    clock.now = 2000.0

    assert schedule.fire() == math.inf
    assert fired == []
    assert len(schedule) == 0


def test_who_is_called_may_set_the_next_time() -> None:
    clock, fired = Clock(), list[Key]()

    def due(key: Key) -> None:
        fired.append(key)
        schedule.set(key, clock.now + 10.0)

    schedule = Schedule(due, clock, clock)
    schedule.set(A, 1000.0)

    assert schedule.fire() == 10.0
    assert fired == [A]


def test_what_was_replaced_does_not_pile_up() -> None:
    schedule, _, _ = _schedule()
    for n in range(10_000):
        schedule.set(A, 2000.0 + n)

    assert len(schedule._heap) < 100
    assert schedule.at(A) == 11_999.0


async def test_running_calls_back_what_is_due_and_what_becomes_due() -> None:
    clock, fired = Clock(), asyncio.Queue[Key]()
    schedule = Schedule(fired.put_nowait, clock, clock)
    schedule.set(A, 999.0)
    running = asyncio.create_task(schedule.run())

    assert await fired.get() == A
    schedule.set(C, 5000.0)
    schedule.set(B, 1000.0)
    assert await fired.get() == B
    assert len(schedule) == 1
    running.cancel()


class Scheduling(RuleBasedStateMachine):
    """Any order of setting, discarding and time that passes or jumps back."""

    def __init__(self) -> None:
        super().__init__()
        self.schedule, self.clock, self.fired = _schedule()
        self.times: dict[Key, float] = {}

    @rule(key=st.sampled_from([A, B, C]), ahead=st.integers(-5, 20))
    def set(self, key: Key, ahead: int) -> None:
        self.times[key] = self.clock.now + ahead
        self.schedule.set(key, self.clock.now + ahead)

    @rule(key=st.sampled_from([A, B, C]))
    def discard(self, key: Key) -> None:
        self.times.pop(key, None)
        self.schedule.discard(key)

    @rule(seconds=st.integers(-10, 30))
    def fire(self, seconds: int) -> None:
        self.clock.now += seconds
        self.fired.clear()
        pause = self.schedule.fire()
        due = {key: at for key, at in self.times.items() if at <= self.clock.now}
        assert [due[key] for key in self.fired] == sorted(due.values())
        for key in due:
            del self.times[key]
        assert pause == min(self.times.values(), default=math.inf) - self.clock.now

    @invariant()
    def knows_when(self) -> None:
        assert {key: self.schedule.at(key) for key in self.times} == self.times
        assert len(self.schedule) == len(self.times)


TestScheduling = Scheduling.TestCase


def test_a_wall_clock_that_jumps_changes_nothing_about_pauses() -> None:
    fired = list[Key]()
    even, wall = Clock(), Clock()
    schedule = Schedule(fired.append, even, wall)
    schedule.after(A, 1.0)
    schedule.set(B, wall.now + 10.0)

    wall.now -= 3600.0
    even.now += 1.0

    assert schedule.fire() == 9.0
    assert fired == [A]
    assert schedule.at(B) == wall.now + 9.0
