"""What may go wrong between a client and a server: the faults that a ``FaultProxy`` can be told to do.

A fault concerns requests, or single events of Kubernetes watches, also of those that are open already.

Does not belong here: connections and streams (``exchange``), the proxy itself (``proxy``).
"""

from __future__ import annotations

import abc
import asyncio
import dataclasses
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from .exchange import Edited, Exchange, Then

#: Methods that change something.
MUTATING = frozenset(("POST", "PUT", "PATCH", "DELETE"))

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclasses.dataclass(frozen=True)
class Fault(abc.ABC):
    """Something that happens to a request."""

    @abc.abstractmethod
    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Answer it, or not.

        Args:
            ended: set when the fault is over.
        """


@dataclasses.dataclass(frozen=True)
class Answer(Fault):
    """The proxy answers; the server behind is not asked.

    Attributes:
        body: text or bytes as they are, or JSON; none for the Status that an API server would send.
        retry_after: seconds that the client is told to wait.
    """

    status: int
    body: str | bytes | Mapping[str, Any] | None = None
    content_type: str = "application/json"
    retry_after: int | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Answer."""
        await exchange.request.content.read()
        headers = {"Content-Type": self.content_type, **self.headers}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return exchange.answer(self.status, _bytes(_status(self.status) if self.body is None else self.body), headers)


class Redirect(Answer):
    """The proxy sends the client elsewhere.

    Args:
        location: an absolute URL.
    """

    def __init__(self, location: str, status: int = 307) -> None:
        super().__init__(status, body=b"", headers={"Location": location})


@dataclasses.dataclass(frozen=True)
class Replace(Fault):
    """The server does its work; the client gets another body than it sent.

    Attributes:
        body: as in ``Answer``.
        status: none for the server's.
    """

    body: str | bytes | Mapping[str, Any]
    content_type: str = "application/json"
    status: int | None = None

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Send the request on and answer something else."""
        async with await exchange.forward() as upstream:
            await upstream.read()
        headers = {"Content-Type": self.content_type}
        return exchange.answer(self.status or upstream.status, _bytes(self.body), headers)


@dataclasses.dataclass(frozen=True)
class Delay(Fault):
    """The request waits before it goes on, ``seconds`` long."""

    seconds: float

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Wait, then send the request on."""
        await asyncio.sleep(self.seconds)
        return await exchange.pass_on()


class Hold(Fault):
    """The request waits until the fault is over, then goes on: what else happens first is the test's choice."""

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Wait, then send the request on."""
        await ended.wait()
        return await exchange.pass_on()


@dataclasses.dataclass(frozen=True)
class HoldAnswer(Fault):
    """The server does its work at once; its answer waits until the fault is over.

    Attributes:
        done: set once the server has done it.
    """

    done: threading.Event = dataclasses.field(default_factory=threading.Event, compare=False)

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Send the request on, wait, then answer."""
        async with await exchange.forward() as upstream:
            self.done.set()
            await ended.wait()
            return await exchange.relay(upstream)


class Hang(Fault):
    """No answer, and the server behind is not asked; the connection is cut when the fault is over."""

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Wait, then cut."""
        await ended.wait()
        return exchange.drop()


class Drop(Fault):
    """The connection is cut before the server behind is asked."""

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Cut."""
        return exchange.drop()


class LoseAnswer(Fault):
    """The server does its work; the connection is cut before the client learns of it."""

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Send the request on, then cut."""
        async with await exchange.forward() as upstream:
            await upstream.read()
        return exchange.drop()


@dataclasses.dataclass(frozen=True)
class Truncate(Fault):
    """The connection is cut after so many bytes of the answer's body."""

    after: int

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Answer in part, then cut."""
        async with await exchange.forward() as upstream:
            body = await upstream.read()
            response = await exchange.begin(upstream)
            await response.write(body[: self.after])
        return exchange.drop()


@dataclasses.dataclass(frozen=True)
class Drip(Fault):
    """The answer's body comes slowly: so many bytes, then a pause of so many seconds, and so on."""

    size: int = 1
    pause: float = 0.05

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Answer slowly."""
        async with await exchange.forward() as upstream:
            body = await upstream.read()
            response = await exchange.begin(upstream)
            for start in range(0, len(body), self.size):
                await response.write(body[start : start + self.size])
                await asyncio.sleep(self.pause)
            return response


@dataclasses.dataclass(frozen=True)
class KillBefore(Fault):
    """A process is killed when its request is on its way, before the server behind has got it.

    Attributes:
        pid: its process id, or a function for one that is not known yet.
    """

    pid: int | Callable[[], int]

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Kill."""
        _kill(self.pid)
        return exchange.drop()


@dataclasses.dataclass(frozen=True)
class KillAfter(Fault):
    """A process is killed when the server has done what it asked, before it learns of it; ``pid`` as before."""

    pid: int | Callable[[], int]

    async def apply(self, exchange: Exchange, ended: asyncio.Event) -> web.StreamResponse:
        """Send the request on, then kill."""
        async with await exchange.forward() as upstream:
            await upstream.read()
        _kill(self.pid)
        return exchange.drop()


@dataclasses.dataclass(frozen=True)
class EventFault(abc.ABC):
    """Something that happens to an event of a watch. ``times`` and ``after`` of its rule count events.

    Attributes:
        type: ``ADDED``, ``MODIFIED`` or ``DELETED``; empty for any of them.
        name: of the object; empty for any.
    """

    type: str = ""
    name: str = ""

    def concerns(self, event: Mapping[str, Any]) -> bool:
        """Whether it happens to this one; a bookmark is not an event."""
        name = event["object"].get("metadata", {}).get("name", "")
        types = {self.type} if self.type else {"ADDED", "MODIFIED", "DELETED"}
        return event["type"] in types and (not self.name or name == self.name)

    @abc.abstractmethod
    def edit(self, line: bytes) -> Edited:
        """Say what the client sees instead."""


class DropEvent(EventFault):
    """The client never sees the event; the watch goes on."""

    def edit(self, line: bytes) -> Edited:
        """Leave it out."""
        return Edited(b"")


class EndWatch(EventFault):
    """The watch ends before the event, as it does at its time limit."""

    def edit(self, line: bytes) -> Edited:
        """End."""
        return Edited(b"", Then.END)


class CutWatch(EventFault):
    """The connection is cut before the event."""

    def edit(self, line: bytes) -> Edited:
        """Cut."""
        return Edited(b"", Then.CUT)


class ExpireWatch(EventFault):
    """Instead of the event the client gets an ERROR event with 410, and the watch ends: it has to list again."""

    def edit(self, line: bytes) -> Edited:
        """Tell that the version is too old."""
        error = {"type": "ERROR", "object": _status(410)}
        return Edited(json.dumps(error).encode() + b"\n", Then.END)


def _status(code: int) -> dict[str, Any]:
    """Return what an API server says with a status."""
    reason = _REASONS.get(code, "InternalError" if code >= 500 else "Unknown")
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return status | {"message": f"the fault proxy says {code}", "reason": reason, "code": code}


def _bytes(body: str | bytes | Mapping[str, Any]) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _kill(pid: int | Callable[[], int]) -> None:
    os.kill(pid() if callable(pid) else pid, signal.SIGKILL)
