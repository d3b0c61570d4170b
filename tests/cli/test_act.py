"""``keywright act``: makes a KeyAction in one's own name, waits where told to, and says what became of it."""

from __future__ import annotations

from typing import get_args

import pytest

from cli.terminal import call, keywright, person
from keywright import kinds
from keywright.cli import _asking, act
from world import Json, World

CREATE = {"apiGroups": ["keywright.dev"], "resources": ["keyactions"], "verbs": ["create", "get"]}


def made(world: World) -> list[Json]:
    found: list[Json] = world.must("GET", world.path("KeyAction"))["items"]
    return found


def test_an_act_is_asked_for_in_ones_own_name_and_waited_for(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    world.put("llm/openai", api_key="sk-two")

    said = call(world, "act", "refresh", "llm", "--reason=compromised", "--reference=SEC-12", "--wait")

    (only,) = made(world)
    name = only["metadata"]["name"]
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[0] == f"{name}: Succeeded (Done)"
    assert said.out.splitlines()[1].startswith("  Secret llm holds 1 of 1 keys from KeyStore/vault.")
    assert world.secret() == {"OPENAI_API_KEY": "sk-two"}
    assert name.startswith("refresh-llm-")
    assert only["spec"] == {
        "action": "Refresh",
        "apiKeySecret": "llm",
        "reason": "Compromised",
        "reference": "SEC-12",
        "requestedBy": "admin",
    }
    world.forget("llm/openai")
    said = call(world, "act", "refresh", "llm", "--reason=Test", "--wait")
    assert (said.code, "Failed (NotFound)\n  KeyStore/vault answered 404" in said.out) == (1, True)


def test_without_an_operator_an_act_is_asked_for_and_a_wait_is_in_vain(world: World) -> None:
    world.has_key()

    asked = call(world, "act", "refresh", "llm", "--reason=Scheduled")
    waited = call(world, "act", "refresh", "llm", "--reason=Scheduled", "--wait", "--timeout=1s")

    names = {each["metadata"]["name"] for each in made(world)}
    assert (asked.code, asked.out.removesuffix(": asked for\n") in names) == (0, True)
    assert (waited.code, waited.out.partition(":")[0] in names) == (1, True)
    assert ": not over within 1 s; nobody leads: " in waited.out


def test_what_is_refused_is_told_in_our_words(world: World) -> None:
    world.has_key()
    nobody = person(world)
    unknown = call(world, "act", "refresh", "nothere", "--reason=Test")
    denied = call(world, "act", "refresh", "llm", "--reason=Test", kubeconfig=nobody)

    assert (unknown.code, denied.code, made(world)) == (1, 1, [])
    assert unknown.err.startswith(f"Error: ApiKeySecret nothere does not exist in namespace {world.namespace}.")
    assert denied.err.startswith(f"Error: you have no right to create keyactions in namespace {world.namespace}.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["refresh", "llm"],
        ["rotate", "llm", "--reason=Test"],
        ["refresh", "llm", "--reason=because"],
        ["refresh", "llm", "--reason=Test", "--reference=see the mail of Monday"],
        ["refresh", "llm", "--reason=Test", "--reference=sk-proj-4f1a9b"],
    ],
)
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    assert keywright("act", *arguments).code == 2


def test_the_words_are_those_of_the_kind() -> None:
    fields = kinds.KeyActionSpec.model_fields

    assert set(act.ACTIONS) < set(get_args(fields["action"].annotation))
    assert get_args(fields["reason"].annotation) == _asking.REASONS
