"""The times of cron expressions, over changes of the clocks."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import errors
from keywright.timetable import Timetable

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def unix(text: str, zone: datetime.tzinfo = datetime.UTC) -> float:
    """Return a local time as Unix time."""
    return datetime.datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("cron", "moment", "expected"),
    [
        ("30 2 * * SUN", "2026-11-29T12:00", "2026-12-06T02:30"),
        ("0 4 1 * *", "2026-11-29T12:00", "2026-12-01T04:00"),
        # The hour from 2 to 3 is left out on that day, and comes twice on this.
        ("30 2 * * *", "2026-03-28T12:00", "2026-03-29T03:00"),
        ("30 2 * * *", "2026-10-24T12:00", "2026-10-25T02:30"),
        ("0 0 29 2 *", "2026-01-01T00:00", "2028-02-29T00:00"),
    ],
)
def test_the_next_time_is_told_in_its_zone(cron: str, moment: str, expected: str) -> None:
    assert Timetable(cron, "Europe/Berlin").after(unix(moment, BERLIN)) == unix(expected, BERLIN)


def test_a_time_that_comes_twice_counts_once() -> None:
    table = Timetable("30 2 * * *", "Europe/Berlin")
    first = table.after(unix("2026-10-25T00:00", BERLIN))

    assert first is not None
    assert table.after(first) == unix("2026-10-26T02:30", BERLIN)


@given(st.floats(1e9, 4e9), st.sampled_from(["*/7 * * * *", "0 3 * * MON", "15 1 1,15 * *"]))
def test_a_moment_lies_between_the_time_before_and_the_time_after(moment: float, cron: str) -> None:
    table = Timetable(cron, "America/New_York")
    before, after = table.before(moment), table.after(moment)

    assert before is not None
    assert after is not None
    assert before <= moment < after
    assert table.before(after) is not None


@pytest.mark.parametrize(
    ("cron", "zone", "said"),
    [
        ("every day", "UTC", "the schedule 'every day' is none"),
        ("61 * * * *", "UTC", "the schedule '61 * * * *' is none"),
        ("* * * * * *", "UTC", "the schedule '* * * * * *' is none"),
        ("0 0 30 2 *", "UTC", "the schedule '0 0 30 2 *' is none"),
        ("@daily", "UTC", "the schedule '@daily' is none"),
        ("0 0 * * *", "Mars/Olympus", "there is no time zone of the name 'Mars/Olympus'"),
        ("0 0 * * *", "../../etc/passwd", "there is no time zone"),
        ("0 0 * * *", "", "there is no time zone"),
    ],
)
def test_what_is_none_is_refused_by_name(cron: str, zone: str, said: str) -> None:
    with pytest.raises(errors.Stalled) as refused:
        Timetable(cron, zone)

    assert refused.value.message.startswith(said)
    assert refused.value.hint
