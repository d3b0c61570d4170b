"""What a Secret may have of a key holds up the end of that key, either way; what has nothing of it holds up nobody."""

from __future__ import annotations

from build import api_key_secret, entry, key_store
from rotating import Rotating
from world import World

MERGE = "application/merge-patch+json"
KEY = entry("KEY", "llm/openai", "api_key")
SLOW = {"refreshInterval": "1h"}


def touch(world: World, *names: str) -> None:
    """Annotate Secrets, as anybody may who backs them up."""
    for name in names:
        path = f"/api/v1/namespaces/{world.namespace}/secrets/{name}"
        world.must("PATCH", path, {"metadata": {"annotations": {"example.com/touched": "yes"}}}, MERGE)


def held(world: World, name: str) -> str:
    """Return the key that a Secret has."""
    return (world.secret(name) or {})["KEY"]


def in_grace(rotating: Rotating) -> str:
    """Rotate a key until both live; return the new one."""
    rotating.asks("Rotate")
    rotating.world.ends("please", "Succeeded")
    rotating.reaches("Grace")
    return rotating.key()


def has_store(world: World, name: str, token: str) -> None:
    """Let there be a store object that leads where the key is, with a login of its own."""
    world.secret_is(f"{name}-token", {"token": token})
    login = {"auth": {"token": {"secretRef": {"name": f"{name}-token", "key": "token"}}}}
    world.apply(key_store(name, world.bao.url, world.mount, vault=login))


def test_a_new_key_does_not_end_under_a_secret_that_somebody_has_touched(world: World, rotating: Rotating) -> None:
    rotating.begins(overlap="1h")
    token = world.vault.auth.token.create(policies=["root"])["auth"]["client_token"]
    has_store(world, "other", token)
    rotating.starts()
    world.is_ready()
    old = rotating.key()
    asleep = {"storeRef": {"name": "vault"}, **SLOW}
    world.apply(api_key_secret("denied", KEY, storeRef={"name": "other"}, **SLOW))
    world.apply(api_key_secret("asleep", KEY, **asleep))
    for name in ("denied", "asleep"):
        world.is_ready(name)
    new = in_grace(rotating)
    assert held(world, "denied") == held(world, "asleep") == new != old

    # One is refused from now on, and one sleeps.
    world.vault.auth.token.revoke(token)
    world.annotate("denied", refresh="now")
    world.is_refused("AuthFailed", "denied")
    world.apply(api_key_secret("asleep", KEY, suspend=True, **asleep))
    world.until(lambda: world.condition("asleep", type_="Suspended").get("status") == "True", "it sleeps")
    touch(world, "denied", "asleep")
    rotating.asks("Rollback", "back")
    world.until(lambda: rotating.key() == old, "its own Secret is written")
    rotating.looks()
    assert rotating.told()["step"] == "RollingBack"
    assert rotating.alive() == {old, new}

    again = {"stringData": {"token": world.bao.root_token}}
    world.must("PATCH", f"/api/v1/namespaces/{world.namespace}/secrets/other-token", again, MERGE)
    world.annotate("denied", refresh="again")
    world.until(lambda: held(world, "denied") == old, "one is mended")
    rotating.looks()
    assert new in rotating.alive()
    world.apply(api_key_secret("asleep", KEY, **asleep))
    world.until(lambda: held(world, "asleep") == old, "the other one wakes up")
    rotating.looks()
    rotating.reaches("Idle")
    assert rotating.alive() == {old}
    assert held(world, "denied") == held(world, "asleep") == old


def test_who_never_had_a_key_holds_up_nobody_and_a_kept_secret_does(world: World, rotating: Rotating) -> None:
    rotating.begins()
    world.put("llm/main", api_key="else")
    rotating.starts()
    world.is_ready()
    old = rotating.key()
    has_store(world, "nonsense", "nonsense")
    world.apply(api_key_secret("stranger", KEY, storeRef={"name": "nonsense"}, **SLOW))
    source = {"storeRef": {"name": "vault"}, "remoteRef": {"path": "llm/openai", "property": "api_key"}}
    world.apply(api_key_secret("fallback", entry("KEY", "llm/main", "api_key", sources=[source]), **SLOW))
    pinned = entry("REGION", "llm/openai", "region", remote={"version": "1"})
    world.apply(api_key_secret("pinned", pinned, **SLOW))
    world.apply(api_key_secret("kept", KEY, target={"onDelete": "Retain"}, **SLOW))
    for name in ("fallback", "pinned", "kept"):
        world.is_ready(name)
    world.is_refused("AuthFailed", "stranger")
    world.delete("ApiKeySecret", "kept")

    in_grace(rotating)
    world.until(lambda: rotating.told().get("asks"), "a person is asked")
    assert rotating.told()["waits"].endswith("These are behind: Secret kept.")
    rotating.looks()
    assert rotating.alive() == {old, rotating.key()}
    assert held(world, "kept") == old

    world.delete_secret("kept")
    rotating.looks()
    rotating.reaches("Idle")
    assert rotating.alive() == {rotating.key()}
