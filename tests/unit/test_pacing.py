"""Slots, backoff and the token bucket, with time and chance as arguments."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import pacing

#: A few decades around the present, and intervals from a second to a quarter.
times = st.floats(0.0, 4e9)
intervals = st.floats(1.0, 90 * 86400.0)
phases = st.floats(0.0, 1.0, exclude_max=True)
chances = st.floats(0.0, 1.0, exclude_max=True)
#: What floating point may be off by at times of 4e9 seconds.
CLOSE = 1e-4


@given(times, intervals, phases)
def test_the_next_slot_lies_after_and_at_most_an_interval_away(after: float, interval: float, phase: float) -> None:
    slot = pacing.next_slot(after, interval, phase)

    assert after < slot <= after + interval + CLOSE


@given(times, st.floats(0.0, 1e6), intervals, phases)
def test_a_later_moment_never_has_an_earlier_slot(after: float, more: float, interval: float, phase: float) -> None:
    assert pacing.next_slot(after, interval, phase) <= pacing.next_slot(after + more, interval, phase) + CLOSE


@given(times, intervals, phases, st.floats(0.05, 0.95))
def test_slots_stay_where_they_are_whenever_one_asks(after: float, interval: float, phase: float, part: float) -> None:
    slot = pacing.next_slot(after, interval, phase)

    assert pacing.next_slot(slot + part * interval, interval, phase) == pytest.approx(slot + interval, abs=CLOSE)
    assert pacing.next_slot(slot - part * interval, interval, phase) == pytest.approx(slot, abs=CLOSE)


@given(times, intervals, phases)
def test_from_slot_to_slot_none_is_left_out(after: float, interval: float, phase: float) -> None:
    first = pacing.next_slot(after, interval, phase)
    second = pacing.next_slot(first, interval, phase)

    assert second - first == pytest.approx(interval, abs=CLOSE)


@given(st.text())
def test_a_fraction_is_stable_and_less_than_one(text: str) -> None:
    assert 0.0 <= pacing.fraction(text) < 1.0
    assert pacing.fraction(text) == pacing.fraction(text)


def test_a_fraction_is_the_same_in_every_process() -> None:
    assert pacing.fraction("ClusterKeyStore/vault/llm/openai") == pytest.approx(0.0311586136)


def test_fractions_are_spread() -> None:
    tenths = [int(10 * pacing.fraction(f"team-{n}/llm")) for n in range(1000)]

    assert all(50 < tenths.count(each) < 150 for each in range(10))


@given(st.integers(-3, 5000), chances)
def test_backoff_stays_between_half_the_first_pause_and_the_longest(failures: int, chance: float) -> None:
    assert pacing.FIRST_PAUSE / 2 <= pacing.backoff(failures, chance) <= pacing.LONGEST_PAUSE


@given(st.integers(0, 100), chances)
def test_backoff_never_shrinks_with_more_failures(failures: int, chance: float) -> None:
    assert pacing.backoff(failures, chance) <= pacing.backoff(failures + 1, chance)


@pytest.mark.parametrize(("failures", "least"), [(0, 0.5), (1, 0.5), (2, 1.0), (3, 2.0), (9, 128.0), (10, 150.0)])
def test_backoff_doubles_and_is_spread_over_the_upper_half(failures: int, least: float) -> None:
    assert pacing.backoff(failures, 0.0) == least
    assert pacing.backoff(failures, 0.5) == least * 1.5


@given(st.floats(0.1, 1000.0), st.floats(1.0, 1000.0), st.lists(st.floats(0.0, 10.0), max_size=60))
def test_a_bucket_lets_no_more_through_than_its_burst_and_rate(rate: float, burst: float, gaps: list[float]) -> None:
    bucket = pacing.TokenBucket(rate, burst, 0.0)
    moments = list(itertools.accumulate(gaps))
    acts = [moment + bucket.take(moment) for moment in moments]

    for (i, start), (j, end) in itertools.combinations(enumerate(acts), 2):
        assert j - i + 1 <= burst + (end - start) * rate + 1 + 1e-6


@given(st.floats(0.1, 1000.0), st.lists(st.floats(0.0, 10.0), min_size=2, max_size=60))
def test_a_bucket_keeps_the_order_of_those_who_ask(rate: float, gaps: list[float]) -> None:
    bucket = pacing.TokenBucket(rate, 1.0, 0.0)
    acts = [moment + bucket.take(moment) for moment in itertools.accumulate(gaps)]

    assert all(one <= other + 1e-6 for one, other in itertools.pairwise(acts))


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    bucket = pacing.TokenBucket(10.0, 3.0, 100.0)

    assert [bucket.take(100.0) for _ in range(5)] == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2])
    assert bucket.take(100.3) == pytest.approx(0.0)
    assert [bucket.take(500.0) for _ in range(4)] == pytest.approx([0.0, 0.0, 0.0, 0.1])
