"""When something is said of a key that ends: each moment once. A clock that tests turn."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import pacing
from keywright.decide import expiry

DAY = 86400.0
USUAL = ("30d", "7d", "1d")
END = 1_900_000_000.0


def credential(**more: Any) -> dict[str, Any]:
    return {"name": "openai", "expiresAt": pacing.rfc3339(END), **more}


@pytest.mark.parametrize(
    ("left", "warned", "stage", "coming"),
    [
        (31 * DAY, None, None, 30 * DAY),
        (30 * DAY, None, "30d", 7 * DAY),
        (29 * DAY, "30d", None, 7 * DAY),
        (7 * DAY, "30d", "7d", 1 * DAY),
        (2 * DAY, None, "7d", 1 * DAY),
        (1 * DAY, "7d", "1d", 0.0),
        (1.0, "1d", None, 0.0),
        (0.0, "1d", "0", None),
        (-DAY, "0", None, None),
        (-DAY, None, "0", None),
    ],
)
def test_each_moment_is_said_once(left: float, warned: str | None, stage: str | None, coming: float | None) -> None:
    told = credential(**({"warned": warned} if warned else {}))

    found = expiry.outlook([told], USUAL, END - left)

    assert [each.stage for each in found.news] == ([stage] if stage else [])
    assert found.next == (None if coming is None else END - coming)
    assert expiry.outlook(found.credentials, USUAL, END - left).news == ()


def test_the_first_end_is_the_one_that_counts() -> None:
    others = [{"name": "a"}, credential(name="b"), credential(name="c", expiresAt="2027-01-01T00:00:00Z")]

    assert expiry.outlook(others, USUAL, 0.0).first == "2027-01-01T00:00:00Z"


def test_conditions_name_the_credentials() -> None:
    ended = credential(name="old", expiresAt=pacing.rfc3339(END - 10 * DAY))

    found = expiry.outlook([credential(), ended], USUAL, END - 5 * DAY)

    assert [(each["type"], each["status"]) for each in found.conditions] == [
        ("ExpiringSoon", "True"),
        ("Expired", "True"),
    ]
    assert "openai (2030-03-17 17:46 UTC)" in found.conditions[0]["message"]
    assert "old" in found.conditions[1]["message"]


def test_of_what_is_minted_the_end_alone_is_news() -> None:
    minted = frozenset({"openai"})

    soon = expiry.outlook([credential()], USUAL, END - 60, minted)
    ended = expiry.outlook([credential()], USUAL, END, minted)

    assert (soon.news, soon.conditions, soon.next) == ((), [], END)
    assert [each.stage for each in ended.news] == [expiry.ENDED]


def test_who_wants_no_warnings_hears_of_the_end_only() -> None:
    assert expiry.outlook([credential()], (), END - 1).news == ()
    assert [each.stage for each in expiry.outlook([credential()], (), END).news] == ["0"]


@pytest.mark.parametrize("end", ["", "soon", "2030-01-01", None, "9999-99-99T00:00:00Z"])
def test_what_is_no_time_is_no_end(end: Any) -> None:
    found = expiry.outlook([credential(expiresAt=end)], USUAL, END)

    assert (found.news, found.next, found.first) == ((), None, None)


@given(
    st.lists(st.sampled_from(["90d", "30d", "7d", "1d", "12h", "5m"]), max_size=6, unique=True),
    st.lists(st.floats(-100 * DAY, 200 * DAY), min_size=1, max_size=20),
)
def test_whenever_it_is_looked_at_nothing_is_said_twice(moments: list[str], times: list[float]) -> None:
    told, said = [credential()], []
    for left in sorted(times, reverse=True):
        found = expiry.outlook(told, moments, END - left)
        said += [each.stage for each in found.news]
        told = found.credentials

    assert len(said) == len(set(said)) <= len(moments) + 1
