"""Which key is next: none is lost, none is worked on twice at once, namespaces take turns, nobody starves."""

from __future__ import annotations

import asyncio
import collections

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from keywright.engine.queue import Key, Priority, Queue

keys = st.builds(Key, st.sampled_from("abc"), st.sampled_from("xyz"))
priorities = st.sampled_from(Priority)


class Queueing(RuleBasedStateMachine):
    """A queue beside the plainest account of what must be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.now = Queue(), 0.0
        self.waiting: dict[Key, tuple[Priority, float]] = {}
        self.again: dict[Key, tuple[Priority, float]] = {}
        self.working: list[Key] = []

    @rule(key=keys, priority=priorities)
    def add(self, key: Key, priority: Priority) -> None:
        self.now += 1.0
        place = self.again if key in self.working else self.waiting
        before = place.get(key, (priority, self.now))
        place[key] = (min(before[0], priority), before[1])
        self.queue.add(key, priority, self.now)

    @rule(key=keys)
    def discard(self, key: Key) -> None:
        self.waiting.pop(key, None)
        self.again.pop(key, None)
        self.queue.discard(key)

    @precondition(lambda self: self.waiting)
    @rule()
    def take(self) -> None:
        key, priority, since = self.queue.take()
        assert key not in self.working
        assert (priority, since) == self.waiting.pop(key)
        self.working.append(key)

    @precondition(lambda self: not self.waiting)
    @rule()
    def take_from_nothing(self) -> None:
        with pytest.raises(LookupError):
            self.queue.take()

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.working))
        self.working.remove(key)
        if key in self.again:
            self.waiting[key] = self.again.pop(key)
        self.queue.done(key)

    @invariant()
    def knows_what_waits(self) -> None:
        assert len(self.queue) == len(self.waiting)
        assert all(key in self.queue for key in [*self.waiting, *self.working])

    def teardown(self) -> None:
        for key in list(self.working):
            self.queue.done(key)
        left = {self.queue.take()[0] for _ in range(len(self.queue))}
        assert left == self.waiting.keys() | self.again.keys()
        assert len(self.queue) == 0


TestQueueing = Queueing.TestCase


def _filled(*groups: tuple[str, int, Priority]) -> Queue:
    """A queue with so many keys of each namespace, added group by group."""
    queue = Queue()
    for namespace, count, priority in groups:
        for n in range(count):
            queue.add(Key(namespace, f"{priority.name}-{n}"), priority, 0.0)
    return queue


def _taken(queue: Queue, count: int) -> list[tuple[Key, Priority]]:
    return [queue.take()[:2] for _ in range(count)]


@pytest.mark.parametrize("priority", Priority)
def test_a_namespace_does_not_wait_behind_the_storm_of_another(priority: Priority) -> None:
    queue = _filled(("storm", 1000, priority), ("quiet", 3, priority), ("calm", 3, priority))

    first = collections.Counter(key.namespace for key, _ in _taken(queue, 9))

    assert first == {"storm": 3, "quiet": 3, "calm": 3}


def test_keys_of_one_namespace_come_in_the_order_in_which_they_were_added() -> None:
    queue = _filled(("a", 5, Priority.CHANGE))

    assert [key.name for key, _ in _taken(queue, 5)] == [f"CHANGE-{n}" for n in range(5)]


def test_a_namespace_that_comes_back_goes_to_the_end_of_the_line() -> None:
    queue = _filled(("a", 1, Priority.NEW), ("b", 2, Priority.NEW))
    key, _ = _taken(queue, 1)[0]
    queue.done(key)
    queue.add(key, Priority.NEW, 0.0)

    assert [each.namespace for each, _ in _taken(queue, 3)] == ["b", "a", "b"]


def test_the_urgent_go_first() -> None:
    queue = _filled(("a", 2, Priority.REFRESH), ("a", 2, Priority.CHANGE), ("a", 2, Priority.NEW))

    assert [priority for _, priority in _taken(queue, 6)] == sorted([*Priority, *Priority])


def test_a_waiting_key_that_becomes_urgent_overtakes_and_keeps_its_age() -> None:
    queue = _filled(("a", 3, Priority.CHANGE))
    late = Key("a", "late")
    queue.add(late, Priority.REFRESH, 1.0)
    queue.add(late, Priority.NEW, 2.0)
    queue.add(late, Priority.REFRESH, 3.0)

    assert queue.take() == (late, Priority.NEW, 1.0)
    assert late not in {key for key, _ in _taken(queue, 3)}


@pytest.mark.parametrize("priority", [Priority.CHANGE, Priority.REFRESH])
def test_no_flood_of_others_starves_a_key(priority: Priority) -> None:
    floods = [("flood", 200, each) for each in Priority if each is not priority]
    queue = _filled(*floods, ("a", 1, priority))

    assert (Key("a", f"{priority.name}-0"), priority) in _taken(queue, 16)


def test_most_turns_belong_to_the_urgent_even_beside_floods() -> None:
    queue = _filled(*[("flood", 200, each) for each in Priority])

    turns = collections.Counter(priority for _, priority in _taken(queue, 160))

    assert turns == {Priority.NEW: 140, Priority.CHANGE: 10, Priority.REFRESH: 10}


async def _next(queue: Queue) -> tuple[Key, Priority, float]:
    """Take the next key when there is one."""
    await queue.filled()
    return queue.take()


async def test_who_waits_for_a_key_gets_it_when_it_comes() -> None:
    queue, key = Queue(), Key("a", "x")
    waiting = asyncio.create_task(_next(queue))
    await asyncio.sleep(0)
    queue.add(key, Priority.NEW, 1.0)

    assert await waiting == (key, Priority.NEW, 1.0)


async def test_a_key_that_was_added_while_it_was_worked_on_comes_back_when_that_is_done() -> None:
    queue, key = Queue(), Key("a", "x")
    queue.add(key, Priority.REFRESH, 1.0)
    await _next(queue)
    queue.add(key, Priority.CHANGE, 2.0)
    waiting = asyncio.create_task(_next(queue))
    await asyncio.sleep(0)
    assert not waiting.done()
    queue.done(key)

    assert await waiting == (key, Priority.CHANGE, 2.0)


async def test_many_workers_work_on_every_key_and_never_on_one_at_the_same_time() -> None:
    queue, under_way, worked = Queue(), set[Key](), collections.Counter[Key]()
    wanted = [Key(namespace, str(n)) for namespace in "abc" for n in range(20)]

    async def work() -> None:
        while True:
            key, _, _ = await _next(queue)
            assert key not in under_way
            under_way.add(key)
            await asyncio.sleep(0)
            under_way.remove(key)
            worked[key] += 1
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(8)]
    for _ in range(3):
        for key in wanted:
            queue.add(key, Priority.CHANGE, 0.0)
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert [worker for worker in workers if worker.done()] == []
    for worker in workers:
        worker.cancel()

    assert [key for key in wanted if key in queue] == []
    assert worked.keys() == set(wanted)
    assert max(worked.values()) <= 3
