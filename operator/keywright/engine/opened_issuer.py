"""An issuer at work: its threads, its deadline and its turns, for one generation of one object.

What makes keys is synchronous; this is the one place that runs it in threads. Nothing is tried again here: a key that
is asked for twice may be made twice. A call that nobody waits for any more is not begun.

Does not belong here: which issuer an object may use (``issuers``), what is done when (``decide/rotate``).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from .. import errors, metrics
from ..errors import Reason
from ..issuing.base import Issued, Issuing, Listed, Order, Way
from ..secret import SecretMap
from . import egress

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Threads of one opened issuer.
THREADS = 4
#: Seconds beyond an issuer's own deadline after which a thread is given up.
GRACE = 5.0


class Turns(asyncio.Semaphore):
    """Whose turn it is at one place of an issuer: as many at once as the strictest of those who name it allows."""

    def __init__(self) -> None:
        super().__init__(0)
        self._limits: dict[object, int] = {}
        self._busy = 0
        self._freed = asyncio.Event()

    def limit(self, who: object, count: int | None) -> None:
        """Take note of how many somebody allows; None: that does not count any more."""
        self._limits.pop(who, None)
        if count is not None:
            self._limits[who] = count
        self._freed.set()

    async def acquire(self) -> Literal[True]:
        """Wait for a turn."""
        while self.locked():
            self._freed.clear()
            await self._freed.wait()
        self._busy += 1
        return True

    def release(self) -> None:
        """Give a turn back."""
        self._busy -= 1
        self._freed.set()

    def locked(self) -> bool:
        """Whether somebody who wants a turn has to wait."""
        return self._busy >= min(self._limits.values(), default=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Guard:
    """What holds calls back.

    Attributes:
        timeout: seconds that one call may take.
        scope: what addresses it may reach.
        fence: asked before each effect; raises where this process may have none.
        settle: seconds after which a key that was asked for is in the list, if it was made.
        grace: seconds beyond the timeout after which a thread is given up.
    """

    timeout: float
    scope: egress.Scope
    fence: Callable[[], object]
    settle: float = 60.0
    grace: float = GRACE


def place_of(issuing: Issuing, uid: str, namespace: str) -> str:
    """Name the place at which an issuer makes keys; those with the same place share its limits.

    Args:
        namespace: of the issuer's object; empty for one of the cluster. What a namespace says of itself is not proven,
            so it shares limits with nobody else's.
    """
    return f"{namespace} {issuing.name} {issuing.account}" if issuing.account else who_of(issuing, uid)


def who_of(issuing: Issuing, uid: str) -> str:
    """Name who makes keys, by what stays the same: the object and the account."""
    return f"{issuing.name} {uid} {issuing.account}"


class OpenedIssuer:
    """One issuer, opened: that of a KeyIssuer, or of one binding of a ClusterKeyIssuer.

    Every call raises ``errors.Error`` alone, with the issuer's name in front, in the sense of ``Issuing``: after
    ``errors.Stalled`` nothing was done; anything else, a deadline that has passed too, leaves that open.

    Attributes:
        name: how people know it: ``ClusterKeyIssuer/openai``.
        label: what metrics call it, unique in the cluster.
        who: names it by what stays the same.
        binding: names it among bindings of its object that have one account, and not one right; empty: there are none.
        issuing: its way to make keys; what it can do shows on it. Its methods are not to be called but here.
        turns: whose turn to rotate it is at its place.
        settle: seconds after which a key that was asked for is in the list, if it was made.

    Args:
        used: called with each call that came to an end, and its error.
    """

    def __init__(
        self,
        name: str,
        uid: str,
        issuing: Issuing,
        turns: Turns,
        guard: Guard,
        *,
        label: str,
        used: Callable[[OpenedIssuer, errors.Error | None], None],
    ) -> None:
        self.name, self.label, self.issuing, self.turns = name, label, issuing, turns
        self.who = who_of(issuing, uid)
        self._guard, self._used = guard, used
        self.settle, self.binding = guard.settle, ""
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix=name)
        self._slots = asyncio.Semaphore(THREADS)
        self.closed = False

    async def issue(self, order: Order) -> Issued:
        """Have a key made."""
        makes = None if self.issuing.way is Way.MANUAL else self.issuing.issue
        call = self._can(makes, "make keys: a person does")
        return await self._effect("issue", lambda: call(order))

    async def keys(self, order: Order) -> Sequence[Listed]:
        """List the keys that there are."""
        call = self._can(self.issuing.keys, "list keys")
        return await self._run("list", lambda: call(order))

    async def revoke(self, handle: str, staying: SecretMap) -> None:
        """Revoke a key.

        Args:
            staying: the parts of the key that stays.
        """
        call = self._can(self.issuing.revoke, "revoke keys")
        await self._effect("revoke", lambda: call(handle, staying))

    async def disable(self, handle: str) -> None:
        """Switch a key off."""
        call = self._can(self.issuing.disable, "switch keys off")
        await self._effect("disable", lambda: call(handle))

    async def enable(self, handle: str) -> None:
        """Switch a key on."""
        call = self._can(self.issuing.enable, "switch keys on")
        await self._effect("enable", lambda: call(handle))

    async def renew(self, handle: str) -> str:
        """Have a minted key live longer; return when it ends by then (RFC 3339)."""
        call = self._can(self.issuing.renew, "make keys live longer")
        return await self._effect("renew", lambda: call(handle))

    def close(self) -> None:
        """Close it; what runs ends by its own deadline, what waits is told to ask again."""
        if self.closed:
            return
        self.closed = True
        self.turns.limit(self, None)
        with contextlib.suppress(RuntimeError):
            self._threads.submit(self._bounded, self.issuing.close, lambda: None)
        self._threads.shutdown(wait=False)

    def _can(self, method: T | None, what: str) -> T:
        if method is None:
            raise errors.Stalled(Reason.UNSUPPORTED, f"{self.name} cannot {what}")
        return method

    async def _effect(self, operation: str, call: Callable[[], T]) -> T:
        """Run a call that does something, while this process may."""
        return await self._run(operation, call, self._guard.fence)

    async def _run(self, operation: str, call: Callable[[], T], fence: Callable[[], object] = lambda: None) -> T:
        """Run a call in one of the threads and take note of what came of it."""
        async with self._slots:
            if self.closed:
                raise errors.NotBegun(Reason.CONFLICT, f"{self.name} was changed before it was asked")
            started = time.monotonic()
            try:
                found = await self._within(call, fence)
            except errors.NotBegun:
                raise
            except errors.Error as error:
                named = error.about(self.name)
            else:
                self._ended(operation, started, None)
                return found
            self._ended(operation, started, named)
            raise named

    async def _within(self, call: Callable[[], T], fence: Callable[[], object]) -> T:
        """Run a call in one of the threads, inside the boundary, with a deadline."""
        longest = self._guard.timeout + self._guard.grace
        until = time.monotonic() + longest
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                return await loop.run_in_executor(self._threads, self._bounded, call, fence, until)
        raise self._late()

    def _bounded(self, call: Callable[[], T], fence: Callable[[], object], until: float = float("inf")) -> T:
        """Run a call; in the thread, as it may have come late to one, it is asked whether it still may be."""
        if time.monotonic() > until:
            raise self._late()
        try:
            fence()
        except errors.Error as error:
            raise errors.NotBegun(error.reason, error.message, error.hint) from None
        with egress.confined(self._guard.scope), errors.boundary(_bug):
            return call()

    def _late(self) -> errors.Outage:
        said = f"did not answer within {self._guard.timeout:g} s"
        return errors.Outage(Reason.ISSUER_UNAVAILABLE, said, "Check its load, and the network in between")

    def _ended(self, operation: str, started: float, error: errors.Error | None) -> None:
        metrics.ISSUER_CALLS.labels(self.label, operation, error.reason if error else "Success").inc()
        metrics.ISSUER_SECONDS.labels(self.label, operation).observe(time.monotonic() - started)
        self._used(self, error)


def _bug(foreign: Exception) -> errors.Error:
    """Turn what an issuer should have translated itself into an error without its text."""
    log.error("an issuer failed in an unforeseen way: %s at %s", type(foreign).__name__, errors.place_of(foreign))
    return errors.Retry(Reason.INTERNAL_ERROR, "failed in a way that Keywright does not know; its log says where")
