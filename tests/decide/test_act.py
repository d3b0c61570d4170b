"""What follows for a KeyAction from what is seen of it."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import errors
from keywright.decide import act, report
from keywright.decide.act import Ended, Seen
from keywright.errors import Reason

NEW = Seen(phase="", name="llm", created=1000.0, expires_after=60.0, now=1001.0)
PHASES = ("", "Pending", "Running", "Succeeded", "Failed", "Expired")


@pytest.mark.parametrize(
    ("changed", "done", "code"),
    [
        ({}, "begin", None),
        ({"phase": "Pending"}, "begin", None),
        ({"now": 1060.0}, "begin", None),
        ({"now": 1060.5}, "end", Reason.EXPIRED_BEFORE_START),
        ({"now": 1060.5, "there": False}, "end", Reason.EXPIRED_BEFORE_START),
        ({"now": 1060.5, "phase": "Running"}, "resume", None),
        ({"there": False}, "end", Reason.OBJECT_NOT_FOUND),
        ({"there": False, "phase": "Running"}, "end", Reason.OBJECT_NOT_FOUND),
        ({"suspended": True}, "end", Reason.SUSPENDED),
        ({"suspended": True, "phase": "Running"}, "end", Reason.SUSPENDED),
        # A clock that is behind the API server's.
        ({"now": 900.0}, "begin", None),
    ],
)
def test_an_action_begins_unless_something_is_in_the_way(
    changed: dict[str, object], done: str, code: Reason | None
) -> None:
    step = act.decide(dataclasses.replace(NEW, **changed))  # type: ignore[arg-type]

    assert (step.act, step.ended and step.ended.code) == (done, code)


@given(
    st.builds(
        Seen,
        st.sampled_from(PHASES),
        st.just("llm"),
        *(st.floats(0, 1e6) for _ in range(3)),
        *(st.booleans() for _ in range(2)),
    )
)
def test_what_is_over_stays_and_what_came_too_late_never_begins(seen: Seen) -> None:
    step = act.decide(seen)

    assert (step.act == "nothing") == (seen.phase in act.OVER)
    assert (step.act == "end") == (step.ended is not None)
    if step.act in ("begin", "resume"):
        assert seen.there and not seen.suspended
        assert (step.act == "resume") == (seen.phase == "Running")
    if step.act == "begin":
        assert seen.now - seen.created <= seen.expires_after + 1e-6


@pytest.mark.parametrize(
    ("code", "phase", "types"),
    [
        (Reason.DONE, "Succeeded", {"Complete"}),
        (Reason.NOT_FOUND, "Failed", {"Failed", "Stalled"}),
        (Reason.EXPIRED_BEFORE_START, "Expired", {"Failed", "Stalled"}),
    ],
)
def test_the_end_is_told_as_kstatus_reads_it(code: Reason, phase: str, types: set[str]) -> None:
    begun = act.running(1, "2026-03-01T03:12:00Z", "nobody looked")

    told = act.ended(begun, Ended(code, "So it is."), 1, "2026-03-01T03:13:00Z")

    assert {each["type"] for each in begun["conditions"]} == {"Reconciling"}
    assert (begun["verified"], begun["message"]) == (False, "It is not proven who asked: nobody looked.")
    assert (told["phase"], told["startedAt"], told["verified"]) == (phase, "2026-03-01T03:12:00Z", False)
    assert {each["type"] for each in told["conditions"]} == types
    assert {each["reason"] for each in told["conditions"]} == {told["reason"]} == {code}
    assert report.find(told["conditions"], min(types))["lastTransitionTime"] == told["completedAt"]


def test_a_doubt_has_room_beside_the_longest_message() -> None:
    ended = act.doubted(Ended(Reason.DONE, "x" * 3000), "the cluster has no policy")

    assert len(ended.message) == 2048
    assert ended.message.endswith("x It is not proven who asked: the cluster has no policy.")
    assert act.doubted(ended, "") is ended


def test_an_error_is_told_with_what_to_check_and_without_a_next_try() -> None:
    error = errors.Stalled(Reason.NOT_FOUND, "the store has nothing at a", "Check the path")

    assert act.failed(error) == Ended(Reason.NOT_FOUND, "The store has nothing at a. Check the path.")
