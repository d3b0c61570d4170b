"""How pods use a Secret, as their specs say it: each way there is, and nothing of other Secrets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.decide import uses
from keywright.decide.uses import Use, Way

Json = dict[str, Any]


def by_key(secret: str, key: str = "KEY", variable: str = "VAR") -> Json:
    return {"env": [{"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}]}


def pod(*volumes: Json, part: str = "containers", **container: Any) -> Json:
    return {part: [{"name": "main", **container}], "volumes": list(volumes)}


def mounted(**mount: Any) -> Json:
    return {"volumeMounts": [{"name": "keys", "mountPath": "/keys", **mount}]}


ALL = {"name": "keys", "secret": {"secretName": "llm"}}
ITEMS = [{"key": "A", "path": "a"}, {"key": "B", "path": "b"}]
SOME = {"name": "keys", "secret": {"secretName": "llm", "items": ITEMS}}
BESIDE = {"name": "keys", "projected": {"sources": [{"configMap": {"name": "llm"}}, {"secret": {"name": "llm"}}]}}
ONE_BESIDE = {"name": "keys", "projected": {"sources": [{"secret": {"name": "llm", "items": [{"key": "A"}]}}]}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (pod(**by_key("llm")), [Use(Way.ENV, "main", "KEY", "VAR")]),
        (pod(**by_key("other")), []),
        (pod(env=[{"name": "A", "value": "llm"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "llm"}}}]), []),
        (pod(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "llm", "key": "A"}}}]), []),
        (pod(envFrom=[{"secretRef": {"name": "llm"}, "prefix": "P_"}]), [Use(Way.ENV_FROM, "main", None, "P_")]),
        (pod(envFrom=[{"secretRef": {"name": "other"}}, {"configMapRef": {"name": "llm"}}]), []),
        (pod(ALL, **mounted()), [Use(Way.VOLUME, "main", None, "/keys")]),
        (pod(SOME, **mounted()), [Use(Way.VOLUME, "main", key, "/keys") for key in "AB"]),
        (pod(BESIDE, **mounted()), [Use(Way.VOLUME, "main", None, "/keys")]),
        (pod(ONE_BESIDE, **mounted()), [Use(Way.VOLUME, "main", "A", "/keys")]),
        (pod(ALL, **mounted(subPath="A")), [Use(Way.SUB_PATH, "main", None, "/keys")]),
        (pod(ALL, **mounted(subPathExpr="$(A)")), [Use(Way.SUB_PATH, "main", None, "/keys")]),
        # A volume that no container has is read by nobody.
        (pod(ALL), []),
        (pod({"name": "keys", "secret": {"secretName": "other"}}, **mounted()), []),
        ({"imagePullSecrets": [{"name": "llm"}, {"name": "other"}], "containers": []}, [Use(Way.IMAGE_PULL)]),
        ({"imagePullSecrets": [{}], "containers": []}, []),
        ({}, []),
        ({"containers": None, "volumes": None}, []),
    ],
)
def test_a_spec_tells_how_it_uses_a_secret(spec: Json, expected: list[Use]) -> None:
    assert list(uses.of(spec, "llm")) == expected


@pytest.mark.parametrize("part", ["initContainers", "containers", "ephemeralContainers"])
def test_containers_of_each_sort_count(part: str) -> None:
    assert uses.of(pod(part=part, **by_key("llm")), "llm") == (Use(Way.ENV, "main", "KEY", "VAR"),)


@pytest.mark.parametrize(
    "volume",
    [
        {"csi": {"driver": "d", "nodePublishSecretRef": {"name": "llm"}}},
        {"azureFile": {"secretName": "llm", "shareName": "s"}},
        {"flexVolume": {"driver": "d", "secretRef": {"name": "llm"}}},
        {"rbd": {"secretRef": {"name": "llm"}}},
    ],
)
def test_volumes_that_are_mounted_with_it_count(volume: Json) -> None:
    (part,) = volume
    other = {part: {name: {"name": "x"} if isinstance(each, dict) else "x" for name, each in volume[part].items()}}

    assert uses.of(pod({"name": "disk", **volume}), "llm") == (Use(Way.DRIVER, place="disk"),)
    assert uses.of(pod({"name": "disk", **other}), "llm") == ()


NAMES = st.sampled_from(["llm", "other", "llm-2"])
WHOLE = NAMES.map(lambda name: {"envFrom": [{"secretRef": {"name": name}}]})
CONTAINERS = st.lists(st.one_of(NAMES.map(by_key), WHOLE))


@given(CONTAINERS, CONTAINERS)
def test_what_uses_a_secret_names_it_whatever_else_is_there(first: list[Json], then: list[Json]) -> None:
    spec = {
        "initContainers": [{"name": f"i{number}", **each} for number, each in enumerate(first)],
        "containers": [{"name": f"c{number}", **each} for number, each in enumerate(then)],
    }

    found = {each.container for each in uses.of(spec, "llm")}

    parts = spec["initContainers"] + spec["containers"]
    assert found == {each["name"] for each in parts if "'llm'" in str(each)}
