"""Words of other tools, of later versions and slips of the pen: refused with the right one, and never dropped."""

from __future__ import annotations

import pytest
import yaml

from build import api_key_secret
from controlplane import ControlPlane
from crd.definitions import kubectl, nodes, refusal, root
from crd.writing import (
    aws_store,
    cluster_issuer,
    cluster_store,
    issuer,
    leasing,
    store,
    with_entry,
    with_remote,
    with_spec,
)
from keywright import kinds
from keywright.issuing import ISSUING

NO_CERTIFICATES = "API keys are made here; certificates are cert-manager's"

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
    "rolloutRestartTargets": (
        with_spec(rolloutRestartTargets=[{"kind": "Deployment", "name": "a"}]),
        "spec.rolloutRestartTargets",
        "write rollout.workloads",
    ),
    "rollout.refs": (with_spec(rollout={"restart": "Auto", "refs": []}), "spec.rollout.refs", "write workloads"),
    "rollout.windows": (with_spec(rollout={"restart": "Auto", "windows": []}), "spec.rollout.windows", "write window"),
    "refreshPolicy": (with_spec(refreshPolicy="CreatedOnce"), "spec.refreshPolicy", "write refreshInterval"),
    **{
        f"template.{wrong}": (
            with_spec(target={"template": {wrong: said, "stringData": {"A": "a"}}}),
            f"spec.target.template.{wrong}",
            f"write {right}",
        )
        for wrong, right, said in (
            ("type", "type directly in target", "Opaque"),
            ("metadata", "labels and annotations directly in target", {"labels": {"a": "b"}}),
            ("engineVersion", "the templates in Jinja2", "v2"),
            ("templateFrom", "from", [{"configMap": {"name": "a"}}]),
        )
    },
    "extract.key": (
        with_spec(dataFrom=[{"extract": {"key": "llm"}}]),
        "spec.dataFrom[0].extract.key",
        "write path",
    ),
    "extract.decodingStrategy": (
        with_spec(dataFrom=[{"extract": {"path": "llm", "decodingStrategy": "Base64"}}]),
        "spec.dataFrom[0].extract.decodingStrategy",
        "write the entries in data, with decode",
    ),
    "dataFrom.sourceRef": (
        with_spec(dataFrom=[{"extract": {"path": "llm"}, "sourceRef": {"storeRef": {"name": "a"}}}]),
        "spec.dataFrom[0].sourceRef",
        "write storeRef",
    ),
    "dataFrom.find": (
        with_spec(dataFrom=[{"extract": {"path": "llm"}, "find": {"name": {"regexp": ".*"}}}]),
        "spec.dataFrom[0].find",
        "this version has no find: name each key in an extract of its own",
    ),
    "rewrite.transform": (
        with_spec(dataFrom=[{"extract": {"path": "llm"}, "rewrite": [{"transform": {"template": "x"}}]}]),
        "spec.dataFrom[0].rewrite[0].transform",
        "write regexp, prefix or case",
    ),
    "rewrite.merge": (
        with_spec(dataFrom=[{"extract": {"path": "llm"}, "rewrite": [{"merge": {}}]}]),
        "spec.dataFrom[0].rewrite[0].merge",
        "this version has no merge: to take a map inside of a map apart, name it as the property",
    ),
    **{
        f"sources.{wrong}": (
            with_entry(sources=[{"storeRef": {"name": "a"}, "remoteRef": {"path": "b", wrong: "c"}}]),
            f"spec.data[0].sources[0].remoteRef.{wrong}",
            f"write {right}",
        )
        for wrong, right in (("key", "path"), ("decodingStrategy", "decode, beside remoteRef"))
    },
    **{
        f"credentials.{wrong}": (
            with_spec(credentials=[{"name": "a", "issuer": "openai", "parts": {"apiKey": "KEY"}, wrong: said}]),
            f"spec.credentials[0].{wrong}",
            advice,
        )
        for wrong, said, advice in (
            ("provider", "openai", "write issuer"),
            ("keys", {"apiKey": "KEY"}, "write parts"),
        )
    },
    **{
        f"rotation.{wrong}": (
            with_spec(
                credentials=[
                    {
                        "name": "a",
                        "issuer": "openai",
                        "parts": {"apiKey": "KEY"},
                        "issuerRef": {"name": "a"},
                        "rotation": {wrong: said},
                    }
                ]
            ),
            f"spec.credentials[0].rotation.{wrong}",
            advice,
        )
        for wrong, said, advice in (
            ("interval", "30d", "write every"),
            ("rotationInterval", "30d", "write every"),
            ("renewBefore", "7d", "write beforeExpiry"),
            ("gracePeriod", "1d", "write overlap"),
            (
                "exposePrevious",
                True,
                "this version has no exposePrevious: who is late uses the old key until the overlap is over",
            ),
            (
                "onDelete",
                "Revoke",
                "this version has no onDelete: a deletion revokes nothing; see `keywright debts`",
            ),
        )
    },
    **{
        f"check.{wrong}": (
            with_spec(
                credentials=[{"name": "a", "issuer": "openai", "parts": {"apiKey": "KEY"}, "check": {wrong: said}}]
            ),
            f"spec.credentials[0].check.{wrong}",
            f"write {right}",
        )
        for wrong, said, right in (("interval", "6h", "every"), ("probe", "Enforce", "liveness"))
    },
    "caBundle": (store(vault={"caBundle": "LS0t"}), "spec.vault.caBundle", "write caProvider"),
    "vault.path": (store(vault={"path": "kv"}), "spec.vault.path", "write mount"),
    "tls": (store(vault={"tls": {"certSecretRef": {"name": "a"}}}), "spec.vault.tls", "write clientCertificate"),
    "tokenSecretRef": (
        store(vault={"auth": {"tokenSecretRef": {"name": "a", "key": "b"}}}),
        "spec.vault.auth.tokenSecretRef",
        "write auth.token.secretRef",
    ),
    **{
        f"aws.{wrong}": (aws_store(**said), f"spec.aws.{wrong}", f"write {right}")
        for wrong, said, right in (
            ("service", {"service": "SecretsManager"}, "spec.aws, which is Secrets Manager"),
            ("externalID", {"externalID": "a"}, "externalId"),
            ("auth.secretRef", {"auth": {"secretRef": {}}}, "auth.accessKey"),
            ("auth.jwt", {"auth": {"jwt": {}}}, "auth.webIdentity"),
        )
    },
    **{
        f"{selector}.{wrong}": (
            cluster_store(**{selector: {wrong: said}}),
            f"spec.{selector}.{wrong}",
            f"write {right}",
        )
        for selector in ("namespaceSelector", "rotators")
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
    **{
        f"KeyIssuer.{wrong}": (issuer(**{wrong: {}}), f"spec.{wrong}", advice)
        for wrong, advice in (
            ("generator", "write generated"),
            *((each, f"this version has no {each}: {NO_CERTIFICATES}") for each in ("acme", "ca", "selfSigned")),
        )
    },
    **{
        f"{kind}.vaultDynamic.{wrong}": (manifest, f"{where}.vaultDynamic.{wrong}", f"write {right}")
        for wrong, right, said in (
            ("caBundle", "caProvider", {"caBundle": "LS0t"}),
            ("tls", "clientCertificate", {"tls": {"certSecretRef": {"name": "a"}}}),
            ("auth.tokenSecretRef", "auth.token.secretRef", {"auth": {"tokenSecretRef": {"name": "a", "key": "b"}}}),
        )
        for kind, where, manifest in (
            ("KeyIssuer", "spec", leasing(**said)),
            ("bindings", "spec.bindings[0]", cluster_issuer({"openai": None, "vaultDynamic": said})),
        )
    },
    "KeyIssuer.provider": (
        issuer(provider={}),
        "spec.provider",
        "write the issuer directly in spec, as in spec.openai",
    ),
    **{
        f"ClusterKeyIssuer.{wrong}": (cluster_issuer(**{wrong: {}}), f"spec.{wrong}", f"write {right}")
        for wrong, right in (
            ("provider", "the issuer in bindings, as in bindings[].openai"),
            ("namespaceSelector", "bindings, each with its namespaceSelector"),
            ("conditions", "bindings, each with its namespaceSelector"),
            *((each, f"bindings, as in bindings[].{each}") for each in ISSUING),
        )
    },
    **{
        f"bindings.{wrong}": (cluster_issuer({wrong: {}}), f"spec.bindings[0].{wrong}", "write namespaceSelector")
        for wrong in ("namespaces", "selector")
    },
    **{
        f"bindings.namespaceSelector.{wrong}": (
            cluster_issuer({"namespaceSelector": {wrong: {}}}),
            f"spec.bindings[0].namespaceSelector.{wrong}",
            f"write {right}",
        )
        for wrong, right in (
            ("matchlabels", "matchLabels"),
            ("matchLabel", "matchLabels"),
            ("labels", "matchLabels"),
            ("matchexpressions", "matchExpressions"),
            ("matchExpression", "matchExpressions"),
        )
    },
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
