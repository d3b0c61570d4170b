"""1,000 new objects with the audit trail and without: what it costs to record what is done."""

from __future__ import annotations

from ..rows import Row, Target
from ..testbed import SYSTEM, Testbed
from .cold_start import ColdStart, cold_start

NAME = "audit trail"


async def run(count: int) -> list[Row]:
    """Measure, in turns: the better of two of each, so that what disturbs one run flatters nobody."""
    off, on, segments = [], [], 0
    for _ in range(2):
        off.append((await _cold_start(count, "off"))[0])
        found, segments = await _cold_start(count, "require")
        on.append(found)
    without, with_it = min(each.ready for each in off), min(each.ready for each in on)
    cpu, cpu_with_it = min(each.cpu for each in off), min(each.cpu for each in on)
    return [
        Row(NAME, f"time until {count} new objects are Ready", with_it, "s", Target(1.1, "low", "ratio"), without),
        Row(
            NAME,
            "CPU of a first sync",
            cpu_with_it / count * 1000,
            "ms",
            Target(1.1, "low", "ratio"),
            cpu / count * 1000,
        ),
        Row(NAME, "writes of a first sync, segments apart", on[-1].writes / count, "", Target(2.0)),
        Row(NAME, f"segments written for {count} first syncs", segments, "", Target(count / 10)),
    ]


async def _cold_start(count: int, mode: str) -> tuple[ColdStart, int]:
    """Measure a cold start; return it and how many segments were written."""
    async with Testbed.open() as testbed:
        mark = testbed.plane.mark()
        found = await cold_start(testbed, count, None, f"--audit-mode={mode}")
        asked = [each for each in testbed.asked(mark) if each.namespace == SYSTEM and each.code < 300]
        return found, sum((each.verb, each.resource) == ("create", "auditsegments") for each in asked)
