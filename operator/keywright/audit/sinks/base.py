"""What a sink is: the contract that every file beside this one fulfils and ``tests/audit/sinks`` checks.

Does not belong here: anything about one sink, what is delivered when and how often (``copies``).
"""

from __future__ import annotations

import abc
import dataclasses
import re
import urllib.parse
from collections.abc import Mapping
from typing import ClassVar, NoReturn

from ... import errors
from ...errors import Reason
from ...schema import URL_PATTERN

#: Seconds that one delivery may take in all.
TIMEOUT = 30.0
#: What the lines of a segment are.
CONTENT_TYPE = "application/x-ndjson"
#: Bytes of an answer that are looked at.
MAX_ANSWER = 1024 * 1024

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """The address of a sink, taken apart.

    Attributes:
        place: host and perhaps a port, or a bucket.
        path: with its leading slash; empty where there is none.
        options: what stands behind the question mark.
    """

    scheme: str
    place: str
    path: str
    options: Mapping[str, str]


def address_of(url: str) -> Address:
    """Take an address apart.

    Raises:
        errors.Stalled: ``InvalidSpec``: it is none.
    """
    scheme, _, rest = url.partition("://")
    where, _, query = rest.partition("?")
    place, slash, path = where.partition("/")
    if not url.isascii() or not url.isprintable() or " " in url:
        refuse("has signs in its address that none has", "Write plain ASCII, without spaces")
    if "#" in url or "@" in where:
        refuse("has an address with a fragment, or with a name and a password", "Name files that hold credentials")
    try:
        pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        refuse("has options that are not written name=value&name=value")
    options = dict(pairs)
    if len(options) < len(pairs):
        refuse("has an option twice")
    return Address(scheme, place, slash + path, options)


def refuse(said: str, hint: str = "") -> NoReturn:
    """Refuse an address.

    Raises:
        errors.Stalled: ``InvalidSpec``, always.
    """
    raise errors.Stalled(Reason.INVALID_SPEC, said, hint)


def is_loopback(place: str) -> bool:
    """Whether a host, perhaps with a port, is this machine by its name."""
    return re.sub(r":[0-9]+$", "", place) in _LOOPBACK


def checked(url: str) -> str:
    """Return an address of HTTP, if it is one and uses TLS or stays on this machine.

    Raises:
        errors.Stalled: ``InvalidSpec``.
    """
    if not re.fullmatch(URL_PATTERN, url):
        refuse("has an address at which no server can be", "Write https://, a host name, and perhaps a port and a path")
    scheme, _, rest = url.partition("://")
    if scheme == "http" and not is_loopback(rest.partition("/")[0]):
        refuse("would be reached without TLS", "Write https; http is for this machine only")
    return url


class Sink(abc.ABC):
    """A place outside the cluster that takes copies of segments.

    One thread at a time calls ``deliver``. Every method raises only ``errors.Error``: ``Outage`` when the sink is in
    trouble, ``Retry`` when this delivery is, ``Stalled`` when a person must act. Nothing that the sink said stands in
    an error but numbers, and no credential.

    Args:
        address: where it is, and how it is to be used.
        timeout: seconds that one delivery may take in all.

    Raises:
        errors.Stalled: ``InvalidSpec``: there can be no such sink.
    """

    #: How its addresses begin; set by the subclass statement: ``class S3(Sink, schemes=("s3",))``.
    schemes: ClassVar[tuple[str, ...]]
    #: Options that its addresses may have.
    options: ClassVar[frozenset[str]] = frozenset()
    #: Whether it is reached without TLS.
    plain = False

    def __init_subclass__(cls, *, schemes: tuple[str, ...], **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.schemes = schemes

    def __init__(self, address: Address, timeout: float = TIMEOUT) -> None:
        self.address, self.timeout = address, timeout
        for name, value in address.options.items():
            if name not in self.options:
                shown = f" {name}" if re.fullmatch("[a-z][a-z-]{0,30}", name) else ""
                refuse(f"has an option{shown} that it does not know", f"There are {', '.join(sorted(self.options))}")
            if not value:
                refuse(f"has nothing for its option {name}")

    @property
    def label(self) -> str:
        """What it is called in logs and metrics: scheme and host, or bucket."""
        return f"{self.address.scheme}://{self.address.place}"

    @property
    def identity(self) -> str:
        """What tells it from others: copies that were delivered to another one are none of this one's."""
        return f"{self.label}{self.address.path}"

    @abc.abstractmethod
    def deliver(self, name: str, body: bytes) -> None:
        """Deliver a segment, once: what is there already, as it is, is delivered.

        Args:
            name: of the segment.
            body: its lines.
        """
