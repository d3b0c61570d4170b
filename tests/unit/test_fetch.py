"""Reads are shared, paced and bounded, against a store that keeps its keys in a dictionary and has knobs."""

from __future__ import annotations

import asyncio
import dataclasses
import http.client
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from keywright import errors
from keywright.engine.egress import Scope
from keywright.engine.fetch import KEPT_ANSWERS, KEPT_SECONDS, WAITING, Fetcher, Parked, Question
from keywright.engine.opened import GRACE, LOGIN_PAUSE, PER_NAMESPACE, RENEW_AT, THREADS, Login, OpenedStore
from keywright.errors import Reason
from keywright.schema import CaProvider, SecretKeyRef, ServiceAccountRef, Spec
from keywright.secret import SecretValue
from keywright.stores.base import Credentials, Fetched, Ref, Store

CANARY = "canary-7f3a9c"
DOWN = errors.Outage(Reason.STORE_UNREACHABLE, "does not answer")


@dataclasses.dataclass
class Place:
    """Where the keys of a store are, how it behaves, and what happened to it."""

    values: dict[str, str] = dataclasses.field(default_factory=dict)
    holds: float | None = None
    slow: threading.Event = dataclasses.field(default_factory=threading.Event)
    """Reads of paths that begin with ``slow`` end when this is set."""
    failing: Exception | None = None
    login_failing: Exception | None = None
    login_waits: bool = False
    refused: set[int] = dataclasses.field(default_factory=set)
    """Numbers of logins that are no longer accepted."""
    answer: Callable[[str], str] | None = None

    reads: list[str] = dataclasses.field(default_factory=list)
    logins: int = 0
    renewals: int = 0
    busy: int = 0
    busiest: int = 0
    begun: threading.Semaphore = dataclasses.field(default_factory=lambda: threading.Semaphore(0))
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    async def has_begun(self, count: int) -> None:
        """Wait until so many more calls have begun."""
        for _ in range(count):
            await asyncio.to_thread(self.begun.acquire)


class Memory(Store, name="memory"):
    """A store in the memory of the test."""

    Config = Spec

    @classmethod
    def identity(cls, config: Any, namespace: str) -> str:
        return ""

    def __init__(self, config: Any, credentials: Credentials, timeout: float) -> None:
        self.place: Place = config
        self.number = 0

    def login(self) -> float | None:
        with self.place.lock:
            self.place.logins += 1
            self.number = self.place.logins
        if self.place.login_waits:
            self.place.begun.release()
            self.place.slow.wait()
        if self.place.login_failing:
            raise self.place.login_failing
        return self.place.holds

    def renew(self) -> float | None:
        self.place.renewals += 1
        if self.place.login_failing:
            raise self.place.login_failing
        return self.place.holds

    def fetch(self, ref: Ref) -> Fetched:
        place, number = self.place, self.number
        with place.lock:
            place.reads.append(ref.path)
            place.busy += 1
            place.busiest = max(place.busiest, place.busy)
        value = place.answer(ref.path) if place.answer else place.values.get(ref.path, ref.path)
        place.begun.release()
        if ref.path.startswith("slow"):
            place.slow.wait()
        with place.lock:
            place.busy -= 1
        if number in place.refused:
            raise errors.LoginExpired(Reason.ACCESS_DENIED, f"answered 403 for {ref.path}")
        if place.failing:
            raise place.failing
        return Fetched(SecretValue(value), is_map=False)


class Nothing:
    """Credentials that nobody asks for."""

    namespace = "team-a"

    def secret(self, ref: SecretKeyRef) -> SecretValue:
        return SecretValue(ref.key)

    def ca(self, provider: CaProvider) -> str:
        return provider.key

    def service_account_token(self, ref: ServiceAccountRef, audience: str, seconds: int) -> SecretValue:
        return SecretValue(f"{ref.name}{audience}{seconds}")


class Desk:
    """A fetcher with stores, and what it told."""

    def __init__(self) -> None:
        self.told: list[tuple[Question, errors.Error | None]] = []
        self.left: list[OpenedStore] = []
        self.fetcher = Fetcher(lambda question, error: self.told.append((question, error)), self.left.append)
        self.places: list[Place] = []
        self.opened: list[OpenedStore] = []

    def opens(
        self, place: Place, kind: type[Store] = Memory, *, timeout: float = 30.0, rate: float = 1e6
    ) -> OpenedStore:
        self.places.append(place)
        self.opened.append(OpenedStore("KeyStore/memory", kind, place, timeout=timeout, rate=rate, scope=Scope()))
        return self.opened[-1]

    async def reads(
        self, store: OpenedStore, path: str, namespace: str = "team-a", since: float | None = None, identity: str = ""
    ) -> str:
        question = Question(store, identity, Ref(path))
        since = time.monotonic() if since is None else since
        waits = frozenset() if self.fetcher.kept(question, since) else frozenset({store})
        with self.fetcher.waiting(waits):
            return (await self.fetcher.read(question, since, namespace, Nothing)).value.reveal().decode()

    async def insists(
        self, store: OpenedStore, path: str, namespace: str = "team-a", since: float | None = None, identity: str = ""
    ) -> str:
        """Read as the engine does: whoever finds the store busy comes back with the same question."""
        since = time.monotonic() if since is None else since
        while True:
            try:
                return await self.reads(store, path, namespace, since, identity)
            except Parked as parked:
                if parked.cause:
                    raise
            await asyncio.sleep(0)

    def starts(self, store: OpenedStore, path: str, namespace: str = "team-a") -> asyncio.Task[str]:
        return asyncio.create_task(self.reads(store, path, namespace))


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A desk; at the end nothing hangs any more."""
    made = Desk()
    yield made
    for place in made.places:
        place.slow.set()
    for opened in made.opened:
        opened.close()


async def _settle() -> None:
    """Let everything run that can run without a store's answer."""
    for _ in range(20):
        await asyncio.sleep(0)


def _grown_old(store: OpenedStore, identity: str = "") -> Login:
    """Make a login one that was made some time ago."""
    login = store._logins[identity]
    assert login.at is not None
    login.at -= LOGIN_PAUSE
    return login


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
    await _settle()
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
    await _settle()

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
    await _settle()
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
    assert "ValueError at test_fetch.py:" in caplog.text


async def test_a_store_that_may_not_be_connected_to_is_a_matter_for_a_person(desk: Desk) -> None:
    def connect(_: str) -> str:
        http.client.HTTPConnection("127.0.0.1", 9).request("GET", "/")
        return "never"

    with pytest.raises(errors.Stalled) as caught:
        await desk.reads(desk.opens(Place(answer=connect)), "llm")
    assert caught.value.reason is Reason.ENDPOINT_FORBIDDEN


# Logins.


async def test_there_is_one_login_for_each_identity(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    reads = (desk.insists(store, f"key-{n}", f"team-{n}", identity="ab"[n % 2]) for n in range(30))

    assert len(await asyncio.gather(*reads)) == 30
    assert place.logins == 2


async def test_a_login_that_is_no_longer_accepted_is_made_anew_once(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    await desk.reads(store, "llm")
    _grown_old(store)
    place.refused = {1}

    assert await desk.reads(store, "llm") == "llm"
    assert (place.logins, len(place.reads)) == (2, 3)


async def test_what_a_new_login_may_not_read_either_is_denied_for_good(desk: Desk) -> None:
    place = Place(refused=set(range(100)))
    store = desk.opens(place)
    for n in range(3):
        with pytest.raises(errors.Stalled, match=rf"^KeyStore/memory answered 403 for key-{n}$") as caught:
            await desk.reads(store, f"key-{n}")
        assert caught.value.reason is Reason.ACCESS_DENIED
    assert place.logins == 1

    _grown_old(store)
    reads = len(place.reads)
    with pytest.raises(errors.Stalled):
        await desk.reads(store, "key-9")
    assert (place.logins, len(place.reads)) == (2, reads + 2)


async def test_many_who_are_refused_at_once_share_one_new_login(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    await desk.reads(store, "llm")
    _grown_old(store)
    place.refused = {1}
    answers = await asyncio.gather(*(desk.insists(store, f"key-{n}", f"team-{n}") for n in range(30)))

    assert answers == [f"key-{n}" for n in range(30)]
    assert place.logins == 2


async def test_one_who_is_refused_after_others_have_logged_in_again_reads_with_the_new_login(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    await desk.reads(store, "llm")
    _grown_old(store)
    place.refused = {1}
    late = desk.starts(store, "slow")
    await place.has_begun(2)
    assert await desk.reads(store, "llm") == "llm"
    assert place.logins == 2
    place.slow.set()

    assert await late == "slow"
    assert place.logins == 2


async def test_a_burst_on_a_login_that_fails_makes_one_attempt_and_then_there_is_a_pause(desk: Desk) -> None:
    place = Place(login_failing=errors.Stalled(Reason.AUTH_FAILED, "answered 400 to the login"), login_waits=True)
    store = desk.opens(place)
    burst = [asyncio.create_task(desk.insists(store, f"key-{n}", f"team-{n}")) for n in range(30)]
    await place.has_begun(1)
    place.slow.set()

    results = await asyncio.gather(*burst, return_exceptions=True)
    assert {str(each) for each in results} == {"KeyStore/memory answered 400 to the login"}
    assert (place.logins, place.reads) == (1, [])

    place.login_failing = None
    with pytest.raises(errors.Stalled):
        await desk.reads(store, "llm")
    assert place.logins == 1
    login = store._logins[""]
    assert login.failed
    login.failed = login.failed[0] - login.pause, login.failed[1]
    assert await desk.reads(store, "llm") == "llm"


async def test_a_login_is_renewed_at_two_thirds_of_its_time(desk: Desk) -> None:
    place = Place(holds=3600.0)
    store = desk.opens(place)
    await desk.reads(store, "llm")
    login = store._logins[""]
    assert login.at is not None
    assert login.due - login.at == pytest.approx(3600.0 * RENEW_AT)
    assert login.ends - login.at == pytest.approx(3600.0)
    await desk.reads(store, "llm")
    assert place.renewals == 0

    login.due = time.monotonic()
    await asyncio.gather(*(desk.reads(store, f"key-{n}", f"team-{n}") for n in range(20)))
    assert (place.logins, place.renewals) == (1, 1)
    assert login.due > time.monotonic() + 2000


async def test_a_renewal_that_fails_leaves_the_login_in_use(desk: Desk) -> None:
    place = Place(holds=3600.0)
    store = desk.opens(place)
    await desk.reads(store, "llm")
    store._logins[""].due = time.monotonic()
    place.login_failing = DOWN

    assert await desk.reads(store, "llm") == "llm"
    assert await desk.reads(store, "llm") == "llm"
    assert (place.logins, place.renewals) == (1, 1)


async def test_a_login_whose_time_is_over_is_made_anew(desk: Desk) -> None:
    place = Place(holds=3600.0)
    store = desk.opens(place)
    await desk.reads(store, "llm")
    login = store._logins[""]
    login.due = login.ends = time.monotonic()

    assert await desk.reads(store, "llm") == "llm"
    assert (place.logins, place.renewals) == (2, 0)


async def test_a_login_without_an_end_is_never_renewed(desk: Desk) -> None:
    store = desk.opens(Place())
    await desk.reads(store, "llm")

    assert store._logins[""].due == store._logins[""].ends == float("inf")


async def test_what_waits_for_a_store_that_is_closed_is_told_to_ask_again(desk: Desk) -> None:
    place = Place()
    store = desk.opens(place)
    inside = [desk.starts(store, f"slow-{n}", f"team-{n}") for n in range(THREADS)]
    await place.has_begun(THREADS)
    waiting = desk.starts(store, "late", "team-late")
    await _settle()
    store.close()
    place.slow.set()

    assert await asyncio.gather(*inside) == [f"slow-{n}" for n in range(THREADS)]
    with pytest.raises(errors.Retry, match="was changed while it was read"):
        await waiting
