"""Who reads a key that is rotated holds up its end as long as its Secret has it, whatever trouble it is in."""

from __future__ import annotations

import base64
import json

from build import api_key_secret, entry, key_store
from keywright.engine.journals import name_of
from rotating import Rotating
from world import World


def reads(world: World, name: str, *, store: str = "other", **spec: object) -> None:
    """Let an object read the key through a store object of its own; all but ``reader`` as the JSON of all there is."""
    data = [entry("KEY", "llm/openai", "api_key")] if name == "reader" else [entry("WHOLE", "llm/openai")]
    world.apply(api_key_secret(name, *data, storeRef={"name": store}, refreshInterval="1h", **spec))


def test_a_reader_in_trouble_keeps_its_key_alive_until_it_is_mended(world: World, rotating: Rotating) -> None:
    rotating.begins()
    stores = {"reader": "other", "made": "third"}
    for store in stores.values():
        # They lead to one place, whatever the spelling.
        world.apply(key_store(store, f"{world.bao.url}/", world.mount))
    rotating.starts()
    world.is_ready()
    # This one has no Secret, and gets none.
    reads(world, "asleep", suspend=True)
    for name, store in stores.items():
        reads(world, name, store=store)
        world.is_ready(name)
    first = rotating.key()
    rotating.asks("Rotate", "first")
    world.ends("first", "Succeeded")
    rotating.reaches("Idle")
    second = rotating.key()
    assert (world.secret("reader") or {})["KEY"] == second != first

    for name, store in stores.items():
        world.delete("KeyStore", store)
        world.is_refused("StoreNotFound", name)
    rotating.asks("Rotate", "again")
    rotating.reaches("Stored")
    world.until(lambda: rotating.key() != second, "its own Secret is written")
    # One is known by its value, the other one by what it was before.
    for store in stores.values():
        rotating.looks()
        assert rotating.told()["step"] == "Stored"
        assert second in rotating.alive()
        world.apply(key_store(store, f"{world.bao.url}/", world.mount))
        world.until(lambda: (world.secret("reader") or {})["KEY"] == rotating.key(), "it is mended")
    rotating.reaches("Idle")
    assert rotating.alive() == {rotating.key()}


def test_a_journal_keeps_the_name_that_an_earlier_version_gave_it_and_there_is_no_other(
    world: World, rotating: Rotating
) -> None:
    rotating.begins()
    operator = rotating.starts()
    world.is_ready()
    rotating.asks("Rotate", "first")
    world.ends("first", "Succeeded")
    rotating.reaches("Idle")
    operator.stop()
    name = renamed(world, rotating)
    world.apply(key_store("vault", f"{world.bao.url}/", world.mount, access="ReadWrite"))

    rotating.starts()
    rotating.asks("Pin", "pin")
    world.ends("pin", "Succeeded")

    world.until(lambda: rotating.told().get("pinned") is True, "it is told")
    # Nor does the store tell whose it is.
    world.vault.secrets.kv.v2.update_metadata("llm/openai", custom_metadata={}, mount_point=world.mount)
    world.apply(key_store("plain", world.bao.url, world.mount, access="ReadWrite"))
    spec = world.object()["spec"] | {"storeRef": {"name": "plain"}}
    world.apply({**api_key_secret("other"), "spec": {**spec, "target": {"name": "other"}}})
    world.is_ready("other")
    rotating.asks("Rotate", "second", apiKeySecret="other")
    told = world.ends("second", "Failed")
    assert (told["reason"], "ApiKeySecret llm" in told["message"]) == ("RotationOwnedElsewhere", True)
    assert [each["metadata"]["name"] for each in rotating.journals()] == [name]


def renamed(world: World, rotating: Rotating) -> str:
    """Name the journal as it was where the store's address had a slash at its end."""
    (journal,) = rotating.journals()
    about = json.loads(base64.b64decode(journal["data"]["about"]))
    about["key"] = about["key"].replace(world.bao.url, f"{world.bao.url}/")
    path = f"/api/v1/namespaces/{world.system}/secrets"
    world.must("DELETE", f"{path}/{journal['metadata']['name']}")
    meta = {"name": name_of(about["key"]), "labels": journal["metadata"]["labels"]}
    data = journal["data"] | {"about": base64.b64encode(json.dumps(about).encode()).decode()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": journal["type"], "data": data}
    return str(world.must("POST", path, body)["metadata"]["name"])


def test_after_a_restart_a_reader_in_trouble_is_known_by_its_status_and_does_not_hold_up_who_ends_a_key_now(
    world: World, rotating: Rotating
) -> None:
    rotating.begins()
    world.apply(key_store("other", world.bao.url, world.mount))
    operator = rotating.starts()
    world.is_ready()
    reads(world, "reader")
    world.is_ready("reader")
    old = rotating.key()
    world.delete("KeyStore", "other")
    world.is_refused("StoreNotFound", "reader")
    operator.stop()
    rotating.starts()

    rotating.asks("Rotate", "first")
    rotating.reaches("Stored")
    world.until(lambda: rotating.key() != old, "its own Secret is written")
    rotating.looks()
    assert rotating.told()["step"] == "Stored"
    assert (world.secret("reader") or {})["KEY"] == old
    assert old in rotating.alive()

    rotating.asks("RevokeNow", "now")
    world.ends("now", "Succeeded")
    assert rotating.alive() == {rotating.key()}
    assert (world.secret("reader") or {})["KEY"] == old
    # Nor is it waited for where the old key does more harm than good.
    rotating.asks("Reissue", "compromised")
    world.ends("compromised", "Succeeded")
    rotating.reaches("Idle")
    assert rotating.alive() == {rotating.key()}
