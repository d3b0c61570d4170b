"""What the tests of the CRDs share: where kinds are served, what is said against an object, what a schema holds."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from controlplane import ControlPlane
from keywright import crd, kinds
from keywright.schema import Spec

Json = dict[str, Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=list(kinds.KINDS))
PARTS = [(kind, part) for kind in kinds.KINDS.values() for part in ("spec", "status") if kind.Status or part == "spec"]
PARTS_OF_KINDS = pytest.mark.parametrize(("kind", "part"), PARTS, ids=[f"{kind.kind}.{part}" for kind, part in PARTS])


def condition(definition: Json, kind: str) -> str | None:
    found = {each["type"]: each["status"] for each in definition.get("status", {}).get("conditions") or []}
    return found.get(kind)


def url(kind: type[kinds.Kind], namespace: str = "default") -> str:
    scope = f"namespaces/{namespace}/" if kind.namespaced else ""
    return f"/apis/{kinds.API_VERSION}/{scope}{kind.plural}"


def refusal(control_plane: ControlPlane, manifest: Json) -> str:
    """Return what the API server says against an object; nothing if it would take it."""
    path = url(kinds.KINDS[manifest["kind"]])
    status, answer = control_plane.request("POST", f"{path}?dryRun=All", manifest)
    assert status in (201, 422), answer
    return "" if status == 201 else str(answer["message"])


def nodes(described: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Yield every type in a schema, with where it stands."""
    yield path, described
    for name, each in described.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    for keyword, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if keyword in described:
            yield from nodes(described[keyword], path + mark)


def root(kind: type[kinds.Kind]) -> Json:
    version: Json = crd.manifest(kind)["spec"]["versions"][0]
    described: Json = version["schema"]["openAPIV3Schema"]
    return described


def part_of(kind: type[kinds.Kind], part: str) -> tuple[type[Spec], Json]:
    model = kind.Spec if part == "spec" else kind.Status
    assert model
    return model, root(kind)["properties"][part]


def kubectl(control_plane: ControlPlane, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    program = pathlib.Path(sys.executable).with_name("kubectl")
    command = [str(program), "--kubeconfig", str(control_plane.kubeconfig), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
