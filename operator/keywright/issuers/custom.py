"""What no other file here knows: parts, forms and a probe as the object declares them.

Whoever writes objects writes all of this, so it is bounded: what expressions and schemas cost (``_demands``); and a
probe goes to one https address, into which no part can be put.

Does not belong here: any one vendor, whether an address may be asked (the egress guard).
"""

from __future__ import annotations

import collections
import urllib.parse
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import pydantic

from .. import errors, placeholders
from ..errors import Reason
from ..placeholders import Template
from ..schema import HEADER_NAMES, PORT_PATTERN, Cel, ListMap, Printable, Spec
from ..secret import SecretMap
from . import _demands
from ._table import Format, Table
from .base import Answer, Ask, Finding, Issuer, Malformed, Part, Recognised, Recognition, Unrecognised, Verdict, judged

#: What a credential is called that is as the object says.
KIND = "credential"
#: Bytes of a value that demands are made of; larger ones are malformed.
MAX_VALUE = 64 * 1024

_NAME = "[a-z][a-zA-Z0-9]{0,31}"
_URL = (
    rf"^https://[a-zA-Z0-9_][-._a-zA-Z0-9]{{0,252}}(:{PORT_PATTERN})?"
    r"(/[-._~%a-zA-Z0-9/]*)?(\?[-._~%a-zA-Z0-9/?!$&()*+,;=:@]*)?$"
)

#: No control characters but those that part lines and words: it is sent or read, and never shown.
_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"

Pattern = Annotated[Printable, pydantic.StringConstraints(max_length=1024)]
TemplateText = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024, pattern="^[ -~]+$")]
Status = Annotated[
    int,
    pydantic.Field(ge=200, le=499),
    Cel("(self < 300 || self >= 400) && self != 429", "redirects and 429 say nothing of a credential"),
]
Statuses = Annotated[list[Status], pydantic.Field(max_length=16)]


class PartForm(Spec):
    """One part, and what its value must be to be one."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel("!has(self.jsonSchema) || (has(self.form) && self.form == 'Json')", "jsonSchema needs form: Json"),
    )

    name: Annotated[str, pydantic.StringConstraints(max_length=32, pattern=f"^{_NAME}$")]
    """Name of the part, as in the credential's `parts`."""
    form: Literal["Token", "Json", "Text"] = "Token"
    """What kind of text it is. `Token`: one word of ASCII; `Json`: a JSON object; `Text`: anything."""
    pattern: Pattern | None = None
    """Regular expression (RE2) of the whole value."""
    min_entropy: Annotated[int, pydantic.Field(ge=1, le=4096)] | None = None
    """How many bits the value must have at least, estimated by how often each of its bytes comes (Shannon)."""
    json_schema: Annotated[str, pydantic.StringConstraints(min_length=2, max_length=8192, pattern=_LINES)] | None = None
    """JSON Schema of the value, as JSON, without references (`$ref`), without `unevaluatedProperties` and
    `unevaluatedItems`, and with patterns that are RE2 as well."""


class Probe(Spec):
    """The request that tells whether the credential is alive. `{apiKey}` stands for the part of that name."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel("!has(self.body) || (has(self.method) && self.method == 'POST')", "a body needs method: POST"),
        Cel(
            "!has(self.method) || self.method != 'HEAD' || (has(self.answer) && self.answer == 'Any')",
            "method: HEAD needs answer: Any",
        ),
    )

    method: Literal["GET", "HEAD", "POST"] = "GET"
    """How it is asked. It should change nothing there, and cost nothing."""
    url: Annotated[
        str,
        pydantic.StringConstraints(max_length=512, pattern=_URL),
        Cel(f"self.matches(r'{_URL}')", "write https://, a host name, perhaps a port up to 65535, a path and a query"),
    ]
    """Where it is asked, with `https://`. No part can stand in it: addresses are logged by everybody."""
    headers: Annotated[
        dict[str, TemplateText],
        pydantic.Field(max_length=16),
        HEADER_NAMES,
    ] = pydantic.Field(default_factory=dict)
    """Headers, for example `Authorization: Bearer {apiKey}`."""
    body: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=4096, pattern=_LINES)] | None = None
    """Body of a POST. Where the header `Content-Type` is `application/json` or `application/x-www-form-urlencoded`,
    parts are escaped as a string in it must be; else they stand in it as they are."""
    valid: Statuses = pydantic.Field(default_factory=lambda: [200])
    """Statuses that mean that it is alive. Default 200."""
    limited: Statuses = pydantic.Field(default_factory=list)
    """Statuses that mean that it is alive, and may do less, for example 403."""
    invalid: Statuses = pydantic.Field(default_factory=lambda: [401])
    """Statuses that mean that it is not accepted. Default 401. Every status in none of the lists means nothing."""
    answer: Literal["Json", "Any"] = "Json"
    """What tells the server's own answers from those of proxies: `Json`: they are JSON objects; `Any`: nothing does."""


class Custom(Issuer, name="custom", title="Its issuer"):
    """Credentials of an issuer that Keywright does not know."""

    parts: ClassVar[tuple[Part, ...]] = ()
    formats: ClassVar[tuple[Format, ...]] = ()
    distinct = False

    class Config(Spec):
        """What a credential is, and how its issuer is asked, where Keywright knows neither."""

        parts: Annotated[list[PartForm], ListMap("name"), pydantic.Field(min_length=1, max_length=8)]
        """The parts that it has."""
        probe: Probe | None = None
        """How its issuer is asked. Omitted, it is not."""

    def __init__(self, config: Config, table: Table, endpoint: str | None = None) -> None:
        """Take up what an object declares; ``endpoint`` is not used, because the probe has an address.

        Raises:
            errors.Stalled: ``InvalidSpec``: an expression, a schema or a template is none.
        """
        super().__init__(config, table, endpoint)
        self._demands = {each.name: _demanded(each) for each in config.parts}
        if probe := config.probe:
            known = set(self._demands)
            self._headers = {
                name: _template(text, f"custom.probe.headers.{name}", known) for name, text in probe.headers.items()
            }
            self._body = _template(probe.body or "", "custom.probe.body", known)
            self._verdicts = _verdicts(probe)

    @property
    def address(self) -> str:
        """The origin of the probe's address; empty where there is no probe."""
        if not (probe := self.config.probe):
            return ""
        url = urllib.parse.urlsplit(probe.url)
        return f"{url.scheme}://{url.netloc}"

    def parts_for(self, names: object) -> tuple[Part, ...]:
        """Return the parts that are declared, and as tokens those that are named without that."""
        forms: dict[str, Literal["token", "json", "text"]] = {
            each.name: _FORMS[each.form] for each in self.config.parts
        }
        more = (
            sorted({str(each) for each in names} - forms.keys()) if isinstance(names, collections.abc.Iterable) else ()
        )
        return tuple(Part(name, "as the object says", form=forms.get(name, "token")) for name in (*forms, *more))

    def recognise(self, parts: SecretMap) -> Recognition:
        """Say whether every part is what is demanded of it; without any demand there is nothing to recognise."""
        demanded = False
        for part in (each for each in self.parts_for(parts) if each.name in parts):
            found = self._part(part, parts[part.name])
            if isinstance(found, Malformed):
                return found
            demands = self._demands.get(part.name, ())
            raw = parts[part.name].reveal()
            if demands and len(raw) > MAX_VALUE:
                return Malformed(part.name, f"is larger than {MAX_VALUE >> 10} KiB")
            for said, is_met in demands:
                if not is_met(raw):
                    return Malformed(part.name, said)
            demanded = demanded or bool(demands)
        return Recognised(KIND) if demanded else Unrecognised()

    def probe(self, parts: SecretMap, ask: Ask) -> Finding:
        """Send the request that is declared."""
        if not (probe := self.config.probe):
            return Finding(Verdict.NOT_CHECKED, "is not asked: custom.probe is not set")
        sent = placeholders.headers(self._headers, parts)
        body = self._body.filled(parts, placeholders.escape_for(sent or {}))
        if sent is None or body is None:
            return Finding(Verdict.UNKNOWN, "was not asked: a part holds what cannot stand in its place")
        if probe.answer == "Json" and not any(name.lower() == "accept" for name in sent):
            sent["Accept"] = "application/json"
        url = urllib.parse.urlsplit(probe.url)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        answer = ask(probe.method, target, headers=sent, body=body or None)
        return judged(answer, self._verdicts, own=_is_own(answer, probe))


_FORMS: Mapping[str, Literal["token", "json", "text"]] = {"Token": "token", "Json": "json", "Text": "text"}


def _is_own(answer: Answer, probe: Probe) -> bool:
    return probe.answer == "Any" or answer.json() is not None


def _template(text: str, where: str, known: set[str]) -> Template:
    hint = "Declare it in custom.parts, or correct it"
    return Template(text, known, _wrong(f"{where} names a part that custom.parts lacks", hint))


def _verdicts(probe: Probe) -> dict[int, Verdict]:
    lists = {Verdict.VALID: probe.valid, Verdict.LIMITED: probe.limited, Verdict.INVALID: probe.invalid}
    found = [(status, verdict) for verdict, statuses in lists.items() for status in set(statuses)]
    if len(dict(found)) < len(found):
        raise _wrong("custom.probe has one status in two lists", "Let each status mean one thing")
    return dict(found)


def _demanded(part: PartForm) -> tuple[_demands.Demand, ...]:
    """Return what is demanded of a part, the cheapest first."""
    where = f"custom.parts of {part.name}"
    found: list[_demands.Demand] = []
    if part.min_entropy:
        found += _demands.of_entropy(part.min_entropy)
    if part.pattern:
        found += _demands.of_pattern(part.pattern, f"{where}: pattern")
    if part.json_schema:
        if part.form != "Json":
            raise _wrong(f"{where}: jsonSchema is set, and form is {part.form}", "Set form: Json, or omit jsonSchema")
        found += _demands.of_schema(part.json_schema, f"{where}: jsonSchema")
    return tuple(found)


def _wrong(said: str, hint: str) -> errors.Stalled:
    return errors.Stalled(Reason.INVALID_SPEC, said, hint)
