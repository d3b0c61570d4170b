"""Logins that are refused: who is told, and that it goes on when they are mended. On the real servers."""

from __future__ import annotations

import time

from build import api_key_secret, entry
from said import UNWRITTEN, wants
from world import World


def test_a_wrong_token_is_told_of_the_store_and_of_its_objects(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.secret_is("wrong", {"token": "s.wrongwrongwrong"})
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "wrong", "key": "token"}}}})
    world.apply(wants())

    what = "KeyStore/vault answered 403 for auth/token/lookup-self"
    for kind, name in (("ApiKeySecret", "llm"), ("KeyStore", "vault")):
        said = world.told("AuthFailed", name, kind)
        assert said.startswith(what)
        assert "Secret wrong" in said
        assert "wrongwrong" not in said
    assert world.secret() is None

    world.has_store()
    world.is_ready()
    world.is_ready("vault", "KeyStore")


def test_a_refused_login_is_told_once_by_the_store_and_not_by_each_of_its_objects(world: World) -> None:
    world.start()
    world.secret_is("login", {"token": "s.wrongwrongwrong"})
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "login", "key": "token"}}}})
    names = ("one", "two", "three")
    for name in names:
        world.put(f"llm/{name}", api_key=f"sk-{name}")
        world.apply(api_key_secret(name, entry("KEY", f"llm/{name}", "api_key")))
    for name in names:
        assert "Secret login" in world.told("AuthFailed", name)
    world.has_events("Refused", name="vault")

    world.change_secret("login", token=world.bao.root_token)
    for name in names:
        world.is_ready(name)
        world.has_events("Created", name=name)
    world.has_events("Refused", "Recovered", name="vault")


def test_a_login_whose_secret_is_missing_goes_on_when_it_is_there(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "later", "key": "token"}}}})
    world.apply(wants())

    what = "KeyStore/vault needs Secret NS/later, which does not exist"
    assert world.told("CredentialMissing") == f"{what}, since NOW. {UNWRITTEN} Create it."
    assert world.told("CredentialMissing", "vault", "KeyStore").startswith(what)

    world.secret_is("later", {"token": world.bao.root_token})
    world.is_ready()
    world.is_ready("vault", "KeyStore")


def test_a_path_that_the_login_may_not_read_is_denied_and_others_are_read(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("llm/secret", api_key="sk-hidden")
    world.vault.sys.create_or_update_policy(
        world.namespace, f'path "{world.mount}/data/llm/openai" {{ capabilities = ["read"] }}'
    )
    made = world.vault.auth.token.create(policies=[world.namespace])
    world.secret_is("narrow", {"token": made["auth"]["client_token"]})
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "narrow", "key": "token"}}}})
    world.apply(wants())
    world.apply(wants("hidden", "llm/secret"))

    world.is_ready()
    said = world.told("AccessDenied", "hidden")
    assert said.startswith(f"KeyStore/vault answered 403 for llm/secret, since NOW. {UNWRITTEN} Check")
    assert "may read NS/data/llm/secret in Vault" in said
    assert world.secret("hidden") is None
    # One path that is denied says nothing about the store.
    world.is_ready("vault", "KeyStore")


def test_access_that_is_taken_away_leaves_the_secret(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    policy = f'path "{world.mount}/data/llm/openai" {{ capabilities = ["%s"] }}'
    world.vault.sys.create_or_update_policy(world.namespace, policy % "read")
    made = world.vault.auth.token.create(policies=[world.namespace])
    world.secret_is("narrow", {"token": made["auth"]["client_token"]})
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "narrow", "key": "token"}}}})
    world.apply(wants())
    world.is_ready()

    with world.untouched():
        world.vault.sys.create_or_update_policy(world.namespace, policy % "deny")
        world.annotate("llm", refresh="1")
        assert world.told("AccessDenied").startswith("KeyStore/vault answered 403 for llm/openai, since NOW. ")

    world.vault.sys.create_or_update_policy(world.namespace, policy % "read")
    world.is_ready()


def test_a_login_that_is_mended_late_wakes_its_objects_and_a_wish_is_not_answered_from_memory(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store(vault={"auth": {"token": {"secretRef": {"name": "later", "key": "token"}}}})
    world.apply(wants())
    world.apply(wants("other"))
    world.is_refused("CredentialMissing")
    world.is_refused("CredentialMissing", "other")
    # By now each try waits for long, and so does the store's own.
    time.sleep(20)

    world.secret_is("later", {"token": world.bao.root_token})
    world.annotate("llm", refresh="1")
    world.until(lambda: world.object()["status"].get("lastHandledRefresh") == "1", "it is looked at", 5)

    assert world.condition()["status"] == "True"
    world.is_ready("vault", "KeyStore")
    world.until(lambda: world.condition("other")["status"] == "True", "the other one goes on", 5)


def test_a_login_that_is_revoked_right_after_it_is_made_anew(world: World) -> None:
    world.start()
    world.vault.sys.enable_auth_method("userpass", path=world.mount)
    policy = f'path "{world.mount}/*" {{ capabilities = ["read"] }} path "sys/internal/*" {{ capabilities = ["read"] }}'
    world.vault.sys.create_or_update_policy(world.namespace, policy)
    user = {"policies": [world.namespace], "mount_point": world.mount}
    world.vault.auth.userpass.create_or_update_user("kw", "pass-word-1", **user)
    world.secret_is("login", {"password": "pass-word-1"})
    auth = {"mount": world.mount, "username": "kw", "passwordRef": {"name": "login", "key": "password"}}
    world.has_store(vault={"auth": {"userPass": auth}})
    world.put("llm/openai", api_key="sk-one")
    world.apply(wants())
    world.is_ready()

    world.vault.sys.revoke_prefix(f"auth/{world.mount}")  # type: ignore[no-untyped-call]
    world.put("llm/openai", api_key="sk-two")
    world.annotate("llm", refresh="1")

    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    assert world.condition()["status"] == "True"
    world.vault.sys.disable_auth_method(world.mount)  # type: ignore[no-untyped-call]
