"""What the journal of acts is told, and when: against the real API server, with a journal that notes what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from build import key_action
from keywright import cluster, errors
from keywright.decide import act
from keywright.engine.actions import ActionRecord, Actions
from keywright.errors import Reason
from keywright.events import Recorder
from keywright.settings import Settings
from world import Json, World


class Notes:
    """Notes what it is told, and in which phase the KeyAction was then."""

    def __init__(self, world: World, *, full: bool = False) -> None:
        self._world, self._full = world, full
        self.heard: list[tuple[str, str | None]] = []
        self.record: ActionRecord | None = None

    async def begin(self, action: ActionRecord) -> None:
        await self._note("begin", action)

    async def end(self, action: ActionRecord, code: str) -> None:
        await self._note(code, action)

    async def _note(self, said: str, action: ActionRecord) -> None:
        found = await asyncio.to_thread(self._world.object, action.name, "KeyAction")
        self.heard.append((said, found["status"].get("phase")))
        self.record = action
        if self._full:
            raise errors.Retry(Reason.KUBERNETES_UNAVAILABLE, "the journal is full")


@pytest.fixture
async def api(world: World) -> AsyncIterator[cluster.Cluster]:
    """A connection as an administrator."""
    made = await cluster.Cluster.connect(Settings(kubeconfig=str(world.plane.kubeconfig)))
    yield made
    await made.close()


async def over(world: World, api: cluster.Cluster, notes: Notes, item: Json) -> Json:
    """Carry out a KeyAction whose refresh goes well; return its last status."""

    async def refresh(_: Json) -> act.Ended:
        notes.heard.append(("done", None))
        return act.Ended(Reason.DONE, "It is done.")

    actions = Actions(api, Recorder(api, "test"), refresh, notes)
    # What the watch tells more than once is carried out once.
    for _ in range(2):
        actions.observe(item, gone=False)
    told = await asyncio.to_thread(
        world.until,
        lambda: world.object(item["metadata"]["name"], "KeyAction")["status"].get("completedAt"),
        "it is over",
    )
    assert told
    actions.close()
    status: Json = world.object(item["metadata"]["name"], "KeyAction")["status"]
    return status


@pytest.mark.parametrize("full", [False, True])
async def test_an_act_is_recorded_before_it_begins_and_before_its_end_is_told(
    world: World, api: cluster.Cluster, full: bool
) -> None:
    world.has_key()
    notes = Notes(world, full=full)
    item = world.apply(key_action("again", reason="Personnel", reference="#7", requestedBy="alice"))

    status = await over(world, api, notes, item)

    # A refresh goes on where nothing can be recorded.
    assert notes.heard == [("begin", None), ("done", None), ("Done", "Running")]
    assert status["phase"] == "Succeeded"
    target = world.object()["metadata"]
    assert notes.record == ActionRecord(
        uid=item["metadata"]["uid"],
        namespace=world.namespace,
        name="again",
        action="Refresh",
        api_key_secret="llm",
        api_key_secret_uid=target["uid"],
        generation=target["generation"],
        reason="Personnel",
        reference="#7",
        requested_by="alice",
        verified=False,
    )


async def test_an_act_that_does_not_begin_is_recorded_by_its_end(world: World, api: cluster.Cluster) -> None:
    notes = Notes(world)

    await over(world, api, notes, world.apply(key_action("again", "nothere")))

    assert notes.heard == [("ObjectNotFound", None)]
    assert notes.record and (notes.record.api_key_secret_uid, notes.record.generation) == ("", 0)
