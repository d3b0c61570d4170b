"""What is done about a target, from what was observed: each check, and what holds whatever was observed."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keywright import errors
from keywright.decide import marks, sync
from keywright.decide.sync import Applied, Content, Observed, Plan, Seen
from keywright.errors import Reason

OWNER = "team-a/llm"
WRITTEN = Applied("uid-1", "7", "fp")
OURS = Seen("uid-1", "7", OWNER)
CHANGED = Seen("uid-1", "9", OWNER)
FOREIGN = Seen("uid-2", "3", None)
CONTROLLED = Seen("uid-2", "3", OWNER, controller="ExternalSecret/llm")
THEIRS = Seen("uid-2", "3", "team-a/other")
EQUAL = Content(entries_equal=True, dressing_equal=True, type_equal=True, immutable=False)
#: In order: ours, in the version that we wrote, and the stores say the same.
RIGHT = Observed(OWNER, "Never", "fp", spec_changed=False, applied=WRITTEN, seen=OURS)


def _but(**changes: Any) -> Observed:
    return dataclasses.replace(RIGHT, **changes)


def _content(**changes: Any) -> Content:
    return dataclasses.replace(EQUAL, **changes)


PLANS = [
    # Nothing to do.
    (RIGHT, sync.NOTHING),
    (_but(seen=CHANGED, content=EQUAL), sync.NOTHING),
    (_but(applied=None, content=EQUAL), sync.NOTHING),
    (_but(applied=None, content=_content(immutable=True)), sync.NOTHING),
    # It is not there.
    (_but(seen=None), Plan("create", "missing", repair=True)),
    (_but(seen=None, applied=None), Plan("create", "missing")),
    (_but(seen=None, spec_changed=True), Plan("create", "missing")),
    # A look first.
    (_but(seen=CHANGED), Plan("look", "unseen")),
    (_but(applied=None), Plan("look", "unseen")),
    (_but(seen=dataclasses.replace(OURS, uid="uid-3")), Plan("look", "unseen")),
    (_but(seen=CHANGED, fingerprint="new"), Plan("look", "unseen")),
    (_but(seen=FOREIGN, adopt="IfEqual"), Plan("look", "foreign")),
    (_but(seen=FOREIGN, adopt="Always"), Plan("look", "unseen")),
    # The stores, or the object, say something new.
    (_but(fingerprint="new"), Plan("update", "entries_differ", "7")),
    (_but(spec_changed=True), Plan("update", "spec_changed", "7")),
    (_but(fingerprint="new", spec_changed=True), Plan("update", "entries_differ", "7")),
    # Somebody has changed it.
    (_but(seen=CHANGED, content=_content(entries_equal=False)), Plan("update", "entries_differ", "9", repair=True)),
    (_but(seen=CHANGED, content=_content(dressing_equal=False)), Plan("update", "dressing_differs", "9", repair=True)),
    # It differs because we meant it to.
    (_but(seen=CHANGED, fingerprint="new", content=_content(entries_equal=False)),
     Plan("update", "entries_differ", "9")),
    (_but(spec_changed=True, content=_content(entries_equal=False)), Plan("update", "entries_differ", "7")),
    (_but(spec_changed=True, content=_content(dressing_equal=False)), Plan("update", "dressing_differs", "7")),
    (_but(applied=None, content=_content(entries_equal=False)), Plan("update", "entries_differ", "7")),
    # Adopting.
    (_but(seen=FOREIGN, adopt="IfEqual", content=_content(dressing_equal=False), applied=None),
     Plan("update", "dressing_differs", "3")),
    (_but(seen=FOREIGN, adopt="Always", content=_content(entries_equal=False, dressing_equal=False), applied=None),
     Plan("update", "entries_differ", "3")),
    # What is immutable can be adopted, labelled and annotated, and what has another controller can be shared with it.
    (_but(content=_content(dressing_equal=False, immutable=True)),
     Plan("update", "dressing_differs", "7", repair=True)),
    (_but(seen=CONTROLLED, goes=False, applied=None, content=EQUAL), sync.NOTHING),
]  # fmt: skip


@pytest.mark.parametrize(("observed", "plan"), PLANS)
def test_a_plan_follows_from_what_was_observed(observed: Observed, plan: Plan) -> None:
    assert sync.decide(observed) == plan


DIFFERENT_TYPE = _content(type_equal=False)
IMMUTABLE = _content(entries_equal=False, immutable=True)
REFUSALS = [
    (_but(seen=THEIRS), Reason.TARGET_OWNED_ELSEWHERE),
    (_but(seen=THEIRS, adopt="Always"), Reason.TARGET_OWNED_ELSEWHERE),
    (_but(seen=THEIRS, adopt="IfEqual", content=EQUAL), Reason.TARGET_OWNED_ELSEWHERE),
    (_but(seen=FOREIGN), Reason.TARGET_EXISTS),
    (_but(seen=FOREIGN, content=EQUAL), Reason.TARGET_EXISTS),
    (_but(seen=FOREIGN, adopt="IfEqual", content=_content(entries_equal=False)), Reason.TARGET_EXISTS),
    (_but(content=DIFFERENT_TYPE), Reason.TARGET_TYPE_DIFFERS),
    (_but(content=dataclasses.replace(DIFFERENT_TYPE, immutable=True)), Reason.TARGET_TYPE_DIFFERS),
    (_but(content=IMMUTABLE), Reason.TARGET_IMMUTABLE),
    (_but(seen=CONTROLLED), Reason.TARGET_OWNED_ELSEWHERE),
    (_but(seen=CONTROLLED, adopt="Always", applied=None, content=EQUAL), Reason.TARGET_OWNED_ELSEWHERE),
]


@pytest.mark.parametrize(("observed", "reason"), REFUSALS)
def test_what_must_not_or_cannot_be_written_needs_a_person(observed: Observed, reason: Reason) -> None:
    with pytest.raises(errors.Stalled) as caught:
        sync.decide(observed)

    assert caught.value.reason is reason
    assert caught.value.hint


def test_the_order_of_the_checks_is_the_specification() -> None:
    assert [each.__name__ for each in sync.CHECKS] == [
        "missing",
        "owned_elsewhere",
        "foreign",
        "controlled",
        "unseen",
        "unwritable",
        "entries_differ",
        "dressing_differs",
    ]


adopts = st.sampled_from(["Never", "IfEqual", "Always"])
contents = st.builds(Content, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.booleans())
uids, versions, prints = st.sampled_from(["uid-1", "uid-2"]), st.sampled_from("12"), st.sampled_from(["fp", "new"])
observations = st.builds(
    Observed,
    owner=st.just(OWNER),
    adopt=adopts,
    fingerprint=prints,
    spec_changed=st.booleans(),
    applied=st.none() | st.builds(Applied, uids, versions, prints),
    seen=st.none() | st.builds(Seen, uids, versions, st.sampled_from([None, OWNER, "team-a/other"])),
    content=st.none() | contents,
)


def _plan(observed: Observed) -> Plan | None:
    """The plan, None where a person is needed."""
    try:
        return sync.decide(observed)
    except errors.Stalled:
        return None


def _looked(observed: Observed, content: Content) -> Observed:
    """What is observed after a look."""
    return dataclasses.replace(observed, content=content)


def _written(observed: Observed) -> Observed:
    """What is observed after the target was written."""
    seen = observed.seen
    after = Seen(seen.uid, str(int(seen.resource_version) + 10), OWNER) if seen else Seen("uid-9", "90", OWNER)
    applied = Applied(after.uid, after.resource_version, observed.fingerprint)
    return dataclasses.replace(observed, seen=after, applied=applied, spec_changed=False, content=None)


@given(observations, contents)
def test_after_a_look_there_is_no_second_look(observed: Observed, content: Content) -> None:
    plan = _plan(_looked(observed, content))

    assert plan is None or plan.act != "look"


@given(observations, contents)
def test_once_a_plan_is_carried_out_there_is_nothing_left_to_do(observed: Observed, content: Content) -> None:
    plan = _plan(observed)
    if plan and plan.act == "look":
        observed = _looked(observed, content)
        plan = _plan(observed)
    if plan and plan.act in ("create", "update"):
        assert sync.decide(_written(observed)) == sync.NOTHING
        seen = _written(observed)
        assert sync.decide(dataclasses.replace(seen, content=EQUAL)) == sync.NOTHING


def test_a_secret_that_only_lost_its_annotation_is_still_ours() -> None:
    stripped = _but(seen=Seen("uid-1", "9", None))
    assert _plan(stripped) == Plan("look", "foreign")

    found = Content(entries_equal=True, dressing_equal=False, type_equal=True, immutable=False, ours=True)
    assert _plan(_looked(stripped, found)) == Plan("update", "dressing_differs", "9", repair=True)
    assert _plan(_looked(stripped, dataclasses.replace(found, ours=False))) is None


@given(observations)
def test_the_same_observation_has_the_same_plan(observed: Observed) -> None:
    assert _plan(observed) == _plan(observed)


@given(observations)
def test_a_secret_that_is_not_ours_is_never_written_unless_it_may_be_adopted(observed: Observed) -> None:
    assume(observed.seen is not None and observed.seen.owner != OWNER)
    plan = _plan(observed)

    if observed.seen and observed.seen.owner:
        assert plan is None
    elif observed.adopt == "Never" and plan:
        # It may have lost its annotation only: a look shows whether our field manager wrote it.
        assert plan.act == "look" or (observed.content and observed.content.ours)
    elif plan and plan.act == "update" and observed.adopt == "IfEqual":
        assert observed.content is not None
        assert observed.content.entries_equal or observed.content.ours


@given(observations)
def test_only_what_is_absent_is_created_and_only_a_known_version_is_updated(observed: Observed) -> None:
    plan = _plan(observed)
    assert (plan is not None and plan.act == "create") is (observed.seen is None)

    if plan and observed.seen:
        version = observed.seen.resource_version if plan.act == "update" else None
        assert plan.resource_version == version


@given(observations)
def test_what_was_never_written_is_not_repaired(observed: Observed) -> None:
    plan = _plan(dataclasses.replace(observed, applied=None))

    assert plan is None or not plan.repair


# The target's metadata.

META = marks.metadata(OWNER, "uid-a", {"tier": "x"}, {"note": "y"}, owned=True, made=True)


def _actual(**changes: Any) -> dict[str, Any]:
    found = {
        "labels": {**META["labels"], "added-by": "somebody"},
        "annotations": {**META["annotations"], "seen-by": "somebody"},
        "ownerReferences": [*META["ownerReferences"], {"kind": "Deployment", "uid": "uid-d"}],
    }
    return found | changes


def test_what_others_add_to_the_metadata_is_left_alone() -> None:
    assert marks.dressed(_actual(), META)


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": {}},
        {"labels": None},
        {"labels": {**META["labels"], "tier": "changed"}},
        {"annotations": {"note": "y"}},
        {"annotations": None},
        {"ownerReferences": []},
        {"ownerReferences": None},
        {"ownerReferences": [{**META["ownerReferences"][0], "uid": "uid-of-a-former-one"}]},
    ],
)
def test_what_is_missing_from_the_metadata_is_noticed(changes: dict[str, Any]) -> None:
    assert not marks.dressed(_actual(**changes), META)


def test_a_target_that_is_to_be_kept_has_no_owner() -> None:
    kept = marks.metadata(OWNER, "uid-a", {}, {}, owned=False, made=True)

    assert "ownerReferences" not in kept
    assert not marks.dressed(_actual(), kept)
    assert marks.dressed(_actual(ownerReferences=[{"kind": "Deployment", "uid": "uid-d"}]), kept)


def test_nobody_can_label_away_whose_a_target_is() -> None:
    theirs = {"keywright.dev/managed": "false"}
    meta = marks.metadata(OWNER, "uid-a", theirs, {marks.OWNER: "team-b/mine"}, owned=True, made=False)

    assert meta["labels"] == marks.MANAGED
    assert meta["annotations"] == {marks.OWNER: OWNER}
    assert meta["ownerReferences"][0]["name"] == "llm"


@given(st.text(max_size=300), st.text(max_size=300))
def test_every_object_has_its_own_field_manager(one: str, other: str) -> None:
    assert (marks.field_manager(one) == marks.field_manager(other)) is (one == other)
    assert len(marks.field_manager(one)) <= 128


def _fields(manager: str, *entries: str, operation: str = "Apply", time: str = "2026-01-01") -> dict[str, Any]:
    data: dict[str, Any] = {".": {}, **{f"f:{entry}": {} for entry in entries}}
    return {"manager": manager, "operation": operation, "time": time, "fieldsV1": {"f:data": data}}


def test_own_entries_are_those_that_we_applied() -> None:
    ours = marks.field_manager(OWNER)
    managed = [
        _fields(ours, "A", "f:odd"),
        _fields(ours, "EDITED", operation="Update"),
        _fields("kubectl-edit", "B", operation="Update"),
        {"manager": ours, "operation": "Apply", "fieldsV1": {"f:metadata": {}}},
        {"manager": ours, "operation": "Apply"},
    ]

    assert marks.own_entries(managed, ours) == {"A", "f:odd"}
    assert marks.own_entries([], ours) == set()


def test_contenders_are_named_newest_first_and_once() -> None:
    ours = marks.field_manager(OWNER)
    managed = [
        _fields("old", "A", time="2026-01-01"),
        _fields("new", "A", time="2026-02-01"),
        _fields("old", "B", time="2026-01-02"),
        _fields(ours, "A", time="2026-03-01"),
        {"manager": "labels-only", "operation": "Update", "fieldsV1": {"f:metadata": {}}},
    ]

    assert marks.others(managed, ours) == "new, old"
    assert marks.others([_fields(ours, "A")], ours) == "somebody"


@pytest.mark.parametrize(
    ("made", "label", "shown"), [(True, None, "keywright"), (True, "me", "me"), (False, None, None)]
)
def test_who_made_a_secret_is_told_of_those_that_we_made(made: bool, label: str | None, shown: str | None) -> None:
    name = next(iter(marks.MADE_BY))

    meta = marks.metadata(OWNER, "uid-a", {name: label} if label else {}, {}, owned=True, made=made)

    assert meta["labels"].get(name) == shown


@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_what_we_no_longer_say_in_the_metadata_is_left_over(part: str) -> None:
    def fields(*names: str, manager: str = "keywright-a") -> dict[str, Any]:
        owned: dict[str, Any] = {"f:metadata": {f"f:{part}": {".": {}} | {f"f:{name}": {} for name in names}}}
        return {"manager": manager, "operation": "Apply", "fieldsV1": owned}

    (ours,) = {"labels": marks.MANAGED, "annotations": {marks.OWNER: OWNER}}[part]

    assert marks.left_over({"managedFields": [fields(ours, "old")]}, META, "keywright-a")
    assert not marks.left_over({"managedFields": [fields(ours)]}, META, "keywright-a")
    assert not marks.left_over({"managedFields": [fields("old", manager="kubectl")]}, META, "keywright-a")
    assert not marks.left_over({}, META, "keywright-a")


# A Secret that somebody else makes.

SHARED = _but(merges=True, seen=Seen("uid-2", "3", None), applied=None)


@pytest.mark.parametrize(
    ("observed", "plan"),
    [
        (dataclasses.replace(SHARED, seen=None), Plan("look", "mark_missing")),
        (SHARED, Plan("look", "unseen")),
        (dataclasses.replace(SHARED, content=EQUAL, looked=True), sync.NOTHING),
        (
            dataclasses.replace(SHARED, content=_content(dressing_equal=False), looked=True),
            Plan("update", "dressing_differs", "3"),
        ),
        (
            dataclasses.replace(SHARED, content=_content(entries_equal=False), looked=True),
            Plan("update", "entries_differ", "3"),
        ),
        (dataclasses.replace(SHARED, seen=THEIRS, content=EQUAL, looked=True), sync.NOTHING),
    ],
)
def test_what_is_done_about_a_secret_to_merge_into(observed: Observed, plan: Plan) -> None:
    assert sync.decide(observed) == plan


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (dataclasses.replace(SHARED, seen=None, looked=True), Reason.TARGET_MISSING),
        (dataclasses.replace(SHARED, content=_content(entries_equal=False, taken=("A",))), Reason.KEY_OWNED_ELSEWHERE),
        (dataclasses.replace(SHARED, content=IMMUTABLE), Reason.TARGET_IMMUTABLE),
    ],
)
def test_what_keeps_entries_out_of_a_secret_to_merge_into(observed: Observed, reason: Reason) -> None:
    with pytest.raises(errors.Error) as caught:
        sync.decide(observed)

    assert caught.value.reason is reason


@pytest.mark.parametrize("goes", [True, False])
def test_a_mark_tells_whose_entries_are_merged_and_a_false_one_tells_nothing(goes: bool) -> None:
    annotations = marks.merge_metadata(OWNER, {}, {}, goes=goes)["annotations"]
    ((name, value),) = annotations.items()

    assert marks.merged("team-a", {**annotations, "other": "x"}) == ((OWNER, goes),)
    assert marks.merged("team-b", annotations) == ()
    assert marks.merged("team-a", {name: "other"}) == ()
    assert marks.merged("team-a", {f"{name}0": value}) == ()
