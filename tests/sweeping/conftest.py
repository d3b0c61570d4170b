"""A stage for each test."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from amazon import Amazon
from controlplane import ControlPlane, OpenBao
from sweeping.amazon_stage import AmazonStage
from sweeping.plan import outages, shares, shares_back, shares_of_aws, shares_of_file
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
    if "share_back" in metafunc.fixturenames:
        back = list(shares_back(whole=whole))
        metafunc.parametrize("share_back", back, ids=[each.name for each in back])
    if "share_of_file" in metafunc.fixturenames:
        of_file = list(shares_of_file(whole=whole))
        metafunc.parametrize("share_of_file", of_file, ids=[each.name for each in of_file])
    if "share_of_aws" in metafunc.fixturenames:
        of_aws = list(shares_of_aws(whole=whole))
        metafunc.parametrize("share_of_aws", of_aws, ids=[each.name for each in of_aws])
    if "away" in metafunc.fixturenames:
        every = list(outages(whole=whole))
        metafunc.parametrize("away", every, ids=[each[0][0] if whole else "a few" for each in every])
    if "share" in metafunc.fixturenames:
        chosen = metafunc.config.option
        found = list(shares(chosen.sweep_seed, whole=whole))
        metafunc.parametrize("share", found, ids=[each.name for each in found])
