"""How thoroughly pure code is searched. No deadlines: a busy machine is not a bug."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from unit.desk import Desk

settings.register_profile(
    "unit", deadline=None, max_examples=50, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk; at the end nothing hangs any more."""
    made = Desk()
    yield made
    for place in made.places:
        place.slow.set()
    for opened in made.opened:
        opened.close()
