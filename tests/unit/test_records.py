"""What the engine remembers of an object."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keywright import errors
from keywright.decide.sync import Applied
from keywright.engine import records
from keywright.engine.queue import Key
from keywright.errors import Reason

SPEC = {"data": [{"key": "KEY", "remoteRef": {"path": "llm/openai"}}]}
TARGET = {"name": "llm", "uid": "uid-1", "resourceVersion": "7", "fingerprint": "k1:ab"}


def _item(**changes: Any) -> dict[str, Any]:
    meta = {"namespace": "team-a", "name": "llm", "uid": "uid-a", "resourceVersion": "5", "generation": 2}
    return {"metadata": meta, "spec": SPEC} | changes


def test_a_record_is_made_of_what_the_api_server_gives() -> None:
    record = records.read(_item(status={"observedGeneration": 2, "target": TARGET}))

    assert (record.key, record.uid, record.resource_version, record.generation) == (
        Key("team-a", "llm"),
        "uid-a",
        "5",
        2,
    )
    assert json.loads(record.spec) == SPEC
    assert record.status_json() == {"observedGeneration": 2, "target": TARGET}
    assert record.applied == Applied("uid-1", "7", "k1:ab")
    assert record.regarding.name == "llm"
    assert record.ask


def test_a_request_for_a_refresh_is_in_an_annotation() -> None:
    item = _item()
    item["metadata"] = item["metadata"] | {"annotations": {records.REFRESH: "now-1", "other": "x"}}

    assert records.read(item).refresh == "now-1"
    assert records.read(_item()).refresh == ""


@pytest.mark.parametrize("status", [None, {}, {"target": None}, {"target": {}}, {"target": {"name": "llm"}}])
def test_without_a_complete_note_nothing_was_written_as_far_as_we_know(status: dict[str, Any] | None) -> None:
    assert records.read(_item(status=status)).applied is None


@pytest.mark.parametrize("missing", ["uid", "resourceVersion", "fingerprint"])
def test_half_a_note_of_what_was_written_is_none(missing: str) -> None:
    assert records.applied({"target": {name: value for name, value in TARGET.items() if name != missing}}) is None


def test_a_spec_that_cannot_be_read_needs_a_person_and_is_not_repeated() -> None:
    record = records.read(_item(spec={"data": [{"key": 7, "remoteRef": "canary-7f3a9c"}]}))

    with pytest.raises(errors.Stalled) as caught:
        record.spec_model()
    assert caught.value.reason is Reason.INVALID_SPEC
    assert "canary-7f3a9c" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_spec_that_was_read_is_the_one_of_the_object() -> None:
    (found,) = records.read(_item()).spec_model().data

    assert found.remote_ref
    assert found.remote_ref.path == "llm/openai"


def test_what_is_minted_names_no_store() -> None:
    rotated = {"name": "a", "issuer": "github", "parts": {"token": "T"}, "issuerRef": {"name": "b"}, "rotation": {}}
    item = _item(spec={"data": [{"key": "T"}], "credentials": [rotated]})

    assert records.read(item).uses == frozenset()
    assert records.minted(records.read(item).spec) == {"a"}
    assert records.minted(records.read(_item()).spec) == records.minted(b'{"credentials":7}') == frozenset()


def test_a_status_that_was_written_is_remembered_with_its_version() -> None:
    record = records.read(_item())
    record.took_status({"observedGeneration": 2}, "6")

    assert (record.status_json(), record.resource_version) == ({"observedGeneration": 2}, "6")


def test_what_an_object_reads_is_known_without_its_spec_being_parsed() -> None:
    other = {"storeRef": {"name": "other"}, "remoteRef": {"path": "backup/openai"}}
    spec = {
        "data": [
            *SPEC["data"],
            {"key": "B", "remoteRef": {"path": "b"}, "sources": [other, {"storeRef": {"name": "x"}}]},
        ],
        "dataFrom": [{"extract": {"path": "all"}}],
        "credentials": [{"name": "github"}],
    }

    record = records.read(_item(spec=spec))

    assert record.reads.splitlines() == ["all", "b", "backup/openai", "github", "llm/openai"]


def test_a_spec_that_changes_while_the_former_is_worked_on_is_known_to_others_at_once() -> None:
    record = records.read(_item())
    record.working, record.parsed = record.generation, record.spec_model()
    assert record.newest_spec() is record.spec_model()

    changed = _item(spec=SPEC | {"suspend": True})
    changed["metadata"] |= {"generation": 3, "resourceVersion": "6"}
    assert record.took(records.read(changed))

    assert not record.spec_model().suspend
    assert record.newest_spec().suspend


def test_what_no_status_tells_yet_is_known_until_one_tells_it() -> None:
    record = records.read(_item())
    told, now = record.status_json(), [{"key": "A", "version": "2"}]
    record.applied, record.untold = Applied("u", "7", "print"), {"versions": now, "keys": "1/1"}

    record.took_status(told | {"conditions": []}, "8")
    assert record.told_versions == {"A": now[0]}

    record.took_status(told | {"keys": "1/1", "versions": now}, "9")
    assert record.untold is None
    assert record.told_versions == {"A": now[0]}


def test_of_a_target_that_is_gone_nothing_is_to_be_told() -> None:
    record = records.read(_item(status={}))
    record.applied, record.untold = None, {"versions": [{"key": "A"}]}

    assert record.told_versions == {}
