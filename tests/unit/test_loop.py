"""The loop and its slots: nothing is lost, nothing old is believed. In process, with a stand-in for the work."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import pytest

from keywright.engine.calm import Calm
from keywright.engine.loop import Loop
from keywright.engine.queue import Key, Priority
from keywright.engine.reconcile import Leaving, Outcome, Reconciler
from keywright.engine.records import Record
from keywright.engine.reporter import Reporter
from keywright.engine.slots import HELD_BACK, PATIENCE, Slots
from keywright.errors import Reason

KEY = Key("team-a", "llm")


class Idle:
    """Finds every object in order, without asking anybody."""

    def __init__(self) -> None:
        self.calm = Calm()
        self.worked: list[tuple[str, bool]] = []

    async def reconcile(
        self, record: Record, waiting: Callable[[], AbstractAsyncContextManager[None]]
    ) -> Outcome | None:
        self.worked.append((record.key.name, record.ask))
        return None

    def as_written(self, record: Record) -> bool:
        return True

    def is_there(self, record: Record) -> bool:
        return True


def item(name: str = "llm", generation: int = 1, version: int = 1, **status: Any) -> dict[str, Any]:
    meta = {"namespace": "team-a", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    spec = {"storeRef": {"name": "vault"}, "data": [{"key": "KEY", "remoteRef": {"path": f"path-{generation}"}}]}
    return {"metadata": meta | {"generation": generation}, "spec": spec | {"refreshInterval": "1h"}, "status": status}


@contextlib.asynccontextmanager
async def looping(idle: Idle, *, concurrency: int = 2, alive_before: float | None = None) -> AsyncIterator[Loop]:
    """Run a loop."""
    loop = Loop(
        cast("Reconciler", idle),
        cast("Reporter", None),
        lambda _: True,
        lambda _: False,
        concurrency=concurrency,
        alive_before=time.time() if alive_before is None else alive_before,
    )
    running = asyncio.create_task(loop.run())
    yield loop
    running.cancel()


async def test_an_object_that_goes_in_the_moment_it_is_taken_keeps_no_slot() -> None:
    idle = Idle()
    async with looping(idle) as loop:
        await asyncio.sleep(0)
        for number in range(4):
            loop.observe(item(f"gone-{number}"))
            # The dispatcher takes it; its work has not begun.
            while len(loop.queue):  # noqa: ASYNC110
                await asyncio.sleep(0)
            loop.forget(Key("team-a", f"gone-{number}"))
            await asyncio.sleep(0.01)
        loop.observe(item("last"))
        await asyncio.sleep(0.05)

    assert idle.worked[-1] == ("last", True)


class Going(Idle):
    """Finds that an object is gone, while it is made anew."""

    def __init__(self) -> None:
        super().__init__()
        self.again: Callable[[], object] | None = None

    async def reconcile(
        self, record: Record, waiting: Callable[[], AbstractAsyncContextManager[None]]
    ) -> Outcome | None:
        self.worked.append((record.uid, record.ask))
        again, self.again = self.again, None
        if again:
            again()
            raise Leaving(Reason.CONFLICT, "it is gone")
        return None


async def test_an_object_that_is_made_anew_while_the_former_one_is_found_gone_is_looked_at() -> None:
    going, anew = Going(), item()
    anew["metadata"]["uid"] = "uid-anew"
    async with looping(going) as loop:
        going.again = lambda: loop.observe(anew)
        loop.observe(item())
        await asyncio.sleep(0.05)

    assert going.worked == [("uid-llm", True), ("uid-anew", True)]


async def test_what_a_watch_tells_late_does_not_undo_what_was_read_meanwhile() -> None:
    async with looping(Idle()) as loop:
        loop.observe(item(generation=1, version=10))
        loop.observe(item(generation=3, version=30))
        loop.observe(item(generation=2, version=20))

        assert loop.records[KEY].generation == 3
        assert b"path-3" in loop.records[KEY].spec


async def test_what_a_watch_tells_late_of_an_object_that_is_gone_is_not_said_of_the_next_one() -> None:
    anew, idle = item(version=12), Idle()
    anew["metadata"]["uid"] = "uid-anew"
    async with looping(idle) as loop:
        loop.observe(item(version=10))
        former = loop.records[KEY]
        loop.observe(anew)
        assert former.leaving

        # Kopf tells of each UID by itself, in whatever order.
        loop.observe(item(version=11))
        loop.forget(KEY, "uid-llm")
        await asyncio.sleep(0.05)

        assert loop.records[KEY].uid == "uid-anew"
        assert (loop.observe(item(version=11)), loop.forget(KEY, "uid-llm")) == (False, False)
        assert (loop.observe(anew), loop.forget(KEY, "uid-anew"), loop.forget(KEY)) == (True, True, True)


async def test_a_slot_that_was_missed_survives_a_look_at_the_target() -> None:
    idle = Idle()
    ready = {"type": "Ready", "status": "True"}
    async with looping(idle, alive_before=time.time() - 7200) as loop:
        loop.observe(item(conditions=[ready], observedGeneration=1))
        due = loop.schedule.at(KEY)
        assert due is not None
        assert due - time.time() < 61

        loop._enqueue(loop.records[KEY], Priority.NEW, ask=False)
        await asyncio.sleep(0.05)

        assert idle.worked == [("llm", False)]
        assert loop.schedule.at(KEY) == pytest.approx(due, abs=0.1)


async def test_reports_do_not_wait_for_an_urgent_object_that_is_gone() -> None:
    idle = Idle()
    loop = Loop(
        cast("Reconciler", idle), cast("Reporter", None), lambda _: True, lambda _: False, concurrency=1, alive_before=0
    )
    loop.observe(item())
    loop.forget(KEY)

    async with asyncio.timeout(0.5):
        await idle.calm.wait()


async def test_a_store_that_is_not_as_its_status_tells_makes_its_objects_unsettled() -> None:
    idle = Idle()
    loop = Loop(
        cast("Reconciler", idle),
        cast("Reporter", None),
        lambda _: False,
        lambda _: False,
        concurrency=1,
        alive_before=0,
    )
    loop.observe(item(conditions=[{"type": "Ready", "status": "True"}], observedGeneration=1))

    assert len(loop.queue) == 1
    assert loop.records[KEY].uses == {"KeyStore/team-a/vault"}


async def test_a_slot_is_lent_while_its_holder_waits_for_long() -> None:
    slots = Slots(1)
    await slots.take()
    async with slots.lent():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(PATIENCE / 2):
                await slots.take()
        async with asyncio.timeout(PATIENCE * 4):
            await slots.take()
        slots.worked()
        slots.done()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await slots.take()
    assert slots._places._value == HELD_BACK


async def test_a_slot_that_is_waited_with_for_a_moment_is_not_lent() -> None:
    slots = Slots(1)
    await slots.take()
    async with slots.lent():
        await asyncio.sleep(0)

    slots.worked()
    assert slots._slots._value == 1


async def test_a_single_worker_that_waits_for_a_store_gets_its_slot_back() -> None:
    class Slow(Idle):
        async def reconcile(
            self, record: Record, waiting: Callable[[], AbstractAsyncContextManager[None]]
        ) -> Outcome | None:
            async with waiting():
                await asyncio.sleep(PATIENCE * 2)
            return await super().reconcile(record, waiting)

    idle = Slow()
    async with looping(idle, concurrency=1) as loop:
        loop.observe(item())
        await asyncio.sleep(PATIENCE * 4)

    assert idle.worked == [("llm", True)]


async def test_a_quarrel_that_is_over_leaves_nothing_behind() -> None:
    class Drifted(Idle):
        def as_written(self, record: Record) -> bool:
            return False

    idle = Drifted()
    async with looping(idle) as loop:
        loop.observe(item())
        await asyncio.sleep(0.05)
        loop.records[KEY].contested = time.monotonic() + 300
        loop.target_changed(KEY, "llm")
        await asyncio.sleep(0.05)
        assert len(idle.worked) == 1

        loop.observe(item(generation=2, version=2))
        await asyncio.sleep(0.05)
        loop.target_changed(KEY, "llm")
        await asyncio.sleep(0.05)

    assert len(idle.worked) == 3
