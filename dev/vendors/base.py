"""What a vendor is: which credentials it makes, which it knows, and what it answers.

Does not belong here: sockets (``server``), any one vendor.
"""

from __future__ import annotations

import abc
import dataclasses
import secrets
import string
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

#: How a credential is: accepted, known but short of a right, or not accepted.
State = Literal["valid", "limited", "invalid"]

ALNUM = string.ascii_letters + string.digits


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """A request. Header names are in lower case; ``target`` is the path with the query."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]

    @property
    def bearer(self) -> str:
        """The token in the header ``Authorization``."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else ""


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """An answer; a body that is no bytes is sent as JSON."""

    status: int
    body: Any = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Made:
    """A key that was made by the admin API, or by a person.

    Attributes:
        at: when (Unix time).
        used: when it was last used (Unix time).
        off: whether it is switched off.
    """

    handle: str
    name: str
    parts: Mapping[str, str]
    at: float = dataclasses.field(default_factory=time.time)
    used: float | None = None
    off: bool = False


class Vendor(abc.ABC):
    """One vendor. Credentials it was not told of it does not know: they are ``invalid``.

    Attributes:
        made: the keys that it made, by its name for them.
        admin: what who may have keys made has to show.
        denies: whether that is not enough.
    """

    #: Name of the issuer.
    name: ClassVar[str]
    #: Whether there are credentials that it knows and that may do less.
    limits: ClassVar[bool] = True

    def __init__(self) -> None:
        #: State of each credential by what it is recognised by, and when it ends (RFC 3339), where the vendor tells.
        self.states: dict[str, State] = {}
        self.ends: dict[str, str] = {}
        self.made: dict[str, Made] = {}
        self.admin, self.denies = word(48), False

    @abc.abstractmethod
    def samples(self) -> Mapping[str, Mapping[str, str]]:
        """Make a new well-formed credential of each kind: its parts, by the kind as the issuer calls it."""

    @abc.abstractmethod
    def mark(self, parts: Mapping[str, str]) -> str:
        """Return by what a credential is recognised in a request."""

    @abc.abstractmethod
    def answer(self, request: Request) -> Response:
        """Answer a request as the vendor documents."""

    def knows(self, parts: Mapping[str, str], state: State = "valid", *, ends: str = "") -> None:
        """Make a credential known."""
        self.states[self.mark(parts)] = state
        if ends:
            self.ends[self.mark(parts)] = ends

    def state(self, mark: str) -> State:
        """Return how a credential is."""
        return self.states.get(mark, "invalid")

    @property
    def rights(self) -> Mapping[str, str]:
        """What who may have keys made has to show, by what it is called."""
        return {"admin": self.admin}

    def make(self, handle: str, name: str, kind: str) -> Made:
        """Make a key of a kind."""
        made = self.made[handle] = Made(handle, name, self.samples()[kind])
        self.knows(made.parts)
        return made

    def end(self, handle: str) -> bool:
        """Revoke a key; False if there is none."""
        made = self.made.pop(handle, None)
        if made:
            self.states.pop(self.mark(made.parts), None)
        return made is not None

    def switch(self, handle: str, *, off: bool) -> None:
        """Switch a key off or on."""
        self.made[handle].off = off
        self.knows(self.made[handle].parts, "invalid" if off else "valid")

    @property
    def config(self) -> Mapping[str, Any]:
        """Fields of the credential that it takes to be checked here, as an object writes them."""
        return {}


def word(length: int, alphabet: str = ALNUM) -> str:
    """Return a random word: samples are made at run time, so that no scanner takes them for leaked keys."""
    return "".join(secrets.choice(alphabet) for _ in range(length))
