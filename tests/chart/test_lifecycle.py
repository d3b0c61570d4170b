"""Install, upgrade, uninstall with the real Helm, in a cluster without our CRDs; the operator runs as it says."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml

import helm
from chart.release import Release
from controlplane import ControlPlane, OpenBao
from keywright import crd
from world import World

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def world(own_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path) -> Iterator[World]:
    """A world in a cluster into which nothing has been installed yet."""
    # The name is this run's alone: OpenBao is everybody's.
    status, _ = own_plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    assert status == 201
    with World(own_plane, openbao, namespace, tmp_path) as made:
        yield made


@pytest.fixture
def release(world: World) -> Release:
    """A release that is not installed yet."""
    return Release(world.plane, "keywright", world.system)


def established(world: World) -> bool:
    found = world.must("GET", CRDS)["items"]
    names = [
        each["metadata"]["name"]
        for each in found
        if any(told["type"] == "Established" and told["status"] == "True" for told in each["status"]["conditions"])
    ]
    return sorted(names) == sorted(each["metadata"]["name"] for each in crd.manifests())


def asks_who_leads(release: Release) -> subprocess.CompletedProcess[str]:
    """Do what the pod of ``helm test`` does, as its ServiceAccount."""
    found = helm.run(
        "get", "hooks", release.name, f"--namespace={release.namespace}", kubeconfig=release.plane.kubeconfig
    )
    (container,) = yaml.safe_load(found)["spec"]["containers"]
    command = [sys.executable, *container["command"][1:], *container["args"]]
    config = release.plane.kubeconfig_for(release.namespace, "keywright")
    environment = os.environ | {"KUBECONFIG": str(config), "KEYWRIGHT_NAMESPACE": release.namespace}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)


def test_what_is_installed_works_and_goes_on_through_an_upgrade(world: World, release: Release) -> None:
    said = release.install()
    assert f"helm test -n {world.system} keywright" in said
    world.until(lambda: established(world), "the CRDs are there")
    nobody = asks_who_leads(release)
    assert (nobody.returncode, nobody.stdout.startswith("nobody leads")) == (1, True), nobody.stderr

    operator = release.operator(world.folder)
    world.has_key()
    world.is_ready()
    leader = asks_who_leads(release)
    assert (leader.returncode, " leads, last seen " in leader.stdout) == (0, True), leader.stderr

    lease = world.must("GET", f"/apis/coordination.k8s.io/v1/namespaces/{world.system}/leases/keywright")
    release.upgrade(replicaCount=2, watchNamespaces=[world.namespace])

    assert release.deployment()["spec"]["replicas"] == 2
    rules = world.must("GET", f"{RBAC}/clusterroles/keywright")["rules"]
    assert "secrets" not in {resource for rule in rules for resource in rule["resources"]}
    after = world.must("GET", f"/apis/coordination.k8s.io/v1/namespaces/{world.system}/leases/keywright")
    assert after["spec"]["holderIdentity"] == lease["spec"]["holderIdentity"]
    operator.stop()
    second = release.operator(world.folder)
    world.put("llm/openai", api_key="sk-two")
    world.refreshes("now")
    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    assert asks_who_leads(release).returncode == 0
    second.stop()


def test_uninstalling_keeps_crds_objects_and_secrets_and_a_later_install_takes_them_up(
    world: World, release: Release
) -> None:
    release.install()
    world.until(lambda: established(world), "the CRDs are there")
    operator = release.operator(world.folder)
    world.has_key()
    world.is_ready()
    operator.stop()
    held, keys = world.secret_object(), world.secret_object("keywright-install-keys", world.system)
    assert held
    assert keys

    said = release.uninstall()

    assert "kept" in said
    assert established(world)
    assert world.condition()["status"] == "True"
    assert world.secret_object() == held
    assert world.secret_object("keywright-install-keys", world.system) == keys
    ours = (each["metadata"]["name"] for each in world.must("GET", f"{RBAC}/clusterroles")["items"])
    assert [name for name in ours if name.startswith("keywright")] == []
    assert world.must("GET", f"/apis/apps/v1/namespaces/{world.system}/deployments")["items"] == []

    release.install()
    mark = world.plane.mark()
    again = release.operator(world.folder)
    world.until(lambda: again.metric("keywright_objects") == 1, "it knows its object")
    assert world.secret_object() == held
    asked = [each for each in world.plane.audit(mark) if each.user == again.user]
    assert [each.uri for each in asked if each.resource == "secrets" and each.verb == "patch"] == []
    again.stop()


def test_crds_that_were_applied_by_hand_are_taken_over_when_told_so(world: World, release: Release) -> None:
    for each in crd.manifests():
        world.must("POST", CRDS, each)
    with pytest.raises(helm.HelmError, match="cannot be imported into the current release"):
        release.install()

    arguments = ["install", "keywright", str(helm.CHART), f"--namespace={world.system}", "--take-ownership"]
    helm.run(*arguments, kubeconfig=world.plane.kubeconfig)

    owners = {each["metadata"]["labels"]["app.kubernetes.io/managed-by"] for each in world.must("GET", CRDS)["items"]}
    assert owners == {"Helm"}
    assert established(world)


def test_a_second_release_beside_the_first_serves_other_namespaces(world: World, release: Release) -> None:
    release.install(watchNamespaces=[world.namespace])
    second = Release(world.plane, "second", "second-system")

    second.install(watchNamespaces=["default"], crds={"enabled": False}, actions={"policy": {"enabled": False}})

    world.until(lambda: established(world), "the CRDs are there")
    first_operator, second_operator = release.operator(world.folder), second.operator(world.plane.folder)
    assert first_operator.metric("keywright_leader") == second_operator.metric("keywright_leader") == 1
    first_operator.stop()
    second_operator.stop()
    second.uninstall()
