"""What people may do after an install: the cluster's own roles view, edit and admin, as the chart adds to them."""

from __future__ import annotations

import itertools
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import yaml

import helm
from build import key_action
from chart.release import Release, until
from controlplane import ControlPlane
from keywright import kinds

Json = dict[str, Any]
KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
EXAMPLES = helm.ROOT / "examples"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
NUMBERS = itertools.count()
SEE = {"get", "list", "watch"}
WRITE = {"create", "update", "patch", "delete", "deletecollection"}
#: What somebody may ask for by a KeyAction on an ApiKeySecret: who edits a namespace, and besides who is its admin.
REFRESH = {"refresh"}
ACT = {each.lower() for each in get_args(kinds.KeyActionSpec.model_fields["action"].annotation)}


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

    def asks(self, role: str, action: str, **spec: str) -> str:
        """Ask for an act on ``llm`` in a person's own name; return what is said against it, nothing if it is taken."""
        name = f"{action.lower()}-{role}-{next(NUMBERS)}"
        asked = key_action(name, action=action, requestedBy=f"system:serviceaccount:team-a:{role}", **spec)
        asked["metadata"]["namespace"] = "team-a"
        return self.apply(role, [asked]).stderr


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


def test_acts_with_consequences_are_for_admins_whether_a_policy_asks_for_the_right_or_not(team: Team) -> None:
    team.release.install()
    until(lambda: team.may("admin", "apikeysecrets") >= ACT, "the cluster's role has what the chart adds")
    said: list[str] = []

    def refused() -> bool:
        said[:] = [team.asks("edit", "Rotate")]
        return bool(said[0])

    until(refused, "the policy is in force")

    assert "system:serviceaccount:team-a:edit has no right to rotate apikeysecrets/llm in namespace team-a" in said[0]
    assert "has no right to forgetdebt apikeysecrets/llm" in team.asks("edit", "ForgetDebt", debt="key_1")
    assert team.asks("edit", "Refresh") == ""
    assert team.asks("admin", "RevokeNow") == team.asks("admin", "ForgetDebt", debt="key_1") == ""

    team.release.upgrade(actions={"policy": {"enabled": False}})

    until(lambda: "create" not in team.may("edit", "keyactions"), "who edits may ask for nothing")
    assert team.may("edit", "keyactions") == SEE | {"delete", "deletecollection"}
    assert team.may("admin", "keyactions") == SEE | {"create", "delete", "deletecollection"}


def added(team: Team) -> bool:
    """Whether a controller has added to all roles of people, one after the other, what the chart has for them."""
    told = {"view": SEE, "edit": SEE | {"create", "delete", "deletecollection"}}
    acts = all(team.may(role, "keyactions") == told.get(role, told["edit"]) for role in ("view", "edit", "admin"))
    stores = team.may("admin", "keystores") == SEE | WRITE
    return acts and stores and team.may("admin", "apikeysecrets") >= ACT


def test_stores_are_for_admins_unless_tenants_may_have_them(team: Team) -> None:
    team.release.install()
    until(lambda: added(team), "the cluster's roles have what the chart adds")

    assert {role: team.may(role, "apikeysecrets") for role in ("view", "edit", "admin")} == {
        "view": SEE,
        "edit": SEE | WRITE | REFRESH,
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
