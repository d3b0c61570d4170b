from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.dates import midnight, moment, of_unix, unix


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-22T10:11:12.345Z", "2026-11-22T10:11:12Z"),
        ("2026-11-22 10:11:12 UTC", "2026-11-22T10:11:12Z"),
        ("2026-11-22 10:11:12 +0200", "2026-11-22T08:11:12Z"),
        ("2026-11-22T10:11:12-05:30", "2026-11-22T15:41:12Z"),
    ],
)
def test_times_are_told_in_utc(written: str, meant: str) -> None:
    assert moment(written) == meant


#: What a vendor, or somebody in its place, may write where a time belongs.
UNTRUE: list[object] = [
    *(None, 0, 1.5, True, [], {}, "", "never", "2026-11-22", "2026-11-22T10:11:12", "2026-W47-7", "20261122T101112Z"),
    *("2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-11-22T25:00:00Z", "2026-11-22T10:11:12+99:99"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00Z", "2026-11-22T10:11:12Z\n"),
    *("٢٠٢٦-١١-٢٢T١٠:١١:١٢Z", "2026-11-22T10:11:12Z" * 1000, "sk-2026-11-22T10:11:12Z"),
]


@pytest.mark.parametrize("written", UNTRUE, ids=lambda each: repr(each)[:30])
def test_what_is_no_time_is_left_out(written: object) -> None:
    assert moment(written) is None


@given(st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(3000, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_every_time_that_is_written_with_its_zone_is_understood(at: datetime.datetime) -> None:
    offset = at.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        return  # clocks of cities before there were zones
    told = moment(at.isoformat())
    assert told is not None
    assert datetime.datetime.fromisoformat(told) == at.astimezone(datetime.UTC).replace(microsecond=0)


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)"))
def test_what_is_told_is_a_time_whatever_was_written(text: str) -> None:
    told = moment(text)
    assert told is None or datetime.datetime.fromisoformat(told).tzinfo is not None


@pytest.mark.parametrize("written", [None, 5, "", "2026-11-22T00:00:00Z", "2026-02-30", "2026-1-2", "0000-00-00"])
def test_what_is_no_day_is_left_out(written: object) -> None:
    assert midnight(written) is None


def test_a_day_begins_at_midnight() -> None:
    assert midnight("2026-11-22") == "2026-11-22T00:00:00Z"


def test_unix_times_are_told_as_others_and_back() -> None:
    assert of_unix(1_795_341_600) == "2026-11-22T10:00:00Z"
    assert of_unix(0) == "1970-01-01T00:00:00Z"
    assert unix("2026-11-22T11:00:00.5+01:00") == 1_795_341_600.0
    untrue: list[object] = [None, True, -1, 1e300, float("nan"), float("inf"), "1795341600", []]
    assert [each for each in untrue if of_unix(each) is not None] == []
    assert unix("soon") is None
