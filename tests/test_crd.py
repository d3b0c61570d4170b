"""The CRDs: what ``crd.py`` makes of models, and what the real API server makes of the CRDs."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import pydantic
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

import structural
from build import api_key_secret, cluster_key_store, entry, key_store
from controlplane import ControlPlane
from keywright import crd, kinds, schema
from keywright.schema import Cel, ListMap, OneOf, Renamed, Spec

Json = dict[str, Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KINDS = pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=list(kinds.KINDS))
PARTS = [(kind, part) for kind in kinds.KINDS.values() for part in ("spec", "status")]
PARTS_OF_KINDS = pytest.mark.parametrize(("kind", "part"), PARTS, ids=[f"{kind.kind}.{part}" for kind, part in PARTS])


@pytest.fixture(scope="session", autouse=True)
def established(control_plane: ControlPlane) -> Json:
    """The CRDs of the control plane, once it serves them."""
    until = time.monotonic() + 30
    while True:
        _, answer = control_plane.request("GET", DEFINITIONS)
        found = {each["metadata"]["name"]: each for each in answer["items"]}
        ours = [found[f"{kind.plural}.{kinds.GROUP}"] for kind in kinds.KINDS.values()]
        if all(condition(each, "Established") == "True" for each in ours) or time.monotonic() > until:
            return found
        time.sleep(0.1)


def condition(definition: Json, kind: str) -> str | None:
    found = {each["type"]: each["status"] for each in definition.get("status", {}).get("conditions", [])}
    return found.get(kind)


def url(kind: type[kinds.Kind], namespace: str = "default") -> str:
    scope = f"namespaces/{namespace}/" if kind.namespaced else ""
    return f"/apis/{kinds.API_VERSION}/{scope}{kind.plural}"


def refusal(control_plane: ControlPlane, manifest: Json) -> str:
    """Return what the API server says against an object; nothing if it would take it."""
    path = url(kinds.KINDS[manifest["kind"]])
    status, answer = control_plane.request("POST", f"{path}?dryRun=All", manifest)
    assert status in (201, 422), answer
    return "" if status == 201 else str(answer["message"])


def nodes(described: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Yield every type in a schema, with where it stands."""
    yield path, described
    for name, each in described.get("properties", {}).items():
        yield from nodes(each, f"{path}.{name}")
    for keyword, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if keyword in described:
            yield from nodes(described[keyword], path + mark)


def root(kind: type[kinds.Kind]) -> Json:
    version: Json = crd.manifest(kind)["spec"]["versions"][0]
    described: Json = version["schema"]["openAPIV3Schema"]
    return described


# What the API server makes of the CRDs.


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
    assert answer["status"] == {"observedGeneration": -1}


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


def kubectl(control_plane: ControlPlane, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    program = pathlib.Path(sys.executable).with_name("kubectl")
    command = [str(program), "--kubeconfig", str(control_plane.kubeconfig), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


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
    }
    merged = control_plane.request("PATCH", f"{path}/llm/status", {"status": status}, "application/merge-patch+json")
    assert merged[0] == 200, merged

    header, row = kubectl(control_plane, "get", "aks", "-n", namespace, "-o", "wide").stdout.splitlines()

    assert header.split() == ["NAME", "READY", "REASON", "STORE", "KEYS", "EXPIRES", "AGE", "MESSAGE", "LAST", "CHANGE"]
    assert row.split()[:6] == ["llm", "True", "Synced", "KeyStore/vault", "1/1", "2030-01-01"]
    assert row.split()[7] == "In-order."
    narrow = kubectl(control_plane, "get", "aks", "-n", namespace).stdout.splitlines()[0]
    assert narrow.split() == ["NAME", "READY", "REASON", "STORE", "KEYS", "EXPIRES", "AGE"]


def test_kubectl_finds_all_kinds_by_the_category(control_plane: ControlPlane, namespace: str) -> None:
    for manifest in (api_key_secret("llm", entry("KEY", "a")), key_store("vault", "https://vault.example", "kv")):
        assert control_plane.request("POST", url(kinds.KINDS[manifest["kind"]], namespace), manifest)[0] == 201

    named = kubectl(control_plane, "get", "keywright", "-n", namespace, "-o", "name").stdout.split()

    assert {"apikeysecret.keywright.dev/llm", "keystore.keywright.dev/vault"} <= set(named)


# What the API server refuses, and how it says so.


def with_entry(**said: Any) -> Json:
    return api_key_secret("llm", {"key": "KEY", "remoteRef": {"path": "a"}} | said)


def with_remote(**said: Any) -> Json:
    return with_entry(remoteRef={"path": "a"} | said)


def with_spec(**said: Any) -> Json:
    return api_key_secret("llm", entry("KEY", "a"), **said)


def store(**said: Any) -> Json:
    return key_store("vault", "https://vault.example", "kv", **said)


def cluster_store(**said: Any) -> Json:
    return cluster_key_store("vault", "https://vault.example", "kv", **said)


def requirement(**said: Any) -> Json:
    return cluster_store(namespaceSelector={"matchExpressions": [{"key": "a"} | said]})


ACCEPTED = {
    "no store named": with_spec(storeRef=None),
    "a cluster store": with_spec(storeRef={"kind": "ClusterKeyStore", "name": "vault"}),
    "once": with_spec(refreshInterval="0"),
    "once, as Go prints it": with_spec(refreshInterval="0h0m0s"),
    "the shortest interval": with_spec(refreshInterval="10s"),
    "the shortest interval in other units": with_spec(refreshInterval="10000ms"),
    "an interval in days": with_spec(refreshInterval="30d"),
    "an interval in two units": with_spec(refreshInterval="1d12h"),
    "an interval as Go prints it": with_spec(refreshInterval="1h0m0s"),
    "a property": with_remote(property="api.key"),
    "an expression": with_remote(jmesPath="a[0].b"),
    "an entry of its own store": with_entry(storeRef={"name": "other"}),
    "a key with a dot in front": with_entry(key=".env"),
    "500 entries": api_key_secret("llm", *(entry(f"K{n}", "a") for n in range(500))),
    "labels": with_spec(target={"labels": {"app.kubernetes.io/part-of": "llm", "keywright": ""}}),
    "an empty default": with_entry(default=""),
    "the shortest timeout": store(limits={"timeout": "100ms"}),
    "the longest timeout": store(limits={"timeout": "60s"}),
    "a minute": store(limits={"timeout": "1m"}),
    "all namespaces": cluster_store(namespaceSelector={}),
    "a prefix": cluster_store(pathPrefix="teams/{namespace}/"),
    "a prefix without a slash at its end": cluster_store(pathPrefix="teams/x-{namespace}"),
    "a requirement with values": requirement(operator="In", values=["1"]),
    "a requirement without values": requirement(operator="Exists"),
}

REFUSED = {
    "no entries": (api_key_secret("llm"), "spec.data: Invalid value"),
    "501 entries": (api_key_secret("llm", *(entry(f"K{n}", "a") for n in range(501))), "must have at most 500"),
    "one entry twice": (api_key_secret("llm", entry("KEY", "a"), entry("KEY", "b")), "Duplicate value"),
    "no key": (api_key_secret("llm", {"remoteRef": {"path": "a"}}), "spec.data[0].key: Required value"),
    "no path": (api_key_secret("llm", {"key": "KEY", "remoteRef": {}}), "spec.data[0].remoteRef.path: Required value"),
    "a key that no Secret can have": (with_entry(key="a/b"), "spec.data[0].key"),
    "a key of two dots": (with_entry(key="..a"), "spec.data[0].key"),
    "a key of a dot": (with_entry(key="."), "spec.data[0].key"),
    "a path that is too long": (with_remote(path="a" * 1025), "spec.data[0].remoteRef.path: Too long"),
    "a property and an expression": (
        with_remote(property="a", jmesPath="b"),
        "spec.data[0].remoteRef: Invalid value: property and jmesPath exclude each other",
    ),
    "less than 10s": (with_spec(refreshInterval="9s"), "must be 0 (once) or at least 10s"),
    "less than 10s in ms": (with_spec(refreshInterval="9999ms"), "must be 0 (once) or at least 10s"),
    "less than 10s in two units": (with_spec(refreshInterval="0d5s"), "must be 0 (once) or at least 10s"),
    "not a duration": (with_spec(refreshInterval="hourly"), "spec.refreshInterval"),
    "a number for a duration": (with_spec(refreshInterval=60), "spec.refreshInterval"),
    "an unknown decoding": (with_entry(decode="Hex"), 'supported values: "None", "Base64", "Base64URL"'),
    "a policy of other tools": (with_spec(target={"creationPolicy": "Orphan"}), 'supported values: "Owner"'),
    "our own labels": (
        with_spec(target={"labels": {"keywright.dev/api-key-secret": "b"}}),
        "spec.target.labels: Invalid value: names below keywright.dev/ are Keywright's own",
    ),
    "our own annotations": (
        with_spec(target={"annotations": {"keywright.dev/x": "b"}}),
        "spec.target.annotations: Invalid value: names below keywright.dev/ are Keywright's own",
    ),
    "a foreign kind of store": (with_spec(storeRef={"kind": "SecretStore", "name": "a"}), "spec.storeRef.kind"),
    "no store": (store() | {"spec": {"environment": "production"}}, "vault must be set"),
    "an endless timeout": (store(limits={"timeout": "0"}), "must be between 100ms and 60s"),
    "a short timeout": (store(limits={"timeout": "99ms"}), "must be between 100ms and 60s"),
    "a long timeout": (store(limits={"timeout": "61s"}), "must be between 100ms and 60s"),
    "no requests": (store(limits={"requestsPerSecond": 0}), "spec.limits.requestsPerSecond"),
    "two ways to log in": (
        store(vault={"auth": {"token": {"secretRef": {"name": "a", "key": "b"}}, "cert": {}}}),
        "exactly one of token, appRole, kubernetes, jwt, userPass, cert must be set",
    ),
    "no namespaces": (cluster_store(namespaceSelector=None), "spec.namespaceSelector: Required value"),
    "a prefix that leads out": (cluster_store(pathPrefix="teams/../"), "spec.pathPrefix"),
    "a prefix from the root": (cluster_store(pathPrefix="/teams"), "spec.pathPrefix"),
    "another variable": (cluster_store(pathPrefix="teams/{name}/"), "spec.pathPrefix"),
    "In without values": (requirement(operator="In"), "In and NotIn need values"),
    "Exists with values": (requirement(operator="Exists", values=["1"]), "Exists and DoesNotExist have none"),
    "a label that cannot be": (requirement(key="-", operator="Exists"), "matchExpressions[0].key"),
}

#: What users of External Secrets Operator would write, and what they are told.
TYPOS = {
    "secretKey": (
        api_key_secret("llm", {"secretKey": "KEY", "remoteRef": {"path": "a"}}),
        "spec.data[0].secretKey",
        "write key",
    ),
    "sourceRef": (with_entry(sourceRef={"storeRef": {"name": "a"}}), "spec.data[0].sourceRef", "write storeRef"),
    "remoteRef.key": (
        api_key_secret("llm", {"key": "KEY", "remoteRef": {"key": "llm/openai"}}),
        "spec.data[0].remoteRef.key",
        "write path",
    ),
    "decodingStrategy": (
        with_remote(decodingStrategy="Base64"),
        "spec.data[0].remoteRef.decodingStrategy",
        "write decode, beside remoteRef",
    ),
    "secretStoreRef": (with_spec(secretStoreRef={"name": "a"}), "spec.secretStoreRef", "write storeRef"),
    "refreshPolicy": (with_spec(refreshPolicy="CreatedOnce"), "spec.refreshPolicy", "write refreshInterval"),
    "template": (
        with_spec(target={"template": {"type": "Opaque"}}),
        "spec.target.template",
        "write labels, annotations and type directly in target",
    ),
    "provider": (
        store() | {"spec": {"provider": {"vault": {"server": "https://vault.example"}}}},
        "spec.provider",
        "write the store directly in spec, as in spec.vault",
    ),
    "conditions": (
        cluster_store(namespaceSelector=None, conditions=[{"namespaces": ["a"]}]),
        "spec.conditions",
        "write namespaceSelector",
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_right_is_accepted(control_plane: ControlPlane, name: str) -> None:
    assert refusal(control_plane, ACCEPTED[name]) == ""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_by_name(control_plane: ControlPlane, name: str) -> None:
    manifest, said = REFUSED[name]

    assert said in refusal(control_plane, manifest)


@pytest.mark.parametrize("name", TYPOS)
def test_the_words_of_other_tools_are_refused_with_ours(control_plane: ControlPlane, name: str) -> None:
    manifest, where, advice = TYPOS[name]

    answer = refusal(control_plane, manifest)

    assert f"{where}: Unsupported value" in answer
    assert f'supported values: "none: {advice}"' in answer


def test_every_word_that_is_refused_is_tried() -> None:
    declared = {
        each.removeprefix("none: ")
        for kind in kinds.KINDS.values()
        for _, node in nodes(root(kind), kind.kind)
        for each in node.get("enum", ())
        if str(each).startswith("none: ")
    }

    assert declared == {advice for _, _, advice in TYPOS.values()}


def test_kubectl_apply_tells_the_same(control_plane: ControlPlane, namespace: str) -> None:
    manifest, where, advice = TYPOS["secretKey"]
    done = kubectl(control_plane, "apply", "-n", namespace, "-f", "-", text=yaml.safe_dump(manifest))

    assert done.returncode == 1
    assert where in done.stderr and advice in done.stderr


# Whatever is admitted can be read.


def part_of(kind: type[kinds.Kind], part: str) -> tuple[type[Spec], Json]:
    model = kind.Spec if part == "spec" else kind.Status
    return model, root(kind)["properties"][part]


@PARTS_OF_KINDS
def test_the_models_read_whatever_the_schema_admits(kind: type[kinds.Kind], part: str) -> None:
    model, described = part_of(kind, part)

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(structural.admitted(described))
    def admitted_is_read(made: Json) -> None:
        read = model.model_validate(made)
        assert model.model_validate(schema.dump(read)) == read

    admitted_is_read()


@PARTS_OF_KINDS
def test_the_models_read_whatever_the_api_server_admits(
    control_plane: ControlPlane, namespace: str, kind: type[kinds.Kind], part: str
) -> None:
    model, described = part_of(kind, part)
    name = f"{namespace}-{part}"
    base = yaml.safe_load(kind.example) | {"metadata": {"name": name}}
    created, present = control_plane.request("POST", url(kind, namespace), base)
    assert created == 201, present
    place = f"{url(kind, namespace)}/{name}" + ("/status" if part == "status" else "")
    answers: list[int] = []

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(structural.admitted(described))
    def admitted_is_read(made: Json) -> None:
        whole = present | {part: made}
        status, answer = control_plane.request("PUT", f"{place}?dryRun=All", whole)
        answers.append(status)
        if status == 200:
            model.model_validate(answer[part])

    try:
        admitted_is_read()
    finally:
        control_plane.request("DELETE", f"{url(kind, namespace)}/{name}")
    assert set(answers) <= {200, 422}
    assert answers.count(200) >= 10


# What the CRDs say.


@KINDS
def test_the_status_is_the_only_default(kind: type[kinds.Kind]) -> None:
    assert [path for path, node in nodes(root(kind), "") if "default" in node] == [".status"]


@KINDS
def test_every_field_is_described(kind: type[kinds.Kind]) -> None:
    fields = [(path, node) for part in ("spec", "status") for path, node in nodes(root(kind)["properties"][part], part)]
    silent = [path for path, node in fields if not path.endswith(("[]", "{}")) and not node.get("description")]

    assert silent == []


@KINDS
def test_everything_has_a_largest_size(kind: type[kinds.Kind]) -> None:
    bounds = {"string": "maxLength", "array": "maxItems"}
    endless = [
        path
        for part in ("spec", "status")
        for path, node in nodes(root(kind)["properties"][part], part)
        if (bound := "maxProperties" if "additionalProperties" in node else bounds.get(node.get("type", "")))
        and bound not in node
        and "enum" not in node
    ]

    assert endless == []


@KINDS
def test_a_default_that_a_description_tells_is_the_one_that_is_applied(kind: type[kinds.Kind]) -> None:
    applied = {path: node.get("default") for path, node in nodes(crd.structural(kind.Spec, "spec"), "spec")}
    told = {
        path: node["description"].rpartition("Default `")[2].partition("`")[0]
        for path, node in nodes(root(kind)["properties"]["spec"], "spec")
        if "Default `" in node.get("description", "")
    }

    shown = {path: str(value).lower() if isinstance(value, bool) else str(value) for path, value in applied.items()}
    assert told == {path: shown[path] for path, value in applied.items() if value and not isinstance(value, dict)} | {
        path: "false" for path, value in applied.items() if value is False
    }


# What crd.py makes of models.


class Item(Spec):
    """One thing.

    More about
    it.
    """

    cel = (Cel("self.name != 'x'", "not x"),)

    name: Annotated[str, pydantic.StringConstraints(max_length=5)]
    """Its name."""


class Everything(Spec):
    """All that a model may say."""

    cel = (OneOf(("first_arm", "second_arm")),)
    renamed = (Renamed("old", "new"),)

    first_arm: Item | None = None
    """The field's own words."""
    second_arm: Annotated[Item, Cel("true", "added")] | None = None
    """Two rules."""
    items: Annotated[list[Item], ListMap("name"), pydantic.Field(max_length=3)] | None = None
    """A list that is a map, or absent."""
    by_name: dict[str, Item] = pydantic.Field(default_factory=dict)
    """A map."""
    tags: set[str] = pydantic.Field(default_factory=set)
    """A set."""
    only: Literal["x"] = "x"
    """A constant."""
    more: Annotated[int, pydantic.Field(gt=1, lt=9)] = 5
    """Between."""


def test_a_model_becomes_a_structural_schema() -> None:
    name = {"description": "Its name.", "type": "string", "maxLength": 5}
    rules = [{"rule": "self.name != 'x'", "message": "not x"}]
    item = {
        "description": "One thing.\n\nMore about it.",
        "type": "object",
        "properties": {"name": name},
        "required": ["name"],
        "x-kubernetes-validations": rules,
    }

    assert crd.structural(Everything, "spec") == {
        "description": "All that a model may say.",
        "type": "object",
        "properties": {
            "firstArm": item | {"description": "The field's own words."},
            "secondArm": item
            | {
                "description": "Two rules.",
                "x-kubernetes-validations": [*rules, {"rule": "true", "message": "added"}],
            },
            "items": {
                "description": "A list that is a map, or absent.",
                "type": "array",
                "maxItems": 3,
                "items": item,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            "byName": {"description": "A map.", "type": "object", "additionalProperties": item},
            "tags": {
                "description": "A set.",
                "type": "array",
                "items": {"type": "string"},
                "x-kubernetes-list-type": "set",
            },
            "only": {"description": "A constant.", "type": "string", "enum": ["x"], "default": "x"},
            "more": {
                "description": "Between.",
                "type": "integer",
                "minimum": 1,
                "exclusiveMinimum": True,
                "maximum": 9,
                "exclusiveMaximum": True,
                "default": 5,
            },
            "old": {
                "description": "Write new.",
                "enum": ["none: write new"],
                "x-kubernetes-preserve-unknown-fields": True,
            },
        },
        "x-kubernetes-validations": [
            {
                "rule": "[has(self.firstArm), has(self.secondArm)].filter(x, x).size() == 1",
                "message": "exactly one of firstArm, secondArm must be set",
            }
        ],
    }


class Tree(Spec):
    """Contains itself."""

    below: list[Tree] = pydantic.Field(default_factory=list)
    """Trees."""


class Choice(Spec):
    """Names a field that is not there."""

    cel: ClassVar[tuple[Cel | OneOf, ...]] = (OneOf(("left", "right")),)

    left: str | None = None
    """The only one."""


class Keyless(Spec):
    """An item without a key."""

    name: str = ""
    """Not required."""


NOT_STRUCTURAL: dict[str, tuple[Any, str]] = {
    "anything": (Any, "spec.field: has no type"),
    "a union": (int | str, "spec.field: a choice of types"),
    "a union with null": (int | str | None, "spec.field: a choice of types"),
    "null": (None, "spec.field: has no type"),
    "a pair": (tuple[int, str], r"spec.field: a CRD has no prefixItems"),
    "a list of anything": (list[Any], r"spec.field\[\]: has no type"),
    "a map of anything": (dict[str, Any], "spec.field: "),
    "a bare map": (dict, "spec.field: "),
    "a map of unions": (dict[str, int | str], r"spec.field\{\}: a choice of types"),
    "a map by number": (dict[int, str], "spec.field: a CRD has no propertyNames"),
    "a map by pattern": (
        dict[Annotated[str, pydantic.StringConstraints(pattern="^a")], str],
        "spec.field: a CRD has no patternProperties",
    ),
    "recursion": (Tree, r"spec.field.below\[\]: Tree contains itself"),
    "a choice of what is not there": (Choice, "spec.field: no field right to choose from"),
    "a map list without its key": (Annotated[list[Keyless], ListMap("name")], "spec.field: .* required field name"),
    "in an optional list": (list[Choice] | None, r"spec.field\[\]: no field right"),
}


@pytest.mark.parametrize("name", NOT_STRUCTURAL)
def test_what_a_crd_cannot_say_is_refused_with_the_path(name: str) -> None:
    annotation, said = NOT_STRUCTURAL[name]
    model = pydantic.create_model("Wrong", __base__=Spec, field=(annotation, ...))

    with pytest.raises(crd.NotStructural, match=said):
        crd.structural(model, "spec")


def test_manifests_are_a_stream_of_plain_yaml() -> None:
    text = crd.to_yaml(crd.manifests())

    assert list(yaml.safe_load_all(text)) == crd.manifests()
    assert "&id" not in text
