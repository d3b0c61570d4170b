"""The operator has the rights that it uses, and no others: what the chart grants against the API server's audit log.

A right that nothing used fails, and so does a request that was forbidden.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

import rolling
from build import API, api_key_secret, cluster_key_issuer, cluster_key_store, entry, key_action, key_issuer, key_store
from chart.release import Release
from controlplane import Answer, AuditEntry, ControlPlane, FaultProxy, LoseAnswer, OpenBao
from installation import OperatorProcess
from receivers import Collector
from vendors.server import MoodyServer
from world import World

Json = dict[str, Any]
#: Who uses a key need not be seen.
FOR_NOBODY = {"consumers": "Optional"}
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclasses.dataclass(frozen=True)
class Right:
    """One verb on one resource; namespace and name are empty where they do not matter."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str = ""

    def allows(self, used: Right) -> bool:
        """Whether it is this right that was used."""
        same = (self.group, self.resource, self.verb) == (used.group, used.resource, used.verb)
        return same and self.namespace in ("", used.namespace) and self.name in ("", used.name)


def granted(plane: ControlPlane, user: str) -> set[Right]:
    """Return what the bindings of a ServiceAccount grant."""
    found: set[Right] = set()
    for kind in ("clusterrolebindings", "rolebindings"):
        for binding in plane.request("GET", f"{RBAC}/{kind}")[1]["items"]:
            subjects = binding.get("subjects") or []
            if user in {f"system:serviceaccount:{each.get('namespace')}:{each['name']}" for each in subjects}:
                found |= set(role(plane, binding["roleRef"], binding["metadata"].get("namespace", "")))
    return found


def role(plane: ControlPlane, ref: Json, namespace: str) -> Iterator[Right]:
    """Yield each right of a role."""
    place = RBAC if ref["kind"] == "ClusterRole" else f"{RBAC}/namespaces/{namespace}"
    status, found = plane.request("GET", f"{place}/{ref['kind'].lower()}s/{ref['name']}")
    assert status == 200, found
    for rule in found["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames", [""]):
                        yield Right(namespace, group, resource, verb, name)


def uses(each: AuditEntry) -> Iterator[Right]:
    """Yield the rights that a request used: a patch that creates needs the right to create as well."""
    resource = f"{each.resource}/{each.subresource}".rstrip("/")
    for verb in {each.verb, "create"} if (each.verb, each.code) == ("patch", 201) else {each.verb}:
        yield Right(each.namespace, each.group, resource, verb, each.name)


class Everything:
    """All that the operator can be asked for, in one namespace."""

    def __init__(self, world: World, proxy: FaultProxy, release: Release) -> None:
        self.world, self.proxy, self.release = world, proxy, release
        self.shared = f"{world.namespace}-shared"

    def sync(self) -> None:
        """Sync, repair twice, refresh, move, adopt."""
        world = self.world
        for path in ("/keystores/vault/status", "/apikeysecrets/llm/status"):
            # Somebody else was faster: it has to look again.
            with self.proxy.fault(Answer(409), method="PATCH", path=path, times=1) as refused:
                world.has_key(target={"labels": {"try": path.split("/")[1]}})
                refused.wait()
                world.is_ready()
        with self.proxy.fault(Answer(409), method="PATCH", path="/keyissuers/own/status", times=1) as refused:
            world.apply(key_issuer("own", generated={"uuid": {}}))
            refused.wait()
            world.is_ready("own", "KeyIssuer")
        for _ in range(2):
            before = world.secret_object()
            world.delete_secret("llm")
            world.until(lambda before=before: world.secret_object() not in (None, before), "the Secret is back")  # type: ignore[misc]
        world.until(lambda: (world.events()[-1].get("series") or {}).get("count") == 2, "two repairs are counted")
        world.annotate("llm", refresh="now-1")
        world.until(
            lambda: world.object()["status"].get("lastHandledRefresh") == "now-1", "the refresh is acknowledged"
        )
        world.has_key(target={"name": "moved"})
        world.secret_becomes(None)
        world.secret_is("adopted", {"OPENAI_API_KEY": "sk-one"})
        wanted = entry("OPENAI_API_KEY", "llm/openai", "api_key")
        world.apply(api_key_secret("adopted", wanted, target={"adopt": "IfEqual"}))
        world.is_ready("adopted")

    def restart(self) -> None:
        """Restart one workload of each kind; whether it gets ready does not matter."""
        world, wanted = self.world, entry("OPENAI_API_KEY", "llm/rolled", "api_key")
        world.put("llm/rolled", api_key="sk-one")
        # Long enough for all three to be asked for on a busy machine: after that nothing more is.
        world.apply(api_key_secret("rolled", wanted, rollout={"restart": "Auto", "batch": 3, "timeout": "8s"}))
        world.is_ready("rolled")
        for kind, plural in rolling.PLURALS.items():
            made = rolling.template(f"{kind.lower()}-w", {"envFrom": [{"secretRef": {"name": "rolled"}}]})
            spec: Json = {"selector": {"matchLabels": made["metadata"]["labels"]}, "template": made}
            spec |= {"serviceName": "w"} if kind == "StatefulSet" else {}
            path = f"{rolling.APPS}/{world.namespace}/{plural}"
            owner = world.must("POST", path, {"metadata": {"name": f"{kind.lower()}-w"}, "spec": spec})["metadata"]
            # Nothing here need make pods of workloads: one of each is made by hand.
            of = {"apiVersion": "apps/v1", "kind": kind, "name": owner["name"], "uid": owner["uid"], "controller": True}
            meta = {"name": f"{kind.lower()}-by-hand", "ownerReferences": [of]}
            world.must("POST", f"/api/v1/namespaces/{world.namespace}/pods", {"metadata": meta, "spec": made["spec"]})
        world.put("llm/rolled", api_key="sk-two")
        world.annotate("rolled", refresh="rolled-1")
        # Where a test beside this one has controllers run, workloads get ready, and the Pods made by hand stay behind.
        over = ("RolloutTimedOut", "RolledOut", "OldValueInUse")
        world.until(lambda: world.condition("rolled", type_="RolledOut").get("reason") in over, "they are restarted")

    def rotate(self) -> None:
        """Rotate a key, and forget the journal with its object."""
        world, named = self.world, {"name": "made-here"}
        world.put("llm/rotated", password="first")
        world.apply(key_store("written", world.bao.url, world.mount, access="ReadWrite"))
        issuer = {"generated": {"random": {"part": "password"}}}
        world.apply({"apiVersion": API, "kind": "KeyIssuer", "metadata": named, "spec": issuer})
        one = {"name": "made", "issuer": "custom", "custom": {"parts": [{"name": "password"}]}}
        one |= {"parts": {"password": "PASSWORD"}, "issuerRef": named, "rotation": {"overlap": "0", **FOR_NOBODY}}
        wanted = entry("PASSWORD", "llm/rotated", "password")
        world.apply(api_key_secret("rotated", wanted, storeRef={"name": "written"}, credentials=[one]))
        world.is_ready("rotated")
        world.apply(key_action("rotate", "rotated", action="Rotate", requestedBy="admin"))
        world.ends("rotate", "Succeeded")
        world.delete("ApiKeySecret", "rotated")
        journals = f"/api/v1/namespaces/{world.system}/secrets?labelSelector=keywright.dev/journal=rotation"
        world.until(lambda: not world.must("GET", journals)["items"], "the journal is forgotten")

    def act(self) -> None:
        """Carry out a KeyAction of somebody whose name may be proven, while somebody else changes it."""
        with self.proxy.fault(Answer(409), method="PATCH", path="/keyactions/again/status", times=1):
            self.world.apply(key_action("again", "adopted", requestedBy="admin"))
            self.world.ends("again", "Succeeded")

    def record(self) -> None:
        """Have trouble with the audit trail, twice, of which people are told; and lose an answer of the API server."""
        world = self.world
        for number, fault in enumerate((Answer(500), Answer(500), LoseAnswer())):
            with self.proxy.fault(fault, method="POST", path="/auditsegments$", times=3) as troubled:
                world.put("llm/openai", api_key=f"sk-{number}")
                world.annotate("llm", refresh=f"recorded-{number}")
                troubled.wait(1)
                if number < 2:
                    troubled.wait(3)
            world.until(lambda number=number: self.restored() >= min(number + 1, 2), "records are written again")  # type: ignore[misc]

    def restored(self) -> int:
        """Return how often the Events tell that records are written again."""
        found = self.world.must("GET", f"/apis/events.k8s.io/v1/namespaces/{self.world.system}/events")["items"]
        ours = [each for each in found if each["reason"] == "AuditRestored"]
        return sum((each.get("series") or {"count": 1})["count"] for each in ours)

    def log_in(self, *, tokens: bool) -> None:
        """Log in by a CA out of a ConfigMap, and as a ServiceAccount. That the store is another's does not matter."""
        world, server = self.world, self.world.plane.url
        config_maps = f"/api/v1/namespaces/{world.namespace}/configmaps"
        data = {"ca.crt": world.plane.ca_file.read_text()}
        world.must("POST", config_maps, {"metadata": {"name": "ca"}, "data": data})
        provider = {"kind": "ConfigMap", "name": "ca", "key": "ca.crt"}
        world.apply(key_store("by-ca", server, world.mount, vault={"caProvider": provider}))
        world.until(lambda: world.condition("by-ca", "KeyStore").get("status") == "False", "by-ca was tried")
        if not tokens:
            return
        accounts = f"/api/v1/namespaces/{world.namespace}/serviceaccounts"
        world.must("POST", accounts, {"metadata": {"name": "keywright-auth"}})
        auth = {"kubernetes": {"mount": "none", "role": "r", "serviceAccountRef": {"name": "keywright-auth"}}}
        world.apply(key_store("by-account", world.bao.url, world.mount, vault={"auth": auth}))
        world.apply(api_key_secret("by-account", entry("K", "llm/openai"), storeRef={"name": "by-account"}))
        world.until(lambda: world.condition("by-account").get("status") == "False", "by-account was tried")

    def share(self) -> None:
        """Use a ClusterKeyStore that fails, works, and fails again; its Events are counted."""
        world, name = self.world, self.shared
        ref = {"kind": "ClusterKeyStore", "name": name}
        config_maps = f"/api/v1/namespaces/{world.system}/configmaps"
        world.must("POST", config_maps, {"metadata": {"name": "ca"}, "data": {"ca.crt": "x"}})
        bad = {"caProvider": {"kind": "ConfigMap", "name": "ca", "key": "none"}}
        good = cluster_key_store(name, world.bao.url, world.mount)
        wanted = entry("OPENAI_API_KEY", "llm/openai", "api_key")
        with self.proxy.fault(Answer(409), method="PATCH", path=f"/clusterkeystores/{name}/status", times=1) as refused:
            world.apply(good)
            world.apply(api_key_secret("shared", wanted, storeRef=ref))
            world.is_ready(name, "ClusterKeyStore")
            refused.wait()
        path = f"/clusterkeyissuers/{name}/status"
        with self.proxy.fault(Answer(409), method="PATCH", path=path, times=1) as refused:
            world.apply(cluster_key_issuer(name, {"generated": {"uuid": {}}}))
            world.is_ready(name, "ClusterKeyIssuer")
            refused.wait()
        for number in (1, 2):
            world.apply(cluster_key_store(name, world.bao.url, world.mount, vault=bad))
            world.is_refused("CredentialMissing", name, "ClusterKeyStore")
            world.until(lambda number=number: self.counted() == number, f"the trouble is counted {number} times")  # type: ignore[misc]
            world.apply(good)
            world.is_ready(name, "ClusterKeyStore")

    def do_without(self, operator: OperatorProcess, mark: int) -> None:
        """Name a ClusterKeyStore that is there, and a default one, where none is served; look for ghosts meanwhile."""
        world, wanted = self.world, entry("OPENAI_API_KEY", "llm/openai", "api_key")
        # Other tests of the same cluster must not get it for their default.
        here = {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}
        world.apply(cluster_key_store(self.shared, world.bao.url, world.mount, default=True, namespaceSelector=here))
        ref = {"kind": "ClusterKeyStore", "name": self.shared}
        world.apply(api_key_secret("named", wanted, storeRef=ref))
        world.apply(api_key_secret("default", wanted, storeRef=None))
        off = "ClusterKeyStores are switched off in this install"
        hint = "Name a KeyStore in storeRef, or ask the operator's administrator for --cluster-stores."

        named, default = world.told("StoreNotFound", "named"), world.told("NoDefaultStore", "default")

        assert named.startswith(f"ClusterKeyStore/NS-shared is not looked for: {off}, since NOW."), named
        assert default.startswith(f"There is no storeRef, and {off}, since NOW."), default
        assert named.endswith(hint)
        assert default.endswith(hint)
        # At the start for the engine and for the watch, then for ghosts.
        lists = ("list", "keystores", operator.user)
        world.until(
            lambda: [(each.verb, each.resource, each.user) for each in world.plane.audit(mark)].count(lists) > 2,
            "it has looked for ghosts",
        )

    def counted(self) -> int:
        """Return how often the Events tell of the ClusterKeyStore's trouble."""
        found = self.world.must("GET", "/apis/events.k8s.io/v1/namespaces/default/events")["items"]
        ours = [each for each in found if each["regarding"]["name"] == self.shared and each["type"] == "Warning"]
        return sum((each.get("series") or {"count": 1})["count"] for each in ours)


def is_exact(plane: ControlPlane, bao: OpenBao, namespace: str, folder: pathlib.Path, **values: Any) -> None:
    """Install, use everything that the values allow, and compare what is granted with what was used."""
    collector = MoodyServer(Collector().answer)
    with World(plane, bao, namespace, folder) as world, FaultProxy(plane, folder / "proxy") as proxy:
        release = Release(plane, namespace, world.system)
        if "audit" in values:
            # The chart takes no address without TLS; to that which it takes, nobody answers.
            values["extraArgs"] = ["--allow-loopback-stores", f"--audit-sink={collector.url}"]
        release.install(**values)
        mark = plane.mark()
        operator = release.operator(folder, proxy.url, proxy.ca_file)
        try:
            everything = Everything(world, proxy, release)
            everything.sync()
            everything.act()
            everything.record()
            if values.get("rollout", {}).get("enabled"):
                everything.restart()
            if values.get("rotation", {}).get("enabled"):
                everything.rotate()
            everything.log_in(tokens=values.get("serviceAccountTokens", {}).get("enabled", True))
            if values.get("clusterStores", {}).get("enabled", True):
                everything.share()
            else:
                everything.do_without(operator, mark)
        finally:
            operator.stop()
        asked = [each for each in plane.audit(mark) if each.user == operator.user and each.resource]
        assert [each.uri for each in asked if each.code == 403] == []
        # What tests before may have left elsewhere is no use of a right.
        ours = ("", namespace, world.system, "default")
        used = {right for each in asked if each.namespace in ours for right in uses(each)}
        rights = granted(plane, operator.user)
        release.uninstall()
    collector.close()

    unused = [right for right in rights if not any(right.allows(each) for each in used)]
    beyond = [each for each in used if not any(right.allows(each) for right in rights)]
    assert (unused, beyond) == ([], [])


ON = {"enabled": True}
WITHOUT = {"clusterStores": {"enabled": False}, "extraArgs": ["--ghost-check-seconds=1"], "rotation": ON}
MODES: dict[str, Json] = {
    "with everything": {"audit": {"sinks": ["https://siem.invalid/keywright"]}, "rollout": ON, "rotation": ON},
    "without ClusterKeyStores": WITHOUT,
    "without tokens": {"serviceAccountTokens": {"enabled": False}},
}


@pytest.mark.parametrize("mode", ["with everything", "without ClusterKeyStores"])
def test_where_all_namespaces_are_served_what_is_granted_is_used(
    own_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path, mode: str
) -> None:
    # The name is this run's alone: OpenBao is everybody's.
    own_plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})

    is_exact(own_plane, openbao, namespace, tmp_path, **MODES[mode])


@pytest.mark.parametrize("mode", MODES)
def test_where_one_namespace_is_served_what_is_granted_is_used(
    control_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path, mode: str
) -> None:
    values = {"watchNamespaces": [namespace], "crds": {"enabled": False}, "rbac": {"aggregateClusterRoles": False}}
    values["actions"] = {"policy": {"enabled": False}}

    is_exact(control_plane, openbao, namespace, tmp_path, **values, **MODES[mode])
