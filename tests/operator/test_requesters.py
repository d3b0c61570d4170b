"""Who asked: what the shipped policy lets through, and when the operator believes it. On a control plane of its own."""

from __future__ import annotations

import itertools
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import yaml

from build import key_action
from cli.terminal import call
from controlplane import ControlPlane, OpenBao
from crd.definitions import condition
from keywright import admission, crd, pacing
from world import Json, World

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
PATHS = {
    "policy": f"{ADMISSION}/validatingadmissionpolicies",
    "binding": f"{ADMISSION}/validatingadmissionpolicybindings",
}
SHIPPED = {"policy": admission.POLICY, "binding": admission.BINDING}


@pytest.fixture(scope="module")
def own_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with our CRDs, and with the policy as the chart ships it."""
    with ControlPlane.start(tmp_path_factory.mktemp("own") / "kubernetes", crd.manifests()) as plane:
        for part, manifest in admission.manifests().items():
            status, answer = plane.request("POST", PATHS[part], manifest)
            assert status == 201, answer
        yield plane


@pytest.fixture
def world(own_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path) -> Iterator[World]:
    """A world on that control plane, named as the run's own namespace: OpenBao is everybody's."""
    own_plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    with World(own_plane, openbao, namespace, tmp_path) as made:
        yield made


class Person:
    """Somebody who may make KeyActions in the world's namespace, and refresh ``llm``."""

    def __init__(self, world: World, name: str = "alice") -> None:
        self.world, space = world, f"namespaces/{world.namespace}"
        self.user = f"system:serviceaccount:{world.namespace}:{name}"
        world.must("POST", f"/api/v1/{space}/serviceaccounts", {"metadata": {"name": name}})
        rules = [
            {"apiGroups": ["keywright.dev"], "resources": ["keyactions"], "verbs": ["create"]},
            {"apiGroups": ["keywright.dev"], "resources": ["apikeysecrets"], "verbs": ["refresh"]}
            | {"resourceNames": ["llm"]},
        ]
        role = {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": world.namespace}]
        world.must("POST", f"{RBAC}/{space}/roles", {"metadata": {"name": name}, "rules": rules})
        binding = {"metadata": {"name": name}, "roleRef": role, "subjects": subjects}
        world.must("POST", f"{RBAC}/{space}/rolebindings", binding)
        config = yaml.safe_load(world.plane.kubeconfig_for(world.namespace, name).read_text())
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(world.plane.ca_file)
        self.session.headers["Authorization"] = f"Bearer {config['users'][0]['user']['token']}"

    def makes(self, name: str, target: str = "llm", **spec: Any) -> str:
        """Make a KeyAction; return what the API server says against it, nothing if it takes it."""
        manifest = key_action(name, target, **({"requestedBy": self.user} | spec))
        answer = self.session.post(self.world.plane.url + self.world.path("KeyAction"), json=manifest, timeout=30)
        assert answer.status_code in (201, 403), answer.text
        return "" if answer.status_code == 201 else str(answer.json()["message"])


@pytest.fixture
def alice(world: World) -> Person:
    """Somebody, once the policy is in force and old enough to count."""
    person = Person(world)
    tries = itertools.count()
    world.until(lambda: person.makes(f"probe-{next(tries)}", requestedBy="eve"), "the policy is in force")
    made = max(pacing.unix(part(world, each)["metadata"]["creationTimestamp"]) or 0.0 for each in PATHS)
    world.until(lambda: time.time() > made + admission.HEARD + 2, "the policy is old enough")
    return person


def part(world: World, name: str) -> Json:
    return world.must("GET", f"{PATHS[name]}/{admission.NAME}")


def test_the_cluster_keeps_the_policy_as_it_was_shipped(world: World) -> None:
    assert part(world, "policy")["spec"] == admission.POLICY
    assert part(world, "binding")["spec"] == admission.BINDING


def test_who_makes_an_action_is_who_it_says_and_may(alice: Person, world: World) -> None:
    world.has_key("llm")
    world.has_key("other")
    must = f"spec.requestedBy must be who makes the KeyAction: {alice.user}"

    said = {
        "herself": alice.makes("one"),
        "another": alice.makes("two", requestedBy="bob"),
        "nobody": alice.makes("three", requestedBy=None),
        "of another": alice.makes("four", "other"),
        "of nothing": alice.makes("five", "nothere"),
    }

    assert said["herself"] == ""
    assert must in said["another"] and must in said["nobody"]
    for name, target in (("of another", "other"), ("of nothing", "nothere")):
        right = f"{alice.user} has no right to refresh apikeysecrets/{target} in namespace {world.namespace}"
        assert right in said[name]


def test_who_has_no_right_to_the_act_is_told_so_in_our_words(alice: Person, world: World) -> None:
    world.has_key("llm")
    world.has_key("other")
    config = world.plane.kubeconfig_for(world.namespace, "alice", world.folder / "alice.kubeconfig")

    fine = call(world, "act", "refresh", "llm", "--reason=Test", kubeconfig=config)
    denied = call(world, "act", "refresh", "other", "--reason=Test", kubeconfig=config)

    assert (fine.code, fine.err) == (0, "")
    assert world.object(fine.out.partition(":")[0], "KeyAction")["spec"]["requestedBy"] == alice.user
    right = f"Error: you have no right to refresh apikeysecrets other in namespace {world.namespace}."
    assert (denied.code, denied.err.splitlines()[0]) == (1, right)
    assert denied.err.splitlines()[1].startswith("Ask whoever runs the cluster for the verb refresh on apikeysecrets")
    right = f"Error: you have no right to revokenow apikeysecrets llm in namespace {world.namespace}."
    revoking = call(world, "revoke", "llm", "--reason=Test", kubeconfig=config)
    assert (revoking.code, revoking.err.splitlines()[0]) == (1, right)


def test_an_administrator_does_not_change_an_action_either(alice: Person, world: World) -> None:
    assert alice.makes("one") == ""
    for change in ({"reason": "Other"}, {"requestedBy": "bob"}, {"requestedBy": None}, {"expiresAfter": "30d"}):
        status, answer = world.plane.request(
            "PATCH", world.path("KeyAction", "one"), {"spec": change}, "application/merge-patch+json"
        )
        assert (status, "a KeyAction is not changed once it is made" in answer["message"]) == (422, True), answer


def change(world: World, name: str, edit: Callable[[Json], object]) -> None:
    """Edit the spec of a part, as whoever administers the cluster."""
    found = part(world, name)
    edit(found["spec"])
    world.must("PUT", f"{PATHS[name]}/{admission.NAME}", found)


def narrowed(spec: Json) -> None:
    spec["matchResources"] = {"namespaceSelector": {"matchLabels": {"team": "b"}}}


def conditional(spec: Json) -> None:
    spec["matchConditions"] = [{"name": "some", "expression": "request.userInfo.username != 'eve'"}]


#: What somebody may do to the parts, in this order: nothing of the second is looked at once the first is wrong.
WEAKENED: list[tuple[str, Callable[[Json], object]]] = [
    ("binding", lambda spec: spec.update(validationActions=["Audit"])),
    ("binding", narrowed),
    ("policy", lambda spec: spec.update(failurePolicy="Ignore")),
    ("policy", conditional),
    ("policy", lambda spec: spec["validations"].pop(0)),
    ("policy", lambda spec: spec["matchConstraints"].update(objectSelector={"matchLabels": {"a": "b"}})),
]


def test_who_asked_is_proven_only_while_the_policy_is_as_shipped_and_was_so_before(alice: Person, world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    numbers = iter(range(100))

    def told() -> tuple[bool, str]:
        name = f"action-{next(numbers)}"
        assert alice.makes(name) == ""
        status = world.ends(name, "Succeeded")
        return status["verified"], status["message"].partition("It is not proven who asked: ")[2]

    assert told() == (True, "")
    world.until(lambda: world.event_reasons()[-1] == "ActionDone", "it is told of")
    assert f"asked for by {alice.user} (Test, KeyAction action-0)" in world.events()[-1]["note"]
    for which, weaken in WEAKENED:
        kind = part(world, which)["kind"]
        change(world, which, weaken)
        assert told() == (False, f"{kind} {admission.NAME} is not as this version ships it.")

        change(world, which, lambda spec, which=which: (spec.clear(), spec.update(SHIPPED[which])))  # type: ignore[misc]
        assert told() == (False, f"{kind} {admission.NAME} is newer than the KeyAction, or was changed since.")
    world.must("DELETE", f"{PATHS['policy']}/{admission.NAME}")
    assert told() == (False, f"the cluster has no ValidatingAdmissionPolicy {admission.NAME}.")
    world.must("POST", PATHS["policy"], admission.manifests()["policy"])
    world.must(
        "PUT", f"{RBAC}/clusterroles/{world.system}", {"metadata": {"name": world.system}, "rules": namespaces()}
    )
    assert told() == (False, "the operator may not read the policy that proves it.")


def namespaces() -> list[Json]:
    return [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]}]


def test_without_the_crd_all_else_goes_on(world: World) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    (definition,) = [each for each in crd.manifests() if each["spec"]["names"]["kind"] == "KeyAction"]
    name = f"{path}/{definition['metadata']['name']}"
    world.must("DELETE", name)
    try:
        world.until(lambda: world.plane.request("GET", name)[0] == 404, "the CRD is gone")
        world.start()

        world.has_key()

        world.is_ready()
    finally:
        world.must("POST", path, definition)
        world.until(lambda: condition(world.must("GET", name), "Established") == "True", "it is back")
