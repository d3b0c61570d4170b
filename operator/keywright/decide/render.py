"""What an entry's value is, out of what a store answered; and where a key is, out of what an object says. Pure.

Messages name entries and properties as the object writes them, never a value and never what else is in the key: of
names that only the store knows, the first characters.

Does not belong here: reading (``stores/``), writing (``engine/reconcile.py``).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Container
from typing import Any, Literal

import jmespath

from .. import errors
from ..errors import Reason
from ..secret import SecretMap, SecretValue
from ..stores.base import Fetched

#: What all values of a Secret together may measure (bytes); Kubernetes counts the same.
MAX_SECRET = 1024 * 1024

#: What all that one object reads may take in memory when it is parsed (bytes), and what each part of a JSON text takes.
MAX_READ, PART = 32 * 1024 * 1024, 100

#: Characters of a path, with its prefix.
MAX_PATH = 1024

#: What a jmesPath may search (bytes), and that times its length: what it costs, 0.2 µs each at most.
MAX_SEARCHED, MAX_COST = 256 * 1024, 8 * 1024 * 1024

Decode = Literal["None", "Base64", "Base64URL"]


class Parsed:
    """What a store answered for one key, parsed once for all entries that choose from it."""

    def __init__(self, fetched: Fetched) -> None:
        self.fetched = fetched
        self._values: dict[str, Any] | None = None

    def values(self) -> dict[str, Any]:
        """Return the map that the store answered."""
        if self._values is None:
            self._values = json.loads(self.fetched.value.reveal())
        return self._values


def entry_value(
    parsed: Parsed,
    *,
    property: str | None = None,  # noqa: A002 - the field's name
    jmes_path: str | None = None,
    decode: Decode = "None",
    allow_empty: bool = False,
    where: str,
) -> SecretValue:
    """Return the value of one entry.

    Strings are taken as they are; numbers, booleans, lists and maps become their JSON text; null is empty.

    Args:
        property: a literal key of the map, else segments joined by dots; None for the whole.
        jmes_path: an expression that chooses, instead of a property.
        decode: how the value is encoded in the store.
        where: the entry and its key, as messages begin.

    Raises:
        errors.Stalled: ``PropertyNotFound``, ``DecodeFailed``, ``ValueEmpty``, ``ValueTooLarge`` (for an expression),
            ``InvalidSpec`` (the expression).
    """
    with errors.boundary(lambda _: _failed(Reason.DECODE_FAILED, f"{where} is not text that can be read")):
        raw = _chosen(parsed, property, jmes_path, where)
    with errors.boundary(lambda _: _failed(Reason.DECODE_FAILED, f"{where} is not {decode}")):
        decoded = _decoded(raw, decode)
    if not decoded and not allow_empty:
        raise _failed(Reason.VALUE_EMPTY, f"{where} is empty")
    return SecretValue(decoded)


def property_of(values: dict[str, Any], name: str, where: str) -> Any:
    """Return a property of a map: a literal key, else segments joined by dots.

    Raises:
        errors.Stalled: ``PropertyNotFound``.
    """
    if name in values:
        return values[name]
    at: Any = values
    for segment in name.split("."):
        if not isinstance(at, dict) or segment not in at:
            raise _failed(Reason.PROPERTY_NOT_FOUND, f"{where} has no property {name}")
        at = at[segment]
    return at


def text_of(value: Any) -> bytes:
    """Return a string of a map as it is, anything else as its JSON text; null is empty.

    Raises:
        UnicodeEncodeError: it holds half a character.
    """
    if value is None:
        return b""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def size(value: SecretValue) -> int:
    """Return how large a value is (bytes)."""
    return len(value.reveal())


def trimmed(value: SecretValue) -> SecretValue | None:
    """Return a value without the white space around it; None if there is none, or nothing else."""
    raw = value.reveal()
    inner = raw.strip()
    return SecretValue(inner) if inner and inner != raw else None


def weight(value: SecretValue) -> int:
    """Return what a value takes in memory when it is parsed as JSON, roughly (bytes): ``[[[`` takes 50 times itself."""
    raw = value.reveal()
    return len(raw) + PART * (raw.count(b",") + raw.count(b"[") + raw.count(b"{"))


def cut(name: str) -> str:
    """Return what may be told of a name that may be a value in the wrong place: a third of it, four characters at most.

    Four characters of a token tell what kind it is, and nothing of its secret.
    """
    return f"{name[: min(4, len(name) // 3)] + '...'!a}, {len(name)} characters"


def check_size(entries: SecretMap, extracted: Container[str] = ()) -> None:
    """Raise ``Stalled(ValueTooLarge)`` if the values together are more than a Secret holds.

    Args:
        extracted: entries that have their names from a store.
    """
    sizes = {name: size(value) for name, value in entries.items()}
    if sum(sizes.values()) > MAX_SECRET:
        first = sorted(sizes, key=lambda name: (-sizes[name], name))[:3]
        largest = ", ".join(f"({cut(name)})" if name in extracted else name for name in first)
        said = f"the values together are larger than a Secret may be (1 MiB); the largest are {largest}"
        raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Spread the entries over several ApiKeySecrets")


def canonical(path: str) -> str:
    """Return the path if it is in the one form that paths have; nothing is repaired.

    Raises:
        errors.Stalled: ``PathOutsidePrefix``.
    """
    segments = path.split("/")
    wrong = next(
        (
            said
            for fails, said in (
                (len(path) > MAX_PATH, f"is longer than {MAX_PATH} characters"),
                (not path.isprintable(), "has characters that cannot be printed"),
                ("%" in path or "\\" in path, "has a % or a backslash"),
                ("" in segments, "is empty, begins or ends with a slash, or has two in a row"),
                ("." in segments or ".." in segments, "has a segment . or .."),
            )
            if fails
        ),
        None,
    )
    if wrong:
        shown = ascii(path[:120])
        raise errors.Stalled(
            Reason.PATH_OUTSIDE_PREFIX, f"path {shown} {wrong}", "Write it as team/name, without these"
        )
    return path


def effective_path(path: str, prefix: str, namespace: str) -> str:
    """Return where a key is in its store: the prefix, filled in, and the path below it.

    What an object writes cannot leave the prefix, as it is canonical by itself.

    Args:
        prefix: of the ClusterKeyStore, such as ``teams/{namespace}/``; may be empty. It ends a segment, with or
            without the slash at its end: ``teams/a`` does not open ``teams/ab``.

    Raises:
        errors.Stalled: ``PathOutsidePrefix``.
    """
    filled = prefix.replace("{namespace}", namespace).removesuffix("/")
    below = canonical(path)
    return canonical(f"{filled}/{below}") if filled else below


def _chosen(parsed: Parsed, name: str | None, expression: str | None, where: str) -> bytes:
    fetched = parsed.fetched
    if name is None and expression is None:
        whole = fetched.value.reveal()
        return b"" if fetched.is_map and whole == b"{}" else whole
    if not fetched.is_map:
        raise _failed(Reason.PROPERTY_NOT_FOUND, f"{where} is text, not a map to choose from")
    if name is not None:
        return text_of(property_of(parsed.values(), name, where))
    return text_of(_found(parsed, size(fetched.value), expression or "", where))


#: What an expression may be made of. Without lists made on the spot and functions that join, its cost is bounded by its
#: length times the size of the key: ``[@, @][] | [@, @][] | …`` would double at each step.
_NODES = frozenset(
    (
        "field",
        "subexpression",
        "index",
        "index_expression",
        "slice",
        "projection",
        "value_projection",
        "filter_projection",
        "flatten",
        "comparator",
        "literal",
        "current",
        "identity",
        "pipe",
        "and_expression",
        "or_expression",
        "not_expression",
        "function_expression",
        "expref",
    )
)
_FUNCTIONS = frozenset(
    (
        "contains",
        "ends_with",
        "keys",
        "length",
        "max_by",
        "min_by",
        "not_null",
        "sort_by",
        "starts_with",
        "values",
    )
)


def _found(parsed: Parsed, length: int, text: str, where: str) -> Any:
    with errors.boundary(lambda _: _failed(Reason.INVALID_SPEC, f"{where} has a jmesPath that cannot be parsed")):
        expression = jmespath.compile(text)
        allowed = _bounded(expression.parsed)
    if not allowed:
        raise _failed(Reason.INVALID_SPEC, f"{where} has a jmesPath that makes lists or maps, or calls what it may not")
    if length > MAX_SEARCHED or length * len(text) > MAX_COST:
        raise _failed(Reason.VALUE_TOO_LARGE, f"{where} is larger than this jmesPath may search")
    with errors.boundary(lambda _: _failed(Reason.PROPERTY_NOT_FOUND, f"{where} does not fit jmesPath {text}")):
        found = expression.search(parsed.values())
    if found is None:
        raise _failed(Reason.PROPERTY_NOT_FOUND, f"{where} has nothing at jmesPath {text}")
    return found


def _bounded(node: Any) -> bool:
    """Whether an expression is made of what is allowed."""
    kind, value = node["type"], node.get("value")
    if kind == "function_expression" and value not in _FUNCTIONS:
        return False
    if kind == "literal" and isinstance(value, list | dict):
        return False
    return kind in _NODES and all(_bounded(each) for each in node["children"] if isinstance(each, dict))


def _decoded(raw: bytes, decode: Decode) -> bytes:
    """Undo the encoding. Only what encoding would give back counts: no white space, no stray bits, right padding."""
    match decode:
        case "None":
            return raw
        case "Base64":
            decoded = base64.b64decode(raw)
            same = base64.b64encode(decoded) == raw
        case "Base64URL":
            decoded = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
            encoded = base64.urlsafe_b64encode(decoded)
            same = raw in (encoded, encoded.rstrip(b"="))
    if not same:
        raise ValueError("not what encoding gives")
    return decoded


_HINTS = {
    Reason.PROPERTY_NOT_FOUND: "Check the names in the key",
    Reason.DECODE_FAILED: "Check decode, and the value for white space and a line break at its end",
    Reason.VALUE_EMPTY: "Write the value into the store, or set allowEmpty: true",
    Reason.INVALID_SPEC: "Correct jmesPath",
    Reason.VALUE_TOO_LARGE: "Name a property instead",
}


def _failed(reason: Reason, said: str) -> errors.Stalled:
    return errors.Stalled(reason, said, _HINTS[reason])
