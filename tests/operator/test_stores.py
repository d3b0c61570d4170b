"""What a store object tells of itself, and what follows when it is changed. On the real servers."""

from __future__ import annotations

import pathlib
import time
from typing import Any

import pytest

from build import api_key_secret, entry, key_store
from controlplane import Answer, FaultProxy, OpenBao
from keywright.engine.opened import LOGIN_PAUSE
from world import World


def elsewhere(world: World) -> dict[str, Any]:
    """Return the store as it is when it names a mount that does not exist."""
    return key_store("vault", world.bao.url, world.mount + "-gone")


def test_a_store_is_ready_before_anything_uses_it(world: World) -> None:
    world.start()
    world.has_store()

    world.is_ready("vault", "KeyStore")
    world.has_events(name="vault")


def test_a_store_that_does_not_answer_says_so_before_anything_uses_it_and_recovers(world: World) -> None:
    world.start()
    world.apply(key_store("vault", "http://127.0.0.1:1", world.mount))
    world.is_refused("StoreUnreachable", "vault", "KeyStore")
    world.has_events("Failed", name="vault")

    world.has_store()
    world.is_ready("vault", "KeyStore")
    world.has_events("Failed", "Recovered", name="vault")


def test_a_store_that_needs_a_person_is_stalled(world: World) -> None:
    world.start()
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "none", "key": "token"}}}})

    world.is_refused("CredentialMissing", "vault", "KeyStore")
    assert world.condition("vault", "KeyStore", "Stalled")["status"] == "True"


def test_a_store_whose_mount_is_wrong_is_not_ready_and_leaves_no_tokens_behind(
    openbao: OpenBao, world: World, tmp_path: pathlib.Path
) -> None:
    world.start()
    vault: Any = world.vault
    method = f"userpass-{world.namespace}"
    vault.sys.enable_auth_method("userpass", path=method)
    vault.auth.userpass.create_or_update_user("keywright", "pass", policies=["default"], mount_point=method)
    world.secret_is("login", {"password": "pass"})
    auth = {"userPass": {"mount": method, "username": "keywright", "passwordRef": {"name": "login", "key": "password"}}}
    with FaultProxy(openbao, tmp_path / "bao") as api_proxy:
        store = key_store("vault", api_proxy.url, world.mount + "-gone")
        store["spec"]["vault"]["auth"] = auth
        world.apply(store)
        world.is_refused("MountNotFound", "vault", "KeyStore")

        minted = api_proxy.count(method="POST", path=f"/{method}/login/")
        world.until(lambda: api_proxy.count(method="POST", path="/revoke-self") >= minted, "what was minted is ended")
        assert minted >= 1


def test_an_edit_of_a_store_that_stays_well_is_acknowledged(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready("vault", "KeyStore")

    world.has_store(limits={"timeout": "5s"})

    edited = world.is_ready("vault", "KeyStore")
    assert edited["metadata"]["generation"] == edited["status"]["conditions"][0]["observedGeneration"] == 2
    world.has_events(name="vault")


def test_a_store_whose_logins_depend_on_who_asks_is_not_called_ready_when_all_are_refused(world: World) -> None:
    world.start()
    world.must("POST", f"/api/v1/namespaces/{world.namespace}/serviceaccounts", {"metadata": {"name": "reader"}})
    account = {"mount": "no-such", "role": "keywright-{namespace}", "serviceAccountRef": {"name": "reader"}}
    world.has_store(vault={"auth": {"kubernetes": account}})

    def observed() -> object:
        return world.object("vault", "KeyStore")["status"]["observedGeneration"]

    world.until(lambda: observed() == 1, "it is acknowledged")
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))
    world.is_refused("AuthFailed")
    world.holds(lambda: world.condition("vault", "KeyStore") == {}, "nobody says that it accepts the login")


def test_a_state_that_could_not_be_written_is_written_later(api_proxy: FaultProxy, world: World) -> None:
    world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    world.has_key()
    world.is_ready("vault", "KeyStore")

    with api_proxy.fault(Answer(500), method="PATCH", path="/keystores/vault/status") as failing:
        world.apply(key_store("vault", "http://127.0.0.1:1", world.mount))
        failing.wait(3)

    world.is_refused("StoreUnreachable", "vault", "KeyStore")
    world.has_events("Failed", name="vault")


@pytest.mark.parametrize("while_down", [True, False])
def test_a_store_that_was_changed_is_noticed_by_the_next_leader_too(world: World, while_down: bool) -> None:
    first = world.start()
    world.has_key(refreshInterval="0")
    world.is_ready()
    world.is_ready("vault", "KeyStore")
    world.has_events("Created")
    first.stop()

    if while_down:
        world.apply(elsewhere(world))
    second = world.start()
    world.until(lambda: second.metric("keywright_objects") == 1, "it knows the object")
    if not while_down:
        world.apply(elsewhere(world))

    with world.untouched():
        world.is_refused("MountNotFound")


def test_users_of_an_edited_store_that_a_leader_did_not_come_to_are_looked_at_by_the_next(world: World) -> None:
    first = world.start()
    world.has_store()
    names = [f"key-{number}" for number in range(6)]
    for name in names:
        world.put(f"llm/{name}", api_key=name)
        world.apply(api_key_secret(name, entry("KEY", f"llm/{name}", "api_key"), refreshInterval="0"))
    for name in names:
        world.has_events("Created", name=name)

    # Slow enough for the first leader to end in the middle.
    world.has_store(limits={"requestsPerSecond": 1})
    world.is_ready("vault", "KeyStore")
    for name in names:
        world.put(f"llm/{name}", api_key=f"{name} anew")
    first.kill()
    world.start()

    for name in names:
        world.secret_becomes({"KEY": f"{name} anew"}, name)


def test_an_edit_of_a_store_while_reads_wait_makes_no_noise(world: World) -> None:
    world.start()
    world.has_store(limits={"requestsPerSecond": 1})
    names = [f"key-{number}" for number in range(8)]
    for name in names:
        world.put(f"llm/{name}", api_key=name)
        world.apply(api_key_secret(name, entry("KEY", f"llm/{name}", "api_key")))
    world.until(lambda: any(map(world.secret, names)), "reading has begun")

    world.has_store(limits={"requestsPerSecond": 50})

    for name in names:
        world.is_ready(name)
        world.has_events("Created", name=name)


def test_a_store_that_is_gone_has_no_metrics(world: World) -> None:
    operator = world.start()
    world.has_key()
    world.is_ready()
    label = f"KeyStore/{world.namespace}/vault"
    assert [each for each in operator.metrics() if label in each]

    world.delete("KeyStore", "vault")
    world.is_refused("StoreNotFound")

    world.until(lambda: not [each for each in operator.metrics() if label in each], "its metrics are gone")


def test_one_denied_path_does_not_cost_everybody_a_login_that_is_good(world: World) -> None:
    world.start()
    vault: Any = world.vault
    method = f"approle-{world.namespace}"
    vault.sys.enable_auth_method("approle", path=method)
    rule = f'path "{world.mount}/data/llm/*" {{ capabilities = ["read"] }}'
    vault.sys.create_or_update_policy(world.namespace, rule)
    role = f"auth/{method}/role/keywright"
    vault.write_data(role, data={"token_policies": [world.namespace], "secret_id_num_uses": 1})
    role_id = vault.read(f"{role}/role-id")["data"]["role_id"]
    # Good for one login.
    world.secret_is("login", {"id": vault.write_data(f"{role}/secret-id", data={})["data"]["secret_id"]})
    auth = {"appRole": {"mount": method, "roleId": role_id, "secretIdRef": {"name": "login", "key": "id"}}}
    store = key_store("vault", world.bao.url, world.mount, vault={"version": 2})
    store["spec"]["vault"]["auth"] = auth
    world.put("llm/openai", api_key="sk-one")
    world.put("other", api_key="no")
    world.apply(store)
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key")))
    world.is_ready()

    # When the pause between two logins is over, the refusal of a path makes a new one be tried.
    time.sleep(LOGIN_PAUSE)
    mark = world.bao.mark()
    world.apply(api_key_secret("denied", entry("KEY", "other", "api_key")))
    world.until(lambda: [each for each in world.bao.requests(mark) if each.path.endswith("/login")], "a new login")

    world.refreshes("1")
    world.is_ready()
    world.is_refused("AccessDenied", "denied")
