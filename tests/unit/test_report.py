"""What people are told: conditions, messages, and the patch that writes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import errors
from keywright.decide import report
from keywright.errors import Reason

THEN, NOW = "2026-03-01T03:12:44Z", "2026-03-01T04:00:00Z"
DENIED = errors.Stalled(
    Reason.ACCESS_DENIED, "ClusterKeyStore/vault answered 403 for team-a/llm", "Check Vault role keywright-team-a"
)
SEALED = errors.Outage(Reason.STORE_SEALED, "ClusterKeyStore/vault is sealed", "Unseal it")


def _kinds(conditions: report.Conditions) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in conditions}


def test_an_object_in_order_is_ready_and_nothing_else() -> None:
    assert _kinds(report.in_order("All is well")) == {"Ready": ("True", "Synced")}


NOWHERE = errors.Stalled(Reason.STORE_NOT_FOUND, "KeyStore/tpyo does not exist in team-a", "Create it")


def test_all_that_is_worth_a_look_is_said_and_the_worst_is_the_reason() -> None:
    missing, given, unused = ["A"], {"B": "KeyStore/copies"}, {"C": NOWHERE, "D": NOWHERE}

    (all_of_it,) = report.in_order("All is well.", missing=missing, fallbacks=given, unused=unused)
    (without,) = report.in_order("All is well.", missing=missing, unused=unused)

    assert (all_of_it["reason"], without["reason"]) == ("Fallback", "SourceUnusable")
    assert all_of_it["message"] == (
        "All is well. The stores do not have A."
        " A source of C, D cannot be asked: KeyStore/tpyo does not exist in team-a. Create it."
        " B came from KeyStore/copies, as the store to ask is silent."
    )


def test_a_message_that_begins_with_a_field_leaves_it_as_it_is_written() -> None:
    error = errors.Stalled(Reason.NOT_FOUND, "dataFrom[1] (llm of KeyStore/vault) is no map of entries")

    assert report.explain(error, "").startswith("dataFrom[1] (llm")


@pytest.mark.parametrize(("error", "second"), [(DENIED, "Stalled"), (SEALED, "Reconciling")])
def test_trouble_is_stalled_where_a_person_is_needed_and_else_reconciling(error: errors.Error, second: str) -> None:
    conditions = report.troubled(error, "Secret llm keeps version 7.", "03:12 UTC")

    assert _kinds(conditions) == {"Ready": ("False", str(error.reason)), second: ("True", str(error.reason))}
    assert len({each["message"] for each in conditions}) == 1


def test_a_message_says_what_since_when_what_is_kept_what_follows_and_what_to_check() -> None:
    assert report.explain(DENIED, "Secret llm keeps version 7.", "03:12 UTC") == (
        "ClusterKeyStore/vault answered 403 for team-a/llm, since 03:12 UTC. Secret llm keeps version 7."
        " It is tried again with growing pauses, at most 5 minutes. Check Vault role keywright-team-a."
    )


def test_a_message_leaves_out_what_there_is_not() -> None:
    error = errors.Retry(Reason.CONFLICT, "the Secret was changed meanwhile")

    assert report.explain(error, "") == f"The Secret was changed meanwhile. {report.AGAIN}"


def test_a_message_is_no_longer_than_a_condition_may_be() -> None:
    (ready, _) = report.troubled(errors.Stalled(Reason.NOT_FOUND, "x" * 5000), "", "")

    assert len(ready["message"]) == 2048


def _merged(before: report.Conditions, after: report.Conditions, now: str = NOW) -> report.Conditions:
    return report.merged(before, after, 3, now)


def test_a_condition_keeps_the_time_of_its_transition_while_its_status_stays() -> None:
    before = _merged([], report.troubled(SEALED, "", "03:12 UTC"), THEN)

    same = _merged(before, report.troubled(SEALED, "", "03:12 UTC"))
    other = _merged(before, report.troubled(DENIED, "", "03:12 UTC"))
    well = _merged(before, report.in_order("All is well"))

    assert same == before
    assert [each["lastTransitionTime"] for each in other] == [THEN, NOW]
    assert [each["lastTransitionTime"] for each in well] == [NOW]
    assert report.find(other, "Ready")["reason"] == "AccessDenied"


def test_conditions_say_which_generation_they_are_about() -> None:
    before = report.merged([], report.in_order("All is well"), 3, THEN)
    after = report.merged(before, report.in_order("All is well"), 4, NOW)

    assert [each["observedGeneration"] for each in after] == [4]
    assert [each["lastTransitionTime"] for each in after] == [THEN]


def test_a_condition_that_no_longer_holds_goes() -> None:
    before = _merged([], report.troubled(DENIED, "", ""), THEN)

    assert _kinds(_merged(before, report.in_order("All is well"))).keys() == {"Ready"}


def test_another_request_id_alone_changes_nothing() -> None:
    def told(request: str) -> report.Conditions:
        error = errors.Stalled(Reason.ACCESS_DENIED, f"vault answered 403 for a (request {request})")
        return report.troubled(error, "", "")

    before = _merged([], told("9c1f-aa"), THEN)

    assert _merged(before, told("77aa-00")) == before
    assert "9c1f-aa" in before[0]["message"]


def test_another_reason_or_text_is_news() -> None:
    before = _merged([], report.troubled(SEALED, "", ""), THEN)
    other = errors.Outage(Reason.STORE_SEALED, "ClusterKeyStore/vault is sealed again", "Unseal it")

    assert "sealed again" in _merged(before, report.troubled(other, "", ""))[0]["message"]


@pytest.mark.parametrize("before", [[{}], [{"type": "Ready"}], [{"type": "Ready", "status": "True"}], [{"x": 1}]])
def test_conditions_that_somebody_else_wrote_badly_are_put_right(before: report.Conditions) -> None:
    (ready,) = _merged(before, report.in_order("All is well"))

    assert (ready["message"], ready["lastTransitionTime"]) == ("All is well", NOW)


def test_a_condition_that_is_not_there_is_empty() -> None:
    assert report.find([], "Ready") == {}


def test_trouble_is_told_with_its_own_beginning_not_with_that_of_another() -> None:
    first = _merged([], report.troubled(SEALED, "", report.since_when({}, SEALED, THEN)), THEN)[0]
    denied = errors.Stalled(Reason.ACCESS_DENIED, "ClusterKeyStore/vault answered 403 for team-a/llm")

    assert report.since_when(first, SEALED, NOW) == report.clock(THEN)
    assert report.since_when(first, denied, NOW) == report.clock(NOW)
    assert report.since_when({**first, "status": "True"}, SEALED, NOW) == report.clock(NOW)


def test_what_is_looked_at_after_a_fixed_time_says_so() -> None:
    quarrel = errors.Retry(Reason.DRIFT_CONTESTED, "Secret llm was changed again", after=300.0)

    assert report.explain(quarrel, "") == "Secret llm was changed again. It is looked at again in 5 minutes."


def test_a_time_stamp_for_people() -> None:
    assert report.clock("2026-03-01T03:12:45Z") == "2026-03-01 03:12 UTC"


scalars = st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2)
names = st.sampled_from("abc")
statuses = st.dictionaries(
    names,
    st.recursive(scalars | st.lists(scalars, max_size=2), lambda inner: st.dictionaries(names, inner, max_size=3)),
)


def _merge_patched(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch, as RFC 7386 says."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merge_patched(result.get(name), value)
    return result


@given(statuses, statuses)
def test_the_patch_turns_one_status_into_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert _merge_patched(before, report.needs_write(before, after)) == after


@given(statuses)
def test_an_equal_status_needs_no_write(status: dict[str, Any]) -> None:
    assert report.needs_write(status, status) == {}


@given(statuses, statuses)
def test_a_different_status_needs_a_write(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert bool(report.needs_write(before, after)) is (before != after)
