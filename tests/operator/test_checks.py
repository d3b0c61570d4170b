"""Keys are checked before they are written, and after: by their form, and by asking whoever issued them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from build import api_key_secret, credential, entry
from vendors import VendorServer, serving
from world import Json, Operator, World

ENFORCED = {"format": "Enforce", "liveness": "Enforce"}


@pytest.fixture
def openai() -> Iterator[VendorServer]:
    with serving("openai") as server:
        yield server


def key(server: VendorServer, state: Any = "valid") -> str:
    """Make a key, known to its vendor."""
    parts = server.vendor.samples()["project key"]
    if state != "invalid":
        server.vendor.knows(parts, state)
    return parts["apiKey"]


def starts(world: World, *servers: VendorServer, seconds: int = 600) -> Operator:
    """Start an operator that may ask these issuers."""
    allowed = [f"--allow-issuer-endpoint={each.url}" for each in servers]
    return world.start(*allowed, f"--condemn-seconds={seconds}")


def has_key(world: World, server: VendorServer, value: str, check: Json, **more: Any) -> None:
    """Let there be a key in the store, and an object that says what it is."""
    world.put("llm/openai", api_key=value)
    world.has_store()
    credentials = [credential("openai", "OPENAI_API_KEY", server.url, check=check, **more.pop("credential", {}))]
    spec = {"credentials": credentials, "refreshInterval": "10s", **more}
    world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key"), **spec))


def credentials(world: World) -> list[Json]:
    return list(world.object()["status"].get("credentials") or [])


def test_a_living_key_is_written_and_told(world: World, openai: VendorServer) -> None:
    operator = starts(world, openai)
    mark = world.plane.mark()
    value = key(openai)
    has_key(world, openai, value, ENFORCED)

    world.is_ready()

    assert world.secret() == {"OPENAI_API_KEY": value}
    (told,) = credentials(world)
    assert (told["name"], told["issuer"], told["kind"]) == ("openai", "openai", "project key")
    assert (told["verdict"], told["version"]) == ("Valid", "1")
    assert told["createdAt"]
    assert len(openai.requests) == 1
    writes = world.writes(operator, mark)
    assert (writes["apply secrets"] + writes["patch secrets"], writes["patch apikeysecrets/status"]) == (1, 1)


def test_a_malformed_key_is_stopped_and_the_last_good_one_stays(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    value = key(openai)
    has_key(world, openai, value, ENFORCED)
    world.is_ready()

    with world.untouched():
        world.put("llm/openai", api_key=f"{key(openai)}\n")
        world.refreshes("now")
        told = world.told("KeyMalformed")

    assert told == (
        "Credential openai: OPENAI_API_KEY ends with a newline, since NOW. Secret llm keeps version 1."
        " It is tried again with growing pauses, at most 5 minutes."
        " Write it to the store without that (printf, not echo), or set check.trim: true."
    )
    assert world.condition(type_="Stalled")["status"] == "True"
    assert world.event_reasons() == ["Created", "Refused"]
    (still,) = credentials(world)
    assert (still["verdict"], still["version"]) == ("Valid", "1")

    good = key(openai)
    world.put("llm/openai", api_key=good)
    world.refreshes("again")
    world.is_ready()
    assert world.secret() == {"OPENAI_API_KEY": good}


def test_a_key_that_its_issuer_refuses_is_stopped(world: World, openai: VendorServer) -> None:
    starts(world, openai, seconds=2)
    value = key(openai)
    has_key(world, openai, value, ENFORCED)
    world.is_ready()

    with world.untouched():
        world.put("llm/openai", api_key=key(openai, "invalid"))
        world.refreshes("now")
        told = world.told("KeyInvalid")
        world.until(lambda: world.condition(type_="Stalled").get("status") == "True", "it is condemned")

    assert "OpenAI answered 401 (invalid_api_key) for credential openai (OPENAI_API_KEY)" in told
    assert "Secret llm keeps version 1" in told


def test_a_key_that_dies_later_is_found(world: World, openai: VendorServer) -> None:
    starts(world, openai, seconds=2)
    value = key(openai)
    has_key(world, openai, value, ENFORCED)
    world.is_ready()
    since = credentials(world)[0]["since"]

    with world.untouched():
        openai.vendor.states.clear()
        # What was found a second ago is as good as new.
        time.sleep(1.1)
        world.refreshes("now")
        world.is_refused("KeyInvalid")

    (told,) = credentials(world)
    assert told["verdict"] == "Invalid"
    assert told["since"] >= since
    assert world.event_reasons() == ["Created", "Refused"]


def test_what_the_issuer_does_not_accept_is_written_and_told_where_only_a_warning_is_wanted(
    world: World, openai: VendorServer
) -> None:
    starts(world, openai, seconds=2)
    value = key(openai, "invalid")
    has_key(world, openai, value, {"liveness": "Warn"})

    world.is_ready()
    assert world.secret() == {"OPENAI_API_KEY": value}
    world.until(lambda: world.condition()["reason"] == "KeyWarning", "it is told")

    assert "OpenAI answered 401 (invalid_api_key) for credential openai" in world.condition()["message"]
    world.has_events("Created", "KeyWarning")


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


def test_white_space_is_taken_off_where_that_is_wanted(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    value = key(openai)
    has_key(world, openai, f"{value}\n", {**ENFORCED, "trim": True})

    message = world.is_ready()["status"]["conditions"][0]["message"]

    assert world.secret() == {"OPENAI_API_KEY": value}
    assert "White space around OPENAI_API_KEY was left out." in message


def test_what_nobody_says_what_it_is_is_looked_at_and_never_shown_to_anybody(
    world: World, openai: VendorServer
) -> None:
    starts(world, openai)
    value = openai.vendor.samples()["project key"]["apiKey"]
    world.put("llm/openai", api_key=f"{value}\n", note="of the team\n")
    world.has_store()
    world.apply(api_key_secret("llm", entry("KEY", "llm/openai", "api_key"), entry("NOTE", "llm/openai", "note")))

    world.is_ready()

    assert world.condition()["reason"] == "KeyWarning"
    assert world.condition()["message"].endswith("KEY ends with a newline.")
    (told,) = credentials(world)
    assert (told["name"], told["issuer"], told["verdict"]) == ("KEY", "openai", "NotChecked")
    assert openai.requests == []


@pytest.mark.parametrize(
    ("named", "more", "reason", "said"),
    [
        (
            {"parts": {"apiKey": "OTHER"}},
            {},
            "PartNotFound",
            "Credential openai names entry OTHER, which the object does not have",
        ),
        (
            {"endpoint": "https://keys.example.com"},
            {},
            "EndpointForbidden",
            "Credential openai names keys.example.com as its endpoint, which is neither one of OpenAI's own hosts by"
            " https nor allowed",
        ),
        (
            {"endpoint": "https://169.254.169.254"},
            {},
            "EndpointForbidden",
            "Credential openai names 169.254.169.254 as its endpoint",
        ),
        (
            {"endpoint": "http://api.openai.com"},
            {},
            "EndpointForbidden",
            "Credential openai names api.openai.com as its endpoint",
        ),
    ],
)
def test_a_credential_that_cannot_be_checked_is_refused_and_nothing_is_lost(
    world: World, openai: VendorServer, named: Json, more: Json, reason: str, said: str
) -> None:
    starts(world, openai)
    value = key(openai)
    has_key(world, openai, value, ENFORCED)
    world.is_ready()

    with world.untouched():
        changed = credential("openai", "OPENAI_API_KEY", openai.url, check=ENFORCED) | named
        world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key"), credentials=[changed]))
        assert world.told(reason).startswith(said)

    assert len(openai.requests) == 1


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
    first.kill()

    second = starts(world, openai, seconds=600)
    mark = world.plane.mark()
    time.sleep(1)
    world.refreshes("now")

    assert world.condition()["reason"] == "KeyWarning"
    assert world.writes(second, mark)["patch apikeysecrets/status"] == 1
    world.has_events("Created", "KeyWarning")


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


def test_optional_parts_that_are_not_there_are_no_trouble(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    value = key(openai)
    world.put("llm/openai", api_key=value)
    world.has_store()
    both = [credential("openai", "KEY", openai.url, check=ENFORCED)]
    both.append(credential("openai", "OTHER", openai.url, check=ENFORCED) | {"name": "other"})
    entries = entry("KEY", "llm/openai", "api_key"), entry("OTHER", "llm/other", "api_key", optional=True)
    world.apply(api_key_secret("llm", *entries, credentials=both))

    world.is_ready()

    assert [each["name"] for each in credentials(world)] == ["openai"]
    assert world.condition()["reason"] == "Partial"


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
