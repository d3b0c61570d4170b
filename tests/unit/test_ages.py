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


def test_what_is_minted_ends_soon_all_the_time_and_is_told_of_once_it_has() -> None:
    rotated = {"name": "a", "issuer": "github", "parts": {"token": "T"}, "issuerRef": {"name": "b"}, "rotation": {}}
    spec = {"data": [{"key": "T"}], "credentials": [rotated]}

    def told(ends: str) -> bool:
        meta = {"namespace": "team-a", "name": "a", "uid": "a", "resourceVersion": "1"}
        status = {"credentials": [{"name": "a", "expiresAt": ends, "verdict": "Valid"}]}
        record = records.read({"metadata": meta, "spec": spec, "status": status})
        ages = Ages({record.key: record}, by_object=False)
        found = {each.name: each.samples for each in ages.collect()}
        return bool(found["keywright_key_expiry_timestamp_seconds"])

    assert not told("2999-01-01T00:00:00Z")
    assert told("1999-01-01T00:00:00Z")
