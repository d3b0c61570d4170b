"""What the API server refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from build import api_key_secret, cluster_key_issuer, entry, key_issuer
from controlplane import ControlPlane
from crd.definitions import Json, nodes, refusal, root
from crd.writing import (
    at,
    aws_store,
    cluster_issuer,
    cluster_store,
    file_store,
    github,
    issuer,
    leasing,
    requirement,
    store,
    with_entry,
    with_remote,
    with_spec,
)
from keywright import kinds

ACCEPTED = {
    "AWS": aws_store(role="arn:aws-cn:iam::444455556666:role/path/reader", externalId="keywright-7"),
    "no store named": with_spec(storeRef=None),
    "an App's tokens for two repositories": github(repositories=["docs", "web.site"], permissions={"contents": "read"}),
    "an App by its client id": github(appId=None, clientId="Iv23liAcme"),
    "a lease of two fields": leasing(parts={"accessKeyId": "access_key"}, parameters={"ttl": "1h"}, increment="1h"),
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
    "labels as long as can be": with_spec(target={"labels": {f"{'a' * 253}/{'b' * 63}": "c" * 63}}),
    "annotations": with_spec(target={"annotations": {"Example.com/Note": "two\nlines"}}),
    "an empty default": with_entry(default="", allowEmpty=True),
    "a default that is not empty": with_entry(default="a"),
    "a default of two lines": with_entry(default="a\nb"),
    "a version, and sources with paths of their own": with_entry(
        remoteRef={"path": "a", "version": "1"}, sources=[{"storeRef": {"name": "b"}, "remoteRef": {"path": "a"}}]
    ),
    "sources without paths": with_entry(sources=[{"storeRef": {"name": "b"}}]),
    "an expression with spaces": with_remote(jmesPath="keys[?name == 'prod é 🗝'].value | [0]"),
    "a path with spaces": with_remote(path="team a/llm"),
    "the longest interval": with_spec(refreshInterval="9999d" * 5),
    "a year in hours": with_spec(refreshInterval="8760h"),
    "an address with a name alone": at("http://vault"),
    "an address with an underscore": at("http://vault_1:8200"),
    "an address that ends in a dot": at("https://vault.example.com./"),
    "an address below a path": at("https://example.com:65535/vault/"),
    "an address in IPv4": at("http://127.0.0.1:8200"),
    "an address in IPv6": at("https://[fd00::1]:8200/vault"),
    "a whole IPv6 address": at("https://[2001:db8:0:1:2:3:4:5]"),
    "an address with the longest label": at(f"https://{'a' * 63}.example"),
    "the shortest timeout": store(limits={"timeout": "100ms"}),
    "the longest timeout": store(limits={"timeout": "60s"}),
    "a minute": store(limits={"timeout": "1m"}),
    "all namespaces": cluster_store(namespaceSelector={}),
    "a prefix": cluster_store(pathPrefix="teams/{namespace}/"),
    "a prefix without a slash at its end": cluster_store(pathPrefix="teams/x-{namespace}"),
    "who may rotate": cluster_store(access="ReadWrite", rotators={}),
    "restarts": with_spec(rollout={"restart": "Auto", "batch": 100, "pause": "0", "timeout": "1s"}),
    "restarts of few": with_spec(rollout={"restart": "Listed", "workloads": [{"kind": "DaemonSet", "name": "a.b"}]}),
    "an encrypted file in a ConfigMap": file_store(),
    "an encrypted file under a raw key": file_store(passphraseRef=None, keyRef={"name": "a", "key": "b"}),
    "a mounted file for a cluster store": file_store("ClusterKeyStore", configMapRef=None, path="team-a/keys.kw"),
    "an issuer": issuer(limits={"timeout": "60s", "rotationsAtOnce": 32}),
    "an issuer for some namespaces": cluster_issuer({"namespaceSelector": {"matchLabels": {"a": "b"}}}),
    "an issuer of 64 bindings": cluster_key_issuer("all", *[{"generated": {"uuid": {}}}] * 64),
    "a requirement with values": requirement(operator="In", values=["1"]),
    "a requirement without values": requirement(operator="Exists"),
}


def shown(text: str) -> str:
    """Return a text as the name of its test."""
    return text if len(text) < 40 else f"{text[:20]}… of {len(text)}"


ADDRESSES = {
    **dict.fromkeys(
        [
            "https://x:99999",
            "https://x:65536",
            "https://x:0",
            "https://x:",
            "https://[::::]",
            "https://[1.2.3.4]",
            "https://[1:2:3:4:5:6:7:8:9]",
            "https://[1:2:3]",
            "https://[::1",
            "https://::1",
            "https://a..b",
            "https://.a",
            "https://-a",
            "https://a-",
            f"https://{'a' * 64}.example",
            "https://",
            "vault:8200",
            "ftp://vault",
            "https://user@vault",
            "https://vault?a=b",
            "https://vault/#a",
            "https://vault\n",
        ],
        "Invalid value",
    ),
    f"https://{'a' * 300}": "Too long",
    f"https://{'a.' * 127}b": "Too long",
}
WRONG_KEYS = (
    "",
    "a b",
    "-a",
    "a/",
    "/a",
    "a/b/c",
    "a..b/c",
    "a.-b/c",
    "é",
    "a\n",
    "a" * 64,
    f"{'a' * 254}/b",
    "x" * 999,
)
WRONG_SELECTORS: tuple[Json, ...] = (
    {"team": "a"},
    {"matchlabel": {}},
    {"match_labels": {"a": "b"}},
    {"matchLabels": {"a": "b"}, "team": "a"},
    {"matchExpressions": [], "team": "a"},
    {"matchLabels": {}, "matchExpressions": [], "team": {}},
)
WRONG_LABEL = "Invalid value: the key of a label"
CLOSED = 'spec.namespaceSelector: Unsupported value: {"'

_OTHER: Json = {"generated": {"uuid": {}}}
REFUSED = {
    "two issuers at once": (issuer(**_OTHER), "exactly one of anthropic, awsIam, azureOpenai, gcpServiceAccount, "),
    "no issuer": (key_issuer("none"), "exactly one of anthropic, awsIam, azureOpenai, gcpServiceAccount, "),
    "two issuers at once in a binding": (cluster_issuer(_OTHER), "spec.bindings[0]: Invalid value: exactly one of"),
    "an App by two names": (github(clientId="Iv23liAcme"), "exactly one of appId, clientId"),
    "repositories twice": (github(repositories=["a"], repositoryIds=[1]), "name repositories, or their ids, not both"),
    "no permissions": (github(permissions={}), "spec.githubApp.permissions"),
    "a permission as people write it": (github(permissions={"Pull requests": "read"}), "as GitHub's API writes it"),
    "a level that none is": (github(permissions={"contents": "all"}), "spec.githubApp.permissions.contents"),
    "a mount without a path": (leasing(path="database"), "spec.vaultDynamic.path"),
    "a path that leads out": (leasing(path="database/creds/../app"), "spec.vaultDynamic.path"),
    "a part that is none": (leasing(parts={"User name": "username"}), "the name of a part is of letters and digits"),
    "a parameter that is none": (leasing(parameters={"a b": "c"}), "the name of a parameter is of letters"),
    "no bindings": (cluster_key_issuer("none"), "spec.bindings"),
    "a binding for nobody that is named": (
        key_issuer("a", bindings=[_OTHER]) | {"kind": "ClusterKeyIssuer"},
        "spec.bindings[0].namespaceSelector: Required value",
    ),
    "65 bindings": (cluster_key_issuer("all", *[_OTHER] * 65), "spec.bindings: Too many: 65"),
    "no rotations": (issuer(limits={"rotationsAtOnce": 0}), "spec.limits.rotationsAtOnce"),
    "33 rotations": (issuer(limits={"rotationsAtOnce": 33}), "spec.limits.rotationsAtOnce"),
    "an hour for a call": (issuer(limits={"timeout": "1h"}), "spec.limits.timeout: Invalid value"),
    **{f"the address {shown(each)}": (at(each), f"spec.vault.server: {said}") for each, said in ADDRESSES.items()},
    "a duration that wraps": (store(limits={"timeout": "213503d23h34m43s"}), "spec.limits.timeout"),
    "an interval that wraps": (with_spec(refreshInterval="9999999d"), "spec.refreshInterval"),
    "an empty default": (
        with_entry(default=""),
        "spec.data[0]: Invalid value: an empty default is an empty value: it needs allowEmpty: true",
    ),
    "an empty default that is not allowed": (with_entry(default="", allowEmpty=False), "it needs allowEmpty: true"),
    **{
        f"the label {shown(key)}": (with_spec(target={"labels": {key: ""}}), f"spec.target.labels: {WRONG_LABEL}")
        for key in (*WRONG_KEYS, "A.b/c")
    },
    **{
        f"the annotation {shown(key)}": (
            with_spec(target={"annotations": {key: ""}}),
            "spec.target.annotations: Invalid value: the key of an annotation",
        )
        for key in WRONG_KEYS
    },
    "a label's value": (with_spec(target={"labels": {"app": "a b"}}), "spec.target.labels.app"),
    "a label that no namespace can have": (
        cluster_store(namespaceSelector={"matchLabels": {"a b": "c"}}),
        f"spec.namespaceSelector.matchLabels: {WRONG_LABEL}",
    ),
    **{
        f"a selector with {', '.join(each)}": (cluster_store(namespaceSelector=each), CLOSED)
        for each in WRONG_SELECTORS
    },
    "no entries": (api_key_secret("llm"), "list at least one entry in data or dataFrom"),
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
    "a policy of other tools": (with_spec(target={"creationPolicy": "Orphan"}), 'supported values: "Owner", "Merge"'),
    "a fate of other tools": (with_spec(target={"deletionPolicy": "Merge"}), 'supported values: "Retain", "Delete"'),
    "immutable and refreshed": (with_spec(target={"immutable": True}), "target.immutable needs refreshInterval: '0'"),
    "immutable and somebody else's": (
        with_spec(refreshInterval="0", target={"immutable": True, "creationPolicy": "Merge"}),
        "is not this object's to make immutable",
    ),
    "a list of workloads without its word": (
        with_spec(rollout={"restart": "Auto", "workloads": [{"kind": "Deployment", "name": "a"}]}),
        "workloads goes with restart: Listed, and only so",
    ),
    "its word without a list": (with_spec(rollout={"restart": "Listed"}), "workloads goes with restart: Listed"),
    "a window where nobody is restarted": (
        with_spec(rollout={"restart": "Observe", "window": {"start": "0 2 * * *", "duration": "1h"}}),
        "window goes with restart: Auto or Listed",
    ),
    "an empty list of workloads": (with_spec(rollout={"restart": "Listed", "workloads": []}), "should have at least 1"),
    "a workload that does not roll": (
        with_spec(rollout={"restart": "Listed", "workloads": [{"kind": "CronJob", "name": "a"}]}),
        'supported values: "Deployment", "StatefulSet", "DaemonSet"',
    ),
    "a rollout that says nothing": (with_spec(rollout={}), "spec.rollout.restart: Required value"),
    "no workload at a time": (
        with_spec(rollout={"restart": "Auto", "batch": 0}),
        "should be greater than or equal to 1",
    ),
    "no time to get ready": (with_spec(rollout={"restart": "Auto", "timeout": "0"}), "must be at least 1s"),
    "a mark of ours": (
        with_spec(target={"annotations": {"merged.keywright.dev/x": "llm"}}),
        "names below keywright.dev/ and merged.keywright.dev/ are Keywright's own",
    ),
    "our own labels": (
        with_spec(target={"labels": {"keywright.dev/api-key-secret": "b"}}),
        "spec.target.labels: Invalid value: names below keywright.dev/ and merged.keywright.dev/ are Keywright's own",
    ),
    "our own annotations": (
        with_spec(target={"annotations": {"keywright.dev/x": "b"}}),
        "spec.target.annotations: Invalid value: names below keywright.dev/ and merged.keywright.dev/ are",
    ),
    "a version that a source would inherit": (
        with_entry(
            remoteRef={"path": "a", "version": "1"},
            sources=[{"storeRef": {"name": "b"}, "remoteRef": {"path": "b"}}, {"storeRef": {"name": "c"}}],
        ),
        "a version counts in one store only: beside remoteRef.version, each of sources needs a remoteRef",
    ),
    "a foreign kind of store": (with_spec(storeRef={"kind": "SecretStore", "name": "a"}), "spec.storeRef.kind"),
    "no store": (
        store() | {"spec": {"environment": "production"}},
        "exactly one of aws, encryptedFile, vault must be set",
    ),
    "AWS without a login": (aws_store(auth={}), "exactly one of accessKey, webIdentity must be set"),
    "AWS with an external id for no role": (aws_store(externalId="keywright-7"), "externalId needs role"),
    "a role that is none": (aws_store(role="reader"), "spec.aws.role"),
    "a region that is none": (aws_store(region="Frankfurt"), "spec.aws.region"),
    "a mounted file for a namespace": (
        file_store(configMapRef=None, path="team-a/keys.kw"),
        "encryptedFile.path is for a ClusterKeyStore",
    ),
    "rotators of what is only read": (cluster_store(rotators={}), "rotators need access: ReadWrite"),
    "a mounted file outside": (file_store("ClusterKeyStore", configMapRef=None, path="../a"), "encryptedFile.path"),
    "a mounted file from the root": (file_store("ClusterKeyStore", configMapRef=None, path="/a"), "encryptedFile.path"),
    "an encrypted file nowhere": (
        file_store(configMapRef=None),
        "exactly one of configMapRef, secretRef, path must be set",
    ),
    "an encrypted file in two places": (
        file_store(secretRef={"name": "a", "key": "b"}),
        "exactly one of configMapRef, secretRef, path must be set",
    ),
    "an encrypted file that nothing opens": (
        file_store(passphraseRef=None),
        "exactly one of passphraseRef, keyRef must be set",
    ),
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


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_right_is_accepted(control_plane: ControlPlane, name: str) -> None:
    assert refusal(control_plane, ACCEPTED[name]) == ""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_by_name(control_plane: ControlPlane, name: str) -> None:
    manifest, said = REFUSED[name]

    assert said in refusal(control_plane, manifest)


CONTROL = ["\0", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\u2028", "\u2029"]
TEXTS: dict[str, Callable[[str], Json]] = {
    "spec.data[0].remoteRef.path": lambda text: with_remote(path=text),
    "spec.data[0].remoteRef.property": lambda text: with_remote(property=text),
    "spec.data[0].remoteRef.jmesPath": lambda text: with_remote(jmesPath=text),
    "spec.data[0].remoteRef.version": lambda text: with_remote(version=text),
    "spec.target.type": lambda text: with_spec(target={"type": text}),
}


@pytest.mark.parametrize("field", TEXTS)
def test_what_may_be_shown_has_no_control_characters(control_plane: ControlPlane, field: str) -> None:
    said = {each: refusal(control_plane, TEXTS[field](f"a{each}b")) for each in CONTROL}

    assert [each for each, answer in said.items() if f"{field}: Invalid value" not in answer] == []
    assert refusal(control_plane, TEXTS[field]("a \xa0é\u2027\u202f🗝")) == ""


def test_no_other_text_may_have_them_but_values() -> None:
    free = {
        path
        for kind in kinds.KINDS.values()
        for path, node in nodes(root(kind)["properties"]["spec"], "spec")
        if node.get("type") == "string" and not node.keys() & {"pattern", "enum", "format"}
    }

    assert free == {
        "spec.data[].default",
        "spec.target.annotations{}",
        "spec.target.template.data{}",
        "spec.target.template.stringData{}",
    }


def test_an_address_that_is_none_is_told_in_words(control_plane: ControlPlane) -> None:
    answer = refusal(control_plane, at("https://x:99999"))

    assert "write http:// or https://, a host name or [IPv6 address], perhaps a port up to 65535" in answer


def test_a_selector_that_is_not_understood_is_told_in_words(control_plane: ControlPlane) -> None:
    answer = refusal(control_plane, cluster_store(namespaceSelector={"team": "a"}))

    assert 'supported values: "none: has only matchLabels and matchExpressions"' in answer
