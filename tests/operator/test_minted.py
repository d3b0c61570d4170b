"""Keys that live for a short while: minted at once, minted anew before they end, and never for any other reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from minting import Minting
from vendors import serving
from world import World


@pytest.fixture
def minting(world: World) -> Iterator[Minting]:
    """A credential that is minted."""
    with serving("github") as server:
        yield Minting(world, server)


def test_a_token_is_minted_at_once_and_kept_until_it_is_due(world: World, minting: Minting) -> None:
    minting.begins()
    minting.starts()

    world.is_ready()

    told = minting.rests()
    (token,) = minting.tokens()
    assert minting.token() == token
    assert minting.shelved()["token"] == token
    assert 3500 < minting.left() < 3600
    assert told["last"]["outcome"] == "Rotated"
    assert "debts" not in told
