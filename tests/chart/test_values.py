"""What can be said about a release: each value has its comment, its row in the docs and its place in the schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import helm

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
        ({"extraArgs": ["operator"]}, "/extraArgs/0"),
        ({"leaderElection": {"leaseSeconds": 0}}, "/leaderElection/leaseSeconds"),
        ({"metrics": {"port": 80}}, "/metrics/port"),
        ({"networkPolicy": {"metricsFrom": [{"namespace": "x"}]}}, "namespace"),
        ({"podAnnotations": {"a": 1}}, "/podAnnotations/a"),
        ({"commonLabels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}, "/commonLabels/rbac."),
        ({"fileStore": {"volume": {"configMap": {"name": "keys"}}}}, "/fileStore/volume/configMap"),
        ({"fileStore": {"volume": {"name": "files", "emptyDir": {}}}}, "/fileStore/volume/name"),
        (
            {"fileStore": {"volume": {"emptyDir": {}}}, "clusterStores": {"enabled": False}},
            "it needs clusterStores.enabled=true",
        ),
    ],
)
def test_what_is_mistyped_is_refused_by_name(values: Json, said: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(said)):
        helm.template("keywright", "keywright-system", values)


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

    # Helm itself hands `global` to charts that are part of others.
    assert known - there == {"global", "resources.claims"}
    free = ("resources.", "podSecurityContext.", "securityContext.")
    assert [each for each in there - known if not each.startswith(free)] == []
