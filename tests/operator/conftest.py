"""Fault proxies in front of the servers that operators reach. A test asks for one before it asks for its world."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from controlplane import ControlPlane, FaultProxy, OpenBao
from rotating import Rotating
from vendors import VendorServer, serving
from world import World


@pytest.fixture
def api_proxy(control_plane: ControlPlane, tmp_path: pathlib.Path) -> Iterator[FaultProxy]:
    """A proxy in front of the API server."""
    with FaultProxy(control_plane, tmp_path / "api-proxy") as made:
        yield made


@pytest.fixture
def bao_proxy(openbao: OpenBao, tmp_path: pathlib.Path) -> Iterator[FaultProxy]:
    """A proxy in front of OpenBao."""
    with FaultProxy(openbao, tmp_path / "bao-proxy") as made:
        yield made


@pytest.fixture
def openai() -> Iterator[VendorServer]:
    """A server that answers as OpenAI does."""
    with serving("openai") as server:
        yield server


@pytest.fixture
def rotating(world: World, openai: VendorServer) -> Rotating:
    """A credential that rotates."""
    return Rotating(world, openai)


@pytest.fixture
def hugging() -> Iterator[VendorServer]:
    """A server that answers as Hugging Face does."""
    with serving("huggingface") as server:
        yield server
