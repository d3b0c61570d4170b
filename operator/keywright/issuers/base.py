"""What an issuer is: the contract that every file beside this one fulfils and ``tests/issuers`` checks.

An issuer knows its credentials by their form, without I/O, and asks its own server whether one is alive by the cheapest
read-only request there is. It knows nothing of caches, limits, threads, Kubernetes objects or policy.

Does not belong here: anything about one vendor, what is wrong with any text (``_text``), whose form a text has
(``_table``), what a verdict leads to (``decide/checks.py``), when to probe (``engine/prober.py``).
"""

from __future__ import annotations

import abc
import dataclasses
import enum
import fnmatch
import urllib.parse
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol

from ..schema import Spec
from ..secret import SecretMap, SecretValue
from . import _text
from ._table import Format, Table


class Verdict(enum.StrEnum):
    """What a check says of a credential. The list is closed."""

    VALID = "Valid"
    """The issuer accepts it."""
    LIMITED = "ValidLimited"
    """The issuer knows it, and lets it do less: a missing scope, no quota, a firewall."""
    INVALID = "Invalid"
    """The issuer does not accept it."""
    UNKNOWN = "Unknown"
    """The issuer did not say: no answer, asked to slow down, or somebody else answered."""
    NOT_CHECKED = "NotChecked"
    """Nobody was asked."""

    @property
    def is_alive(self) -> bool:
        """Whether it may be promoted."""
        return self in (Verdict.VALID, Verdict.LIMITED)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One value of a credential.

    Attributes:
        name: as objects write it, in camelCase.
        means: what it is, for people.
        required: whether there is no credential without it.
        form: ``token``: one word of ASCII; ``json``: a JSON object, perhaps over several lines; ``text``: anything.
    """

    name: str
    means: str
    required: bool = True
    form: Literal["token", "json", "text"] = "token"


@dataclasses.dataclass(frozen=True, slots=True)
class Malformed:
    """It cannot be such a credential, whatever the vendor changes.

    Attributes:
        part: which part of it.
        said: why, as a clause behind the name of the part: ``ends with a newline``.
    """

    part: str
    said: str


@dataclasses.dataclass(frozen=True, slots=True)
class Unrecognised:
    """It has none of the known forms. Vendors change them: a reason to warn, not to refuse."""


@dataclasses.dataclass(frozen=True, slots=True)
class Recognised:
    """It has a known form.

    Attributes:
        kind: which one, as in the table of formats.
        expires_at: when it ends (RFC 3339), where it says so itself.
    """

    kind: str
    expires_at: str | None = None


Recognition = Malformed | Unrecognised | Recognised


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What came of a probe.

    Attributes:
        said: a clause behind the issuer's name: ``answered 401 (invalid_api_key)``; numbers and words of closed lists.
        expires_at: when the credential ends (RFC 3339), where the issuer tells.
        created_at: when it was made (RFC 3339), where the issuer tells.
        after: seconds that the issuer asked to wait.
    """

    verdict: Verdict
    said: str
    expires_at: str | None = None
    created_at: str | None = None
    after: float | None = None


class Answer(Protocol):
    """What an issuer's server answered; ``wire.Answer`` is one."""

    @property
    def status(self) -> int:
        """Status."""

    @property
    def data(self) -> bytes:
        """Body."""

    @property
    def retry_after(self) -> float | None:
        """Seconds that it asked to wait."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by name, whose case does not count."""

    def json(self) -> dict[str, Any] | None:
        """Return the JSON object that the body is, None if it is none."""


class Ask(Protocol):
    """One request to the issuer's own address, within the probe's deadline; redirects are not followed.

    Raises ``errors.Outage`` where there is no answer, or none that may be used: the verdict is ``Unknown`` then.
    """

    def __call__(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send the request and return the whole answer."""


class Issuer(abc.ABC):
    """One issuer, configured for one credential. Instances change nothing and are used from several threads.

    Class keywords, in the subclass statement:
        name: as objects write it, in camelCase; the file's stem and the page in the docs are the same in snake_case.
        title: how people know it.

    Args:
        config: an instance of ``Config``, where there is one.
        table: the formats of all issuers.
        endpoint: another address than the usual, without a path or with the path in front of the usual ones.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    #: What its credentials consist of; the first part is the one that formats are about unless they say another.
    parts: ClassVar[tuple[Part, ...]]
    formats: ClassVar[tuple[Format, ...]]
    #: Fields of the credential in the CRD, beside ``endpoint``; their docstrings are the docs.
    Config: ClassVar[type[Spec] | None] = None
    #: Where it answers.
    origin: ClassVar[str] = ""
    #: Host names at which it may answer besides, with ``*``: objects may name them as ``endpoint``.
    hosts: ClassVar[tuple[str, ...]] = ()
    #: Probes a second that it may be asked for.
    pace: ClassVar[float] = 2.0
    #: Whether its credentials look like keys: another issuer's, or a word, in the place of one is surely a mistake.
    distinct: ClassVar[bool] = True

    def __init_subclass__(cls, *, name: str, title: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name, cls.title = name, title

    def __init__(self, config: Any, table: Table, endpoint: str | None = None) -> None:
        self.config, self._table, self._endpoint = config, table, endpoint

    @property
    def address(self) -> str:
        """Where it is asked; empty where that is not known, and it cannot be."""
        return self._endpoint or self.origin

    def address_for(self, parts: SecretMap) -> str:
        """Where it is asked about one credential, where those tell it: by default, as about all."""
        return self.address

    @classmethod
    def may_be_at(cls, url: str) -> bool:
        """Whether an endpoint is the issuer's own, so that nobody need allow it."""
        parts = urllib.parse.urlsplit(url)
        own = [urllib.parse.urlsplit(cls.origin).hostname, *cls.hosts]
        host = (parts.hostname or "").rstrip(".")
        return (
            parts.scheme == "https"
            and parts.port in (None, 443)
            and any(fnmatch.fnmatchcase(host, each or "") for each in own)
        )

    def parts_for(self, names: object) -> tuple[Part, ...]:
        """Return the parts of a credential that has parts of these names: by default, those that there are."""
        return self.parts

    def recognise(self, parts: SecretMap) -> Recognition:
        """Say whether a credential can be what it should be. No I/O.

        Args:
            parts: by name; all that are required.
        """
        kind, expires_at = "", None
        for part in self.parts_for(parts):
            if part.name not in parts:
                continue
            found = self._part(part, parts[part.name])
            if isinstance(found, Malformed):
                return found
            if isinstance(found, Recognised):
                kind, expires_at = kind or found.kind, expires_at or found.expires_at
            elif any(self._is_of(each, part) for each in self._table.of(self.name)):
                return found
        return Recognised(kind, expires_at) if kind else Unrecognised()

    def _part(self, part: Part, value: SecretValue) -> Recognition:
        raw = value.reveal()
        if said := _text.defect(raw, part.form, words=self.distinct):
            return Malformed(part.name, said)
        if part.form == "text":
            return Unrecognised()
        text = raw.decode()
        if self.distinct and (other := self._table.owner(text)) and other[0] != self.name:
            return Malformed(part.name, f"is a credential of {other[0]}, by how it begins")
        for each in self._table.of(self.name):
            if self._is_of(each, part) and each.matches(text):
                return self.examine(each.kind, part.name, text)
        return Unrecognised()

    def _is_of(self, form: Format, part: Part) -> bool:
        """Whether a format is about a part."""
        return (form.part or self.parts[0].name) == part.name if self.parts else form.part == part.name

    def examine(self, kind: str, part: str, text: str) -> Malformed | Recognised:
        """Look closer at a part that has a known form: checksums, dates. By default there is nothing to be seen."""
        return Recognised(kind)

    @abc.abstractmethod
    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """Ask the issuer whether a credential is alive; only of credentials that are not malformed.

        Raises:
            errors.Outage: there is no answer.
        """


def bearer(value: SecretValue) -> dict[str, str]:
    """Return the header that shows a token, and asks for JSON."""
    return {"Authorization": f"Bearer {value.reveal().decode('ascii')}", "Accept": "application/json"}


def judged(answer: Answer, verdicts: Mapping[int, Verdict], *, own: bool, code: str = "") -> Finding:
    """Return what an answer means by its status, where the issuer itself gave it.

    Args:
        verdicts: of the statuses that mean something; all others are ``Unknown``.
        own: whether the answer has the form that the issuer gives its answers, so that it is not that of a proxy.
        code: the issuer's word for why, of a closed list.
    """
    said = f"answered {answer.status}" + (f" ({code})" if code else "")
    if answer.status == 429:
        return Finding(Verdict.UNKNOWN, f"{said}: asked to slow down", after=answer.retry_after)
    verdict = verdicts.get(answer.status, Verdict.UNKNOWN)
    if verdict is Verdict.UNKNOWN or not own:
        strange = "" if own or answer.status >= 500 else ", and not in the form of its answers"
        return Finding(Verdict.UNKNOWN, said + strange, after=answer.retry_after)
    return Finding(verdict, said)
