"""Fixtures of the tests of commands."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from cli.desk import Desk
from cli.laptop import Laptop


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Desk:
    """A person's data folder, and a raw key."""
    return Desk(tmp_path)


@pytest.fixture
def openai(desk: Desk, tmp_path: pathlib.Path) -> Iterator[Laptop]:
    """Somebody whose keys OpenAI makes."""
    # With it come the servers of all issuers, which few tests of commands need.
    from issuing import cases

    with cases.desk("openai") as issuer:
        yield Laptop(desk, tmp_path, issuer)


@pytest.fixture
def aws(desk: Desk, tmp_path: pathlib.Path) -> Iterator[Laptop]:
    """Somebody whose keys IAM makes."""
    from issuing import cases

    with cases.desk("awsIam") as issuer:
        yield Laptop(desk, tmp_path, issuer)
