"""When objects are looked at again, as far as their checks decide it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from keywright.engine import records
from keywright.engine.diary import Diary
from keywright.engine.records import Record


def record(refresh: str, every: str, liveness: str = "Warn") -> Record:
    """Return an object as it was listed, with a credential that is known."""
    told = {"name": "openai", "verdict": "Valid", "since": "2026-11-22T00:00:00Z", "fingerprint": "k:1"}
    check = {"every": every, "liveness": liveness}
    spec: dict[str, Any] = {
        "storeRef": {"name": "vault"},
        "refreshInterval": refresh,
        "data": [{"key": "KEY", "remoteRef": {"path": "llm/openai"}}],
        "credentials": [{"name": "openai", "issuer": "openai", "parts": {"apiKey": "KEY"}, "check": check}],
    }
    meta = {"namespace": "team-a", "name": "llm", "uid": "u", "resourceVersion": "1", "generation": 1}
    return records.read({"metadata": meta, "spec": spec, "status": {"credentials": [told]}})


def due(found: Record) -> tuple[float | None, float | None]:
    """Return in how many seconds an object is refreshed, and looked at, after a start."""
    diary, now = Diary(lambda _: None, lambda _: None, lambda _: False), time.time()
    diary.refresh(found, now)
    diary.recall(found)
    times = diary.refreshes.at(found.key), diary.reminders.at(found.key)
    refreshed, looked = (None if at is None else at - now for at in times)
    return refreshed, looked


def test_a_restart_does_not_put_off_a_check_beyond_its_time() -> None:
    refreshed, _ = due(record("30d", "1h"))

    assert refreshed is not None
    assert 0 <= refreshed <= 3600


@pytest.mark.parametrize(("every", "liveness"), [("6h", "Warn"), ("10m", "Off")])
def test_what_is_refreshed_often_enough_keeps_its_slot(every: str, liveness: str) -> None:
    plain, _ = due(record("1h", "6h", "Off"))

    refreshed, _ = due(record("1h", every, liveness))

    assert refreshed == pytest.approx(plain, abs=1)


def test_what_is_read_once_is_looked_at_soon() -> None:
    refreshed, looked = due(record("0", "1h"))

    assert refreshed is None
    assert looked is not None
    assert 0 <= looked <= 11
