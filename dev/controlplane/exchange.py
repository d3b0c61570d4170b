"""One request on its way through the proxy: to the server behind, and its answer back, whole or as a stream.

Does not belong here: faults, and when they happen.
"""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

#: Headers that concern one connection, not the request.
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host")
)
#: Bodies up to this size are read whole: cheaper than a stream, and a lost connection can be tried again.
_WHOLE = 2**20
_NO_BODY = (204, 304)


@dataclasses.dataclass(slots=True)
class Seen:
    """A request that arrived at the proxy.

    Attributes:
        uri: path with query.
        at: when, by ``time.monotonic()``, in seconds.
        status: of the answer; none while there is none, or if there never was one.
        forwarded: whether the server behind has got it.
    """

    method: str
    path: str
    query: str
    uri: str
    at: float
    user_agent: str
    status: int | None = None
    forwarded: bool = False

    @classmethod
    def of(cls, request: web.BaseRequest) -> Seen:
        """Note a request."""
        path, _, query = request.raw_path.partition("?")
        agent = request.headers.get("User-Agent", "")
        return cls(request.method, path, query, request.raw_path, time.monotonic(), agent)

    @property
    def is_watch(self) -> bool:
        """Whether it is a Kubernetes watch."""
        return parse_qs(self.query).get("watch", [""])[0].lower() in {"1", "t", "true"}


class Then(enum.Enum):
    """How a watch goes on after an event."""

    ON = enum.auto()
    END = enum.auto()
    CUT = enum.auto()


@dataclasses.dataclass(frozen=True)
class Edited:
    """What a client gets to see instead of an event."""

    line: bytes
    then: Then = Then.ON


#: Decides about a watch's events: gets the line of an event, says what the client sees.
Editor = Callable[[Seen, bytes], Edited]


class Exchange:
    """A request, and the ways to answer it."""

    def __init__(
        self, request: web.BaseRequest, seen: Seen, session: aiohttp.ClientSession, upstream: str, editor: Editor
    ) -> None:
        self.request, self.seen = request, seen
        self._session, self._upstream, self._editor = session, upstream, editor

    async def forward(self) -> aiohttp.ClientResponse:
        """Send the request on; return as soon as the answer's head is there."""
        url = URL(self._upstream + self.request.raw_path, encoded=True)
        body = await self._body()
        self.seen.forwarded = True
        return await self._session.request(
            self.seen.method, url, headers=_end_to_end(self.request.headers), data=body, allow_redirects=False
        )

    async def _body(self) -> bytes | aiohttp.StreamReader | None:
        if not self.request.can_read_body:
            return None
        length = self.request.content_length
        return self.request.content if length is None or length > _WHOLE else await self.request.content.read()

    async def pass_on(self) -> web.StreamResponse:
        """Send the request on and its answer back."""
        async with await self.forward() as upstream:
            return await self.relay(upstream)

    async def relay(self, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        """Send an answer back."""
        length = upstream.content_length
        if upstream.status in _NO_BODY or (length is not None and length <= _WHOLE):
            return self.answer(upstream.status, await upstream.read(), upstream.headers)
        response = await self.begin(upstream)
        if self.seen.is_watch:
            await self._relay_watch(upstream, response)
        else:
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
        return response

    async def begin(self, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        """Send an answer's head back; the body is the caller's."""
        self.seen.status = upstream.status
        response = web.StreamResponse(status=upstream.status, headers=_end_to_end(upstream.headers))
        await response.prepare(self.request)
        return response

    async def _relay_watch(self, upstream: aiohttp.ClientResponse, response: web.StreamResponse) -> None:
        rest = b""
        async for chunk in upstream.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                edited = self._editor(self.seen, line + b"\n")
                if edited.line:
                    await response.write(edited.line)
                if edited.then is Then.CUT:
                    self.drop()
                if edited.then is not Then.ON:
                    return

    def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> web.Response:
        """Return an answer with a body that is there whole."""
        self.seen.status = status
        kept = _end_to_end(headers)
        if self.seen.method != "HEAD":
            kept.pop("Content-Length", None)
        return web.Response(status=status, body=body or None, headers=kept)

    def drop(self) -> web.Response:
        """Close the client's connection; the answer that is returned is never sent."""
        if self.request.transport:
            self.request.transport.abort()
        return web.Response()


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)
