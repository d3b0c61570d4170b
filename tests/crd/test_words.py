"""Words of other tools, of later versions and slips of the pen: refused with the right one, and never dropped."""

from __future__ import annotations

import pytest
import yaml

from build import api_key_secret
from controlplane import ControlPlane
from crd.definitions import kubectl, nodes, refusal, root
from crd.writing import cluster_store, store, with_entry, with_remote, with_spec
from keywright import kinds

#: What users of External Secrets Operator, of a later version or in haste would write, and what they are told.
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
    "dataFrom": (
        with_spec(dataFrom=[{"extract": {"key": "llm"}}]),
        "spec.dataFrom",
        "this version has no dataFrom: list the entries in data",
    ),
    "caBundle": (store(vault={"caBundle": "LS0t"}), "spec.vault.caBundle", "write caProvider"),
    "vault.path": (store(vault={"path": "kv"}), "spec.vault.path", "write mount"),
    "tls": (store(vault={"tls": {"certSecretRef": {"name": "a"}}}), "spec.vault.tls", "write clientCertificate"),
    "tokenSecretRef": (
        store(vault={"auth": {"tokenSecretRef": {"name": "a", "key": "b"}}}),
        "spec.vault.auth.tokenSecretRef",
        "write auth.token.secretRef",
    ),
    **{
        wrong: (
            cluster_store(namespaceSelector={wrong: said}),
            f"spec.namespaceSelector.{wrong}",
            f"write {right}",
        )
        for wrong, right, said in (
            ("matchlabels", "matchLabels", {"a": "b"}),
            ("matchLabel", "matchLabels", {"a": "b"}),
            ("labels", "matchLabels", {"a": "b"}),
            ("matchexpressions", "matchExpressions", []),
            ("matchExpression", "matchExpressions", []),
        )
    },
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


@pytest.mark.parametrize("name", TYPOS)
def test_a_wrong_word_is_refused_with_ours(control_plane: ControlPlane, name: str) -> None:
    manifest, where, advice = TYPOS[name]

    answer = refusal(control_plane, manifest)

    assert f"{where}: Unsupported value" in answer
    assert f'supported values: "none: {advice}"' in answer


def test_every_word_that_is_refused_is_tried() -> None:
    declared = {
        path
        for kind in kinds.KINDS.values()
        for path, node in nodes(root(kind)["properties"]["spec"], "spec")
        if str(node.get("enum", [""])[0]).startswith("none: ")
    }

    assert declared == {where.replace("[0]", "[]") for _, where, _ in TYPOS.values()}


def test_kubectl_apply_tells_the_same(control_plane: ControlPlane, namespace: str) -> None:
    manifest, where, advice = TYPOS["secretKey"]
    done = kubectl(control_plane, "apply", "-n", namespace, "-f", "-", text=yaml.safe_dump(manifest))

    assert done.returncode == 1
    assert where in done.stderr and advice in done.stderr
