"""What is told at each scrape of how objects are: how many are Ready, how old their keys are, when these end.

Does not belong here: instruments that move when something happens (``metrics``).
"""

from __future__ import annotations

import collections
import dataclasses
import json
import time
from collections.abc import Iterator, Mapping

from prometheus_client import Gauge
from prometheus_client.core import Metric

from .. import metrics, pacing
from . import records
from .queue import Key
from .records import Record

_TOLD = (
    metrics.OBJECTS,
    metrics.LAST_SUCCESS,
    metrics.KEY_EXPIRY,
    metrics.KEY_AGE,
    metrics.CREDENTIALS,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """What a status tells of keys.

    Attributes:
        status: the text that it is from.
        ends: when the first of them ends (Unix time), where that is known.
        made: when the oldest was made (Unix time), where that is known.
        minted: when the first of those ends that are minted: it is always soon, and told once that has come.
    """

    status: bytes
    ends: float | None
    made: float | None
    verdicts: tuple[str, ...]
    minted: float | None = None


class Ages:
    """A collector for the registry; its gauges are not registered themselves, so that each scrape tells of itself.

    Args:
        by_object: tell of each object; else the worst of its namespace.
    """

    def __init__(self, records: Mapping[Key, Record], *, by_object: bool) -> None:
        self._records, self._by_object = records, by_object
        self._facts: dict[Key, Facts] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges as they are now."""
        confirmed, ends, made = _Least(), _Least(), _Least()
        verdicts: collections.Counter[tuple[str, str]] = collections.Counter()
        now = time.time()
        for key, record in self._records.items():
            group = (key.namespace, key.name if self._by_object else "")
            if record.refreshed:
                confirmed.add(group, record.checked_at)
            if facts := self._of(key, record):
                ends.add(group, facts.ends)
                ends.add(group, facts.minted if facts.minted and facts.minted <= now else None)
                made.add(group, facts.made)
                verdicts.update((key.namespace, each) for each in facts.verdicts)
        self._facts = {key: facts for key, facts in self._facts.items() if key in self._records}
        ready = sum(record.ready for record in self._records.values())
        metrics.OBJECTS.labels("true").set(ready)
        metrics.OBJECTS.labels("false").set(len(self._records) - ready)
        _set(metrics.LAST_SUCCESS, confirmed.found)
        _set(metrics.KEY_EXPIRY, ends.found)
        _set(metrics.KEY_AGE, {group: now - at for group, at in made.found.items()})
        _set(metrics.CREDENTIALS, verdicts)
        for gauge in _TOLD:
            yield from gauge.collect()

    def _of(self, key: Key, record: Record) -> Facts | None:
        """Return what an object's status tells of keys; read once as long as it stays."""
        if b'"credentials"' not in record.status:
            return None
        facts = self._facts.get(key)
        if facts is None or facts.status is not record.status:
            facts = self._facts[key] = _read(record)
        return facts


class _Least:
    """The least of each group."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], float] = {}

    def add(self, group: tuple[str, str], value: float | None) -> None:
        if value is not None:
            self.found[group] = min(value, self.found.get(group, value))


def _read(record: Record) -> Facts:
    told, minted = json.loads(record.status).get("credentials") or [], records.minted(record.spec)
    ends = {str(each.get("name")): at for each in told if (at := pacing.unix(each.get("expiresAt"))) is not None}
    made = [at for each in told if (at := pacing.unix(each.get("createdAt"))) is not None]
    verdicts = tuple(str(each.get("verdict")) for each in told)
    first = min((at for name, at in ends.items() if name not in minted), default=None)
    soon = min((at for name, at in ends.items() if name in minted), default=None)
    return Facts(record.status, first, min(made, default=None), verdicts, soon)


def _set(gauge: Gauge, values: Mapping[tuple[str, str], float]) -> None:
    gauge.clear()
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
