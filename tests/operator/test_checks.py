"""Keys are checked before they are written, and after: by their form, and by asking whoever issued them."""

from __future__ import annotations

import time

import pytest

from build import api_key_secret, credential, entry
from checking import ENFORCED, credentials, has_key, key, starts
from vendors import VendorServer
from world import Json, World


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
    world.has_events("Created", "Refused")


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
