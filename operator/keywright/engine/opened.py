"""A store at work: its threads, its logins, its limits and its breaker, for one generation of one store object.

Stores are synchronous; this is the one place that runs them in threads. A store that hangs holds its own threads only.

Does not belong here: sharing answers between objects (``fetch``), what a store does (``stores/``).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

from .. import errors, metrics, pacing
from ..errors import Reason
from ..stores.base import Credentials, Fetched, Ref, Snapshot, Store
from . import egress
from .breaker import Breaker
from .credentials import DEADLINE

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Threads of one store, and how many of them one namespace may hold.
THREADS, PER_NAMESPACE = 16, 8
#: Seconds after a login in which a refused read does not cause another, unless the login turns out to be refused.
LOGIN_PAUSE = 30.0
#: Seconds for which a login that was found to be accepted is not asked about again.
CONFIRMED = 5.0
#: Seconds after a failed login for which even a person's wish for another waits.
SOON = 2.0
#: Share of a login's time after which it is renewed.
RENEW_AT = 2 / 3
#: Seconds beyond a store's own deadline after which a thread is given up, and those for a login's credentials.
GRACE, CREDENTIALS = 5.0, 4 * (DEADLINE + 2)


class Changed(errors.Retry):
    """The store object was changed while it was read: ask again, at once and without a word."""


class Login:
    """One login of a store, shared by all objects with the same identity."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lock = asyncio.Lock()
        self.at: float | None = None
        self.ends = float("inf")
        self.due = float("inf")
        #: When the last attempt began and why it failed, if it did.
        self.failed: tuple[float, errors.Error] | None = None
        self.failures = 0
        #: When a person last wanted it to be tried.
        self.wished = 0.0
        #: When the login was last found to be accepted although a read was refused.
        self.good = -LOGIN_PAUSE

    @property
    def pause(self) -> float:
        """Seconds after a failed attempt in which there is no other."""
        return min(LOGIN_PAUSE, 2.0**self.failures / 2) if self.failures else 0.0

    def took(self, held: float | None, now: float) -> None:
        """Take note of a login or renewal that holds for so many seconds."""
        self.at, self.failed, self.failures = now, None, 0
        self.ends = now + held if held else float("inf")
        self.due = now + held * RENEW_AT if held else float("inf")


class _Share:
    """What one namespace holds of a store's threads, and how many wait for it."""

    __slots__ = ("slots", "users")

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(PER_NAMESPACE)
        self.users = 0


class OpenedStore:
    """One store object, opened.

    Args:
        name: how people know it: ``ClusterKeyStore/vault``.
        kind: the class of the store.
        config: its part of the store object.
        timeout: seconds that one call may take.
        rate: calls a second.
        label: what metrics call it, unique in the cluster.
        scope: what addresses it may reach.
        files: generations of the files that it has read before, by id.
    """

    def __init__(
        self,
        name: str,
        kind: type[Store],
        config: Any,
        *,
        timeout: float,
        rate: float,
        scope: egress.Scope,
        label: str = "",
        files: Mapping[str, int] | None = None,
    ) -> None:
        self.name, self.kind, self.config = name, kind, config
        self.breaker = Breaker()
        self._timeout, self._scope = timeout, scope
        self.label, self._files = label or name, files or {}
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix=name)
        self._slots = asyncio.Semaphore(THREADS)
        self._bucket = pacing.TokenBucket(rate, max(1.0, rate), time.monotonic())
        self._logins: dict[str, Login] = {}
        self._shares: dict[str, _Share] = {}
        self._closing = asyncio.Event()
        #: How many wait for an answer; kept by ``fetch``.
        self.waiting = 0

    async def fetch(self, ref: Ref, identity: str, credentials: Callable[[], Credentials]) -> Fetched:
        """Read one key, logging in first where needed and once more where the store no longer takes the login.

        Raises:
            errors.Error: but never ``LoginExpired``.
        """
        return await self._read(identity, credentials, lambda store: store.fetch(ref))

    async def snapshot(self, identity: str, credentials: Callable[[], Credentials]) -> Snapshot:
        """Read all keys at once, as ``fetch`` reads one."""
        return await self._read(identity, credentials, _snapshot)

    async def write(
        self,
        ask: Callable[[Store], T],
        identity: str,
        credentials: Callable[[], Credentials],
        fence: Callable[[], object],
    ) -> T:
        """Have the store written, as ``fetch`` reads.

        Args:
            ask: calls the store's ``write``, or what marks are for.
            fence: asked right before that; raises once this process must not do anything any more.
        """

        def fenced(store: Store) -> T:
            fence()
            return ask(store)

        return await self._read(identity, credentials, fenced, "write")

    async def _read(
        self,
        identity: str,
        credentials: Callable[[], Credentials],
        read: Callable[[Store], T],
        operation: str = "fetch",
    ) -> T:
        asked, login = time.monotonic(), self._login_of(identity, credentials)
        await self._renewed(login, asked)
        used = login.at
        try:
            return await self._run(operation, lambda: read(login.store))
        except errors.LoginExpired as expired:
            refusal = expired
        if await self._again(login, used):
            try:
                return await self._run(operation, lambda: read(login.store))
            except errors.LoginExpired as expired:
                refusal = expired
                login.good = time.monotonic()
        raise _final(refusal)

    async def ready(self, identity: str, credentials: Callable[[], Credentials]) -> bool:
        """Log in if that has not happened; True if the store was asked.

        Raises:
            errors.Error: it is refused.
        """
        login = self._login_of(identity, credentials)
        before = login.at
        await self._renewed(login, time.monotonic())
        return login.at != before

    def wish(self, identity: str) -> None:
        """Let no failed login of before be an answer to whoever asks now: a person says that it is mended."""
        if login := self._logins.get(identity):
            login.wished = time.monotonic()

    @property
    def files(self) -> Mapping[str, int]:
        """Generations of the files that it has read, by id."""
        # A store that reads files has one login for all; others have many, and this is asked at each answer.
        login = self._logins.get("")
        return login.store.files if login else self._files

    def _login_of(self, identity: str, credentials: Callable[[], Credentials]) -> Login:
        login = self._logins.get(identity)
        if login is None:
            with errors.boundary(_bug):
                login = self._logins[identity] = Login(self.kind(self.config, credentials(), self._timeout))
            login.store.files = self._files
        return login

    def forget(self, namespace: str) -> None:
        """Forget the login of a namespace that is gone.

        Args:
            namespace: as identities end: its UID.
        """
        for identity in [each for each in self._logins if each.endswith(namespace)]:
            self._end(self._logins.pop(identity))

    @property
    def closed(self) -> bool:
        """Whether the store object was changed or is gone."""
        return self._closing.is_set()

    def close(self) -> None:
        """Close all logins; what runs ends by its own deadline, what waits is told to ask again."""
        self._closing.set()
        for login in self._logins.values():
            self._end(login)
        self._threads.shutdown(wait=False)

    def _end(self, login: Login) -> None:
        """Close a login in a thread: it may say goodbye to the server."""
        with contextlib.suppress(RuntimeError):
            self._threads.submit(self._bounded, login.store.close)

    @contextlib.asynccontextmanager
    async def turn(self, namespace: str) -> AsyncIterator[None]:
        """Wait for a thread, out of the namespace's share, and for the store's pace."""
        share = self._shares.setdefault(namespace, _Share())
        share.users += 1
        try:
            async with share.slots, self._slots:
                pause = self._bucket.take(time.monotonic())
                if pause:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self._closing.wait()
                yield
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[namespace]

    async def _renewed(self, login: Login, asked: float) -> None:
        """Log in if that has not happened, renew when it is time."""
        if login.at is not None and time.monotonic() < login.due:
            return
        async with login.lock:
            now = time.monotonic()
            if login.at is None or now >= login.ends:
                login.at = None
                await self._login(login, asked)
            elif now >= login.due:
                try:
                    login.took(await self._run("renew", login.store.renew), time.monotonic())
                except errors.Error as error:
                    # What is held still works; try again soon, and log in anew once it has ended.
                    log.warning("%s: renewing the login failed (%s)", self.name, error.reason)
                    login.due = min(login.ends, now + LOGIN_PAUSE)

    async def _again(self, login: Login, used: float | None) -> bool:
        """Log in again after a refusal, unless that has just been done; True if it is worth another try.

        Args:
            used: ``login.at`` of the login that was refused; by now somebody else may have logged in again.
        """
        asked = time.monotonic()
        async with login.lock:
            if login.at is not None:
                if login.at != used:
                    return True
                if asked - login.good < CONFIRMED or await self._still_good(login, asked):
                    return False
            try:
                await self._login(login, asked)
            except errors.Error:
                # One path that is denied must not cost everybody a login that still is good.
                if login.at is None or not await self._run("check", login.store.accepted):
                    login.at = None
                    raise
                login.good = time.monotonic()
                return False
            return True

    async def _still_good(self, login: Login, asked: float) -> bool:
        """Whether a login of a moment ago is one that the store accepts: then it is the path that is denied."""
        if login.at is None or asked - login.at >= LOGIN_PAUSE:
            return False
        if not await self._run("check", login.store.accepted):
            return False
        login.good = time.monotonic()
        return True

    async def _login(self, login: Login, asked: float) -> None:
        """Log in. A failure is shared by all who ask in the pause after it: no burst of attempts locks an account."""
        if login.failed and login.wished > login.failed[0]:
            await asyncio.sleep(max(0.0, login.failed[0] + SOON - time.monotonic()))
        elif login.failed and min(asked, time.monotonic() - login.pause) <= login.failed[0]:
            raise login.failed[1].again()
        began = time.monotonic()
        try:
            login.took(await self._run("login", login.store.login), time.monotonic())
        except errors.Error as error:
            login.failed, login.failures = (began, error), login.failures + 1
            raise

    async def _run(self, operation: str, call: Callable[[], T]) -> T:
        """Run a call of the store in one of its threads, inside the boundary, with a deadline."""
        if self._closing.is_set():
            raise Changed(Reason.CONFLICT, "was changed while it was read")
        started, outcome = time.monotonic(), "Success"
        loop = asyncio.get_running_loop()
        # A login reads its credentials out of the cluster first: that time is not the store's.
        longest = self._timeout + GRACE + (0 if operation in ("fetch", "write") else CREDENTIALS)
        try:
            async with asyncio.timeout(longest):
                return await loop.run_in_executor(self._threads, self._bounded, call)
        except TimeoutError:
            outcome = Reason.STORE_TIMEOUT
        except errors.Error as error:
            outcome = error.reason
            raise
        finally:
            metrics.STORE_CALLS.labels(self.label, operation, outcome).inc()
            metrics.STORE_SECONDS.labels(self.label, operation).observe(time.monotonic() - started)
        raise errors.Outage(Reason.STORE_TIMEOUT, f"did not answer within {self._timeout:g} s")

    def _bounded(self, call: Callable[[], T]) -> T:
        with egress.confined(self._scope), errors.boundary(_bug):
            return call()


def _snapshot(store: Store) -> Snapshot:
    assert store.snapshot  # noqa: S101 - asked only of stores that have it
    return store.snapshot()


def _bug(foreign: Exception) -> errors.Error:
    """Turn what a store should have translated itself into an error without its text."""
    log.error("a store failed in an unforeseen way: %s at %s", type(foreign).__name__, errors.place_of(foreign))
    return errors.Retry(Reason.INTERNAL_ERROR, "failed in a way that Keywright does not know; its log says where")


def _final(refusal: errors.LoginExpired) -> errors.Stalled:
    """Turn a refusal that a new login did not cure into what it is."""
    return errors.Stalled(refusal.reason, refusal.message, refusal.hint)


def chance() -> float:
    """Return a number in [0, 1) that spreads pauses."""
    return random.random()  # noqa: S311
