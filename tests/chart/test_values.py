"""What can be said about a release: each value has its comment, its row in the docs and its place in the schema."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import helm
import keywright
from controlplane import ControlPlane

Json = dict[str, Any]
VALUES = (helm.CHART / "values.yaml").read_text()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replicaCuont": 2}, "replicaCuont"),
        ({"image": {"repo": "x"}}, "repo"),
        ({"fullnameOverride": "1"}, "/fullnameOverride"),
        ({"tenantStores": {"enable": True}}, "enable"),
        ({"replicaCount": "2"}, "got string, want integer"),
        ({"watchNamespaces": "team-a"}, "got string, want array"),
        ({"watchNamespaces": ["Team_A"]}, "/watchNamespaces/0"),
        ({"watchNamespaces": ["a", "a"]}, "/watchNamespaces"),
        ({"logLevel": "trace"}, "/logLevel"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"storeNetworks": ["10.0.0.1"]}, "/storeNetworks/0"),
        ({"checks": {"issuerEndpoints": ["http://gateway.example.com"]}}, "/checks/issuerEndpoints/0"),
        ({"checks": {"issuerEndpoints": ["https://gateway.example.com/v1"]}}, "/checks/issuerEndpoints/0"),
        ({"checks": {"condemnSeconds": 0}}, "/checks/condemnSeconds"),
        ({"metrics": {"prometheusRule": {"runbookUrl": "docs/howto/alerts.md"}}}, "/metrics/prometheusRule/runbookUrl"),
        ({"audit": {"sinks": ["http://siem.example.com"]}}, "/audit/sinks/0"),
        ({"audit": {"sinks": ["https://me:secret@siem.example.com/"]}}, "/audit/sinks/0"),
        ({"extraArgs": ["operator"]}, "/extraArgs/0"),
        ({"leaderElection": {"leaseSeconds": 0}}, "/leaderElection/leaseSeconds"),
        ({"metrics": {"port": 80}}, "/metrics/port"),
        ({"networkPolicy": {"metricsFrom": [{"namespace": "x"}]}}, "namespace"),
        ({"podAnnotations": {"a": 1}}, "/podAnnotations/a"),
        ({"commonLabels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}, "/commonLabels/rbac."),
        ({"fileStore": {"volume": {"configMap": {"name": "keys"}}}}, "/fileStore/volume/configMap"),
        ({"fileStore": {"volume": {"name": "files", "emptyDir": {}}}}, "/fileStore/volume/name"),
        ({"image": {"repository": "reg/kw:1.0"}}, "/image/repository"),
        ({"image": {"repository": "https://registry.example.com/kw"}}, "/image/repository"),
        ({"image": {"repository": f"kw@sha256:{'0' * 64}"}}, "/image/repository"),
        ({"image": {"repository": ""}}, "/image/repository"),
        ({"commonLabels": {"team": "a b"}}, "/commonLabels/team"),
        ({"commonLabels": {"team": "a" * 64}}, "/commonLabels/team"),
        ({"podLabels": {"team": "-a"}}, "/podLabels/team"),
        ({"networkPolicy": {"enabled": True, "egress": None}}, "networkPolicy.egress is null"),
        ({"metrics": {"enabled": False, "serviceMonitor": {"enabled": True}}}, "needs the Service of metrics.enabled"),
        ({"enabled": "yes"}, "/enabled"),
        ({"enabled": False}, "no condition asks for it"),
        (
            {"fileStore": {"volume": {"emptyDir": {}}}, "clusterStores": {"enabled": False}},
            "it needs clusterStores.enabled=true",
        ),
    ],
)
def test_what_is_mistyped_is_refused_by_name(values: Json, said: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(said)):
        helm.template("keywright", "keywright-system", values)


@pytest.mark.parametrize(
    "repository",
    ["kw", "team/kw", "registry.example.com/a_b/c-d", "localhost:5000/kw", "[::1]:5000/kw", "REG.example.com/kw__1.0"],
)
def test_an_image_may_be_anywhere(repository: str) -> None:
    parts = helm.template("keywright", "keywright-system", {"image": {"repository": repository, "tag": "1"}})

    assert f"{repository}:1" in json.dumps(parts)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_chart_of_charts_may_switch_it_off_and_hand_it_what_is_global(tmp_path: pathlib.Path, enabled: bool) -> None:
    shutil.copytree(helm.CHART, tmp_path / "charts" / "keywright")
    dependency = {"name": "keywright", "version": keywright.__version__, "condition": "keywright.enabled"}
    chart = {"apiVersion": "v2", "name": "platform", "version": "1.0.0", "dependencies": [dependency]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(chart))
    values: Json = {"global": {"registry": "x"}, "keywright": {"enabled": enabled}}

    parts = helm.documents(helm.run("template", "platform", str(tmp_path), values=values))

    assert ("Deployment" in {each["kind"] for each in parts}) == enabled


def test_helm_as_a_program_works_on_the_callers_cluster(control_plane: ControlPlane) -> None:
    command = [sys.executable, "-m", "helm", "list", "--namespace=default"]
    for kubeconfig, code in ((control_plane.kubeconfig, 0), (os.devnull, 1)):
        environment = os.environ | {"KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(helm.ROOT / "dev")}
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert said.returncode == code, said.stderr


def explained(node: yaml.MappingNode, prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield each value that has a comment of its own: path, default, comment; of what has none, look at the parts."""
    lines = VALUES.splitlines()
    for key, each in node.value:
        first = line = key.start_mark.line
        while lines[first - 1].lstrip().startswith("#"):
            first -= 1
        if first < line:
            comment = " ".join(text.strip().removeprefix("# ") for text in lines[first:line])
            yield prefix + key.value, yaml.safe_load(yaml.serialize(each)), comment
        else:
            assert isinstance(each, yaml.MappingNode), f"{prefix}{key.value} has no comment"
            yield from explained(each, f"{prefix}{key.value}.")


def test_every_value_has_its_row_with_its_default() -> None:
    page = (helm.ROOT / "docs/howto/install.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*) \|$", page.partition("\n## Values\n")[2], re.MULTILINE)

    root = yaml.compose(VALUES)
    assert isinstance(root, yaml.MappingNode)
    found = list(explained(root))

    assert [(name, means) for name, _, means in rows[: len(found)]] == [(name, means) for name, _, means in found]
    for (name, shown, _), (_, default, _) in zip(rows, found, strict=False):
        assert shown == "see `values.yaml`" or yaml.safe_load(shown.strip("`")) == default, name


def paths(node: Json, below: str, prefix: str = "") -> Iterator[str]:
    """Yield the paths of nested maps; ``below`` names the entry of each that holds the next."""
    for name, each in (node.get(below, {}) if below else node).items():
        yield prefix + name
        if isinstance(each, dict):
            yield from paths(each, below, f"{prefix}{name}.")


def test_the_schema_knows_every_value_and_no_other() -> None:
    schema = json.loads((helm.CHART / "values.schema.json").read_text())

    known, there = set(paths(schema, "properties")), set(paths(yaml.safe_load(VALUES), ""))

    # What Helm itself looks at, or hands to charts that are part of others.
    assert known - there == {"enabled", "global", "resources.claims"}
    free = ("resources.", "podSecurityContext.", "securityContext.")
    assert [each for each in there - known if not each.startswith(free)] == []
