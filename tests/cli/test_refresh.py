"""``keywright refresh``: asks, waits where told to, and says what became of it."""

from __future__ import annotations

import concurrent.futures

import pytest

from build import api_key_secret, entry
from cli.terminal import call, keywright
from world import World


def refresh_of(world: World, name: str) -> str:
    return str(world.object(name)["metadata"].get("annotations", {}).get("keywright.dev/refresh", ""))


def test_a_changed_key_is_there_once_the_wait_is_over(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    world.put("llm/openai", api_key="sk-two")

    said = call(world, "refresh", "llm", "--wait")

    assert (said.code, said.out) == (0, "llm: Ready (Synced)\n")
    assert world.secret() == {"OPENAI_API_KEY": "sk-two"}
    assert world.object()["status"]["lastHandledRefresh"] == refresh_of(world, "llm")


def test_each_call_asks_anew(world: World) -> None:
    world.has_key()

    first = call(world, "refresh", "llm")
    asked = refresh_of(world, "llm")
    call(world, "refresh", "llm")

    assert (first.code, first.out) == (0, "llm: a refresh is asked for\n")
    assert asked not in ("", refresh_of(world, "llm"))


def test_an_object_that_is_not_ready_afterwards_says_why(world: World) -> None:
    world.start()
    world.has_key()
    world.apply(api_key_secret("other", entry("KEY", "not/there", "api_key")))
    world.is_refused("NotFound", "other")
    world.is_ready()

    said = call(world, "refresh", "--all", "--wait")

    lines = said.out.splitlines()
    assert said.code == 3
    assert lines[:2] == ["llm: Ready (Synced)", "other: not Ready (NotFound)"]
    assert lines[2].startswith("  KeyStore/vault ")


def test_a_wait_in_vain_says_that_nobody_leads(world: World) -> None:
    world.has_key()

    said = call(world, "refresh", "llm", "--wait", "--timeout", "1s")

    assert said.code == 1
    assert said.out.startswith("llm: not handled within 1 s; nobody leads: ")


def test_an_object_that_is_deleted_meanwhile_ends_the_wait(world: World) -> None:
    world.has_key()
    with concurrent.futures.ThreadPoolExecutor() as threads:
        waiting = threads.submit(call, world, "refresh", "llm", "--wait")
        world.until(lambda: refresh_of(world, "llm"), "it is asked for")

        world.delete("ApiKeySecret", "llm")

        said = waiting.result()
    assert (said.code, said.out) == (1, "llm: was deleted meanwhile\n")


def test_a_name_that_does_not_exist_does_not_keep_others_from_being_asked(world: World) -> None:
    world.has_key()

    said = call(world, "refresh", "llm", "nothere")

    assert said.code == 1
    assert f"nothere: does not exist in namespace {world.namespace}\n" in said.out
    assert refresh_of(world, "llm")


def test_a_suspended_object_is_not_waited_for_and_is_told_how_it_is_taken_up(world: World) -> None:
    world.has_key(suspend=True)

    waited, asked = call(world, "refresh", "llm", "--wait"), call(world, "refresh", "llm")

    said = f"llm: suspended: its stores are not read until `keywright resume --namespace={world.namespace} llm` takes"
    assert (waited.code, asked.code) == (3, 0)
    assert waited.out == asked.out == f"{said} it up\n"


def test_an_object_that_is_suspended_meanwhile_ends_the_wait(world: World) -> None:
    world.has_key()
    with concurrent.futures.ThreadPoolExecutor() as threads:
        waiting = threads.submit(call, world, "refresh", "llm", "--wait")
        world.until(lambda: refresh_of(world, "llm"), "it is asked for")

        call(world, "suspend", "llm")

        said = waiting.result()
    assert said.code == 3
    assert said.out.startswith("llm: suspended: ")


def test_an_empty_namespace_has_nothing_to_refresh(world: World) -> None:
    said = call(world, "refresh", "--all", "--wait")

    assert (said.code, said.out) == (0, f"No ApiKeySecrets in namespace {world.namespace}.\n")


@pytest.mark.parametrize("arguments", [[], ["llm", "--all"], ["llm", "--timeout", "soon"]])
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    assert keywright("refresh", *arguments).code == 2
