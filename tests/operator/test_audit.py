"""The audit trail of a running operator: what it holds, and that it holds all, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

from audit.trails import Kept
from world import World

Json = dict[str, Any]


def test_what_a_sync_writes_is_recorded_with_its_versions(world: World) -> None:
    world.start()
    world.has_key()
    world.is_ready()
    trail = Kept(world)

    written = trail.has("sync.written", code="Created")

    assert written["object"]["name"] == "llm"
    assert written["secret"] == "llm"
    (key,) = written["keys"]
    assert (key["key"], key["store"], key["path"], key["new"]["version"]) == (
        "OPENAI_API_KEY",
        "KeyStore/vault",
        "llm/openai",
        "1",
    )
    assert written["who"]["name"] == f"system:serviceaccount:{world.system}:keywright"
    assert written["who"]["verified"] is True
    assert "old" not in key
    history = world.object()["status"]["history"]
    assert [(each["act"], each["keys"]) for each in history] == [("Created", ["OPENAI_API_KEY"])]
    assert history[0]["record"] == f"{written['log']}/{written['seq']}"
