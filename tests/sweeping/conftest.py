"""A stage for each test."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Iterator

import pytest

from amazon import Amazon
from controlplane import ControlPlane, OpenBao
from sweeping.amazon_stage import AmazonStage
from sweeping.plan import (
    Share,
    outages,
    shares,
    shares_back,
    shares_of_aws,
    shares_of_file,
    shares_of_laptop,
    shares_of_laptop_back,
)
from sweeping.shelves import File
from sweeping.stage import Stage


@pytest.fixture
def stage(control_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path) -> Iterator[Stage]:
    """A world with proxies before every server, and nothing in it."""
    with Stage.around(control_plane, openbao, namespace, tmp_path) as made:
        yield made


@pytest.fixture
def file_stage(
    control_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path
) -> Iterator[Stage]:
    """The same with an encrypted file as the store."""
    shelf = File(tmp_path / "root", namespace)
    with Stage.around(control_plane, openbao, namespace, tmp_path, shelf) as made:
        yield made


@pytest.fixture
def amazon_stage(
    control_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path, aws: Amazon
) -> Iterator[AmazonStage]:
    """The same with IAM and Secrets Manager of AWS."""
    with AmazonStage.with_account(control_plane, openbao, namespace, tmp_path, aws) as made:
        yield made


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the sweep its shares."""
    whole = metafunc.config.option.sweep == "whole"
    of_a_kind: dict[str, Callable[..., Iterator[Share]]] = {
        "share_back": shares_back,
        "share_of_file": shares_of_file,
        "share_of_aws": shares_of_aws,
        "share_of_laptop": functools.partial(shares_of_laptop, metafunc.config.option.sweep_seed),
        "share_of_laptop_back": shares_of_laptop_back,
    }
    for name in of_a_kind.keys() & set(metafunc.fixturenames):
        each = list(of_a_kind[name](whole=whole))
        metafunc.parametrize(name, each, ids=[share.name for share in each])
    if "away" in metafunc.fixturenames:
        every = list(outages(whole=whole))
        metafunc.parametrize("away", every, ids=[each[0][0] if whole else "a few" for each in every])
    if "share" in metafunc.fixturenames:
        chosen = metafunc.config.option
        found = list(shares(chosen.sweep_seed, whole=whole))
        metafunc.parametrize("share", found, ids=[each.name for each in found])
