"""Servers that answer what no good server would: raw bytes, slowly, endlessly, or not at all."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Script = Callable[[socket.socket], None]


class Hostile:
    """A server on loopback whose connections are each treated by the script of the moment, once a request was read."""

    def __init__(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        self._listener = listener
        self._context = context
        self._connections: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.accepted = 0
        self.script: Script = says(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{listener.getsockname()[1]}"

    def serve(self) -> None:
        """Accept connections until the listener closes."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._connections.append(connection)
            threading.Thread(target=self._treat, args=(connection,), daemon=True).start()

    def _treat(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if self._context:
                connection = stack.enter_context(self._context.wrap_socket(connection, server_side=True))
                self._connections.append(connection)
            stack.enter_context(connection)
            while request := connection.recv(65536):
                self.requests.append(request)
                self.script(connection)

    def stop(self) -> None:
        """Break all off and listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Break off the connections that there are."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextlib.contextmanager
def hostile(context: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """Run such a server."""
    server = Hostile(socket.create_server(("127.0.0.1", 0)), context)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.stop()
    thread.join()


def says(answer: bytes) -> Script:
    """Send bytes as they are."""
    return lambda connection: connection.sendall(answer)


def answers(status: int, body: bytes = b"", *headers: str) -> Script:
    """Send a whole HTTP answer."""
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers])
    return says(head.encode() + b"\r\n\r\n" + body)


def drips(start: bytes, drop: bytes = b" ", every: float = 0.02) -> Script:
    """Send a start, and then a drop now and again, for ever."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        pause = threading.Event()
        while not pause.wait(every):
            connection.sendall(drop)

    return script


def floods(start: bytes, chunk: bytes = b"x" * 65536) -> Script:
    """Send a start, and then without end as fast as it is read."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(chunk)

    return script


def hangs(connection: socket.socket) -> None:
    """Say nothing, until the other side goes."""
    while connection.recv(65536):
        pass


def breaks_off(connection: socket.socket) -> None:
    """Close without an answer."""
    connection.shutdown(socket.SHUT_RDWR)


def cuts_off(start: bytes) -> Script:
    """Send a start, and close."""

    def script(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.shutdown(socket.SHUT_RDWR)

    return script
