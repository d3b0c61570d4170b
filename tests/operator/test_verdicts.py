"""What issuers say, and do not say, is believed slowly, told once, and costs nobody else anything."""

from __future__ import annotations

import time
from typing import Any

import pytest

from build import api_key_secret, credential, entry
from checking import ENFORCED, credentials, has_key, key, starts, token
from vendors import VendorServer, serving
from world import World


def test_one_probe_serves_all_objects_with_a_key(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    value = key(openai)
    world.put("llm/openai", api_key=value)
    world.has_store()
    for number in range(20):
        credentials = [credential("openai", "KEY", openai.url, check=ENFORCED)]
        world.apply(api_key_secret(f"llm-{number}", entry("KEY", "llm/openai", "api_key"), credentials=credentials))

    for number in range(20):
        world.is_ready(f"llm-{number}")

    assert len(openai.requests) == 1


def test_an_issuer_that_is_silent_holds_back_what_is_new_and_leaves_what_is_there(
    world: World, openai: VendorServer
) -> None:
    starts(world, openai)
    value = key(openai)
    has_key(world, openai, value, ENFORCED)
    world.is_ready()

    openai.mood = "broken"
    with world.untouched():
        world.refreshes("same")
        assert world.is_ready()["status"]["credentials"][0]["verdict"] == "Valid"
        world.put("llm/openai", api_key=key(openai))
        world.refreshes("new")
        told = world.told("KeyUnverified")

    assert "OpenAI answered 503 for credential openai (OPENAI_API_KEY)" in told
    assert world.condition(type_="Reconciling")["status"] == "True"


def test_a_key_of_an_object_that_is_not_refreshed_is_asked_about_too(world: World, openai: VendorServer) -> None:
    operator = starts(world, openai, seconds=2)
    value = key(openai)
    has_key(world, openai, value, {"liveness": "Warn", "every": "1m"}, refreshInterval="0")
    world.is_ready()
    reads = operator.metric("keywright_store_calls_total")
    openai.vendor.states.clear()

    world.until(lambda: credentials(world)[0]["verdict"] == "Invalid", "it is found", seconds=90)

    assert world.condition()["reason"] == "KeyWarning"
    assert "OpenAI answered 401 (invalid_api_key)" in world.condition()["message"]
    world.has_events("Created", "KeyWarning")
    assert operator.metric("keywright_store_calls_total") == reads


@pytest.mark.parametrize("mood", ["slow down", "broken", "redirect", "echo", "huge", "html", "garbage", "hangs up"])
def test_nothing_of_a_key_is_told_whatever_its_issuer_answers(world: World, openai: VendorServer, mood: Any) -> None:
    operator = starts(world, openai, seconds=1)
    openai.mood = mood
    value = key(openai)
    has_key(world, openai, value, ENFORCED)

    world.until(lambda: world.condition().get("status") == "False", "it is held back")
    openai.mood = "documented"
    world.refreshes("again")
    world.is_ready()

    assert world.secret() == {"OPENAI_API_KEY": value}
    told = [world.object(), world.events(), operator.log.read_text(), operator.metrics()]
    assert not [each for each in map(str, told) if value[12:28] in each or value[-16:] in each]


def test_no_issuer_is_asked_where_that_is_switched_off(world: World, openai: VendorServer) -> None:
    world.start(f"--allow-issuer-endpoint={openai.url}", "--no-probes")
    has_key(world, openai, key(openai), {"liveness": "Warn"})
    world.is_ready()

    assert credentials(world)[0]["verdict"] == "NotChecked"
    has_key(world, openai, key(openai), ENFORCED)
    assert "probes are switched off" in world.told("KeyUnverified")
    assert openai.requests == []


def test_an_issuer_that_asks_for_patience_gets_it(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    openai.mood, openai.pause = "slow down", 3600
    has_key(world, openai, key(openai), {"liveness": "Warn"})
    world.is_ready()

    for number in range(3):
        world.refreshes(f"again {number}")

    assert len(openai.requests) == 1


def test_a_new_leader_knows_what_was_condemned(world: World, openai: VendorServer) -> None:
    first = starts(world, openai, seconds=2)
    value = key(openai, "invalid")
    has_key(world, openai, value, {"liveness": "Warn"})
    world.until(lambda: world.condition().get("reason") == "KeyWarning", "it is condemned")
    world.has_events("Created", "KeyWarning")
    first.kill()

    second = starts(world, openai, seconds=600)
    mark = world.plane.mark()
    time.sleep(1)
    world.refreshes("now")

    assert world.condition()["reason"] == "KeyWarning"
    assert world.writes(second, mark)["patch apikeysecrets/status"] == 1
    world.has_events("Created", "KeyWarning")


def test_a_silent_issuer_costs_the_store_nothing(world: World, openai: VendorServer) -> None:
    operator = starts(world, openai)
    openai.mood = "broken"
    has_key(world, openai, key(openai), {"liveness": "Warn"}, refreshInterval="1h")
    world.is_ready()
    reads = operator.metric("keywright_store_calls_total")

    # After a quarter of a minute the issuer may be asked again.
    world.holds(lambda: operator.metric("keywright_store_calls_total") == reads, "the store is left alone", seconds=20)


def test_objects_whose_keys_wait_to_be_probed_leave_their_store_alone(world: World, openai: VendorServer) -> None:
    operator = starts(world, openai)
    openai.mood, openai.pause = "slow", 4
    world.has_store()
    for number in range(24):
        world.put(f"llm/{number}", api_key=key(openai))
        credentials = [credential("openai", "KEY", openai.url, check={"liveness": "Warn"})]
        world.apply(api_key_secret(f"llm-{number}", entry("KEY", f"llm/{number}", "api_key"), credentials=credentials))
    for number in range(24):
        world.is_ready(f"llm-{number}")
    written = {number: world.secret(f"llm-{number}") for number in range(24)}
    assert all(written.values())

    def known() -> bool:
        told = (world.object(f"llm-{number}")["status"]["credentials"][0] for number in range(24))
        return all(each["verdict"] == "Valid" for each in told)

    world.until(known, "all are known", seconds=60)
    assert len(openai.requests) == 24
    # One read for each, and one more for each that was called when its probe was done.
    assert operator.metric("keywright_store_calls_total") <= 3 + 2 * 24


def test_an_entry_named_as_a_credential_is_told_beside_it(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one", token=token(400))
    world.has_store()
    creds = [
        {"name": "token", "issuer": "openai", "parts": {"apiKey": "KEY"}, "check": {"liveness": "Off", "format": "Off"}}
    ]
    world.apply(
        api_key_secret(
            "llm", entry("KEY", "llm/openai", "api_key"), entry("token", "llm/openai", "token"), credentials=creds
        )
    )
    world.is_ready()


def test_who_waits_for_a_probe_does_not_ask_its_store_again_and_again(world: World, hugging: VendorServer) -> None:
    operator = starts(world, hugging)
    world.has_store()
    for number in range(30):
        parts = hugging.vendor.samples()["user access token"]
        hugging.vendor.knows(parts)
        world.put(f"llm/{number}", token=parts["token"])
        creds = [credential("huggingface", "T", hugging.url, part="token", check={"liveness": "Warn"})]
        world.apply(api_key_secret(f"llm-{number}", entry("T", f"llm/{number}", "token"), credentials=creds))
    for number in range(30):
        world.is_ready(f"llm-{number}")
    time.sleep(15)
    before = operator.metric("keywright_store_calls_total")
    time.sleep(15)
    after = operator.metric("keywright_store_calls_total")
    assert after - before < 10, (before, after, len(hugging.requests))


def test_patience_asked_for_by_an_issuer_does_not_make_a_hot_loop(world: World, openai: VendorServer) -> None:
    operator = starts(world, openai)
    openai.mood, openai.pause = "slow down", 3600
    has_key(world, openai, key(openai), {"liveness": "Warn"}, refreshInterval="1h")
    world.is_ready()
    world.put("llm/two", api_key=key(openai))
    creds = [credential("openai", "K", openai.url, check={"liveness": "Warn"})]
    world.apply(api_key_secret("two", entry("K", "llm/two", "api_key"), credentials=creds))
    world.until(lambda: world.secret("two"), "written")
    time.sleep(14)
    before = operator.metric("keywright_store_calls_total")
    time.sleep(30)
    assert operator.metric("keywright_store_calls_total") - before == 0


def test_what_condemned_a_key_is_told_while_its_issuer_is_silent(world: World, openai: VendorServer) -> None:
    starts(world, openai, seconds=2)
    has_key(world, openai, key(openai, "invalid"), {"liveness": "Warn"})
    world.is_ready()
    world.until(lambda: world.condition()["reason"] == "KeyWarning", "it is told")
    said = world.condition()["message"]
    openai.mood = "broken"
    time.sleep(1.1)
    world.refreshes("now")
    assert world.condition()["message"] == said


def test_a_condemned_key_is_refused_for_why_it_was_condemned(world: World, openai: VendorServer) -> None:
    starts(world, openai, seconds=2)
    value = key(openai)
    has_key(world, openai, value, ENFORCED)
    world.is_ready()
    openai.vendor.states.clear()
    time.sleep(1.1)
    world.refreshes("now")
    world.is_refused("KeyInvalid")
    openai.mood = "broken"
    time.sleep(1.1)
    world.refreshes("again")
    assert "401 (invalid_api_key)" in world.told("KeyInvalid")


def test_the_word_of_one_issuer_is_not_that_of_another(world: World, openai: VendorServer) -> None:
    with serving("openai") as other:
        starts(world, openai, other)
        value = key(openai)
        has_key(world, openai, value, ENFORCED)
        world.is_ready()
        assert credentials(world)[0]["verdict"] == "Valid"
        other.mood = "broken"
        has_key(world, other, value, ENFORCED)
        world.refreshes("now")
        assert other.requests
        world.is_refused("KeyUnverified")


def test_what_a_template_makes_of_a_key_is_not_taken_for_the_key(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    value = key(openai)
    has_key(
        world,
        openai,
        value,
        {**ENFORCED, "every": "1m"},
        refreshInterval="0",
        target={"template": {"mergePolicy": "Merge", "stringData": {"OPENAI_API_KEY": "Bearer {{ OPENAI_API_KEY }}"}}},
    )
    world.is_ready()
    assert world.secret() == {"OPENAI_API_KEY": f"Bearer {value}"}
    world.holds(lambda: world.condition()["status"] == "True", "it stays Ready", seconds=75)


def test_a_silent_issuer_keeps_the_status_waiting_for_twelve_seconds_at_most(
    world: World, openai: VendorServer
) -> None:
    starts(world, openai)
    openai.mood, openai.pause = "slow", 60
    world.has_store()
    entries, creds = [], []
    for number in range(3):
        world.put(f"llm/{number}", api_key=key(openai))
        entries.append(entry(f"K{number}", f"llm/{number}", "api_key"))
        creds.append(credential("openai", f"K{number}", openai.url) | {"name": f"c{number}"})
    world.apply(api_key_secret("llm", *entries, credentials=creds))
    began = time.monotonic()
    world.until(lambda: world.condition().get("status") == "True", "ready", seconds=60)
    assert time.monotonic() - began < 15


def test_a_dead_key_does_not_keep_another_from_being_replaced(world: World, openai: VendorServer) -> None:
    starts(world, openai, seconds=2)
    dead, good, newer = key(openai), key(openai), key(openai)
    world.put("llm/a", api_key=dead)
    world.put("llm/b", api_key=good)
    world.has_store()
    creds = [
        credential("openai", "A", openai.url, check=ENFORCED),
        credential("openai", "B", openai.url, check=ENFORCED) | {"name": "b"},
    ]
    entries = entry("A", "llm/a", "api_key"), entry("B", "llm/b", "api_key")
    world.apply(api_key_secret("llm", *entries, credentials=creds))
    world.is_ready()
    openai.vendor.states.pop(dead)
    time.sleep(1.1)
    world.refreshes("now")
    world.is_refused("KeyInvalid")
    world.put("llm/b", api_key=newer)
    world.refreshes("again")
    # `dead` is in the target already; `newer` is accepted by its issuer.
    assert world.secret() == {"A": dead, "B": newer}


def test_entries_of_others_in_a_merged_target_are_none_of_ours(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    value = key(openai)
    foreign = key(openai, "invalid")
    world.secret_is("llm", {"FOREIGN": f"{foreign}\n"})
    has_key(
        world,
        openai,
        value,
        {"liveness": "Warn", "every": "1m"},
        refreshInterval="0",
        target={"creationPolicy": "Merge"},
    )
    world.is_ready()
    world.holds(lambda: "FOREIGN" not in str(world.condition()), "it is not told of", seconds=75)
