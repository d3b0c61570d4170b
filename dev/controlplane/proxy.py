"""A proxy that stands in front of a real server and does to its clients what networks and servers do, as told.

    with FaultProxy(plane, folder) as proxy:
        kubeconfig = plane.admin_kubeconfig(server=proxy.url, ca_file=proxy.ca_file)
        with proxy.fault(Answer(409), method="PATCH", path="/secrets/", times=1):
            ...
        assert proxy.count(method="PATCH", path="/secrets/") == 2

It runs in a thread with a loop of its own, so that tests of any colour can use it. Bodies are streamed both ways.

Does not belong here: what a fault does (``faults``). Not spoken: WebSocket, HTTP/2, client certificates.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import pathlib
import socket
import ssl
import threading
from collections.abc import Collection, Coroutine
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from . import certificates
from .exchange import Edited, Exchange, Seen
from .faults import EventFault, Fault
from .rules import Pattern, Rule

Result = TypeVar("Result")


class Upstream(Protocol):
    """A server to stand in front of: ControlPlane, OpenBao, or another proxy."""

    @property
    def url(self) -> str:
        """Where it listens."""

    @property
    def ca_file(self) -> pathlib.Path | None:
        """Whom to trust; none for plain http."""


class FaultProxy:
    """A proxy with faults; a context manager.

    Attributes:
        requests: what was asked, in the order of arrival. Grows while clients ask.

    Args:
        upstream: the server; the proxy speaks TLS to its clients if that does.
        folder: where the proxy's certificates go.
    """

    def __init__(self, upstream: Upstream, folder: pathlib.Path) -> None:
        self.upstream_url = upstream.url.rstrip("/")
        self.requests: list[Seen] = []
        self._rules: list[Rule] = []
        self._lock = threading.Lock()
        self._upstream_ca = upstream.ca_file
        self._tls = certificates.make_server_files(folder) if urlsplit(upstream.url).scheme == "https" else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._reserved = socket.socket()
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._reserved.getsockname()[1]}"

    @property
    def ca_file(self) -> pathlib.Path | None:
        """Whom its clients have to trust; none for plain http."""
        return self._tls.ca if self._tls else None

    def __enter__(self) -> Self:
        # Bound and never listening, it keeps the port for us while we are down.
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._reserved.close()

    def fault(
        self,
        fault: Fault | EventFault,
        *,
        method: str | Collection[str] = (),
        path: str = "",
        times: int | None = None,
        after: int = 0,
    ) -> Rule:
        """Let a fault happen, from now until the end of the rule or of its ``with`` block.

        Where several match, the first that was announced happens. A ``with`` block whose fault never happened fails.

        Args:
            method: to which requests, for example ``"PATCH"`` or ``MUTATING``; empty for all.
            path: regular expression, searched in path and query.
            times: to how many of them, or of their events; none for all.
            after: how many to let pass before.
        """
        rule = Rule(fault, Pattern(method, path), times, after, self._forget)
        with self._lock:
            self._rules.append(rule)
        return rule

    def count(self, *, method: str | Collection[str] = (), path: str = "") -> int:
        """Return how many such requests have arrived; the arguments are those of ``fault``."""
        pattern = Pattern(method, path)
        return sum(pattern.matches(seen) for seen in list(self.requests))

    def down(self) -> None:
        """Cut all connections and refuse new ones, until ``up``."""
        self._run(self._down())

    def up(self) -> None:
        """Listen again, on the same port."""
        self._run(self._up())

    def cut(self) -> int:
        """Cut all connections, watches too, but take new ones; return how many there were."""
        return self._run(self._cut())

    # In the loop's thread.

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        done: concurrent.futures.Future[Result] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(timeout=30)

    async def _start(self) -> None:
        trusted = ssl.create_default_context(cafile=self._upstream_ca) if self._upstream_ca else False
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            read_bufsize=2**18,
        )
        # A client that goes away takes its request with it, or watches would pile up upstream.
        self._server = web.Server(self._serve, handler_cancellation=True, access_log=None, auto_decompress=False)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=0)
        await self._runner.setup()
        await self._up()

    async def _up(self) -> None:
        context = None
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._tls.certificate, self._tls.key)
        port = self._reserved.getsockname()[1]
        self._site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context, reuse_port=True, backlog=512)
        await self._site.start()

    async def _down(self) -> None:
        if self._site:
            await self._site.stop()
            self._site = None
        await self._cut()

    async def _cut(self) -> int:
        transports = [each.transport for each in self._server.connections if each.transport]
        for transport in transports:
            transport.abort()
        return len(transports)

    async def _stop(self) -> None:
        # First the connections, which ends what hangs or is held: nothing may reach the server after us.
        await self._down()
        await self._runner.cleanup()
        await self._session.close()
        # Connections that were cut end in the next turns of the loop.
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        # Sockets of connections that were closed are closed a moment after them.
        await asyncio.sleep(0.02)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = Seen.of(request)
        self.requests.append(seen)
        exchange = Exchange(request, seen, self._session, self.upstream_url, self._edit)
        with contextlib.suppress(aiohttp.ClientError, ConnectionError):
            for rule in self._rules_on(Fault, seen):
                if rule.take() and isinstance(rule.fault, Fault):
                    return await rule.fault.apply(exchange, rule.ended)
            return await exchange.pass_on()
        # The server behind is gone, or the client is: a client sees what it would see without us.
        return exchange.drop()

    def _edit(self, seen: Seen, line: bytes) -> Edited:
        """Say what a client sees of an event; parsing is left out where nothing asks for it."""
        rules = self._rules_on(EventFault, seen)
        event = json.loads(line) if rules else {}
        for rule in rules:
            if isinstance(rule.fault, EventFault) and rule.fault.concerns(event) and rule.take():
                return rule.fault.edit(line)
        return Edited(line)

    def _rules_on(self, kind: type, seen: Seen) -> list[Rule]:
        with self._lock:
            return [rule for rule in self._rules if isinstance(rule.fault, kind) and rule.pattern.matches(seen)]

    def _forget(self, rule: Rule) -> None:
        with self._lock, contextlib.suppress(ValueError):
            self._rules.remove(rule)
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(rule.ended.set)
