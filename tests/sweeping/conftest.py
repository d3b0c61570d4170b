"""A stage for each test."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from controlplane import ControlPlane, OpenBao
from sweeping.plan import shares
from sweeping.stage import Stage


@pytest.fixture
def stage(control_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path) -> Iterator[Stage]:
    """A world with proxies before every server, and nothing in it."""
    with Stage.around(control_plane, openbao, namespace, tmp_path) as made:
        yield made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the sweep its shares."""
    if "share" in metafunc.fixturenames:
        chosen = metafunc.config.option
        found = list(shares(chosen.sweep_seed, whole=chosen.sweep == "whole"))
        metafunc.parametrize("share", found, ids=[each.name for each in found])
