"""5,000 new objects: how much memory the operator needs at most, and how many Events are lost."""

from __future__ import annotations

from ..rows import Row, Target
from ..testbed import Testbed
from .cold_start import cold_start

NAME = "many objects"


async def run(count: int) -> list[Row]:
    """Measure a cold start of five times as many objects."""
    count *= 5
    async with Testbed.open() as testbed:
        ours = await cold_start(testbed, count)
    return [
        Row(NAME, f"peak memory with {count} objects", ours.peak, "MiB", Target(150.0)),
        Row(NAME, f"Events lost of {count}", count - ours.events, "", Target(0.0)),
        Row(NAME, f"{count} new objects all Ready", count / ours.ready, "/s"),
    ]
