"""The demo tells its story, checks it, and leaves nothing behind."""

from __future__ import annotations

import datetime
import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from controlplane import ControlPlane
from keywright import crd, kinds, lease

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
    "an encrypted file, as it lies in Git",
    "neither gets in",
    "An auditor asks",
    "that is found",
    "What it cost",
)


@pytest.fixture
def own_plane(tmp_path: pathlib.Path) -> Iterator[ControlPlane]:
    """A control plane that knows nothing of Keywright."""
    with ControlPlane.start(tmp_path / "kubernetes") as plane:
        yield plane


@pytest.fixture
def plane_with_crds(tmp_path: pathlib.Path) -> Iterator[ControlPlane]:
    """A control plane that has our CRDs, and no operator of another test."""
    with ControlPlane.start(tmp_path / "kubernetes", crd.manifests()) as plane:
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


def play(plane: ControlPlane, *flags: str) -> subprocess.CompletedProcess[str]:
    """Play the demo in a cluster, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "demo", "--cluster", "current", *flags],
        env=environment(plane),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_the_demo_tells_its_story_in_somebodys_cluster_and_leaves_nothing(plane_with_crds: ControlPlane) -> None:
    before = crds(plane_with_crds)

    done = play(plane_with_crds, "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    told = re.findall(r"^ *\d+ ✓ (.*)$", done.stdout, re.MULTILINE)
    assert [line for line, expected in zip(told, STORY, strict=True) if expected not in line] == []
    assert "2 writes + 1 Event each" in done.stdout
    assert "sk-demo-" not in done.stdout + done.stderr
    (name,) = set(re.findall(r"namespaces (keywright-demo-\w+)", done.stdout))
    assert {name, f"{name}-system"}.isdisjoint(namespaces(plane_with_crds))
    assert crds(plane_with_crds) == before


def leads(plane: ControlPlane, namespace: str, holder: str, ago: float) -> None:
    """Let there be a Lease of Keywright whose holder gave its last sign of life some seconds ago."""
    seen = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago)
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": seen.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    status, answer = plane.request("POST", path, {"metadata": {"name": lease.NAME}, "spec": spec})
    assert status == 201, answer


def test_where_keywright_runs_already_the_demo_does_not_even_ask(own_plane: ControlPlane) -> None:
    leads(own_plane, "default", "somebody", ago=1)

    done = play(own_plane)

    assert done.returncode == 1, done.stderr
    assert "Keywright already runs in this cluster, in namespace default" in done.stdout
    assert "Go on?" not in done.stdout
    assert crds(own_plane) == set()


def test_an_operator_that_has_gone_keeps_no_demo_from_playing(own_plane: ControlPlane) -> None:
    leads(own_plane, "default", "", ago=1)
    leads(own_plane, "kube-public", "crashed", ago=300)

    # Nobody says yes.
    assert "Go on?" in play(own_plane).stdout


def test_a_demo_that_is_interrupted_takes_back_all_that_it_made(own_plane: ControlPlane) -> None:
    command = [sys.executable, "-m", "demo", "--cluster", "current", "--yes"]
    with subprocess.Popen(
        command,
        env=environment(own_plane),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        # Where tests run in the background, Ctrl-C is not minded.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    ) as demo:
        assert demo.stdout
        assert any(" 1 ✓" in line for line in demo.stdout)
        assert len(namespaces(own_plane)) == 2
        assert len(crds(own_plane)) == len(kinds.KINDS)

        demo.send_signal(signal.SIGINT)
        # To the end: a demo whose reader has gone cannot say what it takes back.
        rest = demo.stdout.read()

    assert demo.returncode == 130, rest
    assert namespaces(own_plane) == set()
    assert crds(own_plane) == set()
