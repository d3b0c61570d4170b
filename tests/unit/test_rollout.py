"""Whom to restart, how far a workload is, and what a status tells of it: one restart for one change, else none."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import pacing
from keywright.decide import rollout
from keywright.decide.consumers import STALE, Census, Hold, Pod, Ref, Workload
from keywright.decide.rollout import Progress, State
from keywright.decide.uses import Use, Way
from keywright.kinds.rollout import RolloutSpec

Json = dict[str, Any]
NOW = "2026-05-04T09:00:00Z"
MARK = "k:269f86010"
AUTO, OBSERVE = RolloutSpec(restart="Auto"), RolloutSpec(restart="Observe")
ENV, FILES, PULLS = Use(Way.ENV, "main"), Use(Way.VOLUME, "main"), Use(Way.IMAGE_PULL)


def workload(name: str, *uses: Use, kind: str = "Deployment", **more: Any) -> Workload:
    return Workload(Ref(kind, name), f"uid-{name}", uses or (ENV,), **more)


def pods(*holds: Hold, of: str = "api", kind: str = "Deployment") -> tuple[Pod, ...]:
    return tuple(Pod(f"{of}-{number}", Ref(kind, of), (ENV,), hold) for number, hold in enumerate(holds))


@pytest.mark.parametrize(
    ("each", "auto", "listed"),
    [
        (workload("api"), True, True),
        (workload("api", FILES), True, True),
        (workload("api", FILES, reloads=True), False, True),
        (workload("api", FILES, ENV, reloads=True), True, True),
        (workload("api", FILES, reloads=True, asks=True), True, True),
        (workload("api", PULLS), False, True),
        (workload("api", Use(Way.NAMED)), True, True),
        (workload("api", by_hand=True), False, False),
        (workload("api", kind="StatefulSet"), True, False),
        (workload("api", kind="DaemonSet"), True, False),
        (workload("api", kind="CronJob"), False, False),
        (workload("api", kind="Job"), False, False),
        (workload("other"), True, False),
    ],
)
def test_who_has_old_values_until_it_is_restarted_is_restarted(each: Workload, auto: bool, listed: bool) -> None:
    by_name = RolloutSpec.model_validate({"restart": "Listed", "workloads": [{"kind": "Deployment", "name": "api"}]})
    census = Census((each,))

    assert (rollout.chosen(AUTO, census) == (each,)) is auto
    assert rollout.chosen(OBSERVE, census) == rollout.chosen(AUTO, census)
    assert (rollout.chosen(by_name, census) == (each,)) is listed


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(list(Hold)))),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["new", "old", None]), min_size=1),
)
def test_nobody_is_restarted_twice_for_the_same_values_and_nobody_without_need(
    having: list[tuple[str, Hold]], marks: dict[str, str | None]
) -> None:
    workloads = [workload(name, mark=mark) for name, mark in marks.items()]
    census = Census(tuple(workloads), tuple(pod for name, hold in having for pod in pods(hold, of=name)))

    begun = {each.ref.name for each in rollout.begun(workloads, "new")}
    due = {each.ref.name for each in rollout.due(workloads, census, "new")}

    assert begun == {name for name, mark in marks.items() if mark == "new"}
    assert due == {name for name, hold in having if hold in STALE} & marks.keys() - begun


def of(kind: str, spec: Json, status: Json, generation: int = 2) -> Progress:
    item = {"metadata": {"generation": generation}, "spec": spec, "status": {"observedGeneration": 2, **status}}
    return rollout.progress(kind, item)


def deployed(new: int, every: int, ready: int, reason: str = "ReplicaSetUpdated") -> Json:
    counts = {"updatedReplicas": new, "replicas": every, "availableReplicas": ready}
    return {**counts, "conditions": [{"type": "Progressing", "reason": reason}]}


def set_of(new: int, ready: int, update: str = "b") -> Json:
    return {"updatedReplicas": new, "readyReplicas": ready, "updateRevision": update, "currentRevision": "a"}


def daemons(wanted: int, new: int, ready: int) -> Json:
    return {"desiredNumberScheduled": wanted, "updatedNumberScheduled": new, "numberAvailable": ready}


READY, ROLLING, STUCK = State.READY, State.ROLLING, State.STUCK
HALF = {"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected"),
    [
        ("Deployment", {"replicas": 2}, deployed(2, 2, 2), Progress(READY, 2, 2)),
        ("Deployment", {}, deployed(1, 1, 1), Progress(READY, 1, 1)),
        ("Deployment", {"replicas": 0}, {}, Progress(READY, 0, 0)),
        ("Deployment", {"replicas": 2}, deployed(1, 2, 2), Progress(ROLLING, 1, 2)),
        ("Deployment", {"replicas": 2}, deployed(2, 3, 2), Progress(ROLLING, 2, 2)),
        ("Deployment", {"replicas": 2}, deployed(2, 2, 1), Progress(ROLLING, 1, 2)),
        ("Deployment", {"replicas": 2}, {}, Progress(ROLLING, 0, 2)),
        ("Deployment", {"replicas": 2}, deployed(1, 3, 2, "ProgressDeadlineExceeded"), Progress(STUCK, 1, 2)),
        ("Deployment", {"replicas": 2}, deployed(2, 2, 2, "ProgressDeadlineExceeded"), Progress(READY, 2, 2)),
        ("StatefulSet", {"replicas": 2}, set_of(2, 2), Progress(READY, 2, 2)),
        ("StatefulSet", {"replicas": 2}, set_of(1, 2), Progress(ROLLING, 1, 2)),
        ("StatefulSet", {"replicas": 2}, set_of(2, 1), Progress(ROLLING, 1, 2)),
        ("StatefulSet", {"replicas": 2}, set_of(0, 2, update="a"), Progress(READY, 0, 2)),
        ("StatefulSet", HALF, set_of(1, 2), Progress(READY, 1, 2)),
        ("DaemonSet", {}, daemons(3, 3, 3), Progress(READY, 3, 3)),
        ("DaemonSet", {}, daemons(3, 2, 3), Progress(ROLLING, 2, 3)),
        ("DaemonSet", {}, daemons(3, 3, 2), Progress(ROLLING, 2, 3)),
        ("DaemonSet", {}, daemons(0, 0, 0), Progress(READY, 0, 0)),
    ],
)
def test_a_workload_is_as_far_as_its_status_tells(kind: str, spec: Json, status: Json, expected: Progress) -> None:
    assert of(kind, spec, status) == expected
    # Until its controller has seen the new template, its status is about the old one.
    assert of(kind, spec, status, generation=3).state is ROLLING


def told(
    status: Json, fingerprint: str, spec: RolloutSpec | None = AUTO, *, enabled: bool = True, asked: bool = False
) -> tuple[Json | None, str]:
    after, conditions = rollout.told(spec, "llm", status, fingerprint, enabled=enabled, asked=asked, now=NOW)
    return after, conditions[0]["reason"] if conditions else ""


AGREED: Json = {"enabled": True, "asked": False, "now": NOW}
DONE = {"phase": "Done", "fingerprint": "k:1"}
BEGUN = {"phase": "Running", "fingerprint": "k:2", "since": NOW, "mark": MARK}
AGAIN = {"phase": "Running", "fingerprint": "k:1", "since": NOW}
MARKED = {**DONE, "mark": "k:1ab"}
FAILED = {"phase": "Failed", "fingerprint": "k:1", "since": "then", "workloads": 2, "ready": 0}
OLD = {"type": "RolledOut", "status": "False", "reason": "Old", "message": "as it was"}


@pytest.mark.parametrize(
    ("before", "fingerprint", "flags", "after", "reason"),
    [
        # What is seen first is what is compared with: a first sync, or a status that was lost.
        (None, "k:1", {}, DONE, ""),
        (DONE, "k:1", {}, DONE, ""),
        (DONE, "k:1", {"asked": True}, DONE, ""),
        (DONE, "k:2", {}, BEGUN, "RollingOut"),
        (FAILED, "k:2", {}, BEGUN, "RollingOut"),
        (FAILED, "k:1", {}, FAILED, "Old"),
        (FAILED, "k:1", {"asked": True}, AGAIN, "RollingOut"),
        # Who was restarted is not restarted again; values that come back are another change.
        ({**FAILED, "mark": "k:1ab"}, "k:1", {"asked": True}, {**AGAIN, "mark": "k:1ab"}, "RollingOut"),
        (MARKED, "k:1", {}, MARKED, ""),
        (MARKED, "k:2", {}, BEGUN, "RollingOut"),
        (MARKED, "other:1", {}, {**DONE, "fingerprint": "other:1"}, ""),
        # Fingerprints of another key cannot be compared.
        (DONE, "other:2", {}, {**DONE, "fingerprint": "other:2"}, ""),
        (FAILED, "other:2", {}, {**FAILED, "fingerprint": "other:2"}, "Old"),
        (None, "k:1", {"enabled": False}, DONE, "RestartsDisabled"),
        (DONE, "k:2", {"enabled": False}, {**BEGUN, "phase": "Blocked"}, "RestartsDisabled"),
    ],
)
def test_a_rollout_begins_with_a_change_and_with_nothing_else(
    before: Json | None, fingerprint: str, flags: dict[str, bool], after: Json, reason: str
) -> None:
    status = {"rollout": before, "conditions": [OLD] if before and before["phase"] == "Failed" else []}

    assert told(status, fingerprint, AUTO, **flags) == (after, reason)


NIGHT = {"start": "0 2 * * *", "duration": "3h"}


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        (None, NOW, None),
        (NIGHT, "2026-05-04T01:59:59Z", "2026-05-04T02:00:00Z"),
        (NIGHT, "2026-05-04T02:00:00Z", None),
        (NIGHT, "2026-05-04T04:59:59Z", None),
        (NIGHT, "2026-05-04T05:00:00Z", "2026-05-05T02:00:00Z"),
        (NIGHT | {"timeZone": "Europe/Berlin"}, "2026-05-04T00:00:00Z", None),
        (NIGHT | {"timeZone": "Europe/Berlin"}, NOW, "2026-05-05T00:00:00Z"),
    ],
)
def test_restarts_begin_while_the_window_is_open(window: Json | None, now: str, opens: str | None) -> None:
    at = rollout.opens(spec_with(window), pacing.unix(now) or 0.0)

    assert at == pacing.unix(opens)
    if opens:
        said = rollout.waiting("llm", at or 0.0)
        assert (said["status"], said["reason"]) == ("False", "WaitsForWindow")
        assert f"at {opens}" in said["message"]


@pytest.mark.parametrize("start", ["every now and then", "0 0 30 2 *"])
def test_a_window_that_never_opens_is_told_before_anything_has_to_wait_for_it(start: str) -> None:
    never = spec_with({"start": start, "duration": "5m"})

    assert told({"rollout": DONE}, "k:1", never) == (DONE, "InvalidSpec")
    assert told({"rollout": DONE}, "k:2", never) == (BEGUN, "InvalidSpec")
    refused = {**OLD, "reason": "InvalidSpec"}
    assert rollout.told(AUTO, "llm", {"rollout": DONE, "conditions": [refused]}, "k:1", **AGREED)[1] == []


def spec_with(window: Json | None) -> RolloutSpec:
    return RolloutSpec.model_validate({"restart": "Auto", "window": window})


def test_who_asks_for_no_restarts_is_told_nothing_of_them() -> None:
    for spec in (None, RolloutSpec(restart="None")):
        assert told({"rollout": FAILED, "conditions": [OLD]}, "k:2", spec) == (None, "")


@given(st.lists(st.sampled_from(["k:1", "k:2", "k:3", "j:1"]), min_size=1))
def test_there_are_as_many_rollouts_as_there_are_changes(values: list[str]) -> None:
    status: Json = {}
    begun = 0
    for value in values:
        after, reason = told(status, value)
        begun += reason == "RollingOut"
        # As it is once it is over.
        status = {"rollout": {**(after or {}), "phase": "Done"}}

    pairs = itertools.pairwise(values)
    assert begun == sum(one != other and one[0] == other[0] for one, other in pairs)


def test_those_who_lag_behind_are_named_by_workload_the_worst_first_and_not_all() -> None:
    few = Census((), pods(Hold.STARTING, Hold.UNREAD, Hold.CURRENT) + pods(Hold.OLD, of="bare", kind="Pod"))
    many = Census((), tuple(pod for number in range(30) for pod in pods(Hold.OLD, of=f"w{number}")))

    assert rollout.counts(few) == {
        "pods": 4,
        "current": 1,
        "laggards": [
            {"kind": "Pod", "name": "bare", "pods": 1, "holds": "Old"},
            {"kind": "Deployment", "name": "api", "pods": 2, "holds": "Unread"},
        ],
    }
    assert len(rollout.counts(many)["laggards"]) == rollout.LAGGARDS
    assert len(rollout.laggards(many)) == 30
    assert rollout.counts(Census((), pods(Hold.CURRENT))) == {"pods": 1, "current": 1}


def test_pods_of_several_secrets_are_told_together_and_those_of_others_are_only_counted() -> None:
    own, other = Census((), pods(Hold.OLD, Hold.CURRENT)), Census((), pods(Hold.OLD, of="theirs"))
    many = Census((), tuple(pod for number in range(30) for pod in pods(Hold.OLD, of=f"w{number}")))

    told = rollout.together([rollout.counts(own), rollout.counts(other, named=False)])

    late = {"kind": "Deployment", "name": "api", "pods": 1, "holds": "Old"}
    assert told == {"pods": 3, "current": 1, "laggards": [late]}
    assert rollout.together([]) == {"pods": 0, "current": 0}
    assert len(rollout.together([rollout.counts(own), rollout.counts(many)])["laggards"]) == 20


def test_the_end_of_a_rollout_is_told_in_a_sentence() -> None:
    good, bad = rollout.finished("llm", Census()), rollout.finished("llm", Census((), pods(Hold.OLD, Hold.CURRENT)))

    assert (good["status"], good["reason"]) == ("True", "RolledOut")
    assert (bad["status"], bad["reason"]) == ("False", "OldValueInUse")
    assert bad["message"].startswith("1 of 2 pods that use Secret llm may have older values: Deployment/api.")
    assert "it is waited until another tool has restarted" in rollout.rolling("llm", OBSERVE)["message"]
    assert rollout.rolling("llm", AUTO)["message"].endswith("are being restarted, 1 at a time.")
