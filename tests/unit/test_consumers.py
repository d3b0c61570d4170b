"""Which pods have what was in a Secret before it was last written: by when they began, and how they take it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import pacing
from keywright.decide import consumers, marks
from keywright.decide.consumers import LAG, Census, Hold, Pod, Ref, Workload, Written
from keywright.decide.uses import FROZEN, Use, Way

Json = dict[str, Any]
AT = 1_900_000_000.0
NOTE = consumers.annotation("team-a/llm")
WRITTEN = Written("llm", AT, NOTE, "k:new")


def seen(created: float = -3600.0, started: float | None = -3600.0, **more: Any) -> Json:
    """Return a pod; times are seconds after the Secret was written."""
    meta = {"name": "p", "creationTimestamp": pacing.rfc3339(AT + created), **more.pop("metadata", {})}
    state = {} if started is None else {"running": {"startedAt": pacing.rfc3339(AT + started)}}
    status = {"phase": "Running", "containerStatuses": [{"name": "main", "state": state}], **more}
    return {"metadata": meta, "status": status}


def hold(item: Json, way: Way, *, reloads: bool = False, now: float = 3600.0) -> Hold:
    whole = way in (Way.NAMED, Way.DRIVER, Way.IMAGE_PULL)
    use = Use(way, "" if whole else "main")
    return consumers.held(item, [use], WRITTEN, reloads=reloads, now=AT + now)


BEFORE, SAME, AFTER = seen(), seen(0.0, 0.0), seen(1.0, None)
AGAIN_SOON, AGAIN_LATE, NEVER = seen(started=LAG), seen(started=LAG + 1), seen(started=None)


@pytest.mark.parametrize(
    ("item", "way", "expected"),
    [
        (BEFORE, Way.ENV, Hold.OLD),
        (BEFORE, Way.ENV_FROM, Hold.OLD),
        (BEFORE, Way.SUB_PATH, Hold.OLD),
        (BEFORE, Way.NAMED, Hold.OLD),
        (BEFORE, Way.DRIVER, Hold.OLD),
        (BEFORE, Way.VOLUME, Hold.UNREAD),
        (BEFORE, Way.IMAGE_PULL, Hold.CURRENT),
        # Made in the same second: who was first is not known, until it starts in a later one.
        (SAME, Way.ENV, Hold.OLD),
        (seen(0.0, 1.0), Way.ENV, Hold.CURRENT),
        (SAME, Way.NAMED, Hold.OLD),
        (AFTER, Way.ENV, Hold.CURRENT),
        (AFTER, Way.VOLUME, Hold.CURRENT),
        # A container that starts again takes what the kubelet has by then.
        (AGAIN_SOON, Way.ENV, Hold.OLD),
        (AGAIN_LATE, Way.ENV, Hold.CURRENT),
        (AGAIN_LATE, Way.VOLUME, Hold.CURRENT),
        (AGAIN_LATE, Way.DRIVER, Hold.OLD),
        (NEVER, Way.ENV, Hold.STARTING),
        (seen(phase="Succeeded"), Way.ENV, Hold.ENDED),
        (seen(phase="Failed"), Way.VOLUME, Hold.ENDED),
        (seen(metadata={"deletionTimestamp": "x"}), Way.ENV, Hold.ENDING),
        (seen(1.0, metadata={"deletionTimestamp": "x"}), Way.ENV, Hold.CURRENT),
        (seen(metadata={"annotations": {NOTE: "k:new"}}), Way.ENV, Hold.CURRENT),
        (seen(metadata={"annotations": {NOTE: "k:old"}}), Way.ENV, Hold.OLD),
        (seen(metadata={"creationTimestamp": None}), Way.ENV, Hold.OLD),
    ],
)
def test_a_pod_has_what_there_was_when_it_took_it(item: Json, way: Way, expected: Hold) -> None:
    assert hold(item, way) is expected


@pytest.mark.parametrize(
    ("now", "reloads", "expected"),
    [
        (LAG - 1, False, Hold.COMING),
        (LAG - 1, True, Hold.COMING),
        (LAG, False, Hold.UNREAD),
        (LAG, True, Hold.CURRENT),
    ],
)
def test_files_are_replaced_after_a_while_and_read_by_who_says_so(now: float, reloads: bool, expected: Hold) -> None:
    assert hold(BEFORE, Way.VOLUME, reloads=reloads, now=now) is expected
    # What is taken once is not read again.
    assert hold(BEFORE, Way.ENV, reloads=reloads, now=now) is Hold.OLD


def test_a_container_that_has_ended_had_what_there_was_when_it_began() -> None:
    ended = {"name": "main", "state": {"terminated": {"startedAt": pacing.rfc3339(AT - 60)}}}
    item = seen(initContainerStatuses=[ended], containerStatuses=[])

    assert hold(item, Way.ENV) is Hold.OLD


@given(
    st.integers(-10_000, 10_000),
    st.none() | st.integers(0, 10_000),
    st.sampled_from(sorted(FROZEN)),
    st.integers(0, 10_000),
)
def test_what_may_have_begun_before_is_never_taken_for_current(
    created: int, started: int | None, way: Way, now: int
) -> None:
    item = seen(created, None if started is None else created + started)

    if hold(item, way, now=now) is Hold.CURRENT:
        assert created > 0 or (started is not None and created + started > (LAG if created < 0 else 0))


@given(st.lists(st.sampled_from(list(Way)), min_size=1), st.integers(0, 600))
def test_a_pod_is_as_its_worst_use_is(ways: list[Way], now: int) -> None:
    each = [hold(BEFORE, way, now=now) for way in ways]
    found = [Use(way, "main") for way in ways]

    together = consumers.held(BEFORE, found, WRITTEN, reloads=False, now=AT + now)

    assert (together is Hold.CURRENT) == all(one is Hold.CURRENT for one in each)
    assert together in each


def controlled(kind: str, name: str) -> Json:
    return {"ownerReferences": [{"kind": "Other", "name": "x"}, {"kind": kind, "name": name, "controller": True}]}


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"name": "p"}, Ref("Pod", "p")),
        ({"name": "p", **controlled("StatefulSet", "db")}, Ref("StatefulSet", "db")),
        ({"name": "p", **controlled("ReplicaSet", "api-5d")}, Ref("ReplicaSet", "api-5d")),
        (
            {"name": "p", "labels": {"pod-template-hash": "5d"}, **controlled("ReplicaSet", "api-5d")},
            Ref("Deployment", "api"),
        ),
        (
            {"name": "p", "labels": {"pod-template-hash": "6e"}, **controlled("ReplicaSet", "api-5d")},
            Ref("ReplicaSet", "api-5d"),
        ),
        ({"name": "p", **controlled("Job", "night-1")}, Ref("Job", "night-1")),
    ],
)
def test_a_pod_tells_what_it_is_of(meta: Json, expected: Ref) -> None:
    assert consumers.owner_of(meta) == expected


TEMPLATE = {"spec": {"containers": [{"name": "main", "envFrom": [{"secretRef": {"name": "llm"}}]}]}}
OF_ALL = (Use(Way.ENV_FROM, "main"),)


def made(spec: Json, **annotations: str) -> Json:
    return {"metadata": {"name": "w", "uid": "u", "annotations": annotations}, "spec": spec}


def test_a_workload_is_a_user_by_its_template_or_because_it_says_so() -> None:
    plain = made({"template": TEMPLATE})
    night = made({"jobTemplate": {"spec": {"template": TEMPLATE}}})
    quiet = made({"template": {}}, **{consumers.RELOADER_NAMES: "other,llm"})

    assert consumers.workload("Deployment", plain, WRITTEN) == Workload(Ref("Deployment", "w"), "u", OF_ALL)
    assert (consumers.workload("CronJob", night, WRITTEN) or plain).uses == OF_ALL  # type: ignore[union-attr]
    assert consumers.workload("Deployment", night, WRITTEN) is None
    named = consumers.workload("Deployment", quiet, WRITTEN)
    assert named and named.asks and named.uses == (Use(Way.NAMED),)
    listed = consumers.workload("Deployment", made({}), WRITTEN, [Ref("Deployment", "w")])
    assert listed and listed.uses == (Use(Way.NAMED),)
    assert consumers.workload("StatefulSet", made({}), WRITTEN, [Ref("Deployment", "w")]) is None


@pytest.mark.parametrize(
    ("spec", "notes", "flags"),
    [
        ({}, {}, (False, False, False, None)),
        ({}, {consumers.RELOADS: "true"}, (True, False, False, None)),
        ({}, {consumers.RELOADS: "yes"}, (False, False, False, None)),
        ({}, {consumers.RELOADER_AUTO[0]: "true"}, (False, True, False, None)),
        ({}, {consumers.RELOADER_NAMES: "other"}, (False, False, False, None)),
        ({"paused": True}, {}, (False, False, True, None)),
        ({"updateStrategy": {"type": "OnDelete"}}, {}, (False, False, True, None)),
        ({"template": {**TEMPLATE, "metadata": {"annotations": {NOTE: "k:x"}}}}, {}, (False, False, False, "k:x")),
        (
            {"template": {**TEMPLATE, "metadata": {"annotations": {consumers.RELOADS: "true"}}}},
            {},
            (True, False, False, None),
        ),
    ],
)
def test_a_workload_tells_how_it_is_to_be_treated(
    spec: Json, notes: dict[str, str], flags: tuple[bool, bool, bool, str | None]
) -> None:
    found = consumers.workload("Deployment", made({"template": TEMPLATE, **spec}, **notes), WRITTEN)

    assert found
    assert (found.reloads, found.asks, found.by_hand, found.mark) == flags


def test_pods_of_a_workload_that_names_the_secret_use_it_too() -> None:
    owner = Ref("StatefulSet", "w")
    item = seen(metadata={"name": "w-0", **controlled("StatefulSet", "w")})
    known = {owner: Workload(owner, "u", (Use(Way.NAMED),))}

    assert consumers.pod(item, WRITTEN, {}, AT) is None
    found = consumers.pod(item, WRITTEN, known, AT)
    assert found and (found.owner, found.uses, found.hold) == (owner, (Use(Way.NAMED),), Hold.OLD)


def test_everybody_has_the_present_values_once_nobody_may_have_others() -> None:
    def census(*holds: Hold) -> Census:
        return Census((), tuple(Pod("p", Ref("Pod", "p"), (), hold) for hold in holds))

    assert census().adopted
    assert census(Hold.CURRENT, Hold.ENDED).adopted
    for late in set(Hold) - {Hold.CURRENT, Hold.ENDED}:
        assert not census(Hold.CURRENT, late).adopted
        assert [each.hold for each in census(Hold.CURRENT, late).unsettled] == [late]


def test_when_a_secret_was_written_is_told_by_who_wrote_it() -> None:
    manager = marks.field_manager("team-a/llm")

    def at(*entries: tuple[str, str]) -> float | None:
        fields = [{"manager": name, "time": time} for name, time in entries]
        return consumers.written_at({"managedFields": fields}, "team-a/llm")

    assert at() is None
    assert at(("kubectl", "2026-05-04T09:00:00Z")) is None
    assert at((manager, "soon")) is None
    assert at((manager, "2026-05-04T09:00:00Z"), ("kubectl", "2026-05-05T09:00:00Z")) == 1777885200.0


def test_values_may_be_older_than_the_last_write_of_their_secret() -> None:
    def at(told: str | None) -> float:
        return consumers.since(WRITTEN, told).at - AT

    assert at(None) == at("") == at("soon") == 0
    assert at(pacing.rfc3339(AT)) == at(pacing.rfc3339(AT + 5)) == 0
    # The operator's clock may be behind.
    assert at(pacing.rfc3339(AT - 30)) == 0
    assert at(pacing.rfc3339(AT - 3600)) == consumers.SKEW - 3600
