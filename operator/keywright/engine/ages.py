"""What is told at each scrape of how objects are: how many are Ready, how long ago their stores last confirmed them.

Does not belong here: instruments that move when something happens (``metrics``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import Metric

from .. import metrics
from .queue import Key
from .records import Record


class Ages:
    """A collector for the registry; its gauges are not registered themselves, so that each scrape tells of itself.

    Args:
        by_object: tell each object's age; else the oldest of its namespace.
    """

    def __init__(self, records: Mapping[Key, Record], *, by_object: bool) -> None:
        self._records, self._by_object = records, by_object

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as they are now."""
        oldest: dict[tuple[str, str], float] = {}
        ready = 0
        for key, record in self._records.items():
            ready += record.ready
            if record.checked_at is not None:
                group = (key.namespace, key.name if self._by_object else "")
                oldest[group] = min(record.checked_at, oldest.get(group, record.checked_at))
        metrics.LAST_SUCCESS.clear()
        for group, at in oldest.items():
            metrics.LAST_SUCCESS.labels(*group).set(at)
        metrics.OBJECTS.labels("true").set(ready)
        metrics.OBJECTS.labels("false").set(len(self._records) - ready)
        yield from metrics.OBJECTS.collect()
        yield from metrics.LAST_SUCCESS.collect()
