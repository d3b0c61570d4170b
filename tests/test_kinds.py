"""What the kinds say without any server: reading, defaults, selection."""

from __future__ import annotations

import pathlib
from typing import Any

import pydantic
import pytest

from build import api_key_secret, cluster_key_store, entry, key_store
from keywright import errors, kinds, schema
from keywright.stores import STORES

Json = dict[str, Any]


def spec(*entries: Json, **more: Any) -> kinds.ApiKeySecretSpec:
    return kinds.ApiKeySecret.read_spec(api_key_secret("llm", *entries, **more)["spec"])


def test_every_file_of_kinds_is_discovered() -> None:
    parts = {
        "__init__",
        "base",
        "credentials",
        "entries",
        "pods",
        "rewrite",
        "rollout",
        "rotation",
        "selector",
        "shapes",
        "target",
    }
    files = {each.stem for each in pathlib.Path(kinds.__file__).parent.glob("*.py")} - parts

    assert {each.__module__.rpartition(".")[2] for each in kinds.KINDS.values()} == files
    assert list(kinds.KINDS) == [
        *("ApiKeySecret", "AuditSegment", "KeyAction"),
        *("KeyIssuer", "ClusterKeyIssuer", "KeyStore", "ClusterKeyStore"),
    ]


def test_names_of_kinds_do_not_collide() -> None:
    names = [name for each in kinds.KINDS.values() for name in (each.plural, each.kind.lower(), each.short_name)]

    assert len(set(names)) == len(names)


def test_what_is_left_out_has_its_default() -> None:
    read = spec(entry("KEY", "llm/openai"), storeRef=None)

    (only,) = read.data
    assert only.remote_ref
    assert (only.decode, only.is_optional, only.allow_empty, only.remote_ref.property) == ("None", False, False, None)
    assert (read.store_ref, read.suspend, read.refresh_seconds) == (None, False, 3600)
    assert (read.target.type, read.target.adopt, read.target.on_delete) == ("Opaque", "Never", "Delete")
    assert read.target_name("llm") == "llm"


def test_the_kind_of_a_store_is_keystore_unless_it_says_otherwise() -> None:
    assert spec(entry("KEY", "a"), storeRef={"name": "vault"}).store_ref == kinds.StoreRef(name="vault")
    assert kinds.StoreRef(name="vault").kind == "KeyStore"


def test_the_target_may_have_a_name_of_its_own() -> None:
    assert spec(entry("KEY", "a"), target={"name": "keys"}).target_name("llm") == "keys"


@pytest.mark.parametrize(("said", "optional"), [({}, False), ({"optional": True}, True), ({"default": ""}, True)])
def test_a_default_makes_an_entry_optional(said: Json, optional: bool) -> None:
    assert spec(entry("KEY", "a", **said)).data[0].is_optional is optional


def test_a_spec_reads_the_same_from_json_text() -> None:
    text = b'{"data":[{"key":"KEY","remoteRef":{"path":"a","jmesPath":"b.c"}}],"refreshInterval":"1h30m"}'
    read = kinds.ApiKeySecret.read_spec(text)

    assert read.data[0].remote_ref
    assert read.data[0].remote_ref.jmes_path == "b.c"
    assert read.refresh_seconds == 5400


def test_fields_of_a_newer_version_are_read_over() -> None:
    assert spec(entry("KEY", "a", fromTheFuture=1), fromTheFuture={}).data[0].key == "KEY"


@pytest.mark.parametrize(
    "said", [{"data": [{"key": "canary-7f3a/", "remoteRef": {"path": 5}}]}, {"data": "canary-7f3a"}]
)
def test_a_spec_that_cannot_be_read_is_named_without_its_content(said: Json) -> None:
    with pytest.raises(errors.Stalled, match="ApiKeySecret") as caught:
        kinds.ApiKeySecret.read_spec(said)

    assert caught.value.reason is errors.Reason.INVALID_SPEC
    assert "data" in caught.value.message
    assert "canary" not in repr(caught.value) + caught.value.hint
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_spec_cannot_be_changed() -> None:
    read = spec(entry("KEY", "a"))

    with pytest.raises(pydantic.ValidationError, match="frozen"):
        read.suspend = True  # type: ignore[misc]


def test_a_store_object_knows_its_store_and_its_limits() -> None:
    read = kinds.KeyStore.read_spec(key_store("vault", "https://vault.example", "kv", limits={"timeout": "1m"})["spec"])

    store, config = read.store()
    assert store is STORES["vault"]
    assert config.mount == "kv"
    assert (read.limits.timeout_seconds, read.limits.requests_per_second) == (60, 50)


def test_a_store_of_a_later_version_is_told_as_such() -> None:
    read = kinds.KeyStore.read_spec({"fromTheFuture": {"server": "https://x"}})

    with pytest.raises(errors.Stalled, match="names no store that this version knows") as caught:
        read.store()

    assert caught.value.reason is errors.Reason.INVALID_SPEC
    assert "vault" in caught.value.hint


@pytest.mark.parametrize("selector", [{"team": "a"}, {"matchLabels": {"a": "b"}, "notIn": []}, {"matchlabels": {}}])
def test_a_selector_that_is_not_understood_selects_nothing(selector: Json) -> None:
    manifest = cluster_key_store("vault", "https://vault.example", "kv", namespaceSelector=selector)

    with pytest.raises(errors.Stalled, match="namespaceSelector") as caught:
        kinds.ClusterKeyStore.read_spec(manifest["spec"])

    assert caught.value.reason is errors.Reason.INVALID_SPEC


def test_a_name_that_stands_in_an_object_is_not_repeated_if_it_is_no_name() -> None:
    with pytest.raises(errors.Stalled) as caught:
        spec(entry("KEY", "a"), target={"labels": {"two\nlines": "a b", "app": "a b"}})

    assert "target.labels.…: string_pattern_mismatch; target.labels.app: " in caught.value.message


def test_a_cluster_store_says_besides_whom_it_serves() -> None:
    read = kinds.ClusterKeyStore.read_spec(cluster_key_store("vault", "https://vault.example", "kv")["spec"])

    assert isinstance(read, kinds.KeyStoreSpec)
    assert (read.default, read.path_prefix) == (False, "")
    assert read.namespace_selector.matches({})


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ({}, {}, True),
        ({}, {"a": "1"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "1", "b": "2"}, True),
        ({"matchLabels": {"a": "1"}}, {"a": "2"}, False),
        ({"matchLabels": {"a": "1", "b": "2"}}, {"a": "1"}, False),
        ({"matchLabels": {"a": ""}}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {"a": "2"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {"a": "1"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"b": ""}, False),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        (
            {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]},
            {"a": "1"},
            False,
        ),
    ],
)
def test_a_selector_selects_as_kubernetes_does(selector: Json, labels: dict[str, str], selected: bool) -> None:
    assert kinds.LabelSelector.model_validate(selector).matches(labels) is selected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("0s", 0), ("250ms", 0.25), ("90s", 90), ("1h30m", 5400), ("1d12h", 129600), ("1h0m0s", 3600)],
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert schema.seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "5", "1.5h", "-1s", "1 h", "1w", "1h\n", "ms", "12345678s", "123456h", "12345d", "1d1d1d1d1d1d"]
)
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        schema.seconds(text)
