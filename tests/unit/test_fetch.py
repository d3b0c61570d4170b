"""Reads are shared, paced and bounded, against a store that keeps its keys in a dictionary and has knobs."""

from __future__ import annotations

import asyncio
import http.client
import random
import re
import time
from typing import Any

import pytest

from keywright import errors
from keywright.engine.fetch import KEPT_ANSWERS, KEPT_SECONDS, WAITING, Parked, Question
from keywright.engine.opened import GRACE, PER_NAMESPACE, THREADS
from keywright.errors import Reason
from keywright.stores.base import Credentials, Ref, Store
from unit.desk import CANARY, Desk, Memory, Nothing, Place, settle

# Sharing.


async def test_five_hundred_who_ask_at_one_moment_are_served_by_one_read(desk: Desk) -> None:
    place = Place({"llm": "sk-1"})
    store, now = desk.opens(place), time.monotonic()

    answers = await asyncio.gather(*(desk.insists(store, "llm", f"team-{n}", now) for n in range(500)))

    assert answers == ["sk-1"] * 500
    assert place.reads == ["llm"]
    assert [error for _, error in desk.told] == [None]


async def test_an_answer_is_as_new_as_the_moment_it_was_asked_for(desk: Desk) -> None:
    place = Place({"slow": "old"})
    store = desk.opens(place)
    early = desk.starts(store, "slow")
    await place.has_begun(1)
    place.values["slow"] = "new"
    late = [desk.starts(store, "slow") for _ in range(10)]
    await settle()
    place.slow.set()

    assert await early == "old"
    assert await asyncio.gather(*late) == ["new"] * 10
    assert len(place.reads) == 2


async def test_an_answer_serves_those_who_asked_before_its_read_began_and_nobody_else(desk: Desk) -> None:
    place = Place({"llm": "one"})
    store, before = desk.opens(place), time.monotonic()
    await desk.reads(store, "llm")
    place.values["llm"] = "two"

    assert await desk.reads(store, "llm", since=before) == "one"
    assert await desk.reads(store, "llm") == "two"
    assert await desk.reads(store, "llm", since=before) == "two"
    assert len(place.reads) == 2


async def test_whenever_one_asks_the_answer_was_read_after_that(desk: Desk) -> None:
    def now(_: str) -> str:
        began = time.monotonic()
        time.sleep(0.002)
        return repr(began)

    store, chance = desk.opens(Place(answer=now)), random.Random(4)  # noqa: S311

    async def asks(at: float, path: str) -> float:
        await asyncio.sleep(at)
        since = time.monotonic()
        return float(await desk.insists(store, path, f"team-{path}", since)) - since

    moments = [(chance.uniform(0.0, 0.3), chance.choice("ab")) for _ in range(400)]
    margins = await asyncio.gather(*(asks(*each) for each in moments))

    assert min(margins) >= 0.0


async def test_other_logins_paths_and_versions_are_other_questions(desk: Desk) -> None:
    place = Place()
    store, now = desk.opens(place), time.monotonic()
    questions = [Question(store, identity, Ref(path, v)) for identity in "ab" for path in "xy" for v in (None, "1")]

    await asyncio.gather(*(desk.fetcher.read(each, now, "team-a", Nothing) for each in questions))

    assert sorted(place.reads) == ["x"] * 4 + ["y"] * 4


async def test_an_error_is_shared_under_the_same_rule(desk: Desk) -> None:
    place = Place(failing=errors.Stalled(Reason.NOT_FOUND, "answered 404 for llm", "Check the path"))
    store, now = desk.opens(place), time.monotonic()

    shared = await asyncio.gather(*(desk.insists(store, "llm", since=now) for _ in range(500)), return_exceptions=True)
    with pytest.raises(errors.Stalled, match=r"^KeyStore/memory answered 404 for llm$"):
        await desk.reads(store, "llm", since=now)
    assert {str(each) for each in shared} == {"KeyStore/memory answered 404 for llm"}
    assert len(place.reads) == 1

    place.failing = None
    assert await desk.reads(store, "llm") == "llm"
    assert len(place.reads) == 2


async def test_sharing_an_error_often_does_not_make_its_trace_longer(desk: Desk) -> None:
    store, now = desk.opens(Place(failing=errors.Stalled(Reason.NOT_FOUND, "answered 404"))), time.monotonic()
    lengths = set()
    for _ in range(20):
        with pytest.raises(errors.Stalled) as caught:
            await desk.reads(store, "llm", since=now)
        lengths.add(len(caught.traceback))

    assert len(lengths) <= 2


async def test_one_who_gives_up_takes_nobody_along(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    first = desk.starts(store, "slow")
    second = desk.starts(store, "slow")
    await place.has_begun(1)
    first.cancel()
    place.slow.set()

    assert await second == "slow"
    assert first.cancelled()
    assert len(place.reads) == 1


async def test_answers_are_forgotten_after_a_moment_and_when_there_are_many(desk: Desk) -> None:
    store = desk.opens(Place())
    for n in range(KEPT_ANSWERS + 20):
        await desk.reads(store, f"key-{n}")
    kept = desk.fetcher._answers
    assert len(kept) == KEPT_ANSWERS

    for question, answer in kept.items():
        kept[question] = answer._replace(started=answer.started - KEPT_SECONDS)
    desk.fetcher.sweep()
    assert len(kept) == 0
    assert desk.fetcher._flights == {}


# Limits.


async def test_a_store_with_a_full_waiting_room_parks_and_takes_reads_again_later(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    room = WAITING
    inside = [desk.starts(store, f"slow-{n}", f"team-{n}") for n in range(room)]
    await place.has_begun(THREADS)

    with pytest.raises(Parked) as parked:
        await desk.reads(store, "one-more")
    assert (parked.value.reason, parked.value.cause, parked.value.store) == (Reason.STORE_BUSY, None, store)
    assert place.busiest == THREADS

    place.slow.set()
    assert len(await asyncio.gather(*inside)) == room
    assert len(desk.left) == room
    assert await desk.reads(store, "one-more") == "one-more"


async def test_a_store_that_hangs_holds_only_so_many_of_those_who_work(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    asking = [desk.starts(store, f"slow-{n % 3}", f"team-{n % 50}") for n in range(200)]
    await place.has_begun(3)
    await settle()

    # Also those who share a read count: they too hold somebody who works.
    assert sum(not each.done() for each in asking) == WAITING
    place.slow.set()
    results = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(each, Parked) for each in results) == 200 - WAITING


async def test_a_namespace_has_only_so_many_reads_under_way_and_others_go_on(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    many = [desk.starts(store, f"slow-{n}", "storm") for n in range(20)]
    await place.has_begun(PER_NAMESPACE)
    await settle()
    assert place.busiest == PER_NAMESPACE

    assert await desk.reads(store, "quick", "calm") == "quick"
    place.slow.set()
    assert len(await asyncio.gather(*many)) == 20
    assert place.busiest <= PER_NAMESPACE + 1
    assert store._shares == {}


async def test_a_store_is_not_asked_more_often_than_it_may_be(desk: Desk) -> None:
    moments: list[float] = []
    rate, calls = 40.0, 60

    def note(path: str) -> str:
        moments.append(time.monotonic())
        return path

    store = desk.opens(Place(answer=note), rate=rate)
    started = store._bucket._at
    await asyncio.gather(*(desk.reads(store, f"key-{n}", f"team-{n}") for n in range(THREADS)))
    for n in range(THREADS, calls):
        await desk.reads(store, f"key-{n}")

    assert len(moments) == calls
    # A sleep may end a clock tick early.
    assert all(n <= rate + (at - started + 0.05) * rate for n, at in enumerate(sorted(moments), 1))


async def test_a_store_that_hangs_is_given_up_and_holds_up_no_other(desk: Desk) -> None:
    # The engine waits this much longer than the store: it gives up after a moment.
    hanging, healthy = desk.opens(Place(), timeout=0.05 - GRACE), desk.opens(Place())
    stuck = desk.starts(hanging, "slow")

    assert await desk.reads(healthy, "llm") == "llm"
    with pytest.raises(errors.Outage) as caught:
        await stuck
    assert caught.value.reason is Reason.STORE_TIMEOUT
    assert str(caught.value).startswith("KeyStore/memory did not answer within")
    assert hanging.waiting == 0


# The breaker.


async def test_a_store_that_is_down_is_left_alone_and_the_parked_know_why(desk: Desk) -> None:
    place = Place(failing=errors.Outage(Reason.STORE_SEALED, "is sealed", "Unseal it", after=60.0))
    store = desk.opens(place)
    for n in range(3):
        with pytest.raises(errors.Outage):
            await desk.reads(store, f"key-{n}")

    with pytest.raises(Parked) as parked:
        await desk.reads(store, "another")
    assert (parked.value.reason, parked.value.hint) == (Reason.STORE_SEALED, "Unseal it")
    assert parked.value.message == "KeyStore/memory is sealed"
    assert isinstance(parked.value.cause, errors.Outage)
    assert len(place.reads) == 3


async def test_after_the_pause_one_read_tries_and_its_answer_opens_the_way(desk: Desk) -> None:
    place = Place(failing=errors.Outage(Reason.STORE_SEALED, "is sealed", after=0.01))
    store = desk.opens(place)
    for n in range(3):
        with pytest.raises(errors.Outage):
            await desk.reads(store, f"key-{n}")
    place.failing = None
    await place.has_begun(3)
    await asyncio.sleep(0.02)

    trying = desk.starts(store, "slow")
    await place.has_begun(1)
    with pytest.raises(Parked):
        await desk.reads(store, "meanwhile")
    place.slow.set()
    assert await trying == "slow"
    assert await desk.reads(store, "meanwhile") == "meanwhile"


@pytest.mark.parametrize("failing", [ValueError(CANARY), errors.Stalled(Reason.NOT_FOUND, "answered 404")])
async def test_errors_that_are_not_the_stores_do_not_stop_it(desk: Desk, failing: Exception) -> None:
    place = Place(failing=failing)
    store = desk.opens(place)
    for n in range(5):
        with pytest.raises(errors.Error):
            await desk.reads(store, f"key-{n}")

    assert store.breaker.error is None
    assert len(place.reads) == 5


class Broken(Memory, name="broken"):
    """A store that cannot even be prepared."""

    def __init__(self, config: Any, credentials: Credentials, timeout: float) -> None:
        raise ValueError(CANARY)


@pytest.mark.parametrize("kind", [Memory, Broken])
async def test_a_bug_in_a_store_comes_out_without_its_text(
    desk: Desk, kind: type[Store], caplog: pytest.LogCaptureFixture
) -> None:
    store = desk.opens(Place(failing=ValueError(CANARY)), kind)

    with pytest.raises(errors.Retry) as caught:
        await desk.reads(store, "llm")
    assert caught.value.reason is Reason.INTERNAL_ERROR
    assert (caught.value.__context__, caught.value.__cause__) == (None, None)
    assert CANARY not in f"{caught.value!r} {caught.value.hint} {caplog.text}"
    assert re.search(r"ValueError at (desk|test_fetch)\.py:[0-9]+$", caplog.text, re.MULTILINE)


async def test_a_store_that_may_not_be_connected_to_is_a_matter_for_a_person(desk: Desk) -> None:
    def connect(_: str) -> str:
        http.client.HTTPConnection("127.0.0.1", 9).request("GET", "/")
        return "never"

    with pytest.raises(errors.Stalled) as caught:
        await desk.reads(desk.opens(Place(answer=connect)), "llm")
    assert caught.value.reason is Reason.ENDPOINT_FORBIDDEN
