"""Fixtures of the tests of commands."""

from __future__ import annotations

import pathlib

import pytest

from cli.desk import Desk


@pytest.fixture
def desk(tmp_path: pathlib.Path) -> Desk:
    """A person's data folder, and a raw key."""
    return Desk(tmp_path)
