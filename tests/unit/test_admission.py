"""When it is proven who made a KeyAction: while the policy is as shipped, whole, and was so before."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from keywright import admission

Json = dict[str, Any]
MADE, LONG_AGO = "2026-03-01T12:00:00Z", "2026-03-01T11:00:00Z"


def part(spec: Json, **metadata: Any) -> Json:
    entries = [{"manager": "helm", "time": LONG_AGO}]
    return {"metadata": {"creationTimestamp": LONG_AGO, "managedFields": entries} | metadata, "spec": spec}


POLICY, BINDING = part(admission.POLICY), part(admission.BINDING)


def test_it_is_proven_where_both_are_as_shipped_and_old_enough() -> None:
    assert admission.doubt(POLICY, BINDING, MADE) == ""


@pytest.mark.parametrize(
    ("policy", "binding"),
    [(None, BINDING), (POLICY, None), (None, None), (BINDING, POLICY)],
)
def test_it_is_not_where_one_is_missing(policy: Json | None, binding: Json | None) -> None:
    assert "ValidatingAdmissionPolicy" in admission.doubt(policy, binding, MADE)


@pytest.mark.parametrize(
    ("metadata", "proven"),
    [
        ({"creationTimestamp": "2026-03-01T11:59:54Z"}, True),
        # An API server may not have heard of it yet.
        ({"creationTimestamp": "2026-03-01T11:59:55Z"}, False),
        ({"creationTimestamp": "2026-03-01T12:00:01Z"}, False),
        ({"creationTimestamp": "soon"}, False),
        ({"creationTimestamp": None}, False),
        ({"deletionTimestamp": MADE}, False),
        ({"managedFields": None}, False),
        ({"managedFields": [{}]}, False),
        ({"managedFields": [{"time": LONG_AGO}, {"time": "2026-03-01T12:10:00Z"}]}, False),
        ({"managedFields": [{"time": LONG_AGO}, {"time": MADE, "subresource": "status"}]}, True),
        ({"managedFields": [{"time": MADE, "subresource": "status"}]}, False),
    ],
)
def test_it_must_have_been_so_before(metadata: Json, proven: bool) -> None:
    assert (admission.doubt(part(admission.POLICY, **metadata), BINDING, MADE) == "") is proven
    assert (admission.doubt(POLICY, part(admission.BINDING, **metadata), MADE) == "") is proven


def changed(value: Any) -> Iterator[Any]:
    """Yield the value with each of its leaves changed, each of its parts left out, and one more in each place."""
    if isinstance(value, dict):
        yield {**value, "matchConditions": []}
        for name, each in value.items():
            yield {other: there for other, there in value.items() if other != name}
            yield from ({**value, name: other} for other in changed(each))
    elif isinstance(value, list):
        yield [*value, "CREATE"]
        for number, each in enumerate(value):
            yield value[:number] + value[number + 1 :]
            yield from ([*value[:number], other, *value[number + 1 :]] for other in changed(each))
    else:
        yield f"{value} "


@pytest.mark.parametrize("spec", [admission.POLICY, admission.BINDING], ids=["policy", "binding"])
def test_whatever_else_it_says_it_proves_nothing(spec: Json) -> None:
    others = list(changed(copy.deepcopy(spec)))

    assert len(others) >= 6
    for other in others:
        which = (part(other), BINDING) if spec is admission.POLICY else (POLICY, part(other))
        assert admission.doubt(*which, MADE).endswith("is not as this version ships it"), other


def test_a_time_that_cannot_be_read_proves_nothing() -> None:
    assert admission.doubt(POLICY, BINDING, "") != ""
