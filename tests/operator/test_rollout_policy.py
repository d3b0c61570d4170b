"""The policy that the chart ships leaves the operator one annotation of workloads, and others what they may do."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import requests
import yaml

from keywright.decide import consumers
from rolling import BY_ENV, MERGE, Rolling, template
from world import Json, World

NOTE = consumers.annotation("team-a/llm")
PRINT, OTHER_PRINT = "d069f272:0123456789abcdef0123", "d069f272:ffffffffffffffffffff"


def noted(**annotations: Any) -> Json:
    return {"spec": {"template": {"metadata": {"annotations": annotations}}}}


def of_pods(**spec: Any) -> Json:
    return {"spec": {"template": {"spec": spec}}}


METADATA, PODS = "a workload's metadata", "the spec of a workload's pods"
SPEC = "a workload's spec outside of its pod template"
NOTES = "annotations of a workload's pods, but those below restarted."
REFUSED: dict[str, tuple[Json, str]] = {
    "a label": ({"metadata": {"labels": {"a": "b"}}}, METADATA),
    "an annotation": ({"metadata": {"annotations": {NOTE: PRINT}}}, "a workload's annotations"),
    "a finalizer": ({"metadata": {"finalizers": ["a/b"]}}, METADATA),
    "replicas": ({"spec": {"replicas": 7}}, SPEC),
    "what is left out": ({"spec": {"minReadySeconds": 1}}, SPEC),
    "the image": (
        of_pods(containers=[{"name": "main", "image": "evil"}]),
        PODS,
    ),
    "an account": (of_pods(serviceAccountName="admin"), PODS),
    "a label of pods": ({"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}, "labels of a workload's pods"),
    "another annotation": (noted(other="x"), NOTES),
    "one that is there": (noted(theirs="x"), NOTES),
    "one less": (noted(theirs=None), NOTES),
    "two at once": (noted(theirs="x", **{NOTE: PRINT}), NOTES),
    "free text": (noted(**{NOTE: "curl evil.example.com"}), "its annotation to anything but a fingerprint"),
    "a long one": (noted(**{NOTE: "d069f272:" + "0" * 65}), "its annotation to anything but a fingerprint"),
}


def operator_of(world: World) -> requests.Session:
    """Return a client with the operator's own ServiceAccount and rights."""
    world.grant()
    config = yaml.safe_load(world.plane.kubeconfig_for(world.system, "keywright").read_text())
    session = requests.Session()
    session.trust_env, session.verify = False, str(world.plane.ca_file)
    session.headers["Authorization"] = f"Bearer {config['users'][0]['user']['token']}"
    session.headers["Content-Type"] = MERGE
    return session


def made(kind: str) -> Json:
    """Return a workload that has no pods, with an annotation of somebody else's in its template."""
    spec: Json = {"selector": {"matchLabels": {"app": "w"}}, "template": template("w", BY_ENV, theirs="1")}
    if kind == "DaemonSet":
        spec["template"]["spec"]["nodeSelector"] = {"no": "where"}
    else:
        spec["replicas"] = 0
    return {"metadata": {"name": "w"}, "spec": spec | ({"serviceName": "w"} if kind == "StatefulSet" else {})}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_the_operator_may_change_its_one_annotation_and_nothing_else(world: World, kind: str) -> None:
    rolling = Rolling(world)
    rolling.is_held()
    path = rolling.path(kind)
    world.must("POST", path, made(kind))
    with operator_of(world) as operator:
        # Policies are heard of a moment after they are made.
        at = f"{world.plane.url}{path}/w"
        # A change each time: what changes nothing is refused to nobody.
        tries = itertools.count()
        world.until(lambda: operator.patch(at, json=noted(tries=str(next(tries)))).status_code == 403, "it is in force")
        world.must("PATCH", f"{path}/w", noted(tries=None), MERGE)
        for what, (body, about) in REFUSED.items():
            answer = operator.patch(at, json=body)
            wrong = (kind, what, answer.json().get("message"))
            assert answer.status_code == (403 if "replicas" not in what or kind != "DaemonSet" else 200), wrong
            if answer.status_code == 403:
                assert f"Keywright may not change {about}" in answer.json()["message"], wrong
        before = rolling.object("w", kind)
        for mark in (PRINT, OTHER_PRINT):
            assert operator.patch(at, json=noted(**{NOTE: mark})).status_code == 200
        after = rolling.object("w", kind)
        assert after["spec"]["template"]["metadata"]["annotations"] == {"theirs": "1", NOTE: OTHER_PRINT}
        after["spec"]["template"]["metadata"]["annotations"] = {"theirs": "1"}
        assert after["spec"] == before["spec"]
    # Nobody else is held.
    world.must("PATCH", f"{path}/w", noted(theirs="2", **{NOTE: "x"}), MERGE)
