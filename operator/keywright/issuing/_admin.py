"""How the admin API of an issuer is asked: one deadline a call, and refusals that count in the issuer's own form only.

Does not belong here: what is asked (each file), whether an address may be asked (the egress guard).
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import re
import time
import urllib.parse
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from .. import errors
from ..errors import Reason
from ..schema import CaProvider, SecretKeyRef
from ..secret import SecretMap, SecretValue
from ..stores.base import Credentials

if TYPE_CHECKING:
    from .. import wire

#: Bytes of an answer; pages of a list, so that one without an end has one.
MAX_ANSWER, MAX_PAGES = 1024 * 1024, 100

#: How an answer that refuses is called by its issuer: a word of a closed list, or none; None: it is not the issuer's.
Word = Callable[["wire.Answer"], str | None]

#: A key's name at its issuer, as it stands in addresses.
_HANDLE = re.compile(r"(?!\.{1,2}$)[!-~]{1,512}")
#: What an issuer shows of a value: how it begins and ends, and in between that something is left out.
_HINT = re.compile(r"([!-)+\--~]*?)(?:\.{3,}|…|\*+)([!-)+\--~]{3,})")
#: What time fixes, though it is called our fault.
PASSING = {408, 425, 429}
#: What to check where there is no usable answer.
_HINTS = {
    Reason.STORE_ANSWER_INVALID: "Check the address, and what proxy is in between",
    Reason.STORE_TLS_FAILED: "Check the address and caProvider",
    Reason.STORE_TIMEOUT: "Check its load, and the network in between",
}


class Admin:
    """The admin API of one issuer.

    Args:
        address: scheme, host, perhaps a port and a path.
        ca: certificates that the server's must chain to, read once; None: the usual public ones.
        word: how it calls a refusal.
        headers: what shows the right to ask; called for each request.
        timeout: seconds that one call may take, however many requests it takes.
        rights: what to check where it is denied, as an imperative.
    """

    def __init__(
        self,
        address: str,
        ca: CaProvider | None,
        credentials: Credentials,
        *,
        timeout: float,
        word: Word,
        headers: Callable[[], Mapping[str, str]] = dict,
        rights: str = "Check the admin credential, and what it may do",
    ) -> None:
        self._address, self._ca, self._credentials, self._timeout = address, ca, credentials, timeout
        self._word, self._headers, self._rights = word, headers, rights

    @contextlib.contextmanager
    def asked(self, what: str) -> Iterator[Asking]:
        """Ask for something, out of which nothing foreign comes.

        Args:
            what: what is asked for, as it stands in errors behind ``for``.
        """
        with errors.boundary(functools.partial(_bug, what)):
            yield Asking(self, what, time.monotonic() + self._timeout)

    @functools.cached_property
    def _server(self) -> wire.Server:
        from .. import wire

        trust = wire.trust(self._credentials.ca(self._ca) if self._ca else None)
        return wire.Server(self._address, trust, MAX_ANSWER)

    def send(self, asking: Asking, method: str, target: str, headers: Mapping[str, str], body: bytes) -> wire.Answer:
        """Send one request and return its whole answer, whatever its status."""
        told = {"User-Agent": "keywright", "Accept": "application/json", **self._headers(), **headers}
        try:
            return self._server.exchange(
                method, target, asking.what, deadline=asking.until, headers=told, body=body or None
            )
        except errors.Outage as trouble:
            hint = _HINTS.get(trouble.reason, "Check the address and the network policies")
            invalid = trouble.reason is Reason.STORE_ANSWER_INVALID
            reason = Reason.ISSUER_ANSWER_INVALID if invalid else Reason.ISSUER_UNAVAILABLE
            raise errors.Outage(reason, trouble.message, hint, after=trouble.after) from None

    def refusal(self, asking: Asking, answer: wire.Answer) -> errors.Error:
        """Say what an answer means by which nothing was done, or nothing is known to be."""
        return refused(answer.status, self._word(answer), asking.what, self._rights, answer.retry_after)

    def is_own(self, answer: wire.Answer) -> bool:
        """Whether a refusal is the issuer's own, not that of something in between."""
        return self._word(answer) is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Asking:
    """One call to an admin API, which may take several requests.

    Attributes:
        what: what is asked for, as it stands in errors.
        until: when it has to be over (monotonic clock).
    """

    _admin: Admin
    what: str
    until: float

    def __call__(
        self,
        method: str,
        target: str,
        body: Mapping[str, Any] | None = None,
        *,
        means: Collection[int] = (),
        shown: Mapping[str, str] = MappingProxyType({}),
    ) -> wire.Answer:
        """Send a request with JSON; return an answer of 2xx, or one of the issuer's own whose status means something.

        Args:
            shown: what shows the right to ask, where that is not the same for every call.

        Raises:
            errors.Stalled: the issuer refuses.
            errors.Outage: there is no answer, or none that tells.
        """
        headers = dict(shown) if body is None else {**shown, "Content-Type": "application/json"}
        sent = b"" if body is None else json.dumps(body).encode()
        answer = self._admin.send(self, method, target, headers, sent)
        if 200 <= answer.status < 300 or (answer.status in means and self._admin.is_own(answer)):
            return answer
        raise self._admin.refusal(self, answer)

    def body(self, answer: wire.Answer) -> dict[str, Any]:
        """Return the JSON object that an answer should be."""
        found = answer.json()
        return self.strange(answer.status) if found is None else found

    def items(self, found: object) -> list[dict[str, Any]]:
        """Return the list of objects that part of an answer should be."""
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            self.strange()
        return list(found)

    def handle(self, found: object) -> str:
        """Return the name of a key that part of an answer should be."""
        text = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
        return text if _HANDLE.fullmatch(text) else self.strange()

    def value(self, found: object) -> SecretValue:
        """Return the value of a key that part of an answer should be."""
        if isinstance(found, str) and found:
            with contextlib.suppress(ValueError):
                return SecretValue(found)
        return self.strange()

    def strange(self, status: int = 200) -> NoReturn:
        """Say that an answer has not the form that it should have: nobody knows what was done."""
        said = f"answered {status} for {self.what}, and not in the form of its answers"
        raise errors.Outage(Reason.ISSUER_ANSWER_INVALID, said, _HINTS[Reason.STORE_ANSWER_INVALID])


def refused(status: int, word: str | None, what: str, rights: str, after: float | None = None) -> errors.Error:
    """Say what an answer means that is none of success.

    Args:
        word: the issuer's for why, of a closed list; empty for another one; None where the answer is not its own.
        rights: what to check where it is denied.
        after: seconds that it asked to wait.
    """
    said = f"answered {status}{f' ({word})' if word else ''} for {what}"
    if status in PASSING or status >= 500:
        return errors.Outage(Reason.ISSUER_UNAVAILABLE, said, "Check whether it is in trouble", after=after)
    if word is None:
        hint = _HINTS[Reason.STORE_ANSWER_INVALID]
        return errors.Outage(Reason.ISSUER_ANSWER_INVALID, f"{said}, and not in the form of its answers", hint)
    if status in (401, 403):
        return errors.Stalled(Reason.ISSUER_DENIED, said, rights)
    return errors.Stalled(
        Reason.ISSUER_REFUSED, said, "Check that what the issuer's fields name is there, and its limits"
    )


def not_ours(asking: Asking, whose: str) -> errors.Stalled:
    """Return why nothing is done to a key that the issuer knows, and that is another's.

    Args:
        whose: what the issuer's fields name.
    """
    said = f"was not asked for {asking.what}: it is of another {whose}"
    return errors.Stalled(Reason.ISSUER_REFUSED, said, "Have who made that key end it")


def token(credentials: Credentials, ref: SecretKeyRef) -> SecretValue:
    """Return an admin credential: one word of ASCII. A line break at its end is a slip, not part of it, and refused."""
    found = credentials.secret(ref)
    if re.fullmatch(rb"[!-~]{1,16384}", found.reveal()):
        return found
    said = f"needs one word of ASCII in entry {ref.key} of Secret {ref.name}, which holds something else"
    raise errors.Stalled(Reason.CREDENTIAL_MISSING, said, "Write it without a line break at its end")


def shown(header: str, credentials: Credentials, ref: SecretKeyRef) -> dict[str, str]:
    """Return the header that shows an admin credential."""
    return {header: token(credentials, ref).reveal().decode("ascii")}


def shows(hint: object, value: SecretValue) -> bool:
    """Whether a hint of an issuer shows the beginning and the end of a value: ``sk-ant-api03-R2D...igAA``."""
    found = _HINT.fullmatch(hint) if isinstance(hint, str) else None
    raw = value.reveal()
    return found is not None and raw.startswith(found[1].encode()) and raw.endswith(found[2].encode())


def the_old(hints: Mapping[str, object], handle: str | None, old: SecretMap, part: str) -> str | None:
    """Return the handle of the key that is to be replaced; None where it is not there, or cannot be told from others.

    Args:
        hints: what the issuer shows of each key, by handle.
        handle: as the order has it.
        part: which part of the key the hints are about.
    """
    if handle:
        return handle
    fitting = [each for each, hint in hints.items() if part in old and shows(hint, old[part])]
    return fitting[0] if len(fitting) == 1 else None


def quoted(text: str) -> str:
    """Return a text as one segment of a path, or one field of a query."""
    return urllib.parse.quote(text, safe="")


def _bug(what: str, foreign: Exception) -> errors.Error:
    said = f"could not be asked for {what} ({type(foreign).__name__} at {errors.place_of(foreign)})"
    return errors.Retry(Reason.INTERNAL_ERROR, said)
