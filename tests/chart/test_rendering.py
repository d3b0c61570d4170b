"""What the chart makes of its values: accepted by the API server, safe to run, and nothing that was mistyped."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

import helm
import keywright
from controlplane import ControlPlane
from keywright import cli, crd, settings
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
    "no CRDs": ({"crds": {"enabled": False}}, "-CustomResourceDefinition"),
    "CRDs that go": ({"crds": {"keep": False}}, ""),
    "own roles": (
        {"rbac": {"create": False, "aggregateClusterRoles": False}},
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
    "pods": (POD_VALUES, ""),
    "digest": ({"image": {"repository": "registry.example.com/k", "digest": DIGEST, "pullPolicy": "Always"}}, ""),
}
PLAIN = ["ServiceAccount", *["CustomResourceDefinition"] * 3, *["ClusterRole"] * 5, "ClusterRoleBinding", "Role"]
PLAIN += ["RoleBinding", "Service", "Deployment", "Pod"]
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


@ALL_SETS
def test_each_set_of_values_passes_the_linter(name: str) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", str(helm.CHART), values=SETS[name][0])


@ALL_SETS
def test_each_set_of_values_is_accepted_by_the_api_server(
    control_plane: ControlPlane, namespace: str, name: str
) -> None:
    parts = helm.template("keywright", namespace, SETS[name][0])
    # Its CRD is the Prometheus operator's.
    known = [each for each in parts if each["kind"] != "ServiceMonitor"]
    account = pods(parts)[0]["spec"]["serviceAccountName"]
    # A pod is admitted only where its account is; a dry run makes none.
    made = control_plane.kubeconfig_for(namespace, account)
    made.unlink()
    command = [str(KUBECTL), f"--kubeconfig={control_plane.kubeconfig}", "apply", "--server-side", "--force-conflicts"]
    command += ["--dry-run=server", "--validate=strict", "-f", "-"]

    said = subprocess.run(
        command, input=yaml.safe_dump_all(known), capture_output=True, text=True, check=False, timeout=60
    )

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


@ALL_SETS
def test_the_operator_understands_its_arguments_and_its_environment(name: str) -> None:
    values, _ = SETS[name]
    (container,) = one(helm.template("keywright", "home", values), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ]
    first, *flags = container["args"]
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
    assert chosen.listen == f":{container['ports'][0]['containerPort']}"


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
        names = [each["metadata"]["name"] for each in parts if each["kind"] != "CustomResourceDefinition"]
        assert all(isinstance(each, str) and len(each) <= 63 for each in names)
        assert one(parts, "Deployment")["metadata"]["namespace"] == "123"
        assert "." not in one(parts, "Service")["metadata"]["name"]
