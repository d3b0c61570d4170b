"""``keywright suspend`` and ``resume``."""

from __future__ import annotations

from cli.terminal import call
from world import World


def test_an_object_is_suspended_and_resumed_and_what_to_commit_is_told(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()

    said = call(world, "suspend", "llm")
    assert (said.code, said.err) == (0, "")
    assert f"ApiKeySecret {world.namespace}/llm is suspended." in said.out
    assert "  spec:\n    suspend: true\n" in said.out
    world.until(lambda: world.condition(type_="Suspended").get("status") == "True", "it is suspended")

    world.put("llm/openai", api_key="sk-two")
    assert "llm is suspended already: nothing was changed." in call(world, "suspend", "llm").out
    said = call(world, "resume", "llm")
    assert (said.code, said.err) == (0, "")
    assert f"ApiKeySecret {world.namespace}/llm is no longer suspended." in said.out
    world.secret_becomes({"OPENAI_API_KEY": "sk-two"})
    assert "suspend" not in world.object()["spec"]
    assert "llm is not suspended: there was nothing to resume." in call(world, "resume", "llm").out


def test_what_does_not_exist_cannot_be_suspended(world: World) -> None:
    said = call(world, "suspend", "nobody")

    assert said.code == 1
    assert "nobody" in said.err
