"""A server of yours that takes segments by HTTPS: a SIEM's collector, a log gateway.

The token and the key of the signature are read from files at each delivery, so that they may change at any time.

Does not belong here: what is delivered when (``copies``), object stores (``s3``).
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING

from ... import __version__, errors
from ...errors import Reason
from ...secret import SecretValue
from .base import CONTENT_TYPE, MAX_ANSWER, TIMEOUT, Address, Sink, checked, refuse

if TYPE_CHECKING:
    from ...wire import Answer, Server

#: Bytes that a token or a key may have.
_LONGEST = 16 * 1024

#: What an answer below 500 means that takes nothing: reason, and what to check.
_REFUSALS = {
    401: (Reason.AUTH_FAILED, "Check token-file, and the token in it"),
    403: (Reason.ACCESS_DENIED, "Check what the token may do"),
    404: (Reason.NOT_FOUND, "Check the path of the address"),
    413: (Reason.VALUE_TOO_LARGE, "Let the server take bodies of 512 KiB"),
}
#: What time fixes, though the server calls it our fault.
_PASSING = {408, 425}


class Webhook(Sink, schemes=("https", "http")):
    """Segments, each a POST."""

    options = frozenset({"ca-file", "hmac-file", "token-file"})

    def __init__(self, address: Address, timeout: float = TIMEOUT) -> None:
        super().__init__(address, timeout)
        self._url = checked(f"{address.scheme}://{address.place}{address.path}")
        self.plain = address.scheme == "http"
        for name, path in address.options.items():
            if not path.startswith("/"):
                refuse(f"has a {name} that is no absolute path")

    def deliver(self, name: str, body: bytes) -> None:
        """Post a segment. 2xx means that it is taken, 409 that it was there."""
        deadline = time.monotonic() + self.timeout
        headers = {
            "Content-Type": CONTENT_TYPE,
            "Idempotency-Key": name,
            "User-Agent": f"keywright/{__version__}",
            **self._authorization(),
            **self._signature(body),
        }
        what, target = f"segment {name}", self.address.path or "/"
        answer = self._server.exchange("POST", target, what, deadline=deadline, headers=headers, body=body)
        if not (200 <= answer.status < 300 or answer.status == 409):
            raise _refusal(answer, what)

    @functools.cached_property
    def _server(self) -> Server:
        from ... import wire

        file = self.address.options.get("ca-file")
        trust = wire.trust_also(file) if file else wire.trust()
        return wire.Server(f"{self.address.scheme}://{self.address.place}", trust, MAX_ANSWER)

    def _authorization(self) -> dict[str, str]:
        """Return the header that shows the token, if there is one."""
        token = self._read("token-file")
        if token is None:
            return {}
        if not re.fullmatch(rb"[\x21-\x7e]+", token.reveal()):
            raise self._unusable("token-file", "holds no token: one word of ASCII")
        return {"Authorization": f"Bearer {token.reveal().decode('ascii')}"}

    def _signature(self, body: bytes) -> dict[str, str]:
        """Return the header that signs the body, if there is a key."""
        key = self._read("hmac-file")
        if key is None:
            return {}
        return {"Keywright-Signature": f"sha256={hmac.new(key.reveal(), body, hashlib.sha256).hexdigest()}"}

    def _read(self, option: str) -> SecretValue | None:
        """Return what is in the file that an option names, without a newline behind it."""
        path = self.address.options.get(option)
        if path is None:
            return None
        with errors.boundary(lambda _: self._unusable(option, "cannot be read")), open(path, "rb") as file:
            found = file.read(_LONGEST + 1)
        value = found.rstrip(b"\r\n")
        if not value or len(found) > _LONGEST:
            raise self._unusable(option, "is empty" if not value else f"has more than {_LONGEST} bytes")
        return SecretValue(value)

    def _unusable(self, option: str, why: str) -> errors.Stalled:
        said = f"needs the file {self.address.options[option]}, which {why}"
        return errors.Stalled(Reason.CREDENTIAL_MISSING, said, f"Check {option} and the volume that it is in")


def _refusal(answer: Answer, what: str) -> errors.Error:
    """Say what an answer means that takes nothing."""
    said = f"answered {answer.status} for {what}"
    if answer.status == 429:
        return errors.Outage(Reason.STORE_RATE_LIMITED, said, after=answer.retry_after)
    if answer.status >= 500:
        return errors.Outage(Reason.STORE_ERROR, said, "Check the server's log", after=answer.retry_after)
    if answer.status in _PASSING:
        return errors.Retry(Reason.STORE_TIMEOUT, said, after=answer.retry_after)
    reason, hint = _REFUSALS.get(answer.status, (Reason.UNSUPPORTED, "Check the address and the server's log"))
    return errors.Stalled(reason, said, hint)
