"""What a Secret may have of a key holds up the end of that key, either way; what has nothing of it holds up nobody."""

from __future__ import annotations

from build import api_key_secret, entry, key_store
from keywright.decide import marks
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
    for name, said in (("denied", {"storeRef": {"name": "other"}, **SLOW}), ("asleep", asleep)):
        world.apply(api_key_secret(name, KEY, **said))
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
    rotating.wants(overlap="0")
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
    world.apply(key_store("lost", world.bao.url, world.mount))
    world.apply(api_key_secret("unrelated", entry("KEY", "llm/main", "api_key"), storeRef={"name": "lost"}, **SLOW))
    for name in ("fallback", "pinned", "kept", "unrelated"):
        world.is_ready(name)
    world.is_refused("AuthFailed", "stranger")
    world.delete("ApiKeySecret", "kept")
    world.delete("KeyStore", "lost")
    world.is_refused("StoreNotFound", "unrelated")
    world.delete_secret("unrelated")

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


def test_a_kept_secret_counts_whoever_has_brought_it_back_and_whatever_another_namespace_says(
    world: World, rotating: Rotating
) -> None:
    other = world.serves(f"{world.namespace}-b")
    rotating.begins()
    rotating.starts(f"--watch-namespace={other}")
    world.is_ready()
    old = rotating.key()
    kept = ("kept", "restored")
    for name in kept:
        world.apply(api_key_secret(name, KEY, target={"onDelete": "Retain"}, **SLOW))
    for name in kept:
        world.is_ready(name)
        world.delete("ApiKeySecret", name)
        world.has_gone(name)

    # A tenant has one of the same name, which says to be the same object's, and deletes it.
    says = {"labels": marks.MANAGED, "annotations": {marks.OWNER: f"{world.namespace}/kept"}}
    world.secret_is("kept", {"KEY": "else"}, namespace=other, metadata=says)
    world.must("DELETE", f"/api/v1/namespaces/{other}/secrets/kept")
    restore(world, "restored")

    in_grace(rotating)
    world.until(lambda: rotating.told().get("asks"), "a person is asked")
    assert rotating.told()["waits"].endswith("These are behind: Secret kept, Secret restored.")
    rotating.looks()
    assert rotating.alive() == {old, rotating.key()}
    assert held(world, "kept") == held(world, "restored") == old


def restore(world: World, name: str) -> None:
    """Delete a Secret, and make it anew as a tool for backups does."""
    found = world.secret_object(name) or {}
    world.delete_secret(name)
    meta = {part: found["metadata"][part] for part in ("name", "labels", "annotations")}
    place = f"/api/v1/namespaces/{world.namespace}/secrets?fieldManager=velero"
    world.must("POST", place, {"metadata": meta, "type": found["type"], "data": found["data"]})


def test_a_key_within_a_map_is_seen_by_another_name_of_its_server_and_after_its_store_has_gone(
    world: World, rotating: Rotating
) -> None:
    rotating.begins()
    rotating.starts()
    world.is_ready()
    old = rotating.key()
    stores = {"alias": world.bao.url.replace("127.0.0.1", "localhost"), "orphan": world.bao.url}
    for name, url in stores.items():
        world.apply(key_store(name, url, world.mount))
        world.apply(api_key_secret(name, entry("KEYS", "llm/openai"), storeRef={"name": name}, **SLOW))
    for name in stores:
        world.is_ready(name)
        assert old in (world.secret(name) or {})["KEYS"]
    world.delete("KeyStore", "orphan")
    world.is_refused("StoreNotFound", "orphan")

    rotating.asks("Rotate")
    world.until(lambda: rotating.key() != old, "its own Secret is written")
    rotating.looks()
    assert rotating.told()["step"] == "Stored"
    assert rotating.alive() == {old, rotating.key()}

    # It is asked for in a minute; or now.
    world.annotate("alias", refresh="now")
    world.apply(key_store("orphan", stores["orphan"], world.mount))
    world.until(lambda: all(rotating.key() in (world.secret(name) or {})["KEYS"] for name in stores), "both have it")
    rotating.looks()
    rotating.reaches("Idle")
    assert rotating.alive() == {rotating.key()}


def test_a_key_that_is_owed_does_not_end_under_a_secret_that_a_template_makes_of_it(
    world: World, rotating: Rotating
) -> None:
    rotating.begins(overlap="1h")
    rotating.starts()
    world.is_ready()
    old = rotating.key()
    shaped = {"target": {"template": {"stringData": {"config": "token={{ KEY }}"}}}, **SLOW}
    for name in ("shaped", "asleep"):
        world.apply(api_key_secret(name, KEY, **shaped))
        world.is_ready(name)
    world.apply(api_key_secret("asleep", KEY, suspend=True, **shaped))
    world.until(lambda: world.condition("asleep", type_="Suspended").get("status") == "True", "it sleeps")

    with rotating.refusing("DELETE"):
        # Nobody else is waited for, and its issuer refuses.
        rotating.asks("Reissue")
        world.ends("please", "Failed")
        rotating.reaches("Idle")
    world.until(lambda: config(world, "shaped") == f"token={rotating.key()}", "who is awake has the new key")
    touch(world, "shaped", "asleep")
    rotating.looks()
    assert [(each["owed"], each["byHand"]) for each in rotating.told()["debts"]] == [("Revoke", False)]
    assert rotating.alive() == {old, rotating.key()}
    assert config(world, "asleep") == f"token={old}"

    world.apply(api_key_secret("asleep", KEY, **shaped))
    world.until(lambda: config(world, "asleep") == f"token={rotating.key()}", "it wakes up")
    rotating.looks()
    world.until(lambda: "debts" not in rotating.told(), lambda: f"it is paid: {rotating.told()}")
    assert rotating.alive() == {rotating.key()}


def config(world: World, name: str) -> str:
    """Return what a template has made."""
    return (world.secret(name) or {})["config"]
