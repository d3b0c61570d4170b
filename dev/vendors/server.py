"""A vendor's server on loopback, which can be made to misbehave.

Does not belong here: what a vendor answers when it behaves (its file).
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal

from .base import Request, Response, Vendor

#: How a server treats every request: as the vendor documents, or not. One that forgets does it, and hangs up.
Mood = Literal[
    "documented",
    "slow down",
    "broken",
    "slow",
    "redirect",
    "echo",
    "huge",
    "html",
    "garbage",
    "hangs up",
    "proxy",
    "forgets",
]


class MoodyServer:
    """A running server.

    Args:
        answer: what it answers when it behaves; None: nothing, it hangs up.

    Attributes:
        url: where it answers.
        requests: what it was asked, oldest first.
        mood: how it treats requests from now on.
        pause: for how many seconds "slow down" asks to wait, and "slow" waits.
        forgets: which requests are done without an answer by one that "forgets"; the others are answered.
    """

    def __init__(self, answer: Callable[[Request], Response | None], context: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self.mood: Mood = "documented"
        self.pause = 1
        self.forgets: Callable[[Request], bool] = lambda _: True
        self.requests: list[Request] = []
        self._closed = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._closed.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def respond(self, request: Request) -> Response | None:
        """Return the answer to a request; None: none."""
        self.requests.append(request)
        if self.mood == "slow":
            self._closed.wait(self.pause)
        if self.mood in ("documented", "slow") or (self.mood == "forgets" and not self.forgets(request)):
            return self._answer(request)
        if self.mood == "forgets":
            self._answer(request)
        told = json.dumps(dict(request.headers))
        seen = {"error": {"message": told, "code": told, "type": request.target}}
        return {
            "slow down": Response(429, {"error": "slow down"}, {"Retry-After": str(self.pause)}),
            "broken": Response(503, b"upstream unavailable"),
            "redirect": Response(302, b"", {"Location": f"{self.url}/elsewhere"}),
            "echo": Response(401, seen),
            "huge": Response(401, b"[" * (8 << 20)),
            "html": Response(403, f"<html>Access denied {told}".encode(), {"Content-Type": "text/html"}),
            "garbage": Response(200, b"\xff\x00{not json" + told.encode()),
            "proxy": Response(407, told.encode(), {"Proxy-Authenticate": "Basic"}),
        }.get(self.mood)


class VendorServer(MoodyServer):
    """The running server of a vendor.

    Attributes:
        before_answer: what happens once a request is done, before it is answered.
    """

    def __init__(self, vendor: Vendor, context: ssl.SSLContext | None = None) -> None:
        self.vendor = vendor
        self.before_answer: Callable[[Request], object] = lambda _: None
        super().__init__(self._as_told, context)

    def _as_told(self, request: Request) -> Response:
        # Looked up each time: a test may have the vendor answer otherwise.
        response = self.vendor.answer(request)
        self.before_answer(request)
        return response


#: Headers that are a connection's own.
_HOPS = {"connection", "content-length", "transfer-encoding", "keep-alive"}


def handed_on(place: tuple[str, int], request: Request) -> Response:
    """Hand a request on to a server at a place, so that what stands in front may misbehave."""
    connection = http.client.HTTPConnection(*place, timeout=30)
    try:
        connection.request(request.method, request.target, request.body or None, _without_hops(request.headers))
        answer = connection.getresponse()
        return Response(answer.status, answer.read(), _without_hops(dict(answer.getheaders())))
    finally:
        connection.close()


def _without_hops(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _HOPS}


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: MoodyServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing: what is asked for is in ``requests``."""

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        response = self.owner.respond(Request(self.command, self.path, headers, body))
        if response is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        data = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
        with contextlib.suppress(OSError):
            self.send_response_only(response.status)
            usual = {"Date": self.date_time_string(), "Content-Type": "application/json"}
            for name, value in {**usual, **response.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - as the standard library calls them
