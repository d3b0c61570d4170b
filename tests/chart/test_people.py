"""What people may do after an install: the cluster's own roles view, edit and admin, as the chart adds to them."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

import helm
from chart.release import Release, until
from controlplane import ControlPlane

Json = dict[str, Any]
KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
EXAMPLES = helm.ROOT / "examples"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
SEE = {"get", "list", "watch"}
WRITE = {"create", "update", "patch", "delete", "deletecollection"}
#: What somebody may ask for by a KeyAction on an ApiKeySecret.
ACT = {"refresh"}


class Team:
    """A namespace ``team-a`` with one ServiceAccount for each of the cluster's roles, which stands for a person."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane, self.release = plane, Release(plane, "keywright", "keywright-system")
        for name in ("team-a", "team-b"):
            plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
            for role in ("view", "edit", "admin"):
                ref = {"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"}
                person = {"kind": "ServiceAccount", "name": role, "namespace": "team-a"}
                binding = {"metadata": {"name": role}, "roleRef": ref, "subjects": [person]}
                status, answer = plane.request("POST", f"{RBAC}/namespaces/{name}/rolebindings", binding)
                # The test before may have made it: examples are in a namespace of that name.
                assert status in (201, 409), answer

    def may(self, role: str, resource: str) -> set[str]:
        """Return what a person with a role may do with a resource of ours in the namespace."""
        return {verb for verb in SEE | WRITE | ACT if self._may(role, resource, verb)}

    def _may(self, role: str, resource: str, verb: str) -> bool:
        asked = {"namespace": "team-a", "group": "keywright.dev", "resource": resource, "verb": verb}
        spec = {"user": f"system:serviceaccount:team-a:{role}", "resourceAttributes": asked}
        status, answer = self.plane.request("POST", REVIEWS, {"spec": spec})
        assert status == 201, answer
        return bool(answer["status"]["allowed"])

    def apply(self, role: str, manifests: list[Json]) -> subprocess.CompletedProcess[str]:
        """Do ``kubectl apply`` as a person with a role."""
        config = self.plane.kubeconfig_for("team-a", role)
        command = [str(KUBECTL), f"--kubeconfig={config}", "apply", "-f", "-"]
        text = yaml.safe_dump_all(manifests)
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def team(own_plane: ControlPlane) -> Iterator[Team]:
    made = Team(own_plane)
    yield made
    made.release.uninstall()


def example(name: str) -> list[Json]:
    """Return what an example makes."""
    return list(yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text()))


def test_who_may_edit_a_namespace_applies_the_examples(team: Team) -> None:
    team.release.install(tenantStores={"enabled": True}, tenantIssuers={"enabled": True})
    until(
        lambda: team.may("edit", "keystores") & team.may("edit", "keyissuers") == SEE | WRITE,
        "the cluster's role has what the chart adds",
    )

    # One is for whoever administers the cluster.
    for path in sorted(set(EXAMPLES.glob("*.yaml")) - {EXAMPLES / "share-a-store.yaml"}):
        manifests = example(path.stem)
        for each in manifests:
            if each["kind"] == "KeyAction":
                each["spec"]["requestedBy"] = "system:serviceaccount:team-a:edit"
        said = team.apply("edit", manifests)
        assert said.returncode == 0, (path.name, said.stderr)


def test_who_may_edit_a_namespace_asks_for_acts_in_no_other_name(team: Team) -> None:
    team.release.install()
    until(lambda: "create" in team.may("edit", "keyactions"), "the cluster's role has what the chart adds")
    (action,) = (each for each in example("key-action") if each["kind"] == "KeyAction")
    said: list[str] = []

    def refused() -> bool:
        said[:] = [team.apply("edit", [action]).stderr]
        return bool(said[0])

    until(refused, "the policy is in force")

    assert "spec.requestedBy must be who makes the KeyAction: system:serviceaccount:team-a:edit" in said[0]


def test_stores_are_for_admins_unless_tenants_may_have_them(team: Team) -> None:
    team.release.install()
    told = {"view": SEE, "edit": SEE | {"create", "delete", "deletecollection"}}
    told["admin"] = told["edit"]

    def added() -> bool:
        # A controller adds them to one role after the other.
        acts = all(team.may(role, "keyactions") == verbs for role, verbs in told.items())
        return acts and team.may("admin", "keystores") == SEE | WRITE

    until(added, "the cluster's roles have what the chart adds")

    assert {role: team.may(role, "apikeysecrets") for role in ("view", "edit", "admin")} == {
        "view": SEE,
        "edit": SEE | WRITE | ACT,
        "admin": SEE | WRITE | ACT,
    }
    assert {role: team.may(role, "keystores") for role in ("view", "edit")} == {"view": SEE, "edit": SEE}
    assert {role: team.may(role, "keyissuers") for role in ("view", "edit", "admin")} == {
        "view": SEE,
        "edit": SEE,
        "admin": SEE | WRITE,
    }
    for kind in ("clusterkeystores", "clusterkeyissuers"):
        assert {role: team.may(role, kind) & WRITE for role in ("edit", "admin")} == {"edit": set(), "admin": set()}
    assert {role: team.may(role, "apikeysecrets/status") & WRITE for role in ("edit", "admin")} == {
        "edit": set(),
        "admin": set(),
    }
    said = team.apply("edit", example("sync-a-key"))
    assert said.returncode == 1
    assert 'cannot create resource "keystores"' in said.stderr
    assert "apikeysecret.keywright.dev/llm created" in said.stdout

    team.release.upgrade(tenantStores={"enabled": True})

    until(lambda: team.may("edit", "keystores") == SEE | WRITE, "those who edit may make stores")
    assert team.may("edit", "keyissuers") == SEE
    team.release.uninstall()
    until(lambda: team.may("admin", "apikeysecrets") == set(), "what the chart added is gone")
