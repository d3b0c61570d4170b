"""1,000 new objects with a template, beside as many plain ones."""

from __future__ import annotations

from ..rows import Row, Target
from ..testbed import Json, Testbed, objects
from .cold_start import cold_start

NAME = "templates"

_TEXT = """\
[llm]
url = https://api.example.com/v1
key = {{ API_KEY }}
auth = {{ ("user:" ~ API_KEY) | b64encode }}
{% if API_KEY is defined %}
team = {{ metadata.namespace }}
name = {{ metadata.name | upper }}
{% endif %}
query = key={{ API_KEY | urlencode }}
json = {{ API_KEY | tojson }}
"""


async def run(count: int) -> list[Row]:
    """Measure both, plain ones before and after."""
    before = await _measure(count, objects(count))
    made = await _measure(count, _templated(count))
    after = await _measure(count, objects(count))
    wall, cpu = (min(each) for each in zip(before, after, strict=True))
    target = Target(1.3, of="ratio")
    return [
        Row(NAME, f"{count} new objects with a template, each", made[0], "ms", target, wall),
        Row(NAME, "CPU of a first sync with a template", made[1], "ms", target, cpu),
    ]


async def _measure(count: int, items: list[Json]) -> tuple[float, float]:
    """Return the time and the CPU time that one object takes (ms)."""
    async with Testbed.open() as testbed:
        found = await cold_start(testbed, count, items)
    return found.ready / count * 1000, found.cpu / count * 1000


def _templated(count: int) -> list[Json]:
    items = objects(count)
    for each in items:
        each["spec"]["target"] = {"template": {"stringData": {"app.ini": _TEXT}}}
    return items
