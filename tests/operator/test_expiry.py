"""Keys that end: told in the status, by conditions, and by Events that are said once, whoever leads."""

from __future__ import annotations

import base64
import json
import time

import requests

from build import api_key_secret, entry
from keywright import pacing
from world import Json, World

DAY = 86400.0


def token(days: float) -> str:
    """Make a JSON Web Token that ends in so many days."""
    parts = ({"alg": "none"}, {"exp": int(time.time() + days * DAY)})
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts), "x"]
    )


def has_token(world: World, days: float, **spec: object) -> None:
    """Let there be a token in the store that ends in so many days, and an object that wants it."""
    world.put("llm/gateway", token=token(days))
    world.has_store()
    world.apply(api_key_secret("llm", entry("TOKEN", "llm/gateway", "token"), **spec))


def credential(world: World) -> Json:
    (found,) = world.object()["status"]["credentials"]
    return dict(found)


def test_an_end_that_is_far_away_is_shown_and_no_news(world: World) -> None:
    world.start()
    has_token(world, 400)

    status = world.is_ready()["status"]

    assert status["expires"] == credential(world)["expiresAt"]
    assert pacing.unix(status["expires"]) > time.time() + 399 * DAY  # type: ignore[operator]
    assert credential(world)["verdict"] == "NotChecked"
    assert world.condition(type_="ExpiringSoon") == {}
    assert world.event_reasons() == ["Created"]


def test_an_end_that_is_near_is_said_once_by_whoever_leads(world: World) -> None:
    first = world.start()
    has_token(world, 6)

    world.is_ready()
    world.until(lambda: "ExpiringSoon" in world.event_reasons(), "it is said")

    assert world.condition(type_="ExpiringSoon")["status"] == "True"
    assert "TOKEN" in world.condition(type_="ExpiringSoon")["message"]
    assert credential(world)["warned"] == "7d"
    world.refreshes("once")
    first.kill()
    second = world.start()
    world.refreshes("twice")
    with world.quiet(second):
        pass
    assert world.event_reasons().count("ExpiringSoon") == 1


def test_a_new_key_ends_the_matter(world: World) -> None:
    world.start()
    has_token(world, 6)
    world.is_ready()
    world.until(lambda: world.condition(type_="ExpiringSoon").get("status") == "True", "it is told")

    world.put("llm/gateway", token=token(300))
    world.refreshes("now")
    world.is_ready()

    assert world.condition(type_="ExpiringSoon") == {}
    assert "warned" not in credential(world)


def test_each_moment_is_said_when_it_comes_and_the_end_too(world: World) -> None:
    world.start()
    # In between nothing is refreshed: the moments come by themselves.
    has_token(world, 70 / DAY, warnBeforeExpiry=["65s", "62s"], refreshInterval="1h")

    world.is_ready()
    world.until(lambda: world.event_reasons().count("ExpiringSoon") == 2, "both are said")
    world.until(lambda: "Expired" in world.event_reasons(), "the end is said", seconds=90)

    world.until(lambda: world.condition(type_="Expired").get("status") == "True", "the end is told")
    assert world.condition(type_="ExpiringSoon") == {}
    assert world.condition()["status"] == "True"
    assert [each["type"] for each in world.events() if each["reason"] != "Created"] == ["Warning"] * 3


def test_metrics_tell_when_keys_end(world: World) -> None:
    operator = world.start()
    has_token(world, 6)
    world.is_ready()

    ends = operator.metric("keywright_key_expiry_timestamp_seconds")

    assert ends == pacing.unix(credential(world)["expiresAt"])
    assert 0 <= operator.metric("keywright_key_age_seconds") < 600
    assert operator.metrics()[f'keywright_credentials{{namespace="{world.namespace}",verdict="NotChecked"}}'] == 1
    assert requests.get(f"{operator.url}/metrics", timeout=5).text.count("keywright_key_expiry_timestamp_seconds{") == 1
