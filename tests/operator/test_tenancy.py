"""Tenants that share a store stay among themselves, and many objects cost one login and one read."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from build import api_key_secret, cluster_key_store, entry, key_store
from controlplane import BaoRequest
from world import GROUP, World

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def remove_namespace(world: World, name: str) -> None:
    """Delete a namespace; return once it is gone."""
    path = f"/api/v1/namespaces/{name}"
    world.must("DELETE", path)
    world.until(lambda: world.plane.request("GET", path)[0] == 404, f"{name} is gone", seconds=90)


@pytest.fixture
def other(world: World) -> str:
    """A second namespace that the operator may serve."""
    return world.serves(f"{world.namespace}-b")


def shared_store(world: World, *namespaces: str, **spec: Any) -> dict[str, str]:
    """Let there be a ClusterKeyStore for these namespaces, each below its own prefix; return how to name it."""
    name = f"{world.namespace}-vault"
    chosen = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": list(namespaces)}
    spec = {"namespaceSelector": {"matchExpressions": [chosen]}, "pathPrefix": "teams/{namespace}/"} | spec
    world.apply(cluster_key_store(name, world.bao.url, world.mount, **spec))
    return {"kind": "ClusterKeyStore", "name": name}


def apply_in(world: World, namespace: str, name: str, path: str, ref: dict[str, str]) -> None:
    """Let there be an ApiKeySecret in a namespace."""
    manifest = api_key_secret(name, entry("KEY", path, "api_key"), storeRef=ref)
    where = f"{GROUP}/namespaces/{namespace}/apikeysecrets/{name}?fieldManager=test&force=true"
    world.must("PATCH", where, manifest, "application/apply-patch+yaml")


def becomes(world: World, namespace: str, name: str, value: str) -> None:
    """Wait until a Secret in a namespace holds a key."""

    def holds() -> bool:
        secret = world.secret_object(name, namespace) or {}
        return base64.b64decode(secret.get("data", {}).get("KEY", "")) == value.encode()

    world.until(holds, f"Secret {namespace}/{name} holds {value}")


def reason_in(world: World, namespace: str, name: str) -> str:
    """Return why an object in a namespace is as it is."""
    found = world.must("GET", f"{GROUP}/namespaces/{namespace}/apikeysecrets/{name}")
    conditions = found.get("status", {}).get("conditions", [])
    return next((str(each["reason"]) for each in conditions if each["type"] == "Ready"), "")


def asked(world: World, since: int, path: str) -> list[BaoRequest]:
    """Return what was asked of OpenBao below a path."""
    return [each for each in world.bao.requests(since) if each.path.startswith(path)]


def test_two_tenants_of_one_store_read_their_own_keys_only(world: World, other: str) -> None:
    world.start(f"--watch-namespace={other}")
    world.put(f"teams/{world.namespace}/llm/openai", api_key="sk-a")
    world.put(f"teams/{other}/llm/openai", api_key="sk-b")
    ref = shared_store(world, world.namespace, other)
    mark = world.bao.mark()

    for namespace in (world.namespace, other):
        apply_in(world, namespace, "llm", "llm/openai", ref)
    apply_in(world, other, "thief", f"../{world.namespace}/llm/openai", ref)
    apply_in(world, other, "guess", f"teams/{world.namespace}/llm/openai", ref)

    becomes(world, world.namespace, "llm", "sk-a")
    becomes(world, other, "llm", "sk-b")
    world.until(lambda: reason_in(world, other, "thief") == "PathOutsidePrefix", "the way out is refused")
    world.until(lambda: reason_in(world, other, "guess") == "NotFound", "what it asks for is below its own prefix")
    assert [world.secret_object(name, other) for name in ("thief", "guess")] == [None, None]
    read = {each.path for each in asked(world, mark, f"{world.mount}/data/")}
    below = f"{world.mount}/data/teams"
    guess = f"{below}/{other}/teams/{world.namespace}/llm/openai"
    assert read == {f"{below}/{world.namespace}/llm/openai", f"{below}/{other}/llm/openai", guess}


def kubernetes_auth(world: World, *namespaces: str) -> str:
    """Let OpenBao take the ServiceAccount ``reader`` of each namespace for its own keys; return the method's mount."""
    method = f"kubernetes-{world.namespace}"
    accounts = f"/api/v1/namespaces/{world.system}/serviceaccounts"
    world.must("POST", accounts, {"metadata": {"name": "reviewer"}})
    subject = {"kind": "ServiceAccount", "name": "reviewer", "namespace": world.system}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"}
    binding = {"metadata": {"name": f"reviewer-{world.system}"}, "roleRef": role, "subjects": [subject]}
    world.must("POST", f"{RBAC}/clusterrolebindings", binding)
    world._cluster_objects.append(f"{RBAC}/clusterrolebindings/reviewer-{world.system}")
    token = world.must("POST", f"{accounts}/reviewer/token", {"spec": {"expirationSeconds": 3600}})
    world.vault.sys.enable_auth_method("kubernetes", path=method)
    review: dict[str, Any] = {"kubernetes_host": world.plane.url, "kubernetes_ca_cert": world.plane.ca_file.read_text()}
    review |= {"token_reviewer_jwt": token["status"]["token"]}
    world.vault.write_data(f"auth/{method}/config", data=review | {"disable_local_ca_jwt": True})
    for namespace in namespaces:
        rule = f'path "{world.mount}/data/teams/{namespace}/*" {{ capabilities = ["read"] }}'
        world.vault.sys.create_or_update_policy(namespace, rule)
        bound: dict[str, Any] = {
            "bound_service_account_names": ["reader"],
            "bound_service_account_namespaces": [namespace],
        }
        bound |= {"audience": "vault", "token_policies": [namespace], "token_ttl": "10m"}
        world.vault.write_data(f"auth/{method}/role/keywright-{namespace}", data=bound)
    return method


def test_each_tenant_logs_in_as_its_own_service_account_and_once_for_all_its_objects(world: World, other: str) -> None:
    operator = world.start(f"--watch-namespace={other}")
    method = kubernetes_auth(world, world.namespace, other)
    account = {"mount": method, "role": "keywright-{namespace}", "serviceAccountRef": {"name": "reader"}}
    vault = {"auth": {"kubernetes": account}}
    for number in range(10):
        world.put(f"teams/{world.namespace}/llm/{number}", api_key=f"sk-a{number}")
        world.put(f"teams/{other}/llm/{number}", api_key=f"sk-b{number}")
    reader = {"metadata": {"name": "reader"}}
    world.must("POST", f"/api/v1/namespaces/{world.namespace}/serviceaccounts", reader)
    ref = shared_store(world, world.namespace, other, vault=vault)
    marks = world.bao.mark(), world.plane.mark()

    for number in range(10):
        apply_in(world, world.namespace, f"key-{number}", f"llm/{number}", ref)
        apply_in(world, other, f"key-{number}", f"llm/{number}", ref)

    for number in range(10):
        becomes(world, world.namespace, f"key-{number}", f"sk-a{number}")
    # The other has no such ServiceAccount: its own trouble, not the store's.
    world.until(lambda: reason_in(world, other, "key-0") == "CredentialMissing", "the account is missed")
    world.is_ready(ref["name"], "ClusterKeyStore")

    world.must("POST", f"/api/v1/namespaces/{other}/serviceaccounts", reader)
    for number in range(10):
        becomes(world, other, f"key-{number}", f"sk-b{number}")
    assert len(asked(world, marks[0], f"auth/{method}/login")) == 2
    tokens = [each for each in world.requests(operator, marks[1]) if each.subresource == "token" and each.code == 201]
    assert sorted((each.namespace, each.name) for each in tokens) == [(world.namespace, "reader"), (other, "reader")]


def test_many_objects_of_one_store_share_one_login(world: World) -> None:
    world.start()
    method = f"approle-{world.namespace}"
    vault: Any = world.vault
    vault.sys.enable_auth_method("approle", path=method)
    rule = f'path "{world.mount}/*" {{ capabilities = ["read"] }}'
    vault.sys.create_or_update_policy(world.namespace, rule)
    vault.write_data(f"auth/{method}/role/keywright", data={"token_policies": [world.namespace]})
    role_id = vault.read(f"auth/{method}/role/keywright/role-id")["data"]["role_id"]
    secret_id = vault.write_data(f"auth/{method}/role/keywright/secret-id")["data"]["secret_id"]
    world.secret_is("approle", {"secret-id": secret_id})
    login = {"mount": method, "roleId": role_id, "secretIdRef": {"name": "approle", "key": "secret-id"}}
    for number in range(30):
        world.put(f"llm/{number}", api_key=f"sk-{number}")
    mark = world.bao.mark()

    world.apply(key_store("vault", world.bao.url, world.mount, vault={"auth": {"appRole": login}}))
    for number in range(30):
        world.apply(api_key_secret(f"key-{number}", entry("KEY", f"llm/{number}", "api_key")))

    for number in range(30):
        becomes(world, world.namespace, f"key-{number}", f"sk-{number}")
    assert len(asked(world, mark, f"auth/{method}/login")) == 1


def test_fifty_objects_on_one_key_cost_one_read_at_each_refresh(world: World) -> None:
    world.start()
    world.has_store()
    world.put("llm/openai", api_key="sk-one")
    names = [f"key-{number}" for number in range(50)]
    for name in names:
        world.apply(api_key_secret(name, entry("KEY", "llm/openai", "api_key"), refreshInterval="10s"))
    for name in names:
        becomes(world, world.namespace, name, "sk-one")
    mark, began = world.bao.mark(), time.monotonic()

    world.put("llm/openai", api_key="sk-two")
    for name in names:
        becomes(world, world.namespace, name, "sk-two")

    reads = [each for each in asked(world, mark, f"{world.mount}/data/llm/openai") if each.operation == "read"]
    refreshes = (time.monotonic() - began) / 10 + 1
    assert 1 <= len(reads) <= refreshes


def test_a_served_namespace_that_goes_and_comes_back_is_served_again(world: World, other: str) -> None:
    operator = world.start(f"--watch-namespace={other}")
    world.put(f"teams/{world.namespace}/llm/openai", api_key="sk-a")
    world.put(f"teams/{other}/llm/openai", api_key="sk-b")
    ref = shared_store(world, world.namespace, other)
    apply_in(world, other, "llm", "llm/openai", ref)
    becomes(world, other, "llm", "sk-b")

    # The right to look into it goes with it.
    remove_namespace(world, other)
    world.until(lambda: operator.metric("keywright_objects") == 0, "its objects are forgotten")
    world.holds(lambda: operator.process.poll() is None, "the operator works on", seconds=20)
    apply_in(world, world.namespace, "llm", "llm/openai", ref)
    becomes(world, world.namespace, "llm", "sk-a")

    world.serves(other)
    apply_in(world, other, "llm", "llm/openai", ref)
    becomes(world, other, "llm", "sk-b")
    assert operator.process.poll() is None


def test_a_namespace_that_was_made_anew_does_not_use_the_login_of_the_former(world: World, other: str) -> None:
    world.start(f"--watch-namespace={other}")
    method = kubernetes_auth(world, other)
    account = {"mount": method, "role": "keywright-{namespace}", "serviceAccountRef": {"name": "reader"}}
    world.put(f"teams/{other}/llm/openai", api_key="sk-b")
    world.must("POST", f"/api/v1/namespaces/{other}/serviceaccounts", {"metadata": {"name": "reader"}})
    ref = shared_store(world, other, vault={"auth": {"kubernetes": account}})
    apply_in(world, other, "llm", "llm/openai", ref)
    becomes(world, other, "llm", "sk-b")

    # Another team's, of the same name, without that ServiceAccount.
    remove_namespace(world, other)
    world.serves(other)
    apply_in(world, other, "thief", "llm/openai", ref)

    world.until(lambda: reason_in(world, other, "thief") == "CredentialMissing", "the account is missed", seconds=60)
