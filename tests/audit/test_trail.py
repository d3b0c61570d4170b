"""Records on their way into a real cluster: none is lost without a word, whatever the API server does meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import pathlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from audit.trails import in_order
from controlplane import Answer, ControlPlane, FaultProxy, Hang, LoseAnswer
from keywright import cluster, errors, settings
from keywright.audit import segment, verify
from keywright.audit.heads import SigningKey
from keywright.audit.record import Entry, Object, Type, Who
from keywright.audit.trail import MAX_WAITING, Trail
from keywright.audit.writer import Writer
from keywright.secret import SecretValue

Json = dict[str, Any]

WHO = Who(kind="ServiceAccount", name="system:serviceaccount:keywright-system:keywright", verified=True)
SEGMENTS = "/auditsegments"
MIB = 1024 * 1024


def entry(number: int = 0, kind: Type = Type.SYNC_WRITTEN, **more: Any) -> Entry:
    """Return an entry that is told from others by the name of its object."""
    about = Object(kind="ApiKeySecret", namespace="team-a", name=f"llm-{number}")
    return Entry(type=kind, code="Updated", who=WHO, object=about, **more)


class Desk:
    """A trail that writes through a proxy, and what is kept of it."""

    def __init__(self, plane: ControlPlane, proxy: FaultProxy, namespace: str, folder: pathlib.Path) -> None:
        self.plane, self.proxy, self.namespace = plane, proxy, namespace
        self._config = plane.admin_kubeconfig(folder / "config", server=proxy.url, ca_file=proxy.ca_file)
        self.key = SigningKey(SecretValue(os.urandom(32)))
        self.told: list[errors.Error | None] = []

    @contextlib.asynccontextmanager
    async def trail(self, mode: Any = "require", *, close: bool = True, **more: Any) -> AsyncIterator[Trail]:
        """Keep a trail for the time of the block, as a leader does."""
        api = await cluster.Cluster.connect(settings.Settings(kubeconfig=str(self._config)))
        trail = Trail(WHO, mode, self.told.append)
        given = {"who": WHO, "epoch": 3, "capacity": 64 * MIB, **more}
        make = functools.partial(Writer, api, self.namespace, self.key, **given)

        async def made() -> Writer:
            return make()

        running = asyncio.create_task(trail.run(made))
        try:
            yield trail
            if close:
                await trail.drain()
            running.cancel()
            if close:
                await trail.close()
        finally:
            running.cancel()
            await asyncio.wait([running])
            await api.close()

    def segments(self) -> list[Json]:
        path = segment.SEGMENTS.path(self.namespace)
        return in_order(self.plane.request("GET", path)[1]["items"])

    def lines(self) -> Iterator[bytes]:
        for item in self.segments():
            yield from segment.lines_of(item)

    def rows(self, kind: str = "") -> list[Json]:
        return [row for row in verify.Verifier().take_all(self.lines()) if row["type"].startswith(kind)]

    def names(self) -> list[str]:
        return [row["object"]["name"] for row in self.rows("sync.written")]

    def verdict(self) -> verify.Verdict:
        verifier = verify.Verifier()
        for line in self.lines():
            verifier.take(line)
        return verifier.verdict()

    def is_whole(self) -> bool:
        found = self.verdict()
        assert found.findings == (), list(map(str, found.findings))
        return True


@pytest.fixture
def desk(control_plane: ControlPlane, namespace: str, tmp_path: pathlib.Path) -> Iterator[Desk]:
    with FaultProxy(control_plane, tmp_path / "proxy") as proxy:
        yield Desk(control_plane, proxy, namespace, tmp_path)


async def until(there: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something holds, without holding up the event loop."""
    ends = time.monotonic() + seconds
    while not await asyncio.to_thread(there):
        assert time.monotonic() < ends
        await asyncio.sleep(0.05)


async def test_ten_thousand_records_at_once_are_all_there_in_their_order(desk: Desk) -> None:
    async with desk.trail() as trail:
        for number in range(10_000):
            trail.note(entry(number))

    assert desk.names() == [f"llm-{number}" for number in range(10_000)]
    assert desk.is_whole()
    # One write for hundreds of records: the last segment ends the log.
    assert len(desk.segments()) < 10_000 / 100


@pytest.mark.parametrize("fault", [LoseAnswer(), Answer(500), Answer(503), Answer(429, retry_after=0), Answer(403)])
async def test_a_record_is_there_once_whatever_becomes_of_the_answer(desk: Desk, fault: Any) -> None:
    async with desk.trail() as trail:
        with desk.proxy.fault(fault, method="POST", path=SEGMENTS, times=4):
            trail.note(entry(1))
            await asyncio.sleep(0.2)
            trail.note(entry(2))
            await until(lambda: desk.names() == ["llm-1", "llm-2"])

    assert desk.is_whole()


async def test_a_place_is_told_once_the_record_is_kept(desk: Desk) -> None:
    async with desk.trail() as trail:
        place = await trail.record(entry(7))

    (row,) = desk.rows("sync.written")
    assert place == f"{row['log']}/{row['seq']}"


async def test_an_intent_is_kept_before_the_act(desk: Desk) -> None:
    async with desk.trail() as trail:
        await trail.intent(entry(kind=Type.ACTION_INTENT, id="a-1"))

        (row,) = await asyncio.to_thread(desk.rows, "action.intent")

    assert row["id"] == "a-1"
    assert [each["id"] for each in desk.verdict().open] == ["a-1"]


async def test_no_act_begins_that_cannot_be_recorded(desk: Desk) -> None:
    async with desk.trail() as trail:
        await trail.record(entry(1))
        with desk.proxy.fault(Answer(507), method="POST", path=SEGMENTS):
            trail.note(entry(2))
            await until(lambda: trail.trouble is not None)
            with pytest.raises(errors.Retry) as caught:
                await trail.intent(entry(kind=Type.ACTION_INTENT, id="a-1"))

    assert caught.value.reason is errors.Reason.AUDIT_UNAVAILABLE
    # It was taken back; what had happened was kept, and people were told of both ends of the trouble.
    assert desk.rows("action") == []
    assert desk.names() == ["llm-1", "llm-2"]
    assert [bool(each) for each in desk.told] == [True, False]
    assert desk.is_whole()


async def test_an_act_that_need_not_wait_has_one_outcome_however_late_its_intent_is_kept(desk: Desk) -> None:
    async with desk.trail() as trail:
        await trail.record(entry(1))
        with desk.proxy.fault(Answer(507), method="POST", path=SEGMENTS):
            trail.note(entry(2))
            await until(lambda: trail.trouble is not None)
            await trail.intent(entry(kind=Type.ACTION_INTENT, id="a-1"), waits=False)
        trail.note(entry(kind=Type.ACTION_OUTCOME, id="a-1"))

    assert [row["type"] for row in desk.rows("action")] == ["action.intent", "action.outcome"]


async def test_intents_are_followed_over_logs_that_were_closed(desk: Desk) -> None:
    async with desk.trail(longest=1) as trail:
        await trail.intent(entry(kind=Type.ACTION_INTENT, id="a-1"))
        await trail.record(entry(1))
        await trail.record(entry(2))
    async with desk.trail(epoch=4) as trail:
        assert [row["id"] for row in await trail.left_open()] == ["a-1"]
        await trail.record(entry(kind=Type.ACTION_OUTCOME, id="a-1"))
    async with desk.trail(epoch=5) as trail:
        assert await trail.left_open() == []

    assert desk.verdict().open == ()
    assert desk.is_whole()


@pytest.mark.parametrize("line", ['{"type":"action.intent"}', '{"type":["action.intent"],"id":7}', 'action.intent"'])
async def test_a_segment_that_somebody_made_up_stops_nothing(desk: Desk, line: str) -> None:
    async with desk.trail(close=False) as trail:
        await trail.record(entry(1))
    (first,) = await asyncio.to_thread(desk.segments)
    log = first["spec"]["log"]
    made = {**first, "metadata": {"name": segment.name(log, 1), "labels": {segment.LOG: log}}}
    made["spec"] = {**first["spec"], "number": 1, "records": line}
    await asyncio.to_thread(desk.plane.request, "POST", segment.SEGMENTS.path(desk.namespace), made)

    async with desk.trail(epoch=4) as trail:
        assert await trail.record(entry(2))

    assert desk.names() == ["llm-1", "llm-2"]
    assert desk.verdict().findings


async def test_what_is_too_large_for_one_segment_goes_into_several(desk: Desk) -> None:
    long = Object(kind="ApiKeySecret", namespace="n" * 253, name='"' * 253, uid="u" * 253)
    async with desk.trail() as trail:
        for number in range(240):
            trail.note(entry(number).model_copy(update={"object": long, "secret": "s" * 253}))

    assert len(desk.rows("sync.written")) == 240
    assert desk.is_whole()


async def test_at_best_effort_an_act_goes_on_and_that_is_told(desk: Desk) -> None:
    async with desk.trail("best-effort") as trail:
        with desk.proxy.fault(Answer(507), method="POST", path=SEGMENTS):
            trail.note(entry(1))
            await until(lambda: trail.trouble is not None)
            await trail.intent(entry(kind=Type.ACTION_INTENT, id="a-1"))
        trail.note(entry(kind=Type.ACTION_OUTCOME, id="a-1"))

    assert [row["type"] for row in desk.rows()][2:-1] == ["action.intent", "breakglass.used", "action.outcome"]
    assert desk.verdict().open == ()


async def test_what_is_given_up_is_counted_and_the_count_is_recorded(desk: Desk) -> None:
    async with desk.trail() as trail:
        with desk.proxy.fault(Hang(), method="POST", path=SEGMENTS) as hangs:
            trail.note(entry(0))
            await asyncio.to_thread(hangs.wait)
            for number in range(MAX_WAITING + 5):
                trail.note(entry(number + 1))

    (lost,) = desk.rows("records.lost")
    assert lost["count"] == 5
    assert desk.verdict().lost == 5
    assert desk.names() == [f"llm-{number}" for number in range(MAX_WAITING + 1)]
    assert desk.is_whole()


async def test_a_trail_that_is_full_says_so_and_goes_on_once_there_is_room(desk: Desk) -> None:
    async with desk.trail(capacity=200_000) as trail:
        for number in range(600):
            trail.note(entry(number))
        await until(lambda: trail.trouble is not None)
        assert trail.trouble
        assert "has reached its" in trail.trouble.message
        kept = await asyncio.to_thread(desk.segments)
        for item in kept:
            path = segment.SEGMENTS.path(desk.namespace, item["metadata"]["name"])
            await asyncio.to_thread(desk.plane.request, "DELETE", path)
        await until(lambda: trail.trouble is None)

    reasons = [each and str(each.reason) for each in desk.told]
    assert "AuditUnavailable" in reasons
    assert reasons[-1] is None or reasons[-1] == "AuditNearlyFull"
    taken = [
        row["object"]["name"]
        for item in kept
        for row in verify.Verifier().take_all(segment.lines_of(item))
        if row["type"] == "sync.written"
    ]
    assert taken + desk.names() == [f"llm-{number}" for number in range(600)]


async def test_a_log_that_is_long_enough_is_followed_by_another(desk: Desk) -> None:
    async with desk.trail(longest=20_000) as trail:
        for number in range(200):
            trail.note(entry(number))
            if number % 40 == 39:
                await trail.drain()

    logs = desk.verdict().logs
    assert len(logs) > 2
    assert all(each.closed for each in logs)
    assert desk.names() == [f"llm-{number}" for number in range(200)]
    assert desk.is_whole()


async def test_the_next_leader_goes_on_behind_the_last_and_says_how_it_ended(desk: Desk) -> None:
    async with desk.trail() as trail:
        await trail.record(entry(1))
    async with desk.trail(close=False, epoch=4) as trail:
        await trail.intent(entry(kind=Type.ACTION_INTENT, id="a-1"))
        await trail.intent(entry(kind=Type.ACTION_INTENT, id="a-2"))
        await trail.record(entry(kind=Type.ACTION_OUTCOME, id="a-1"))
    async with desk.trail(epoch=5) as trail:
        await trail.record(entry(2))
        assert [row["id"] for row in await trail.left_open()] == ["a-2"]

    first, second, third = desk.verdict().logs
    assert second.previous
    assert third.previous
    assert (second.previous.log, third.previous.log) == (first.name, second.name)
    assert (first.closed, second.closed, third.closed) == (True, False, True)
    assert [row["generation"] for row in desk.rows("log.opened")] == [0, 1, 2]
    (recovered,) = desk.rows("log.recovered")
    assert (recovered["log"], recovered["count"]) == (third.name, 1)
    assert [each["id"] for each in desk.verdict().open] == ["a-2"]
    assert desk.verdict().state is verify.State.OPEN


async def test_two_who_write_at_once_leave_two_whole_logs(desk: Desk) -> None:
    async with desk.trail(epoch=1) as former:
        await former.record(entry(1))
        async with desk.trail(epoch=2) as latter:
            await latter.record(entry(2))
            # It does not know yet that it no longer leads.
            await former.record(entry(3))
            await latter.record(entry(4))

    assert sorted(desk.names()) == ["llm-1", "llm-2", "llm-3", "llm-4"]
    assert desk.is_whole()


async def test_in_the_place_of_a_segment_somebody_else_s_is_left_alone(desk: Desk) -> None:
    async with desk.trail() as trail:
        place = await trail.record(entry(1))
        assert place
        log = place.partition("/")[0]
        (first,) = await asyncio.to_thread(desk.segments)
        planted = {**first, "metadata": {"name": segment.name(log, 1), "namespace": desk.namespace}}
        path = segment.SEGMENTS.path(desk.namespace)
        status, _ = await asyncio.to_thread(desk.plane.request, "POST", path, planted)
        assert status == 201
        other = await trail.record(entry(2))

    assert other
    assert not other.startswith(log)
    assert desk.names().count("llm-2") == 1
    assert [str(each.problem) for each in desk.verdict().findings] == ["is not in its place"]


async def test_a_key_that_was_lost_is_replaced_and_told(desk: Desk) -> None:
    async with desk.trail() as trail:
        await trail.record(entry(1))
    pinned = desk.key.public
    desk.key = SigningKey(SecretValue(os.urandom(32)))
    async with desk.trail(epoch=4) as trail:
        await trail.record(entry(2))

    assert [row["code"] for row in desk.rows("log.opened")] == ["Started", "KeyReplaced"]
    assert desk.is_whole()
    verifier = verify.Verifier(trusted=[pinned])
    for line in desk.lines():
        verifier.take(line)
    assert [each.problem for each in verifier.verdict().findings] == [verify.Problem.KEY_UNKNOWN]


async def test_nothing_is_written_where_nothing_is_to_be_recorded(desk: Desk) -> None:
    async with desk.trail("off", close=False) as trail:
        trail.note(entry(1))
        await trail.intent(entry(kind=Type.ACTION_INTENT, id="a-1"))
        assert await trail.record(entry(2)) is None

    assert desk.segments() == []
