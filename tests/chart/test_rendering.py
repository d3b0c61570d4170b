"""What the chart makes of its values: accepted by the API server, safe to run, and nothing that was mistyped."""

from __future__ import annotations

import functools
import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import kubernetes_validate
import pytest
import yaml

import helm
import keywright
from controlplane import ControlPlane
from keywright import cli, crd, issuers, kinds, settings
from keywright.cli import operator

Json = dict[str, Any]
KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
DIGEST = f"sha256:{'0' * 64}"
POD_VALUES: Json = {
    "podAnnotations": {"a": "1"},
    "podLabels": {"b": "2"},
    "deploymentAnnotations": {"c": "3"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
    ],
    "priorityClassName": "system-cluster-critical",
    "imagePullSecrets": [{"name": "registry"}],
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "extraArgs": ["--ghost-check-seconds=60"],
    "commonLabels": {"team": "platform", "number": "1"},
}
#: Labels of the chart's own, as other charts of a platform may be given them too.
OURS = {"app.kubernetes.io/name": "x", "app.kubernetes.io/instance": "x", "app.kubernetes.io/component": "x"}
THEIRS = {"app.kubernetes.io/part-of": "platform", "app.kubernetes.io/version": "7", "helm.sh/chart": "x"}
LABELS: Json = {
    "commonLabels": OURS | THEIRS | {"app.kubernetes.io/managed-by": "x", "team": "a"},
    "podLabels": OURS | {"app.kubernetes.io/part-of": "pods", "team": "b"},
    "metrics": {"serviceMonitor": {"enabled": True, "labels": OURS | {"team": "c"}}},
}
FILES: Json = {"fileStore": {"volume": {"persistentVolumeClaim": {"claimName": "keys", "readOnly": True}}}}
#: Sets of values, and the kinds that each adds to (+) or takes from (-) what is made by default.
SETS: dict[str, tuple[Json, str]] = {
    "defaults": ({}, ""),
    "one namespace": ({"watchNamespaces": ["default"]}, "+Role +Role +RoleBinding +RoleBinding"),
    "namespaces without cluster stores": (
        {"watchNamespaces": ["default", "kube-public"], "clusterStores": {"enabled": False}},
        "+Role +Role +RoleBinding +RoleBinding",
    ),
    "tenants' stores": ({"tenantStores": {"enabled": True}}, ""),
    "any token": ({"serviceAccountTokens": {"names": []}}, ""),
    "no tokens": ({"serviceAccountTokens": {"enabled": False}}, ""),
    "private networks": ({"storeNetworks": ["10.0.0.0/8", "fd00::/8"], "logLevel": "debug", "concurrency": 8}, ""),
    "no metrics": ({"metrics": {"enabled": False}}, "-Service"),
    "prometheus": (
        {"metrics": {"detail": "object", "port": 9000, "serviceMonitor": {"enabled": True, "interval": "30s"}}},
        "+ServiceMonitor",
    ),
    "alerts": ({"metrics": {"prometheusRule": {"enabled": True, "labels": {"release": "x"}}}}, "+PrometheusRule"),
    "issuers at other addresses": (
        {"checks": {"issuerEndpoints": ["https://a.example.com", "https://[fd00::1]:8443"], "condemnSeconds": 60}},
        "",
    ),
    "forms and authorities": (
        {
            "checks": {
                "formats": {"openai": [{"kind": "user key", "remove": True}]},
                "authorities": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
            },
            "podAnnotations": {"a": "b"},
        },
        "+ConfigMap",
    ),
    "copies of the audit trail": (
        {
            "audit": {
                "sinks": ["https://siem.example.com/kw?token-file=/t/a", "s3://bucket/p?retain=1d&mode=compliance"]
            },
            "watchNamespaces": ["default"],
            "clusterStores": {"enabled": False},
        },
        "+Role +RoleBinding",
    ),
    "nobody is asked": ({"checks": {"probes": False}}, ""),
    "no CRDs": ({"crds": {"enabled": False}}, "-CustomResourceDefinition"),
    "no policy": (
        {"actions": {"policy": {"enabled": False}}},
        "-ValidatingAdmissionPolicy -ValidatingAdmissionPolicyBinding",
    ),
    "restarts": (
        {"rollout": {"enabled": True}, "serviceAccount": {"name": "mine"}, "fullnameOverride": "keys"},
        "+ValidatingAdmissionPolicy +ValidatingAdmissionPolicyBinding",
    ),
    "CRDs that go": ({"crds": {"keep": False}}, ""),
    "own roles": (
        {"rbac": {"create": False, "aggregateClusterRoles": False, "auditRoles": False}},
        "-ClusterRole -ClusterRoleBinding -Role -RoleBinding",
    ),
    "own account": ({"serviceAccount": {"create": False, "name": "mine"}}, "-ServiceAccount"),
    "more than one": (
        {"replicaCount": 3, "podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"}},
        "+PodDisruptionBudget",
    ),
    "network": (
        {"networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]}},
        "+NetworkPolicy",
    ),
    "names": ({"nameOverride": "kw", "fullnameOverride": "keys"}, ""),
    "a number for a name": ({"nameOverride": "1"}, ""),
    "labels of ours": (LABELS, "+ServiceMonitor"),
    "files": (FILES, ""),
    "pods": (POD_VALUES, ""),
    "digest": ({"image": {"repository": "registry.example.com/k", "digest": DIGEST, "pullPolicy": "Always"}}, ""),
}
PLAIN = [
    "ServiceAccount",
    *["CustomResourceDefinition"] * len(kinds.KINDS),
    *["ClusterRole"] * 5,
    "ClusterRoleBinding",
    *["Role"] * 3,
]
PLAIN += ["RoleBinding", "Service", "Deployment", "Pod"]
PLAIN += ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
#: Kinds of the Prometheus operator, with schemas of its own.
PROMETHEUS = ("ServiceMonitor", "PrometheusRule")
ALL_SETS = pytest.mark.parametrize("name", SETS)


def one(parts: list[Json], kind: str) -> Json:
    (found,) = (each for each in parts if each["kind"] == kind)
    return found


def pods(parts: list[Json]) -> list[Json]:
    """Return what runs: the pods of the Deployment, and the one that tests."""
    template = one(parts, "Deployment")["spec"]["template"]
    return [{"apiVersion": "v1", "kind": "Pod", **template}, one(parts, "Pod")]


@ALL_SETS
def test_each_set_of_values_makes_what_it_says(name: str) -> None:
    values, change = SETS[name]
    expected = list(PLAIN)
    for sign, kind in re.findall(r"([+-])(\w+)", change):
        expected = [*expected, kind] if sign == "+" else [each for each in expected if each != kind]

    parts = helm.template("keywright", "keywright-system", values)

    assert sorted(each["kind"] for each in parts) == sorted(expected)
    places = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in parts]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("text", ["{a: 1, b: {c: 1, c: 2}}", "a: 1\n'a': 1", "[{a: 1, 'b': 2, b: 2}]"])
def test_what_says_something_twice_is_no_manifest(text: str) -> None:
    with pytest.raises(helm.HelmError, match=r"line \d+, column \d+: [abc]$"):
        helm.documents(f"---\nkind: A\n---\n{text}")


def test_labels_of_ours_that_select_or_tell_whose_it_is_stay_ours() -> None:
    parts = helm.template("first", "keywright-system", LABELS)
    fixed = {"app.kubernetes.io/name": "keywright", "app.kubernetes.io/instance": "first"}
    selector = fixed | {"app.kubernetes.io/component": "operator"}
    managed = {"app.kubernetes.io/managed-by": "Helm"}

    for each in parts:
        labels = each["metadata"]["labels"].items()
        own = {"team": "c"} | OURS if each["kind"] == "ServiceMonitor" else {"team": "a"} | THEIRS
        assert labels >= (own | fixed | managed).items(), each["kind"]
        assert ("app.kubernetes.io/component" in dict(labels)) == (each["kind"] == "ServiceMonitor")
    spec = one(parts, "Deployment")["spec"]
    assert spec["selector"]["matchLabels"] == one(parts, "Service")["spec"]["selector"] == selector
    assert spec["template"]["metadata"]["labels"] == selector | {"app.kubernetes.io/part-of": "pods", "team": "b"}


#: It would read all schemas of a version anew for each manifest, which takes longer than to look at that.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)


@functools.cache
def fits(manifest: str, version: str) -> None:
    """See that a manifest fits the schemas of a version. Most are the same in every set."""
    kubernetes_validate.validate(json.loads(manifest), version, strict=True)


@ALL_SETS
def test_each_set_of_values_fits_the_oldest_and_the_newest_kubernetes(name: str) -> None:
    told = yaml.safe_load((helm.CHART / "Chart.yaml").read_text())["kubeVersion"]
    oldest = told.removeprefix(">=").removesuffix(".0-0")

    for each in helm.template("keywright", "keywright-system", SETS[name][0]):
        for version in (oldest, kubernetes_validate.latest_version()):
            if each["kind"] not in PROMETHEUS:
                fits(json.dumps(each), version)


@ALL_SETS
def test_each_set_of_values_passes_the_linter(name: str) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(helm.CHART), values=SETS[name][0])


@ALL_SETS
def test_each_set_of_values_is_accepted_by_the_api_server(
    control_plane: ControlPlane, namespace: str, name: str
) -> None:
    parts = helm.template("keywright", namespace, SETS[name][0])
    known = [each for each in parts if each["kind"] not in PROMETHEUS]
    account = pods(parts)[0]["spec"]["serviceAccountName"]
    # A pod is admitted only where its account is; a dry run makes none.
    made = control_plane.kubeconfig_for(namespace, account)
    made.unlink()
    command = [str(KUBECTL), f"--kubeconfig={control_plane.kubeconfig}", "apply", "--server-side", "--force-conflicts"]
    command += ["--dry-run=server", "--validate=strict", "-f", "-"]
    text = "\n---\n".join(map(json.dumps, known))

    said = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)

    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) == len(known)


@pytest.mark.parametrize("broken", [{}, {"allowPrivilegeEscalation": True}], ids=["ours", "other"])
def test_pods_are_admitted_where_only_restricted_ones_are(
    control_plane: ControlPlane, namespace: str, broken: Json
) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    control_plane.request("PATCH", path, labels, "application/merge-patch+json")
    control_plane.kubeconfig_for(namespace, "keywright").unlink()

    for pod in pods(helm.template("keywright", namespace, {"securityContext": broken})):
        pod["metadata"] = {"name": "tried", "labels": pod["metadata"]["labels"]}
        status, answer = control_plane.request("POST", f"{path}/pods?dryRun=All", pod)
        assert status == (403 if broken else 201), answer


def test_pods_hold_a_token_for_an_hour_and_can_write_into_memory_only() -> None:
    for pod in pods(helm.template("keywright", "keywright-system")):
        spec = pod["spec"]
        (container,) = spec["containers"]
        volumes = {each["name"]: each for each in spec["volumes"]}
        assert spec["automountServiceAccountToken"] is False
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert volumes["tmp"]["emptyDir"]["medium"] == "Memory"
        token = volumes["token"]["projected"]["sources"][0]["serviceAccountToken"]
        assert token == {"path": "token", "expirationSeconds": 3600}
        assert {each["name"] for each in container["volumeMounts"] if not each.get("readOnly")} == {"tmp"}
        assert {"limits", "requests"} <= container["resources"].keys()


def test_files_are_mounted_where_the_operator_looks_for_them_and_cannot_be_written() -> None:
    operator, tester = (each["spec"] for each in pods(helm.template("keywright", "keywright-system", FILES)))
    (container,) = operator["containers"]

    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "files")
    assert mount["readOnly"] is True
    assert f"--file-store-root={mount['mountPath']}" in container["args"]
    assert {"name": "files", **FILES["fileStore"]["volume"]} in operator["volumes"]
    assert [each for each in tester["volumes"] if each["name"] == "files"] == []


def test_files_are_mounted_for_writing_where_that_is_asked_for() -> None:
    values = {"fileStore": {"volume": {"persistentVolumeClaim": {"claimName": "keys"}}, "readOnly": False}}
    operator, _ = (each["spec"] for each in pods(helm.template("keywright", "keywright-system", values)))
    (container,) = operator["containers"]

    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "files")
    assert mount["readOnly"] is False
    assert {"name": "files", **values["fileStore"]["volume"]} in operator["volumes"]  # type: ignore[dict-item]


@ALL_SETS
def test_the_operator_understands_its_arguments_and_its_environment(name: str, tmp_path: pathlib.Path) -> None:
    values, _ = SETS[name]
    (container,) = one(helm.template("keywright", "home", values), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    # This folder stands for what would be mounted there.
    mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    first, *flags = (each.replace(mounted.get("files", "no files"), str(tmp_path)) for each in container["args"])
    shown = {each["name"]: each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath") for each in container["env"]}
    given = {"KEYWRIGHT_NAMESPACE": "home", "POD_NAME": "keywright-0"}

    # A command remembers the help option of its first context, so it gets the one that it always has.
    context = operator.command.make_context(first, list(flags), **cli.keywright.context_settings)
    chosen = settings.from_environment(context.params, given)

    assert first == operator.command.name
    assert {each: shown[each] for each in given} == {
        "KEYWRIGHT_NAMESPACE": "metadata.namespace",
        "POD_NAME": "metadata.name",
    }
    assert (chosen.namespace, chosen.identity.partition("_")[0]) == ("home", "keywright-0")
    assert chosen.watch_namespaces == tuple(values.get("watchNamespaces", ()))
    assert [str(each) for each in chosen.store_networks] == values.get("storeNetworks", [])
    assert chosen.cluster_stores == values.get("clusterStores", {}).get("enabled", True)
    assert chosen.rollouts == values.get("rollout", {}).get("enabled", False)
    assert chosen.file_store_root == (str(tmp_path) if "files" in mounted else None)
    checks = values.get("checks", {})
    assert (chosen.probes, chosen.condemn_seconds) == (checks.get("probes", True), checks.get("condemnSeconds", 600))
    assert list(chosen.issuer_endpoints) == checks.get("issuerEndpoints", [])
    assert bool(chosen.issuer_formats) == bool(checks.get("formats"))
    assert bool(chosen.issuer_ca_file) == bool(checks.get("authorities"))
    assert ("checks" in mounted) == bool(checks.keys() & {"formats", "authorities"})
    assert chosen.listen == f":{container['ports'][0]['containerPort']}"


@pytest.mark.parametrize(
    ("told", "flags", "served"),
    [
        ("false", [], False),
        ("true", [], True),
        ("false", ["--cluster-stores"], True),
        ("1", ["--no-cluster-stores"], False),
    ],
)
def test_what_the_environment_says_of_cluster_stores_holds_unless_a_flag_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, told: str, flags: list[str], served: bool
) -> None:
    monkeypatch.setenv("KEYWRIGHT_CLUSTER_STORES", told)

    context = operator.command.make_context("operator", flags, **cli.keywright.context_settings)

    assert settings.from_environment(context.params, {}).cluster_stores is served


def test_the_crds_are_ours_and_stay_unless_told_otherwise() -> None:
    for keep in (True, False):
        parts = helm.template("keywright", "keywright-system", {"crds": {"keep": keep}})
        made = [each for each in parts if each["kind"] == "CustomResourceDefinition"]
        ours = {each["metadata"]["name"]: each["spec"] for each in crd.manifests()}
        assert {each["metadata"]["name"]: each["spec"] for each in made} == ours
        kept = [each["metadata"].get("annotations") == {"helm.sh/resource-policy": "keep"} for each in made]
        assert kept == [keep] * len(made)


def test_the_chart_installs_the_image_of_its_own_version() -> None:
    told = yaml.safe_load((helm.CHART / "Chart.yaml").read_text())
    (container,) = pods(helm.template("keywright", "keywright-system"))[0]["spec"]["containers"]

    assert (told["version"], told["appVersion"]) == (keywright.__version__, keywright.__version__)
    assert container["image"] == f"keywright:{keywright.__version__}"
    (pinned,) = pods(helm.template("keywright", "keywright-system", SETS["digest"][0]))[0]["spec"]["containers"]
    assert pinned["image"] == f"registry.example.com/k@{DIGEST}"


def test_names_of_releases_that_are_numbers_or_long_do_no_harm() -> None:
    for release in ("1", "a" * 53, "a.b"):
        parts = helm.template(release, "123", {"watchNamespaces": ["456"], "metrics": {"serviceMonitor": {}}})
        # Those that a cluster has one of are named by what they are about.
        ours = [each for each in parts if not re.match("CustomResource|ValidatingAdmission", each["kind"])]
        names = [each["metadata"]["name"] for each in ours]
        assert all(isinstance(each, str) and re.fullmatch("[a-z][-a-z0-9]{0,62}", each) for each in names), names
        assert one(parts, "Deployment")["metadata"]["namespace"] == "123"
        assert "." not in one(parts, "Service")["metadata"]["name"]


def test_the_forms_of_the_chart_are_those_of_the_operator() -> None:
    form = {"kind": "project key", "pattern": "sk-proj-.{9}", "prefix": "sk-proj-", "checked": "2026-12-24"}
    made = one(helm.template("keywright", "home", {"checks": {"formats": {"openai": [form]}}}), "ConfigMap")

    known = {each.kind: each for each in issuers.table(made["data"]["formats.yaml"]).of("openai")}

    assert (known["project key"].pattern, known["project key"].checked) == ("sk-proj-.{9}", "2026-12-24")


def test_an_audit_mode_of_off_needs_no_quotes() -> None:
    quoted = helm.template("keywright", "keywright-system", {"audit": {"mode": "off"}})
    bare = helm.template("keywright", "keywright-system", {"audit": {"mode": False}})

    assert bare == quoted
    assert "--audit-mode=off" in json.dumps(bare)
    assert "auditsegments" not in json.dumps([each for each in bare if each["metadata"]["name"] == "keywright-own"])
