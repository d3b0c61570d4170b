"""``keywright check``: the operator looks anew, and what came of it is told, by an exit code too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from build import api_key_secret, credential, entry
from cli.terminal import call, keywright
from running import Operator
from vendors import VendorServer, serving
from world import Json, World

ENFORCED = {"format": "Enforce", "liveness": "Enforce"}
COLUMNS = ["NAME", "ISSUER", "KIND", "VERDICT", "SINCE", "EXPIRES", "VERSION"]


@pytest.fixture
def openai() -> Iterator[VendorServer]:
    with serving("openai") as server:
        yield server


def key(server: VendorServer, *, alive: bool = True) -> str:
    parts = server.vendor.samples()["project key"]
    if alive:
        server.vendor.knows(parts)
    return parts["apiKey"]


def starts(world: World, server: VendorServer) -> Operator:
    return world.start(f"--allow-issuer-endpoint={server.url}", "--condemn-seconds=1")


def has_key(world: World, server: VendorServer, value: str, check: Json, **more: Any) -> None:
    """Let there be a key in the store, and an object that says what it is."""
    world.put("llm/openai", api_key=value)
    world.has_store()
    named = [credential("openai", "OPENAI_API_KEY", server.url, check=check)]
    world.apply(api_key_secret("llm", entry("OPENAI_API_KEY", "llm/openai", "api_key"), credentials=named, **more))


def test_a_living_key_is_asked_about_anew_and_told(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    has_key(world, openai, key(openai), ENFORCED)
    world.is_ready()
    asked = len(openai.requests)

    said, told = call(world, "check", "llm"), call(world, "check", "llm", "-o", "json")

    head, _, columns, row = said.out.splitlines()
    assert (said.code, told.code, said.err) == (0, 0, "")
    assert head == f"{world.namespace}/llm: Ready (Synced)"
    assert columns.split() == COLUMNS
    assert row.split()[:5] == ["openai", "openai", "project", "key", "Valid"]
    assert row.split()[-2:] == ["-", "1"]
    (credentials,) = told.json["credentials"]
    assert credentials.items() >= {"name": "openai", "verdict": "Valid", "version": "1", "expiresAt": None}.items()
    assert (told.json["name"], told.json["ready"], told.json["reason"]) == ("llm", "True", "Synced")
    assert set(yaml.safe_load(call(world, "check", "llm", "-o", "yaml").out)) == set(told.json)
    # What it said a second ago is still as good as new.
    world.until(lambda: call(world, "check", "llm") and len(openai.requests) > asked, "OpenAI is asked anew")


def test_a_malformed_key_has_its_code_and_the_secret_keeps_what_it_holds(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    good, bad = key(openai), f"{key(openai)}\n"
    has_key(world, openai, good, ENFORCED)
    world.is_ready()

    with world.untouched():
        world.put("llm/openai", api_key=bad)
        said = call(world, "check", "llm")

    head, message, _, _, row = said.out.splitlines()
    assert (said.code, head) == (5, f"{world.namespace}/llm: not Ready (KeyMalformed)")
    assert message.startswith("  Credential openai: OPENAI_API_KEY ends with a newline")
    assert row.split()[4] == "Valid"
    assert bad.strip()[10:] not in said.everything


def test_a_key_that_is_refused_and_one_that_nobody_could_ask_about_are_told_apart(
    world: World, openai: VendorServer
) -> None:
    starts(world, openai)
    has_key(world, openai, key(openai, alive=False), ENFORCED)
    refused = call(world, "check", "llm")
    openai.mood = "broken"
    world.put("llm/openai", api_key=key(openai, alive=False))
    silent = call(world, "check", "llm")

    assert (refused.code, silent.code) == (6, 7)
    assert "not Ready (KeyInvalid)" in refused.out
    assert "OpenAI answered 401 (invalid_api_key) for credential openai" in refused.out
    assert "not Ready (KeyUnverified)" in silent.out
    assert "The Secret holds no credential that is known" in silent.out


def test_a_refused_key_that_was_written_all_the_same_has_the_code_too(world: World, openai: VendorServer) -> None:
    starts(world, openai)
    has_key(world, openai, key(openai, alive=False), {"liveness": "Warn"}, refreshInterval="10s")
    world.until(lambda: world.condition().get("reason") == "KeyWarning", "it is told")

    said = call(world, "check", "llm")

    assert (said.code, said.out.splitlines()[0]) == (6, f"{world.namespace}/llm: Ready (KeyWarning)")
    assert "Invalid" in said.out


def test_what_cannot_be_checked_says_why(world: World) -> None:
    world.apply(api_key_secret("llm", entry("KEY", "a/b", "c"), suspend=True))
    world.apply(api_key_secret("other", entry("KEY", "a/b", "c")))

    resting, waiting = call(world, "check", "llm"), call(world, "check", "other", "--timeout=1s")
    nothing = call(world, "check", "nothere")
    world.start()
    storeless = call(world, "check", "other")

    assert (resting.code, waiting.code, nothing.code, storeless.code) == (3, 1, 1, 3)
    assert resting.out == waiting.out == nothing.out == ""
    assert resting.err.startswith("llm: suspended: its stores are not read until `keywright resume ")
    assert waiting.err.startswith("other: not handled within 1 s; nobody leads: ")
    assert nothing.err == f"nothere: does not exist in namespace {world.namespace}\n"
    assert "not Ready (StoreNotFound)" in storeless.out


def test_help_tells_every_code() -> None:
    said = " ".join(keywright("check", "--help").out.partition("Exit code:")[2].partition("Options:")[0].split())

    assert [code for code in "01345678" if f"{code} if" not in said] == ["4"]
