"""A store that keeps its keys in a dictionary and has knobs, and a desk at which it is asked."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

from keywright import errors
from keywright.engine.egress import Scope
from keywright.engine.fetch import Fetcher, Parked, Question
from keywright.engine.opened import LOGIN_PAUSE, Login, OpenedStore
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

    def entry(self, kind: str, name: str, key: str) -> SecretValue:
        return SecretValue(f"{kind}{name}{key}")

    def file(self, path: str, limit: int) -> SecretValue:
        return SecretValue(path[:limit])

    def swap_file(self, path: str, before: SecretValue, after: SecretValue) -> bool:
        return before == after and bool(path)

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


async def settle() -> None:
    """Let everything run that can run without a store's answer."""
    for _ in range(20):
        await asyncio.sleep(0)


def grown_old(store: OpenedStore, identity: str = "") -> Login:
    """Make a login one that was made some time ago."""
    login = store._logins[identity]
    assert login.at is not None
    login.at -= LOGIN_PAUSE
    login.good -= LOGIN_PAUSE
    return login
