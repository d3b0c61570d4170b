"""What the tests of stores share: a KV engine each, version 2 or 1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from controlplane import OpenBao
from stores.engines import Engine, engine_of


@pytest.fixture
def kv(openbao: OpenBao) -> Iterator[Engine]:
    """A KV engine, version 2."""
    with engine_of(openbao.client(), 2) as engine:
        yield engine


@pytest.fixture
def kv1(openbao: OpenBao) -> Iterator[Engine]:
    """A KV engine, version 1."""
    with engine_of(openbao.client(), 1) as engine:
        yield engine
