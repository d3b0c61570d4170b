"""An object that was in order and is edited into something that cannot be: its Secret stays as it is."""

from __future__ import annotations

from typing import Any

import pytest

from build import api_key_secret, entry
from world import World

GOOD = entry("KEY", "llm/openai", "api_key")


@pytest.mark.parametrize(
    ("reason", "edited"),
    [
        ("ForbiddenType", api_key_secret("llm", GOOD, target={"type": "kubernetes.io/service-account-token"})),
        ("TargetTypeDiffers", api_key_secret("llm", GOOD, target={"type": "kubernetes.io/basic-auth"})),
        ("PathOutsidePrefix", api_key_secret("llm", entry("KEY", "llm/../llm/openai", "api_key"))),
        ("StoreNotFound", api_key_secret("llm", GOOD, storeRef={"name": "none"})),
        ("NoDefaultStore", api_key_secret("llm", GOOD, storeRef=None)),
        ("NotFound", api_key_secret("llm", entry("KEY", "llm/none", "api_key"))),
        ("PropertyNotFound", api_key_secret("llm", entry("KEY", "llm/openai", "none"))),
        ("DecodeFailed", api_key_secret("llm", entry("KEY", "llm/openai", "api_key", decode="Base64"))),
        ("InvalidSpec", api_key_secret("llm", entry("KEY", "llm/openai", remote={"jmesPath": "api_key["}))),
        ("ValueTooLarge", api_key_secret("llm", GOOD, entry("A", "large", "text"), entry("B", "large", "text"))),
        ("TargetOwnedElsewhere", api_key_secret("llm", GOOD, target={"name": "theirs"})),
        ("TargetExists", api_key_secret("llm", GOOD, target={"name": "foreign"})),
    ],
)
def test_the_last_good_secret_stays(world: World, reason: str, edited: dict[str, Any]) -> None:
    world.start()
    world.put("llm/openai", api_key="sk-one!")
    world.put("large", text="x" * 600_000)
    world.has_store()
    world.secret_is("foreign", {"theirs": "value"})
    world.apply(api_key_secret("theirs", GOOD))
    world.apply(api_key_secret("llm", GOOD))
    world.is_ready("theirs")
    world.is_ready()

    with world.untouched(), world.untouched("theirs"), world.untouched("foreign"):
        world.apply(edited)
        world.is_refused(reason)
        assert world.object()["status"]["observedGeneration"] == 2
        assert world.condition(type_="Stalled")["status"] == "True"

    world.apply(api_key_secret("llm", GOOD))
    world.is_ready()
