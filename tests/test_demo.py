"""The demo tells its story, checks it, and leaves nothing behind."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from controlplane import ControlPlane

ROOT = pathlib.Path(__file__).parent.parent

STORY = (
    "Keys in OpenBao become native Secrets",
    "arrives at the next refresh",
    "Somebody deletes the Secret: it is back",
    "what they added stays",
    "A Secret that is not ours is in the way",
    "OpenBao is sealed",
    "OpenBao is unsealed",
    "its Secret goes too",
    "What it cost",
)


@pytest.fixture
def own_plane(tmp_path: pathlib.Path) -> Iterator[ControlPlane]:
    """A control plane that knows nothing of Keywright."""
    with ControlPlane.start(tmp_path / "kubernetes") as plane:
        yield plane


def environment(plane: ControlPlane) -> dict[str, str]:
    """Return an environment in which a control plane is the current kube context."""
    return os.environ | {"KUBECONFIG": str(plane.kubeconfig)}


def namespaces(plane: ControlPlane) -> set[str]:
    """Return the names of the demo's namespaces."""
    _, found = plane.request("GET", "/api/v1/namespaces")
    names = {each["metadata"]["name"] for each in found["items"]}
    return {name for name in names if name.startswith("keywright-demo-")}


def crds(plane: ControlPlane) -> set[str]:
    """Return the names of the CRDs that are there."""
    _, found = plane.request("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    return {each["metadata"]["name"] for each in found["items"]}


def test_the_demo_tells_its_story_in_somebodys_cluster_and_leaves_nothing(control_plane: ControlPlane) -> None:
    before = crds(control_plane)

    done = subprocess.run(
        [sys.executable, "-m", "demo", "--cluster", "current", "--yes"],
        env=environment(control_plane),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = re.findall(r"^ *\d+ ✓ (.*)$", done.stdout, re.MULTILINE)
    assert [line for line, expected in zip(told, STORY, strict=True) if expected not in line] == []
    assert "2 writes + 1 Event each" in done.stdout
    assert "sk-demo-" not in done.stdout + done.stderr
    (name,) = set(re.findall(r"namespaces (keywright-demo-\w+)", done.stdout))
    assert {name, f"{name}-system"}.isdisjoint(namespaces(control_plane))
    assert crds(control_plane) == before


def test_a_demo_that_is_interrupted_takes_back_all_that_it_made(own_plane: ControlPlane) -> None:
    command = [sys.executable, "-m", "demo", "--cluster", "current", "--yes"]
    with subprocess.Popen(command, env=environment(own_plane), cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        assert any(" 1 ✓" in line for line in demo.stdout)
        assert len(namespaces(own_plane)) == 2
        assert len(crds(own_plane)) == 3

        demo.send_signal(signal.SIGINT)
        # To the end: a demo whose reader has gone cannot say what it takes back.
        rest = demo.stdout.read()

    assert demo.returncode == 130, rest
    assert namespaces(own_plane) == set()
    assert crds(own_plane) == set()
