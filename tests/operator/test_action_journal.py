"""What the journal of acts is told, and when: against the real API server, with a journal that notes what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from build import key_action
from keywright import cluster, errors, pacing
from keywright.decide import act
from keywright.engine.act_on import Asked
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


class Rotations:
    """Notes what is asked of it, and answers it in turn."""

    def __init__(self, *answers: act.Ended | errors.Error) -> None:
        self._answers = list(answers)
        self.asked: list[Asked] = []
        self.of: list[str] = []

    async def carry_out(self, asked: Asked, found: cluster.Json) -> act.Ended:
        self.asked.append(asked)
        self.of.append(found["metadata"]["name"])
        answer = self._answers.pop(0)
        if isinstance(answer, errors.Error):
            raise answer
        return answer

    def withdraw(self, uid: str) -> None:
        self.of.append(f"not {uid}")


async def over(
    world: World, api: cluster.Cluster, notes: Notes, item: Json, rotations: Rotations | None = None
) -> Json:
    """Carry out a KeyAction, of which a refresh would go well; return its last status."""

    async def refresh(_: Json) -> act.Ended:
        notes.heard.append(("done", None))
        return act.Ended(Reason.DONE, "It is done.")

    actions = Actions(api, Recorder(api, "test"), refresh, rotations or Rotations(), notes)
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


DONE = act.Ended(Reason.DONE, "The new key is in use.")
NOT_NOW = errors.Retry(Reason.ISSUER_UNAVAILABLE, "the issuer does not answer")
NEVER = errors.Stalled(Reason.ROTATION_OWNED_ELSEWHERE, "another object rotates it", "Ask there")


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        ({"action": "Rotate"}, {}),
        ({"action": "Rotate", "testOnly": True, "credential": "openai"}, {"test_only": True, "credential": "openai"}),
        ({"action": "Reissue", "takeOver": True}, {"take_over": True}),
        ({"action": "ForgetDebt", "debt": "key_1"}, {"debt": "key_1"}),
        ({"action": "ForgetDebt", "debt": "-"}, {"debt": ""}),
        (
            {"action": "ForgetDebt", "debt": "-", "madeFrom": "1970-01-01T00:10:00Z"},
            {"debt": "", "made_from": 600.0},
        ),
    ],
)
async def test_an_act_on_a_rotation_is_handed_on_as_it_was_asked(
    world: World, api: cluster.Cluster, spec: Json, asked: Json
) -> None:
    world.has_key()
    notes, rotations = Notes(world), Rotations(DONE)
    item = world.apply(key_action("act", **spec))

    status = await over(world, api, notes, item, rotations)

    at = pacing.unix(item["metadata"]["creationTimestamp"]) or 0.0
    assert rotations.asked == [Asked(item["metadata"]["uid"], spec["action"], **asked, at=at)]
    assert rotations.of == ["llm"]
    assert notes.heard == [("begin", None), ("Done", "Running")]
    assert notes.record and (notes.record.action, notes.record.credential) == (
        spec["action"],
        asked.get("credential", ""),
    )
    assert status["message"].startswith("The new key is in use. It is not proven who asked")


async def test_an_act_that_cannot_be_done_now_is_asked_again_under_its_name_and_one_that_never_can_fails(
    world: World, api: cluster.Cluster
) -> None:
    world.has_key()
    notes, rotations = Notes(world), Rotations(NOT_NOW, NEVER)

    status = await over(world, api, notes, world.apply(key_action("act", action="Rollback")), rotations)

    assert len(rotations.asked) == 2 and len(set(rotations.asked)) == 1
    # The leader goes on with what it has begun itself.
    assert notes.heard == [("begin", None), ("RotationOwnedElsewhere", "Running")]
    assert (status["phase"], status["reason"]) == ("Failed", "RotationOwnedElsewhere")
    assert status["message"].startswith("Another object rotates it. Ask there. It is not proven who asked")


async def test_an_act_with_consequences_waits_until_it_can_be_recorded(world: World, api: cluster.Cluster) -> None:
    world.has_key()
    notes, rotations = Notes(world, full=True), Rotations(DONE)
    actions = Actions(api, Recorder(api, "test"), nothing, rotations, notes)
    item = world.apply(key_action("act", action="RevokeNow"))

    actions.observe(item, gone=False)
    await asyncio.to_thread(world.until, lambda: len(notes.heard) >= 2, "it was tried again")

    actions.close()
    assert set(notes.heard) == {("begin", None)}
    assert rotations.asked == []
    assert "phase" not in world.object("act", "KeyAction")["status"]


async def nothing(_: Json) -> act.Ended:
    """Stand where a refresh is not asked for."""
    raise AssertionError("nobody asked for a refresh")
