"""Control planes of their own for tests that change what all tests share: CRDs, and operators that serve everything."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from controlplane import ControlPlane, Server
from controlplane.build import assets


@pytest.fixture
def own_plane(tmp_path: pathlib.Path) -> Iterator[ControlPlane]:
    """A control plane without our CRDs, whose roles add up: the cluster's ``edit`` has what charts add to it."""
    with ControlPlane.start(tmp_path / "own") as plane:
        command = [str(assets().controller_manager), f"--kubeconfig={plane.kubeconfig}", "--leader-elect=false"]
        command += ["--secure-port=0", "--controllers=clusterrole-aggregation-controller"]
        adding = Server("aggregation", command, tmp_path)
        try:
            yield plane
        finally:
            adding.stop()
