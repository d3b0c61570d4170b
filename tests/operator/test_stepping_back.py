"""Earlier versions are served where the newest fails its check, and nothing is lost for it."""

from __future__ import annotations

import time

from build import api_key_secret, credential, entry
from checking import ENFORCED, OFF, credentials, has_key, key, starts
from vendors import VendorServer
from world import World


def test_the_version_before_is_served_where_that_is_wanted(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    value = key(openai)
    world.put("llm/openai", api_key=value)
    has_key(world, openai, "changeme", ENFORCED, credential={"fallbackToPrevious": True})

    world.is_ready()

    assert world.secret() == {"OPENAI_API_KEY": value}
    assert world.condition()["reason"] == "PreviousVersion"
    assert "OPENAI_API_KEY is a placeholder" in world.condition()["message"]
    world.has_events("Created", "PreviousVersion")
    assert credentials(world)[0]["version"] == "1"


def test_the_version_before_is_served_when_the_newest_dies(world: World, openai: VendorServer) -> None:
    starts(world, openai, seconds=2)
    older, newer = key(openai), key(openai)
    world.put("llm/openai", api_key=older)
    has_key(world, openai, newer, ENFORCED, credential={"fallbackToPrevious": True})
    world.is_ready()
    assert world.secret() == {"OPENAI_API_KEY": newer}

    openai.vendor.states.pop(newer)
    time.sleep(1.1)
    world.refreshes("now")

    world.secret_becomes({"OPENAI_API_KEY": older})
    world.until(lambda: world.condition().get("reason") == "PreviousVersion", "it is told")
    assert "OpenAI answered 401 (invalid_api_key)" in world.condition()["message"]
    assert credentials(world)[0]["version"] == "1"

    newest = key(openai)
    world.put("llm/openai", api_key=newest)
    world.refreshes("again")
    world.secret_becomes({"OPENAI_API_KEY": newest})
    world.until(lambda: world.condition().get("reason") == "Synced", "all is well")


def test_where_no_version_is_good_the_target_stays(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    world.put("llm/openai", api_key="changeme")
    has_key(world, openai, "<your key>", ENFORCED, credential={"fallbackToPrevious": True})

    told = world.told("KeyMalformed")

    assert told.startswith("Credential openai: OPENAI_API_KEY is a placeholder, not a key")
    assert world.secret() is None


def test_stepping_back_to_a_deleted_version_does_not_empty_the_target(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    value = key(openai)
    has_key(
        world,
        openai,
        value,
        ENFORCED,
        {"optional": True},
        credential={"fallbackToPrevious": True},
        target={"allowShrink": True},
    )
    world.is_ready()
    assert world.secret() == {"OPENAI_API_KEY": value}
    # In this order: a look in between finds something.
    world.put("llm/openai", api_key="changeme")
    world.vault.secrets.kv.v2.delete_secret_versions("llm/openai", [1], mount_point=world.mount)
    world.refreshes("now")
    assert world.secret() == {"OPENAI_API_KEY": value}


def test_stepping_back_does_not_put_a_default_in_the_place_of_the_last_good(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    value = key(openai)
    world.put("llm/openai", api_key=value)
    world.put("llm/openai", api_key="changeme")
    world.vault.secrets.kv.v2.delete_secret_versions("llm/openai", [1], mount_point=world.mount)
    world.has_store()
    creds = [credential("openai", "OPENAI_API_KEY", openai.url, check=OFF, fallbackToPrevious=True)]
    world.apply(
        api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key", optional=True), credentials=creds)
    )
    assert "placeholder" in world.told("KeyMalformed")


def test_a_restart_does_not_unready_who_is_served_an_earlier_version(world: World, openai: VendorServer) -> None:
    first = starts(world, openai, seconds=2)
    value = key(openai)
    world.put("llm/openai", api_key=value)
    has_key(world, openai, key(openai, "invalid"), ENFORCED, credential={"fallbackToPrevious": True})
    world.until(lambda: world.condition().get("reason") == "PreviousVersion", "fallen back", seconds=30)
    first.kill()
    starts(world, openai, seconds=600)
    world.refreshes("now")
    assert world.condition()["status"] == "True", world.condition()


def test_at_most_three_versions_back_are_tried(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    good, older = key(openai), key(openai)
    world.put("llm/openai", api_key=good, other=older)
    for _ in range(5):
        world.put("llm/openai", api_key="changeme", other=older)
    world.has_store()
    creds = [
        credential("openai", "K", openai.url, check=OFF, fallbackToPrevious=True),
        credential("openai", "O", openai.url, check=OFF, fallbackToPrevious=True) | {"name": "other"},
    ]
    entries = entry("K", "llm/openai", "api_key"), entry("O", "llm/openai", "other")
    world.apply(api_key_secret("llm", *entries, credentials=creds))
    assert "placeholder" in world.told("KeyMalformed")


def test_what_else_is_on_the_path_is_told_as_earlier_too(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    good, one, two = key(openai), key(openai), key(openai)
    world.put("llm/openai", api_key=good, other=one)
    world.put("llm/openai", api_key="changeme", other=two)
    world.has_store()
    creds = [
        credential("openai", "K", openai.url, check=OFF, fallbackToPrevious=True),
        credential("openai", "O", openai.url, check=OFF) | {"name": "other"},
    ]
    entries = entry("K", "llm/openai", "api_key"), entry("O", "llm/openai", "other")
    world.apply(api_key_secret("llm", *entries, credentials=creds))
    world.is_ready()
    assert world.secret() == {"K": good, "O": two}
    assert "An earlier version of K is served" in world.condition()["message"]


def test_stepping_back_with_one_key_does_not_put_a_dead_key_in_the_place_of_a_good_one(
    world: World, openai: VendorServer
) -> None:
    starts(world, openai, seconds=2)
    old, new, other_dead, other = key(openai), key(openai), key(openai, "invalid"), key(openai)
    world.put("llm/openai", api_key=old, other=other_dead)
    world.put("llm/openai", api_key=new, other=other)
    world.has_store()
    creds = [
        credential("openai", "K", openai.url, check=ENFORCED, fallbackToPrevious=True),
        credential("openai", "O", openai.url) | {"name": "other"},  # Warn, the default
    ]
    entries = entry("K", "llm/openai", "api_key"), entry("O", "llm/openai", "other")
    world.apply(api_key_secret("llm", *entries, credentials=creds, refreshInterval="10s"))
    world.is_ready()
    assert world.secret() == {"K": new, "O": other}
    openai.vendor.states.pop(new)
    time.sleep(1.1)
    world.refreshes("now")
    world.until(lambda: (world.secret() or {}).get("K") == old, "stepped back", seconds=30)
    assert (world.secret() or {})["O"] == other, world.condition()["message"]
