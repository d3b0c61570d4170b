"""Five who write one Secret at once: nobody loses what is his, and a quarrel is told by names."""

from __future__ import annotations

import base64
import concurrent.futures
from collections.abc import Callable

from build import api_key_secret, entry
from controlplane import AuditEntry
from world import World

WRITERS = tuple(f"writer-{number}" for number in range(5))
EDITS = 10


def write(world: World, writer: str, **entries: str) -> None:
    """Write entries of the Secret ``app`` as a field manager of its own."""
    data = {name: base64.b64encode(value.encode()).decode() for name, value in entries.items()}
    path = f"/api/v1/namespaces/{world.namespace}/secrets/app?fieldManager={writer}"
    world.must("PATCH", path, {"data": data}, "application/merge-patch+json")


def at_once(act: Callable[[str], None]) -> None:
    """Let all writers act at the same time, and wait for them."""
    with concurrent.futures.ThreadPoolExecutor(len(WRITERS)) as pool:
        for each in [pool.submit(act, writer) for writer in WRITERS]:
            each.result()


def writes_entries(each: AuditEntry) -> bool:
    return each.resource == "secrets" and each.verb in ("create", "patch", "update")


def test_writers_of_their_own_entries_and_a_key_that_changes_lose_nothing(world: World) -> None:
    world.start()
    world.has_key(target={"name": "app"})
    world.is_ready()

    def edit(writer: str) -> None:
        for number in range(EDITS):
            write(world, writer, **{writer.upper().replace("-", "_"): str(number)})
            if writer == WRITERS[0]:
                world.put("llm/openai", api_key=f"sk-{number}")
                world.annotate("llm", refresh=str(number))

    at_once(edit)

    last = str(EDITS - 1)
    theirs = {f"WRITER_{number}": last for number in range(len(WRITERS))}
    world.secret_becomes({"OPENAI_API_KEY": f"sk-{last}", **theirs}, "app")
    world.is_ready()
    assert "DriftContested" not in world.event_reasons()


def test_writers_of_our_entry_are_named_and_the_last_word_is_the_stores(world: World) -> None:
    operator = world.start()
    world.put("llm/openai", api_key="sk-one", org="acme")
    world.has_store()
    first, second = entry("KEY", "llm/openai", "api_key"), entry("ORG", "llm/openai", "org")
    world.apply(api_key_secret("llm", first, second, target={"name": "app"}))
    world.is_ready()
    mark = world.plane.mark()

    def quarrel(writer: str) -> None:
        # As long as Keywright answers: after that there is nothing left to fight about.
        while world.condition()["reason"] != "DriftContested":
            write(world, writer, KEY=f"sk-{writer}")

    at_once(quarrel)

    said = world.is_refused("DriftContested")["message"]
    assert any(writer in said for writer in WRITERS)
    held = world.secret("app")
    assert held and held["ORG"] == "acme"
    written = [each for each in world.requests(operator, mark) if writes_entries(each)]
    assert len(written) < EDITS * len(WRITERS), "a quarrel is bounded"

    world.annotate("llm", refresh="enough")
    world.secret_becomes({"KEY": "sk-one", "ORG": "acme"}, "app")
    world.is_ready()


def test_five_objects_that_merge_into_one_secret_while_others_write_it(world: World) -> None:
    world.start()
    world.secret_is("app", {"THEIRS": "1"})
    world.has_store()
    for writer in WRITERS:
        world.put(f"llm/{writer}", api_key="sk-one")

    def merge(writer: str) -> None:
        name = writer.upper().replace("-", "_")
        target = {"name": "app", "creationPolicy": "Merge"}
        world.apply(api_key_secret(writer, entry(name, f"llm/{writer}", "api_key"), target=target))
        for number in range(EDITS):
            write(world, writer, **{f"THEIRS_{name}": str(number)})
        world.put(f"llm/{writer}", api_key="sk-two")
        world.annotate(writer, refresh="1")

    at_once(merge)

    ours = {f"WRITER_{number}": "sk-two" for number in range(len(WRITERS))}
    theirs = {f"THEIRS_{name}": str(EDITS - 1) for name in ours}
    world.secret_becomes({"THEIRS": "1", **ours, **theirs}, "app")
    for writer in WRITERS:
        world.is_ready(writer)
