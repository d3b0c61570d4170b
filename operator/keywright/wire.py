"""HTTP with a server that need not behave: one deadline for the whole exchange, a limit on its size, no surprises.

No redirects, no retries, no proxies, no cookies, nothing from the environment. Exceptions come out as our own errors,
answers as numbers and bytes. Import it when a store is opened: urllib3 is not small.

Does not belong here: what an answer means (the stores), which addresses may be connected to (the egress guard).
"""

from __future__ import annotations

import dataclasses
import email.utils
import functools
import http.client
import io
import json
import logging
import math
import os
import socket
import ssl
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import IO, Any

import certifi
import urllib3
from urllib3 import exceptions

from . import errors
from .errors import Reason
from .secret import SecretValue

#: More threads than this may call at once, but only so many connections are kept.
_IDLE_CONNECTIONS = 32

# Its warning of malformed headers quotes them.
logging.getLogger("urllib3.connection").disabled = True


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        retry_after: seconds that the server asked to wait.
        headers: by name, whose case does not count.
    """

    status: int
    data: bytes = dataclasses.field(repr=False)
    retry_after: float | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def json(self) -> dict[str, Any] | None:
        """Return the JSON object that the answer is, None if it is none."""
        body = self._parsed()
        return body if isinstance(body, dict) else None

    def array(self) -> list[Any] | None:
        """Return the JSON array that the answer is, None if it is none."""
        body = self._parsed()
        return body if isinstance(body, list) else None

    def _parsed(self) -> Any:
        try:
            return json.loads(self.data, parse_constant=_finite, parse_float=_finite)
        except (ValueError, RecursionError):
            return None


class Server:
    """The connections to one server; used from several threads at once.

    Args:
        url: scheme, host, port and, where the server is published below one, a path.
        trust: what the server must prove and what is shown to it; unused for ``http``.
        limit: bytes; a larger answer is refused.

    Raises:
        errors.Stalled: ``InvalidSpec``: there can be no server at this address.
    """

    def __init__(self, url: str, trust: ssl.SSLContext, limit: int) -> None:
        with errors.boundary(_no_address):
            parts = urllib.parse.urlsplit(url)
            _named(parts)
            secure = {"ssl_context": trust} if parts.scheme == "https" else {}
            self._pool = urllib3.connection_from_url(url, maxsize=_IDLE_CONNECTIONS, **secure)
        self._pool.ConnectionCls = functools.partial(_connection, self._pool.ConnectionCls)  # type: ignore[assignment]
        self._below = parts.path.rstrip("/")
        self._limit = limit

    def exchange(
        self,
        method: str,
        target: str,
        what: str,
        *,
        deadline: float,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        """Send one request and return the whole answer, whatever its status but a redirect.

        Args:
            target: path and query, percent-encoded.
            what: what is asked for, as it stands in errors.
            deadline: on the clock ``time.monotonic()``; connecting may take half of what is left.

        Raises:
            errors.Outage: there is no answer, or none that may be used.
        """
        with errors.boundary(functools.partial(_trouble, what)):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            response = self._pool.urlopen(
                method,
                self._below + target,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(connect=left / 2, total=left),
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
            )
            data = response.read(self._limit + 1, decode_content=False)
            response.close()
            answer = Answer(response.status, data, _pause(response.headers.get("Retry-After", "")), response.headers)
        return self._usable(answer, what)

    def _usable(self, answer: Answer, what: str) -> Answer:
        if len(answer.data) > self._limit:
            raise errors.Outage(
                Reason.STORE_ANSWER_INVALID, f"answered {answer.status} with more than {self._limit} bytes for {what}"
            )
        if 300 <= answer.status < 400:
            raise errors.Outage(
                Reason.STORE_ANSWER_INVALID,
                f"answered {answer.status}, a redirect, for {what}",
                "Name the address that it redirects to; redirects are not followed",
            )
        return answer


def _pause(asked: str) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, as a number or as a date (RFC 9110, 10.2.3)."""
    if not asked:
        return None
    if asked.isascii() and asked.isdigit():
        return float(asked[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _named(parts: urllib.parse.SplitResult) -> None:
    """Raise where an address is taken apart well and still cannot be one; urllib3 would find out when it connects."""
    host = parts.hostname or ""
    host.encode("idna")  # refuses labels that are empty or too long
    if parts.scheme not in ("http", "https") or not 1 <= len(host.rstrip(".")) <= 253 or parts.port == 0:
        raise ValueError


def _no_address(_: Exception) -> errors.Error:
    return errors.Stalled(
        Reason.INVALID_SPEC,
        "has an address at which no server can be",
        "Write server as https://, a host name or [IPv6 address], and perhaps a port up to 65535 and a path",
    )


def trust(ca: str | None = None, identity: Sequence[SecretValue] = ()) -> ssl.SSLContext:
    """Return what a TLS connection rests on.

    Args:
        ca: certificates (PEM) that the server's must chain to; None for the usual public ones.
        identity: our own certificate chain and its private key (PEM); empty for none.

    Raises:
        errors.Stalled: one of them cannot be used.
    """
    if not identity:
        return _trust(ca)
    context = _trust.__wrapped__(ca)
    with errors.boundary(lambda _: _unusable("client certificate or its key")), _unseen() as file:
        file.write(b"\n".join(part.reveal() for part in identity))
        file.flush()
        # An encrypted key is refused, not asked about.
        context.load_cert_chain(_path(file), password=lambda: "")
    return context


def _unseen() -> IO[bytes]:
    """Open a file for what OpenSSL reads from files only: in memory where that can be, and none is left behind."""
    return os.fdopen(os.memfd_create("identity"), "wb") if sys.platform == "linux" else tempfile.NamedTemporaryFile()


def _path(file: IO[bytes]) -> str:
    return f"/proc/self/fd/{file.fileno()}" if sys.platform == "linux" else file.name


@functools.lru_cache(maxsize=16)
def _trust(ca: str | None) -> ssl.SSLContext:
    """Shared, because the public certificates take 20 ms to load and megabytes to hold."""
    if ca is None:
        return ssl.create_default_context(cafile=certifi.where())
    if not ca:
        raise _unusable("CA certificate")  # no certificates would mean the public ones
    with errors.boundary(lambda _: _unusable("CA certificate")):
        return ssl.create_default_context(cadata=ca)


def trust_also(path: str) -> ssl.SSLContext:
    """Return what rests on the usual public certificates and on those in a file (PEM).

    Raises:
        errors.Stalled: the file cannot be used.
    """
    with errors.boundary(lambda _: _unusable("file of CA certificates")):
        context = ssl.create_default_context(cafile=certifi.where())
        context.load_verify_locations(cafile=path)
        return context


def _unusable(what: str) -> errors.Stalled:
    return errors.Stalled(
        Reason.STORE_TLS_FAILED, f"has a {what} that cannot be used", "Write it as PEM, not encrypted"
    )


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not JSON")
    return number


def _connection(ordinary: Any, **kwargs: Any) -> Any:
    connection = ordinary(**kwargs)
    connection.response_class = _TimedResponse
    return connection


class _TimedResponse(http.client.HTTPResponse):
    """A response that must be whole when its socket's timeout is over, however slowly it drips."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        until = time.monotonic() + (sock.gettimeout() or 0)
        self.fp = io.BufferedReader(_TimedReader(sock, self.fp.detach(), until))


class _TimedReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, raw: io.RawIOBase, until: float) -> None:
        self._sock, self._raw, self._until = sock, raw, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


#: What an exception means; the first that fits.
_TROUBLES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason, str, str], ...] = (
    (
        (exceptions.SSLError, ssl.SSLError),
        Reason.STORE_TLS_FAILED,
        "failed the TLS handshake for",
        "Check server and clientCertificate",
    ),
    (
        exceptions.NameResolutionError,
        Reason.STORE_UNREACHABLE,
        "has a name that DNS does not know, for",
        "Check server",
    ),
    (
        exceptions.NewConnectionError,
        Reason.STORE_UNREACHABLE,
        "accepts no connection for",
        "Check server and the network policies",
    ),
    (
        (exceptions.TimeoutError, TimeoutError),
        Reason.STORE_TIMEOUT,
        "did not answer in time for",
        "Check its load and limits.timeout",
    ),
    (OSError, Reason.STORE_UNREACHABLE, "broke the connection off for", "Check the server's log"),
    (
        (exceptions.HTTPError, http.client.HTTPException),
        Reason.STORE_ANSWER_INVALID,
        "did not answer in HTTP for",
        "Check server",
    ),
)

#: By OpenSSL's number for why a certificate is refused.
_CERTIFICATE_TROUBLES = {
    9: "shows a certificate that is not valid yet, for",
    10: "shows a certificate that has expired, for",
    62: "shows a certificate for another name, for",
    64: "shows a certificate for another address, for",
}


def _trouble(what: str, foreign: Exception) -> errors.Error:
    """Translate what an exchange raised. urllib3 wraps the exception that says most; the guard's is taken as it is."""
    inner = next((each for each in foreign.args if isinstance(each, Exception)), foreign)
    for each in (inner, foreign.__cause__, foreign.__context__):
        if isinstance(each, errors.Error):
            return each
    if isinstance(inner, ssl.SSLCertVerificationError):
        said = _CERTIFICATE_TROUBLES.get(inner.verify_code, "shows a certificate that is not trusted, for")
        return errors.Outage(Reason.STORE_TLS_FAILED, f"{said} {what}", "Check server and caProvider")
    for kinds, reason, said, hint in _TROUBLES:
        if isinstance(inner, kinds):
            return errors.Outage(reason, f"{said} {what}", hint)
    return errors.Retry(Reason.INTERNAL_ERROR, f"could not be asked for {what} ({type(inner).__name__})")
