"""What checks come to: when a refusal is believed, when an issuer is asked again, what is told. Tests turn clocks."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.decide import checks
from keywright.decide.checks import Checked, History
from keywright.issuers.base import Finding, Verdict

OVER, EVERY = 600.0, 21_600.0
ALIVE, LIMITED = Finding(Verdict.VALID, "answered 200"), Finding(Verdict.LIMITED, "answered 403")
DEAD, SILENT = Finding(Verdict.INVALID, "answered 401"), Finding(Verdict.UNKNOWN, "did not answer in time")


def history(*findings: tuple[float, Finding]) -> History:
    """Return what findings at these times come to."""
    known: History | None = None
    for at, finding in findings:
        known = checks.noted(known, finding, at)
    assert known
    return known


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [
        ([(0, ALIVE)], Verdict.VALID),
        ([(0, LIMITED)], Verdict.LIMITED),
        ([(0, SILENT)], Verdict.UNKNOWN),
        ([(0, DEAD)], Verdict.UNKNOWN),
        ([(0, DEAD), (300, DEAD)], Verdict.UNKNOWN),
        ([(0, DEAD), (1, DEAD), (2, DEAD)], Verdict.UNKNOWN),
        ([(0, DEAD), (599, DEAD), (599.9, DEAD)], Verdict.UNKNOWN),
        ([(0, DEAD), (600, DEAD)], Verdict.UNKNOWN),
        ([(0, DEAD), (300, DEAD), (600, DEAD)], Verdict.INVALID),
        ([(0, DEAD), (300, SILENT), (301, DEAD), (600, DEAD)], Verdict.INVALID),
        ([(0, DEAD), (300, DEAD), (301, DEAD), (900, SILENT)], Verdict.UNKNOWN),
        ([(0, DEAD), (300, ALIVE), (600, DEAD), (700, DEAD)], Verdict.UNKNOWN),
        ([(0, DEAD), (300, DEAD), (600, DEAD), (700, SILENT)], Verdict.INVALID),
        ([(0, DEAD), (300, DEAD), (600, DEAD), (700, ALIVE)], Verdict.VALID),
        ([(0, ALIVE), (100, SILENT)], Verdict.VALID),
    ],
)
def test_a_refusal_is_believed_after_three_times_over_ten_minutes(
    findings: list[tuple[float, Finding]], verdict: Verdict
) -> None:
    assert history(*findings).verdict(OVER) is verdict


@given(
    st.lists(st.sampled_from([ALIVE, LIMITED, DEAD, SILENT]), min_size=1, max_size=12),
    st.floats(0, 1, exclude_max=True),
)
def test_whatever_happens_refusals_are_looked_into_within_the_time(findings: list[Finding], chance: float) -> None:
    at, known = 0.0, None
    for finding in findings:
        known = checks.noted(known, finding, at)
        pause = checks.pause(known, EVERY, OVER, chance)
        assert 0 < pause <= EVERY
        if known.verdict(OVER) is Verdict.INVALID:
            assert known.refusals >= checks.TIMES
        at += pause


def test_a_dead_key_is_condemned_as_soon_as_it_may_be() -> None:
    at, known = 0.0, checks.noted(None, DEAD, 0.0)
    for _ in range(10):
        if known.condemned(OVER):
            break
        at += checks.pause(known, EVERY, OVER, 0.5)
        known = checks.noted(known, DEAD, at)

    assert at == pytest.approx(OVER)
    assert known.refusals == 4


def test_an_issuer_that_asks_for_patience_gets_it() -> None:
    asked = Finding(Verdict.UNKNOWN, "answered 429", after=3000)

    assert checks.pause(history((0, asked)), EVERY, OVER, 0.0) == 3000


@pytest.mark.parametrize("after", [3601, 999_999_999.0, float("inf")])
def test_patience_has_an_end(after: float) -> None:
    asked = Finding(Verdict.UNKNOWN, "answered 429", after=after)

    assert checks.pause(history((0, asked)), EVERY, OVER, 0.0) == checks.LONGEST_PATIENCE


def test_silence_is_met_with_growing_pauses() -> None:
    known, pauses = None, []
    for at in range(12):
        known = checks.noted(known, SILENT, float(at))
        pauses.append(checks.pause(known, EVERY, OVER, 0.0))

    assert pauses[0] == pytest.approx(13.5)
    assert all(later >= sooner for sooner, later in itertools.pairwise(pauses))
    assert pauses[-1] == pytest.approx(1620)


@pytest.mark.parametrize(
    ("known", "before", "verdict"),
    [
        (None, None, Verdict.UNKNOWN),
        (None, "Valid", Verdict.VALID),
        (None, "Invalid", Verdict.INVALID),
        (None, "NotChecked", Verdict.UNKNOWN),
        (history((0, SILENT)), "ValidLimited", Verdict.LIMITED),
        (history((0, DEAD)), "Valid", Verdict.VALID),
        (history((0, DEAD)), "Invalid", Verdict.INVALID),
        (history((0, ALIVE)), "Invalid", Verdict.VALID),
    ],
)
def test_what_is_told_of_a_value_holds_until_its_issuer_says_something_else(
    known: History | None, before: str | None, verdict: Verdict
) -> None:
    assert checks.believed(known, OVER, before) is verdict


NOW, THEN = "2026-11-22T10:00:00Z", "2026-01-01T00:00:00Z"
FOUND = Checked("openai", ("KEY",), "k:1", Verdict.VALID, "openai", "project key", THEN, None, "7", asked=True)


def test_what_was_known_of_the_same_value_is_not_forgotten() -> None:
    before = {
        "name": "openai",
        "verdict": "Valid",
        "since": THEN,
        "fingerprint": "k:1",
        "expiresAt": "2027-01-01T00:00:00Z",
        "warned": "30d",
    }

    (told,) = checks.told([before], [FOUND], NOW)

    assert (told["since"], told["expiresAt"], told["warned"]) == (THEN, "2027-01-01T00:00:00Z", "30d")
    assert checks.told([told], [FOUND], "2030-01-01T00:00:00Z") == [told]


def test_of_another_value_nothing_is_known() -> None:
    before = {
        "name": "openai",
        "verdict": "Valid",
        "since": THEN,
        "fingerprint": "k:0",
        "expiresAt": "2027-01-01T00:00:00Z",
        "warned": "30d",
    }

    (told,) = checks.told([before], [FOUND], NOW)

    assert (told["since"], told.get("expiresAt"), told.get("warned")) == (NOW, None, None)
