# ruff: noqa: E501 - a table is read by its columns
"""When a rotation begins by itself."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywright.decide import due
from keywright.decide.due import Known, Next, Policy, Window
from keywright.decide.rotate.journal import Cause, Journal, Step, Why
from keywright.timetable import Timetable

DAY = 86400.0
#: A Monday, at midnight UTC.
NOW = 1_795_996_800.0
MONTHLY = Policy(every=30 * DAY)
SUNDAYS = Window(Timetable("0 2 * * SUN"), 4 * 3600.0)
IDLE = Journal("r1", Step.IDLE, NOW)

CASES: list[tuple[str, Policy, Known, Next | None]] = [
    ("nothing is wanted", Policy(), Known(NOW, NOW - 400 * DAY), None),
    ("its age counts from when it was made", MONTHLY, Known(NOW, NOW - 10 * DAY), Next(NOW + 20 * DAY, Cause.DUE)),
    ("or from first sight", MONTHLY, Known(NOW - DAY), Next(NOW + 29 * DAY, Cause.DUE)),
    ("a clock of another does not make it younger", MONTHLY, Known(NOW, NOW + DAY), Next(NOW + 30 * DAY, Cause.DUE)),
    ("keys are spread", MONTHLY, Known(NOW, NOW, phase=0.5), Next(NOW + 29.5 * DAY, Cause.DUE)),
    ("short times by a tenth", Policy(every=DAY), Known(NOW, NOW, phase=0.5), Next(NOW + 0.95 * DAY, Cause.DUE)),
    ("what is old at first sight as well", MONTHLY, Known(NOW, NOW - 99 * DAY, phase=0.5), Next(NOW + DAY / 2, Cause.DUE)),
    ("a time that was missed", Policy(schedule=Timetable("0 3 * * *")), Known(NOW - 2 * DAY), Next(NOW - 2 * DAY + 3 * 3600, Cause.DUE)),
    ("no time before first sight", Policy(schedule=Timetable("0 3 * * *")), Known(NOW, NOW - 9 * DAY), Next(NOW + 3 * 3600, Cause.DUE)),
    ("before it ends", Policy(before_expiry=7 * DAY), Known(NOW, expires=NOW + 10 * DAY), Next(NOW + 3 * DAY, Cause.EXPIRING)),
    ("the earliest counts", dataclasses.replace(MONTHLY, before_expiry=DAY), Known(NOW, NOW, NOW + 5 * DAY), Next(NOW + 4 * DAY, Cause.EXPIRING)),
    ("refused", Policy(reissue=True), Known(NOW, condemned=True), Next(NOW, Cause.INVALID)),
    ("refused, and that is no matter", Policy(), Known(NOW, condemned=True), None),
    ("refused again", Policy(reissue=True), Known(NOW, condemned=True, journal=IDLE.but(reissued=NOW - 3600)), Next(NOW + 5 * 3600, Cause.INVALID)),
    ("refused in a window's time", Policy(reissue=True, windows=(SUNDAYS,)), Known(NOW, condemned=True), Next(NOW, Cause.INVALID)),
    ("a window is waited for", Policy(every=DAY, windows=(SUNDAYS,)), Known(NOW - DAY, NOW - DAY), Next(NOW + 6 * DAY + 7200, Cause.DUE, held=True)),
    ("unless it would end before", Policy(every=DAY, windows=(SUNDAYS,)), Known(NOW - DAY, NOW - DAY, NOW + DAY), Next(NOW, Cause.EXPIRING)),
    ("after a failure", Policy(every=DAY), Known(NOW - DAY, NOW - DAY, journal=IDLE.but(not_before=NOW + 60)), Next(NOW + 60, Cause.DUE, held=True)),
    ("a short life", Policy(before_expiry=7 * DAY), Known(NOW, NOW, NOW + DAY), Next(NOW + DAY / 2, Cause.EXPIRING)),
    ("dead and overdue", Policy(every=DAY, reissue=True, windows=(SUNDAYS,)), Known(NOW - 9 * DAY, condemned=True), Next(NOW, Cause.INVALID)),
    ("dead after somebody turned back", Policy(reissue=True), Known(NOW, condemned=True, journal=IDLE.but(not_before=NOW + DAY, why=Why.ASKED)), Next(NOW, Cause.INVALID)),
    ("a wrong clock", Policy(every=DAY), Known(NOW - DAY, NOW - DAY, journal=IDLE.but(not_before=NOW + 999 * DAY)), Next(NOW, Cause.DUE)),
    ("pinned", Policy(every=DAY, reissue=True), Known(NOW, NOW - 9 * DAY, condemned=True, journal=IDLE.but(pinned=True)), None),
    ("one is under way", MONTHLY, Known(NOW, NOW - 99 * DAY, journal=IDLE.but(step=Step.GRACE)), None),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "known", "said"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_a_rotation_begins_when_its_object_says_so(policy: Policy, known: Known, said: Next | None) -> None:
    assert due.due(policy, known, NOW) == said


def test_a_window_is_open_from_its_first_second_and_no_longer_than_it_lasts() -> None:
    start = SUNDAYS.opens(NOW)
    assert start is not None

    moments = (start - 1, start, start + 4 * 3600 - 1, start + 4 * 3600)
    assert [SUNDAYS.open_at(moment) for moment in moments] == [False, True, True, False]


@settings(deadline=None)
@given(st.floats(0, 400 * DAY), st.floats(0, 1, exclude_max=True), st.floats(DAY, 365 * DAY))
def test_a_cluster_that_is_made_anew_begins_nothing_early(age: float, phase: float, every: float) -> None:
    before = Known(NOW - age, NOW - age, phase=phase)
    anew = dataclasses.replace(before, seen=NOW)

    was, now = (due.due(Policy(every=every), each, NOW) for each in (before, anew))

    assert was is not None
    assert now is not None
    assert now.at >= was.at or now.at >= NOW
    assert now.at <= max(NOW + due.LONGEST_SPREAD, NOW - age + every)
