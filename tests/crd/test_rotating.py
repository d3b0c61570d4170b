"""How keys are replaced, as objects and issuers say it: what the API server takes, and what it refuses by name."""

from __future__ import annotations

import contextlib
import copy
import time
from typing import Any

import pytest

from build import api_key_secret, credential, entry, key_issuer
from controlplane import ControlPlane
from crd.definitions import DEFINITIONS, Json, nodes, refusal
from issuing.cases import webhook
from keywright import crd, kinds


def calls(**more: Any) -> Json:
    """Return an issuer that is asked by declared calls."""
    said = webhook("https://keys.example.com") | more
    return key_issuer("gateway", webhook={name: value for name, value in said.items() if value is not None})


def rotated(**rotation: Any) -> Json:
    """Return an object whose key is replaced."""
    one = credential("openai", "KEY", None, issuerRef={"name": "b"}, rotation=rotation)
    return api_key_secret("llm", entry("KEY", "a"), credentials=[one])


#: Where the definition of ApiKeySecrets is served that a test changes, and how objects are changed.
GROUP, MERGE = "stored.keywright.test", "application/merge-patch+json"
OBJECTS = f"/apis/{GROUP}/{kinds.VERSION}/namespaces/default/{kinds.ApiKeySecret.plural}"
TOO_OFTEN = "spec.credentials[0].rotation: Invalid value: every must be longer than overlap (24h if omitted)"
TOO_FAR = "test: Invalid value: within (15m if omitted) must be at least twice apart (10s if omitted)"
TAKEN = {
    "all calls": calls(),
    "no way to find a key": calls(find=None),
    "off for no time": rotated(observe="0"),
    "off for a day": rotated(observe="24h"),
    "more often than a day, with an overlap that is shorter": rotated(every="1h", overlap="59m"),
    "an age in days, and no overlap said": rotated(every="1d1s"),
    "every few seconds, without an overlap": rotated(every="10s", overlap="0"),
    "tests that take half of the time there is": rotated(test={"apart": "5s", "within": "10s"}),
    # How often a schedule comes no rule can tell.
    "a schedule, and an overlap of a month": rotated(schedule="0 * * * *", overlap="30d"),
}
REFUSED = {
    "a key that is found in no list": (calls(list=None), "find needs list"),
    "a key that is found by nothing": (calls(find={"path": "/me"}), "spec.webhook.find.handle: Required value"),
    "off without on": (calls(enable=None), "disable and enable go together"),
    "off for more than a day": (rotated(observe="25h"), "must be at most 24h"),
    "an overlap as long as a key's age": (rotated(every="30d", overlap="30d"), TOO_OFTEN),
    "an overlap longer than a key's age, in other units": (rotated(every="30d", overlap="721h"), TOO_OFTEN),
    "an age shorter than the overlap that there is if none is said": (rotated(every="12h"), TOO_OFTEN),
    "an age as long as that": (rotated(every="24h"), TOO_OFTEN),
    "tests further apart than they may take": (rotated(test={"apart": "30m"}), TOO_FAR),
    "tests that take all the time there is": (rotated(test={"within": "10s"}), TOO_FAR),
}


@pytest.mark.parametrize("manifest", TAKEN.values(), ids=TAKEN.keys())
def test_what_can_be_replaced_so_is_taken(control_plane: ControlPlane, manifest: Json) -> None:
    assert refusal(control_plane, manifest) == ""


@pytest.mark.parametrize(("manifest", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_replaced_so_is_refused_by_name(control_plane: ControlPlane, manifest: Json, said: str) -> None:
    assert said in refusal(control_plane, manifest)


def test_an_object_that_is_stored_already_goes_on_although_its_key_is_to_be_replaced_too_often(
    control_plane: ControlPlane,
) -> None:
    before, now = _of_a_version_before(), _in_another_group()
    of_one = f"{DEFINITIONS}/{now['metadata']['name']}"
    try:
        assert control_plane.request("POST", DEFINITIONS, before)[0] == 201
        _until_served(control_plane, rules=False)
        stored = rotated(every="12h") | {"apiVersion": f"{GROUP}/{kinds.VERSION}"}
        assert control_plane.request("POST", OBJECTS, stored)[0] == 201
        assert control_plane.request("PATCH", of_one, {"spec": now["spec"]}, MERGE)[0] == 200
        _until_served(control_plane, rules=True)
        one = f"{OBJECTS}/llm"

        # What the operator and people change of it is taken, but for what is refused.
        for path, change in (
            (f"{one}/status", {"status": {"observedGeneration": 1}}),
            (one, {"metadata": {"labels": {"a": "b"}}}),
            (one, {"spec": {"refreshInterval": "30m"}}),
        ):
            status, answer = control_plane.request("PATCH", path, change, MERGE)
            assert status == 200, answer
        rotation = kinds.ApiKeySecret.read_spec(answer["spec"]).credentials[0].rotation
        assert rotation and rotation.every == "12h"
        changed = answer["spec"]["credentials"]
        changed[0]["rotation"] |= {"observe": "1m"}
        status, answer = control_plane.request("PATCH", one, {"spec": {"credentials": changed}}, MERGE)
        assert (status, TOO_OFTEN in answer["message"]) == (422, True)
    finally:
        control_plane.request("DELETE", of_one)


def _in_another_group() -> Json:
    """Return the definition of ApiKeySecrets under another name, so that it can be changed here."""
    made = copy.deepcopy(crd.manifest(kinds.ApiKeySecret))
    made["metadata"]["name"] = f"{kinds.ApiKeySecret.plural}.{GROUP}"
    made["spec"]["group"] = GROUP
    names = made["spec"]["names"]
    made["spec"]["names"] = {name: names[name] for name in ("kind", "listKind", "plural", "singular") if name in names}
    return made


def _of_a_version_before() -> Json:
    """Return the same as it was when any age was taken."""
    made = _in_another_group()
    for rotation in _rotations(made):
        rules = rotation["x-kubernetes-validations"]
        rotation["x-kubernetes-validations"] = [each for each in rules if "self.every" not in each["rule"]]
    return made


def _rotations(definition: Json) -> list[Json]:
    described = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return [each for path, each in nodes(described, "spec") if path.endswith(".rotation")]


def _until_served(control_plane: ControlPlane, *, rules: bool) -> None:
    """Wait until objects are judged by a definition, which takes a moment after it was changed."""
    probe = rotated(every="12h") | {"apiVersion": f"{GROUP}/{kinds.VERSION}", "metadata": {"name": "probe"}}
    wanted, status, until = 422 if rules else 201, 0, time.monotonic() + 30
    while status != wanted and time.monotonic() < until:
        # What is not served yet is refused in no words that a program reads.
        with contextlib.suppress(ValueError):
            status, _ = control_plane.request("POST", f"{OBJECTS}?dryRun=All", probe)
        time.sleep(0.1)
    assert status == wanted
