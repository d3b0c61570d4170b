"""What a scrape tells of the objects."""

from __future__ import annotations

import dataclasses

import prometheus_client

from keywright import metrics
from keywright.engine import records
from keywright.engine.ages import Ages
from keywright.engine.queue import Key
from keywright.engine.records import Record


def _record(name: str, *, ready: bool, checked_at: float) -> Record:
    meta = {"namespace": "team-a", "name": name, "uid": name, "resourceVersion": "1"}
    found = records.read({"metadata": meta, "spec": {}})
    return dataclasses.replace(found, ready=ready, checked_at=checked_at)


def _scraped(*, by_object: bool) -> set[str]:
    known: dict[Key, Record] = {}
    ages = Ages(known, by_object=by_object)
    metrics.REGISTRY.register(ages)
    try:
        for record in (_record("a", ready=True, checked_at=20.0), _record("b", ready=False, checked_at=10.0)):
            known[record.key] = record
        # The first scrape tells of what is known at its own time.
        return set(prometheus_client.generate_latest(metrics.REGISTRY).decode().splitlines())
    finally:
        metrics.REGISTRY.unregister(ages)


def test_a_scrape_tells_how_things_are_now() -> None:
    lines = _scraped(by_object=False)

    assert 'keywright_objects{ready="true"} 1.0' in lines
    assert 'keywright_objects{ready="false"} 1.0' in lines
    assert 'keywright_last_success_timestamp_seconds{name="",namespace="team-a"} 10.0' in lines


def test_each_object_is_told_of_where_that_is_wanted() -> None:
    lines = _scraped(by_object=True)

    assert 'keywright_last_success_timestamp_seconds{name="a",namespace="team-a"} 20.0' in lines
    assert 'keywright_last_success_timestamp_seconds{name="b",namespace="team-a"} 10.0' in lines
