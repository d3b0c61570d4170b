"""Other places of a value: when they are asked, and what is said of those that cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from build import api_key_secret, cluster_key_store, entry, key_store
from controlplane import Answer, FaultProxy
from world import World

SLOW = Answer(429, {"errors": ["slow down"]})
CANARY = "kw-canary-91aa"


def with_source(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return entry("KEY", "llm/openai", "api_key", sources=[source]) | more


@pytest.mark.parametrize("path", ["/data/llm/", "/v1/"], ids=["reads", "logins"])
def test_to_be_asked_to_slow_down_is_no_reason_to_ask_elsewhere(bao_proxy: FaultProxy, world: World, path: str) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.put("copies/openai", key="sk-copy")
    world.put("llm/other", key="other-one")
    world.apply(key_store("first", bao_proxy.url, world.mount, limits={"timeout": "2s"}))
    world.has_store("second")
    there = {"storeRef": {"name": "second"}, "remoteRef": {"path": "copies/openai", "property": "key"}}
    own = with_source(there, storeRef={"name": "first"})
    world.apply(api_key_secret("llm", own, entry("OTHER", "llm/other", "key"), storeRef={"name": "second"}))
    world.is_ready()

    with world.untouched(), bao_proxy.fault(SLOW, path=path) as slow:
        world.annotate("llm", refresh="1")
        # More than it takes to pause a store.
        slow.wait(4)
        world.holds(lambda: world.condition()["reason"] == "Synced", "nothing came from another store")
    world.put("llm/openai", api_key="sk-two")
    world.annotate("llm", refresh="2")
    world.secret_becomes({"KEY": "sk-two", "OTHER": "other-one"})


@pytest.mark.parametrize("trouble", ["StoreNotFound", "NamespaceNotSelected", "PathOutsidePrefix"])
def test_a_source_that_cannot_be_asked_costs_nothing_and_is_told_once(world: World, trouble: str) -> None:
    operator = world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    name = f"shared-{world.namespace}"
    nobody = {"matchLabels": {"kubernetes.io/metadata.name": "nobody"}}
    source: dict[str, Any] = {"storeRef": {"kind": "ClusterKeyStore", "name": name}}
    if trouble == "NamespaceNotSelected":
        world.apply(cluster_key_store(name, world.bao.url, world.mount, namespaceSelector=nobody))
    elif trouble == "PathOutsidePrefix":
        source = {"storeRef": {"name": "vault"}, "remoteRef": {"path": "../openai", "property": "api_key"}}
    world.apply(api_key_secret("llm", with_source(source)))

    world.is_ready()

    assert world.secret() == {"KEY": "sk-one"}
    ready = world.condition()
    said = "path '../openai'" if trouble == "PathOutsidePrefix" else f"ClusterKeyStore/{name} does not"
    assert ready["reason"] == "SourceUnusable"
    assert f"A source of KEY cannot be asked: {said}" in ready["message"]
    world.has_events("Created", "Refused")
    world.refreshes("1")
    operator.stop()
    world.start()
    world.refreshes("2")
    assert world.event_reasons() == ["Created", "Refused"]


def test_a_source_that_is_mended_is_no_longer_told(world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.has_store()
    world.apply(api_key_secret("llm", with_source({"storeRef": {"name": "tpyo"}})))
    world.is_ready()
    assert world.condition()["reason"] == "SourceUnusable"

    world.has_store("tpyo")

    world.until(lambda: world.condition()["reason"] == "Synced", "that is told")
    assert "cannot be asked" not in world.condition()["message"]


def test_a_source_that_cannot_be_asked_is_told_when_it_is_needed(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.apply(key_store("first", bao_proxy.url, world.mount, limits={"timeout": "2s"}))

    with bao_proxy.fault(Answer(503), path="/v1/"):
        world.apply(api_key_secret("llm", with_source({"storeRef": {"name": "tpyo"}}, storeRef={"name": "first"})))
        said = world.told("StoreError")

        assert "a source of KEY cannot be asked: KeyStore/tpyo does not exist" in said


def test_a_missing_entry_is_told_beside_one_from_another_store(bao_proxy: FaultProxy, world: World) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one")
    world.apply(key_store("first", bao_proxy.url, world.mount, limits={"timeout": "2s"}))
    world.has_store("second")
    own = with_source({"storeRef": {"name": "second"}}, storeRef={"name": "first"})
    maybe = entry("MAYBE", "llm/none", "x", optional=True)

    with bao_proxy.fault(Answer(503), path="/v1/"):
        world.apply(api_key_secret("llm", own, maybe, storeRef={"name": "second"}))
        world.is_ready()
        ready = world.condition()

    assert ready["reason"] == "Fallback"
    assert "The stores do not have MAYBE." in ready["message"]
    assert "KEY came from KeyStore/second" in ready["message"]


def test_two_extracts_of_one_key_are_told_apart(world: World) -> None:
    world.start()
    world.put("llm/shared", prod={"A": "1"}, dev={"A": "0"})
    world.has_store()
    both = [{"extract": {"path": "llm/shared", "property": each}} for each in ("prod", "nowhere")]
    world.apply(api_key_secret("llm", dataFrom=both))

    said = world.is_refused("PropertyNotFound")["message"]

    assert said.startswith("dataFrom[1] (llm/shared of KeyStore/vault)")


def test_names_that_are_values_are_not_shown(world: World) -> None:
    """A map of token to user, as nginx and others have it, where somebody forgot the property."""
    operator = world.start()
    world.put("llm/tokens", **{f"{CANARY} x": "user", "a": "b"})
    world.has_store()
    world.apply(api_key_secret("llm", dataFrom=[{"extract": {"path": "llm/tokens"}}]))

    message = world.is_refused("InvalidSpec")["message"]

    assert "name 2 of 2 ('kw-c...', 16 characters, with ' ')" in message
    said = json.dumps([world.object()["status"], world.events()]) + operator.log.read_text()
    assert CANARY not in said
