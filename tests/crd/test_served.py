"""What the real API server and kubectl make of the CRDs."""

from __future__ import annotations

import yaml

from build import api_key_secret, entry, key_store
from controlplane import ControlPlane
from crd.definitions import KINDS, Json, condition, kubectl, refusal, url
from keywright import crd, kinds


@KINDS
def test_the_api_server_serves_the_kind(established: Json, kind: type[kinds.Kind]) -> None:
    definition = established[f"{kind.plural}.{kinds.GROUP}"]

    assert condition(definition, "Established") == "True"
    assert condition(definition, "NamesAccepted") == "True"
    assert condition(definition, "NonStructuralSchema") in (None, "False")


@KINDS
def test_the_api_server_keeps_every_word_of_the_schema(established: Json, kind: type[kinds.Kind]) -> None:
    definition = established[f"{kind.plural}.{kinds.GROUP}"]

    assert definition["spec"]["versions"] == crd.manifest(kind)["spec"]["versions"]


@KINDS
def test_the_api_server_accepts_the_example(control_plane: ControlPlane, kind: type[kinds.Kind]) -> None:
    example = yaml.safe_load(kind.example)
    path = url(kind)

    status, answer = control_plane.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", example)

    assert status == 201, answer
    kind.read_spec(answer["spec"])


@KINDS
def test_a_new_object_shows_what_was_written_and_that_nobody_looked_at_it(
    control_plane: ControlPlane, kind: type[kinds.Kind]
) -> None:
    example = yaml.safe_load(kind.example)
    _, answer = control_plane.request("POST", f"{url(kind)}?dryRun=All", example)

    assert answer["spec"] == example["spec"]
    assert answer.get("status") == ({"observedGeneration": -1} if kind.Status else None)


def test_null_is_as_good_as_absent(control_plane: ControlPlane) -> None:
    example = yaml.safe_load(kinds.ApiKeySecret.example)
    bare = {"data": [{"key": "KEY", "remoteRef": {"path": "a"}}], "target": {}}
    nulls = {
        "storeRef": None,
        "refreshInterval": None,
        "secretStoreRef": None,
        "data": [{"key": "KEY", "remoteRef": {"path": "a", "property": None}, "decode": None, "default": None}],
        "target": {"name": None, "labels": None},
    }

    status, answer = control_plane.request("POST", f"{url(kinds.ApiKeySecret)}?dryRun=All", example | {"spec": nulls})

    assert (status, answer.get("spec")) == (201, bare)


def test_an_object_without_a_spec_is_refused(control_plane: ControlPlane) -> None:
    manifest = {"apiVersion": kinds.API_VERSION, "kind": "KeyStore", "metadata": {"name": "vault"}}

    assert "spec: Required value" in refusal(control_plane, manifest)


def test_objects_are_found_by_the_name_of_their_store(control_plane: ControlPlane, namespace: str) -> None:
    path = url(kinds.ApiKeySecret, namespace)
    for name, store in (("one", "vault"), ("two", "other")):
        manifest = api_key_secret(name, entry("KEY", "a"), storeRef={"name": store})
        assert control_plane.request("POST", path, manifest)[0] == 201

    _, answer = control_plane.request("GET", f"{path}?fieldSelector=spec.storeRef.name=other")

    assert [each["metadata"]["name"] for each in answer["items"]] == ["two"]


def test_kubectl_prints_our_columns(control_plane: ControlPlane, namespace: str) -> None:
    path = url(kinds.ApiKeySecret, namespace)
    assert control_plane.request("POST", path, api_key_secret("llm", entry("KEY", "a")))[0] == 201
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Synced",
        "message": "In-order.",
        "lastTransitionTime": "2026-08-01T12:00:00Z",
    }
    status = {
        "conditions": [ready],
        "store": "KeyStore/vault",
        "keys": "1/1",
        "expires": "2030-01-01",
        "lastChanged": "2026-08-01T12:00:00Z",
        "nextRotation": "2030-02-01T12:00:00Z",
    }
    merged = control_plane.request("PATCH", f"{path}/llm/status", {"status": status}, "application/merge-patch+json")
    assert merged[0] == 200, merged

    header, row = kubectl(control_plane, "get", "aks", "-n", namespace, "-o", "wide").stdout.splitlines()

    columns = ["NAME", "READY", "REASON", "STORE", "KEYS", "EXPIRES", "SUSPENDED", "AGE"]
    assert header.split() == [*columns, "MESSAGE", "LAST", "CHANGE", "OLDEST", "NEXT", "ROTATION"]
    assert row.split()[:6] == ["llm", "True", "Synced", "KeyStore/vault", "1/1", "2030-01-01"]
    assert (row.split()[7], row.split()[-1]) == ("In-order.", "2030-02-01T12:00:00Z")
    narrow = kubectl(control_plane, "get", "aks", "-n", namespace).stdout.splitlines()[0]
    assert narrow.split() == columns


def test_kubectl_prints_which_objects_are_suspended(control_plane: ControlPlane, namespace: str) -> None:
    path = url(kinds.ApiKeySecret, namespace)
    time = {"lastTransitionTime": "2026-08-01T12:00:00Z", "message": "Told."}
    ready = {"type": "Ready", "status": "True", "reason": "Synced"} | time
    suspended = {"type": "Suspended", "status": "True", "reason": "Suspended"} | time
    for name, conditions in (("off", [suspended, ready]), ("on", [ready])):
        assert control_plane.request("POST", path, api_key_secret(name, entry("KEY", "a")))[0] == 201
        status = {"status": {"conditions": conditions}}
        merged = control_plane.request("PATCH", f"{path}/{name}/status", status, "application/merge-patch+json")
        assert merged[0] == 200, merged

    header, *rows = kubectl(control_plane, "get", "aks", "-n", namespace).stdout.splitlines()

    place = header.index("SUSPENDED")
    assert [row[place : place + len("SUSPENDED")].strip() for row in rows] == ["True", ""]


def test_kubectl_finds_all_kinds_by_the_category(control_plane: ControlPlane, namespace: str) -> None:
    for manifest in (api_key_secret("llm", entry("KEY", "a")), key_store("vault", "https://vault.example", "kv")):
        assert control_plane.request("POST", url(kinds.KINDS[manifest["kind"]], namespace), manifest)[0] == 201

    named = kubectl(control_plane, "get", "keywright", "-n", namespace, "-o", "name").stdout.split()

    assert {"apikeysecret.keywright.dev/llm", "keystore.keywright.dev/vault"} <= set(named)
