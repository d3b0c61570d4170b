"""When a store is left alone, and when it is tried again."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from keywright import errors
from keywright.engine.breaker import FIRST_PAUSE, LONGEST_PAUSE, OPENS_AFTER, Breaker
from keywright.errors import Reason

DOWN = errors.Outage(Reason.STORE_UNREACHABLE, "does not answer")


def _opened(now: float = 0.0, error: errors.Outage = DOWN) -> Breaker:
    breaker = Breaker()
    for _ in range(OPENS_AFTER):
        breaker.failed(error, now, 0.0)
    return breaker


def test_a_breaker_opens_after_outages_in_a_row_and_says_so_once() -> None:
    breaker = Breaker()

    assert [breaker.failed(DOWN, 0.0, 0.0) for _ in range(OPENS_AFTER)] == [False] * (OPENS_AFTER - 1) + [True]
    assert breaker.error is DOWN
    assert not breaker.allow(0.0)


def test_an_answer_in_between_starts_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(10):
        breaker.failed(DOWN, 0.0, 0.0)
        breaker.failed(DOWN, 0.0, 0.0)
        assert breaker.succeeded() is False

    assert breaker.error is None
    assert breaker.allow(0.0)


def test_after_the_pause_exactly_one_call_is_let_through() -> None:
    breaker = _opened()
    over = breaker.pause(0.0)

    assert not breaker.allow(over - 0.001)
    assert [breaker.allow(over), breaker.allow(over), breaker.allow(over + 1000)] == [True, False, False]


def test_an_answer_to_the_try_closes_the_breaker() -> None:
    breaker = _opened()
    breaker.allow(breaker.pause(0.0))

    assert breaker.succeeded() is True
    assert breaker.error is None
    assert all(breaker.allow(0.0) for _ in range(10))


def test_each_failed_try_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now, pauses = _opened(), 0.0, []
    for _ in range(10):
        pauses.append(breaker.pause(now))
        now += breaker.pause(now)
        assert breaker.allow(now)
        assert breaker.failed(DOWN, now, 0.0) is False

    assert pauses == [min(LONGEST_PAUSE, FIRST_PAUSE * 2**n) / 2 for n in range(10)]


def test_calls_that_were_under_way_when_it_opened_do_not_lengthen_the_pause() -> None:
    breaker = _opened()
    pause = breaker.pause(0.0)
    for _ in range(30):
        breaker.failed(DOWN, 0.0, 0.999)

    assert breaker.pause(0.0) == pause
    assert breaker.allow(pause)


def test_a_store_that_asks_for_a_pause_gets_it() -> None:
    breaker = _opened(100.0, errors.Outage(Reason.STORE_RATE_LIMITED, "answered 429", after=7.0))

    assert breaker.pause(100.0) == 7.0
    assert not breaker.allow(106.9)
    assert breaker.allow(107.0)


def test_the_pause_is_never_negative() -> None:
    assert Breaker().pause(1000.0) == 0.0
    assert _opened().pause(1000.0) == 0.0


class Breaking(RuleBasedStateMachine):
    """Any order of calls, answers and outages."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now, self.under_way, self.tries = Breaker(), 0.0, 0, 0

    @rule(seconds=st.floats(0.0, 100.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def call(self) -> None:
        is_open = self.breaker.error is not None
        if self.breaker.allow(self.now):
            self.under_way += 1
            self.tries = self.tries + 1 if is_open else 0
            assert self.tries <= 1

    @precondition(lambda self: self.under_way)
    @rule()
    def answer(self) -> None:
        self.under_way, self.tries = self.under_way - 1, 0
        self.breaker.succeeded()
        assert self.breaker.error is None

    @precondition(lambda self: self.under_way)
    @rule(chance=st.floats(0.0, 1.0, exclude_max=True))
    def outage(self, chance: float) -> None:
        self.under_way, self.tries = self.under_way - 1, 0
        self.breaker.failed(DOWN, self.now, chance)

    @invariant()
    def pauses_are_bounded(self) -> None:
        assert 0.0 <= self.breaker.pause(self.now) <= LONGEST_PAUSE

    def teardown(self) -> None:
        """The one thing that must not happen: a store that nobody may try any more."""
        for _ in range(self.under_way):
            self.breaker.failed(DOWN, self.now, 0.5)
        assert self.breaker.allow(self.now + LONGEST_PAUSE)


TestBreaking = Breaking.TestCase
