"""Keys that end: told in the status, by conditions, and by Events that are said once, whoever leads."""

from __future__ import annotations

import base64
import time
from typing import Any

import requests

from build import api_key_secret, credential, entry, key_store
from checking import DAY, starts, token
from controlplane import FaultProxy, Hold
from keywright import pacing
from vendors import VendorServer
from world import Json, World

#: A moment that comes a few seconds after a token was made that ends in six days.
SOON = "518396s"
MERGE = "application/merge-patch+json"


def has_token(world: World, days: float, **spec: object) -> None:
    """Let there be a token in the store that ends in so many days, and an object that wants it."""
    world.put("llm/gateway", token=token(days))
    world.has_store()
    world.apply(api_key_secret("llm", entry("TOKEN", "llm/gateway", "token"), **spec))


def told(world: World) -> Json:
    (found,) = world.object()["status"]["credentials"]
    return dict(found)


def test_an_end_that_is_far_away_is_shown_and_no_news(world: World) -> None:
    world.start()
    has_token(world, 400)

    status = world.is_ready()["status"]

    assert status["expires"] == told(world)["expiresAt"]
    assert pacing.unix(status["expires"]) > time.time() + 399 * DAY  # type: ignore[operator]
    assert told(world)["verdict"] == "NotChecked"
    assert world.condition(type_="ExpiringSoon") == {}
    assert world.event_reasons() == ["Created"]


def test_an_end_that_is_near_is_said_once_by_whoever_leads(world: World) -> None:
    first = world.start()
    has_token(world, 6, warnBeforeExpiry=[SOON])

    world.is_ready()
    world.until(lambda: "ExpiringSoon" in world.event_reasons(), "it is said")
    world.until(lambda: world.condition(type_="ExpiringSoon").get("status") == "True", "the status tells it")

    assert "TOKEN" in world.condition(type_="ExpiringSoon")["message"]
    assert told(world)["warned"] == SOON
    world.refreshes("once")
    first.kill()
    second = world.start()
    world.refreshes("twice")
    with world.quiet(second):
        pass
    assert world.event_reasons().count("ExpiringSoon") == 1


def test_a_new_key_ends_the_matter(world: World) -> None:
    world.start()
    has_token(world, 6, warnBeforeExpiry=[SOON])
    world.is_ready()
    world.until(lambda: world.condition(type_="ExpiringSoon").get("status") == "True", "it is told")

    world.put("llm/gateway", token=token(300))
    world.refreshes("now")
    world.is_ready()

    assert world.condition(type_="ExpiringSoon") == {}
    assert "warned" not in told(world)


def test_what_is_told_of_a_rotation_while_news_are_said_stays(api_proxy: FaultProxy, world: World) -> None:
    world.start(server=api_proxy.url, ca_file=api_proxy.ca_file)
    has_token(world, 400, warnBeforeExpiry=["518388s"])
    world.is_ready()
    world.has_events("Created")
    rotating = {"type": "Rotating", "status": "True", "reason": "Rotating", "message": "A new key is being made."}

    world.put("llm/gateway", token=token(6))
    world.refreshes("now")
    world.has_events("Created", "Updated")
    with api_proxy.fault(Hold(), method="POST", path="/events", times=1) as held:
        held.wait()
        # As a rotation tells of itself; the operator has heard of it before it goes on.
        since = {"lastTransitionTime": pacing.rfc3339(time.time()), "observedGeneration": 1}
        status = {"conditions": [*world.object()["status"]["conditions"], rotating | since]}
        world.must("PATCH", f"{world.path('ApiKeySecret', 'llm')}/status", {"status": status}, MERGE)
        time.sleep(1.0)

    world.until(lambda: world.condition(type_="ExpiringSoon").get("status") == "True", "the end is told")
    assert world.condition(type_="Rotating")["message"] == "A new key is being made."


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

    assert ends == pacing.unix(told(world)["expiresAt"])
    assert 0 <= operator.metric("keywright_key_age_seconds") < 600
    assert operator.metrics()[f'keywright_credentials{{namespace="{world.namespace}",verdict="NotChecked"}}'] == 1
    assert requests.get(f"{operator.url}/metrics", timeout=5).text.count("keywright_key_expiry_timestamp_seconds{") == 1


def test_what_an_issuer_told_stays_while_it_is_silent_after_a_restart(world: World, hugging: VendorServer) -> None:
    first = starts(world, hugging)
    parts = hugging.vendor.samples()["user access token"]
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * DAY))
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300 * DAY))
    hugging.vendor.knows(parts, ends=ends)
    world.put("llm/hf", token=parts["token"])
    world.vault.secrets.kv.v2.update_metadata("llm/hf", custom_metadata={"expires_at": later}, mount_point=world.mount)
    world.has_store()
    creds = [credential("huggingface", "T", hugging.url, part="token")]
    world.apply(api_key_secret("llm", entry("T", "llm/hf", "token"), credentials=creds))
    world.is_ready()
    world.until(lambda: world.condition(type_="ExpiringSoon"), "told")
    before = told(world)
    assert before["expiresAt"] == ends
    first.kill()
    hugging.mood = "broken"
    starts(world, hugging)
    world.refreshes("now")
    after = told(world)
    assert (after["expiresAt"], after["createdAt"], after.get("warned")) == (
        before["expiresAt"],
        before["createdAt"],
        before["warned"],
    )
    assert world.condition(type_="ExpiringSoon")


def test_a_token_made_anew_at_each_read_is_no_news(world: World) -> None:
    world.start()
    world.put("llm/gateway", token=token(0.5, iat=int(time.time()), jti=1))
    world.has_store()
    world.apply(api_key_secret("llm", entry("TOKEN", "llm/gateway", "token")))
    world.is_ready()
    for number in range(3):
        time.sleep(1.1)
        world.put("llm/gateway", token=token(0.5, iat=int(time.time()), jti=number))
        world.refreshes(str(number))
    assert world.event_reasons().count("ExpiringSoon") <= 1


def test_an_end_is_told_during_an_outage_of_the_store_after_a_restart(bao_proxy: Any, world: World) -> None:
    first = world.start()
    world.apply(key_store("vault", bao_proxy.url, world.mount, limits={"timeout": "1s"}))
    world.put("llm/gateway", token=token(35 / DAY))
    world.apply(api_key_secret("llm", entry("TOKEN", "llm/gateway", "token"), warnBeforeExpiry=[]))
    world.is_ready()
    bao_proxy.down()
    world.annotate("llm", refresh="1")
    world.told("StoreUnreachable", "vault", "KeyStore")
    first.kill()
    world.start()
    try:
        world.until(lambda: "Expired" in world.event_reasons(), "the end is said", seconds=60)
    finally:
        bao_proxy.up()


def test_an_end_stays_when_the_issuer_does_not_accept_the_key_any_more(world: World, hugging: VendorServer) -> None:
    starts(world, hugging)
    parts = hugging.vendor.samples()["user access token"]
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300 * DAY))
    hugging.vendor.knows(parts, ends=ends)
    world.put("llm/hf", token=parts["token"])
    world.vault.secrets.kv.v2.update_metadata("llm/hf", custom_metadata={"expires_at": later}, mount_point=world.mount)
    world.has_store()
    creds = [credential("huggingface", "T", hugging.url, part="token")]
    world.apply(api_key_secret("llm", entry("T", "llm/hf", "token"), credentials=creds))
    world.is_ready()
    world.until(lambda: world.condition(type_="Expired"), "told")
    hugging.vendor.states.clear()
    time.sleep(6)
    world.refreshes("now")
    time.sleep(6)
    world.refreshes("then")
    assert len(hugging.requests) > 1
    assert world.condition(type_="Expired")


def test_a_hostile_token_does_not_stop_an_object(world: World) -> None:
    world.start()
    parts = [base64.urlsafe_b64encode(each.encode()).decode() for each in ('{"a":1}', f'{{"exp":1{"0" * 401}}}')]
    world.put("llm/gateway", token=".".join([*parts, "x"]))
    world.has_store()
    world.apply(api_key_secret("llm", entry("TOKEN", "llm/gateway", "token")))

    world.is_ready()
