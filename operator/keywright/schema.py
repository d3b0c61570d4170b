"""The vocabulary of the API types: the ``Spec`` base model, scalar types, and markers that ``crd.py`` understands.

What is written here is what a CRD can say: no ``Any``, no recursion, no unions but those of ``OneOf``. Defaults are
applied on reading and never stand in the CRD, where a GitOps diff would show them.

Does not belong here: kinds (``kinds/``), a store's fields (its file), the generation of CRDs (``crd.py``).
"""

from __future__ import annotations

import dataclasses
import functools
import re
import urllib.parse
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import alias_generators, json_schema
from pydantic_core import core_schema

#: Where ``Marker``s stand in what pydantic says of a type.
MARKERS = "x-keywright"


class Marker:
    """Says of a type what pydantic has no words for; ``crd.py`` translates it, wherever in an annotation it stands."""

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> json_schema.JsonSchemaValue:
        schema = handler(core)
        return schema | {MARKERS: [*schema.get(MARKERS, ()), self]}


@dataclasses.dataclass(frozen=True)
class ListMap(Marker):
    """The list is a map: items are merged by this field (`x-kubernetes-list-type: map`)."""

    key: str


@dataclasses.dataclass(frozen=True)
class Cel(Marker):
    """A rule that the API server checks (CEL), with the message it answers.

    On a field it stands in the field's annotation; on a model in its ``cel`` class attribute (a tuple). Rules are
    looked at only where types, lengths and required fields are right already.
    """

    rule: str
    message: str


@dataclasses.dataclass(frozen=True)
class OneOf(Marker):
    """Exactly one of these fields of the model must be set. Stands in a model's ``cel`` class attribute."""

    fields: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Renamed(Marker):
    """A field that users of other tools would write; refused with a message that names ours.

    Stands in a model's ``renamed`` class attribute (a tuple). Neither the models nor the docs show it.

    Args:
        wrong: the field, as in manifests.
        right: what to write instead, as in manifests, for example ``storeRef``.
    """

    wrong: str
    right: str

    @property
    def advice(self) -> str:
        """What to do instead, for people."""
        return f"write {self.right}"


@dataclasses.dataclass(frozen=True)
class Absent(Marker):
    """A field that users of other tools or of a later version would write; refused, because this version has none.

    Stands beside ``Renamed``, and is shown as little.

    Args:
        wrong: the field, as in manifests.
        instead: how it is without the field, as a clause.
    """

    wrong: str
    instead: str

    @property
    def advice(self) -> str:
        """What to do instead, for people."""
        return f"this version has no {self.wrong}: {self.instead}"


@dataclasses.dataclass(frozen=True)
class Closed(Marker):
    """No fields but these: another one is refused instead of dropped. Stands in a model's ``cel`` class attribute.

    For an object that means more the less it says, where a slip of the pen must not open a door. Every field must be
    optional; they must be few, because every set of them is named.
    """


class Spec(pydantic.BaseModel):
    """Base of every part of an object: camelCase outside, frozen, unknown fields ignored.

    Unknown fields are ignored because the API server has pruned them already, and an object that was stored under a
    newer CRD must still parse after a rollback. Attribute docstrings become CRD descriptions and docs.
    """

    model_config = pydantic.ConfigDict(
        alias_generator=alias_generators.to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        extra="ignore",
        frozen=True,
    )

    cel: ClassVar[tuple[Cel | OneOf | Closed, ...]] = ()
    renamed: ClassVar[tuple[Renamed | Absent, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> json_schema.JsonSchemaValue:
        schema = handler(core)
        handler.resolve_ref_schema(schema)[MARKERS] = [*cls.cel, *cls.renamed]
        return schema


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# The API server sums nanoseconds in 64 bits and lets them wrap. Five times 9999 days do not.
DURATION_PATTERN = r"^(0|([0-9]{1,7}(ms|s|m)|[0-9]{1,5}h|[0-9]{1,4}d){1,5})$"


@functools.lru_cache(maxsize=256)
def seconds(duration: str) -> float:
    """Return the seconds of a duration such as ``90s``, ``1h30m`` or ``30d``.

    Raises:
        ValueError: the text is not a duration; the text is not repeated in the error.
    """
    if not re.fullmatch(DURATION_PATTERN.strip("^$"), duration):
        raise ValueError("not a duration: write it like 90s, 1h30m or 30d")
    return sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)(ms|s|m|h|d)", duration))


#: A duration as people write it: `90s`, `1h30m`, `30d`; `0` where the field says what that means.
Duration = Annotated[
    str,
    pydantic.StringConstraints(pattern=DURATION_PATTERN, max_length=40),
    pydantic.Field(json_schema_extra={"format": "duration"}),
]

#: How long one call to a store or an issuer may take in all.
CallTime = Annotated[
    Duration, Cel("self >= duration('100ms') && self <= duration('60s')", "must be between 100ms and 60s")
]

#: Point in time (RFC 3339).
Time = Annotated[
    str, pydantic.StringConstraints(max_length=40), pydantic.Field(json_schema_extra={"format": "date-time"})
]

#: No control characters (C0, DEL, C1), no separators of lines or paragraphs. CRD patterns have no common escape for
#: the latter.
PRINTABLE_PATTERN = "^[^\\x00-\\x1f\\x7f-\\x9f\u2028\u2029]*$"

#: Text that may be shown as it is in logs, conditions and Events: one line, no control characters; spaces are fine.
Printable = Annotated[str, pydantic.StringConstraints(min_length=1, pattern=PRINTABLE_PATTERN)]

#: Text that goes to other systems as it is: ASCII, no spaces.
Visible = Annotated[str, pydantic.StringConstraints(max_length=253, pattern="^[!-~]+$")]

#: Name of a ticket: `SEC-1234`, `INC0012345`, `#12`. Letters, then digits: no key has so little in it.
REFERENCE_PATTERN = "^[A-Za-z]{0,16}[-#]?[0-9]{1,12}$"

#: How a key is named of which the issuer's name is not known, wherever people name one.
NAMELESS = "-"

#: Name of an object (RFC 1123 subdomain).
ObjectName = Annotated[
    str,
    pydantic.StringConstraints(
        min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
    ),
]

#: Key inside a Secret or ConfigMap. Kubernetes takes neither ``.`` nor what begins with two dots.
DataKey = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=253, pattern=r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$"),
]
_DATA_KEY = pydantic.TypeAdapter[str](DataKey)


def is_data_key(name: str) -> bool:
    """Whether an entry of a Secret may be called so."""
    try:
        _DATA_KEY.validate_python(name)
    except pydantic.ValidationError:
        return False
    return True


_PREFIX = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_QUALIFIED = rf"^({_PREFIX}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"

#: Key of a label, with or without a prefix.
LabelKey = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=317, pattern=_QUALIFIED)]

#: Value of a label; may be empty.
LabelValue = Annotated[
    str, pydantic.StringConstraints(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
]


def _keys(of: str, key: str) -> Cel:
    """Return the rule for a map's keys, which a CRD cannot give a pattern; ``key`` is how the rule sees one."""
    return Cel(
        f"self.all(key, {key}.matches(r'{_QUALIFIED}') && key.indexOf('/') <= 253)",
        f"the key of {of} is a name of at most 63 letters, digits, -, _ and ., alone or behind a DNS name and a slash",
    )


#: Labels by their keys.
Labels = Annotated[dict[str, LabelValue], pydantic.Field(max_length=64), _keys("a label", "key")]

#: Annotations by their keys. Kubernetes does not mind upper case there.
Annotations = Annotated[
    dict[str, Annotated[str, pydantic.StringConstraints(max_length=4096)]],
    pydantic.Field(max_length=64),
    _keys("an annotation", "key.lowerAscii()"),
]

_LABEL = "[a-zA-Z0-9_]([-_a-zA-Z0-9]{0,61}[a-zA-Z0-9_])?"
#: Headers that are a connection's own (RFC 9110, 7.6.1 and 7.2).
_OWN = ["connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"]
#: What the names of headers are, where somebody sets some.
HEADER_NAMES = Cel(
    f"self.all(name, name.matches('^[-_.a-zA-Z0-9]{{1,64}}$') && !(name.lowerAscii() in {_OWN}))",
    "the name of a header is of letters, digits, -, _ and ., and none that the connection sets itself",
)

#: A port, 1 to 65535, without leading zeros.
PORT_PATTERN = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_GROUP = "[0-9a-fA-F]{1,4}"
#: IPv6 by where ``::`` stands: nowhere, at the end, in front, after one group and more.
_IPV6 = "|".join(
    (
        f"({_GROUP}:){{7}}{_GROUP}",
        f"({_GROUP}:){{1,7}}:",
        f":(:{_GROUP}){{1,7}}",
        "::",
        *(f"({_GROUP}:){{1,{7 - after}}}(:{_GROUP}){{1,{after}}}" for after in range(1, 7)),
    )
)
URL_PATTERN = rf"^https?://({_LABEL}(\.{_LABEL})*\.?|\[({_IPV6})\])(:{PORT_PATTERN})?(/[-._~a-zA-Z0-9/]*)?$"


def canonical_url(address: str, path: str = "") -> str:
    """Return an address in the one form in which it is compared: neither case of its host nor a usual port counts."""
    parts = urllib.parse.urlsplit(address)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port not in (None, usual) else ""
    host = (parts.hostname or "").rstrip(".")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path.rstrip('/')}{path}"


def same_server(one: str, other: str) -> bool:
    """Whether two addresses are of one server, whatever their paths."""
    first, second = (urllib.parse.urlsplit(canonical_url(each)) for each in (one, other))
    return (first.scheme, first.netloc) == (second.scheme, second.netloc)


#: Address of a server, perhaps with a path. The length leaves a host name no more than its 253 characters.
Url = Annotated[
    str,
    pydantic.StringConstraints(max_length=260, pattern=URL_PATTERN),
    Cel(
        f"self.matches(r'{URL_PATTERN}')",
        "write http:// or https://, a host name or [IPv6 address], perhaps a port up to 65535 and a path",
    ),
]


class SecretKeyRef(Spec):
    """One entry of a Secret. That of a KeyStore or KeyIssuer is in its own namespace, that of a cluster kind in the
    operator's.
    """

    name: ObjectName
    """Name of the Secret."""
    key: DataKey
    """Entry of the Secret."""


class CaProvider(Spec):
    """Where the CA certificates (PEM) are that the server's certificate must chain to."""

    kind: Literal["ConfigMap", "Secret"]
    """Kind of the object that holds the certificates."""
    name: ObjectName
    """Name of the object. That of a KeyStore or KeyIssuer is in its own namespace, that of a cluster kind in the
    operator's."""
    key: DataKey
    """Entry of the object."""


class ClientCertificate(Spec):
    """The certificate that Keywright shows to the server (mutual TLS)."""

    cert_secret_ref: SecretKeyRef
    """Entry that holds the certificate and its chain (PEM)."""
    key_secret_ref: SecretKeyRef
    """Entry that holds the private key (PEM, not encrypted)."""


class ServiceAccountRef(Spec):
    """A ServiceAccount whose token is asked for (TokenRequest): of the ApiKeySecret's namespace; of an issuer, of that
    of its Secrets.
    """

    name: ObjectName
    """Name of the ServiceAccount."""


class Condition(Spec):
    """One aspect of an object's state, as everywhere in Kubernetes."""

    type: Annotated[str, pydantic.StringConstraints(max_length=63)]
    """Aspect: `Ready`, `Stalled`, `Reconciling`, `Suspended`."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, pydantic.StringConstraints(max_length=63)]
    """Why, as one CamelCase word of the closed list in the reference."""
    message: Annotated[str, pydantic.StringConstraints(max_length=2048)]
    """Why, for a person. Never a secret value."""
    last_transition_time: Time
    """When `status` last changed (RFC 3339)."""
    observed_generation: int | None = None
    """Generation of the object that this was said about."""


def problems(error: pydantic.ValidationError) -> str:
    """Say which fields are wrong, without the input: ``data.0.key: string_pattern_mismatch``.

    What stands in the place of a field's name, as the key of a map does, is told only where it looks like a name.
    """
    shown = error.errors(include_input=False, include_context=False, include_url=False)[:5]
    return "; ".join(f"{'.'.join(map(_step, each['loc']))}: {each['type']}" for each in shown)


def _step(part: int | str) -> str:
    return str(part) if re.fullmatch("[-_./a-zA-Z0-9]{1,64}", str(part)) else "…"


def dump(model: Spec) -> dict[str, Any]:
    """Return the model as it stands in an object: camelCase, without what is absent."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
