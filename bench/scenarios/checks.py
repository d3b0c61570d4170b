"""1,000 new objects whose keys are checked, beside as many whose keys are not: the same well-formed keys."""

from __future__ import annotations

from collections.abc import Sequence

from vendors import VendorServer, serving

from ..rows import Row, Target
from ..testbed import Json, Testbed, objects
from .cold_start import ColdStart, cold_start

NAME = "checks"


async def run(count: int) -> list[Row]:
    """Measure objects without checks before and after those with."""
    with serving("openai") as issuer:
        before = await _measure(count, issuer, ())
        formed = await _measure(count, issuer, _credentials(issuer, "Off"))
        asked = await _measure(count, issuer, _credentials(issuer, "Warn"))
        probes = len(issuer.requests)
        after = await _measure(count, issuer, ())
    wall, cpu = (min(getattr(each, what) for each in (before, after)) / count * 1000 for what in ("ready", "cpu"))
    target = Target(1.1, of="ratio")
    return [
        Row(NAME, f"{count} new objects, forms checked, each", formed.ready / count * 1000, "ms", target, wall),
        Row(NAME, "CPU of a first sync, form checked", formed.cpu / count * 1000, "ms", target, cpu),
        Row(
            NAME, f"{count} new objects with one key, also probed, each", asked.ready / count * 1000, "ms", target, wall
        ),
        Row(NAME, "CPU of a first sync, also probed", asked.cpu / count * 1000, "ms", target, cpu),
        Row(NAME, f"probes of {count} objects with one key", probes, "", Target(1.0)),
        Row(NAME, "writes of a first sync, also probed", asked.writes / count, "", Target(2.0)),
    ]


async def _measure(count: int, issuer: VendorServer, credentials: Sequence[Json]) -> ColdStart:
    """Let all objects read one key, so that what differs is the checks alone."""
    parts = issuer.vendor.samples()["project key"]
    issuer.vendor.knows(parts)
    async with Testbed.open() as testbed:
        testbed.has_keys(1, make=lambda _: parts["apiKey"])
        items = objects(count, path="key-0")
        for each in items:
            each["spec"]["credentials"] = list(credentials)
        return await cold_start(testbed, count, items, f"--allow-issuer-endpoint={issuer.url}", keys=False)


def _credentials(issuer: VendorServer, liveness: str) -> list[Json]:
    check = {"format": "Warn", "liveness": liveness}
    parts = {"apiKey": "API_KEY"}
    return [{"name": "openai", "issuer": "openai", "parts": parts, "endpoint": issuer.url, "check": check}]
