"""What a template may do with values: filters, tests and operators, each bounded before it makes anything.

A value is text, a number, a boolean, none, a list, a map, or a SecretValue: bytes that are no text. Every function
begins with the work that the render may still do; what it reads and makes is taken off before it is made. So neither
a loop nor a chain of filters builds more than a few MiB.

Does not belong here: syntax (``sandbox.py``), rendering (``template.py``).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Sequence
from typing import Any, Final

import bcrypt
from jinja2 import Undefined

from ..errors import Reason
from ..secret import SecretValue

#: What a template may make (bytes): a Secret holds no more.
MAX_OUTPUT = 1024 * 1024

#: What one render may read and make on its way (bytes in memory at most): 8 times a full Secret.
MAX_WORK = 8 * 1024 * 1024

#: What all loops of one render may take together: each round counts the names, texts and filters inside of the loop.
MAX_STEPS = 100_000

#: Values in a JSON text, parts of a split one; what each takes as an object (bytes), and what a look at one counts.
MAX_PARTS, PART, LOOK = 20_000, 100, 10

#: Hashes by bcrypt in one render, their default cost and the highest: 10 takes about 60 ms, each one more doubles it.
MAX_HASHES, BCRYPT_COST, MAX_BCRYPT_COST = 4, 10, 12

#: The widest indent (columns).
MAX_INDENT = 64

Salt = Callable[[bytes], bytes]


class Wrong(Exception):
    """Why a template was not filled in: a clause in our words, without values; ``template.py`` adds place and line."""

    def __init__(
        self, clause: str, hint: str, reason: Reason = Reason.TEMPLATE_FAILED, line: int | None = None
    ) -> None:
        super().__init__(clause)
        self.clause, self.hint, self.reason, self.line = clause, hint, reason, line


class Work:
    """What one render may still do, and the salt of its hashes."""

    def __init__(self, salt: Salt) -> None:
        self._salt = salt
        self._steps = MAX_STEPS
        self._bytes = MAX_WORK
        self._hashes = MAX_HASHES

    def step(self, count: int) -> None:
        """Take steps of loops."""
        self._steps -= count
        if self._steps < 0:
            raise Wrong(f"loops for more than {MAX_STEPS} steps", "Loop over fewer items, or do less in the loop")

    def touch(self, count: int) -> None:
        """Take bytes that are read or made."""
        self._bytes -= count
        if self._bytes < 0:
            said = f"reads and makes more than {MAX_WORK >> 20} MiB of text on its way"
            raise Wrong(said, "Use fewer filters on large values", Reason.VALUE_TOO_LARGE)

    def salt(self, value: bytes) -> bytes:
        """Return the salt of one more hash."""
        self._hashes -= 1
        if self._hashes < 0:
            raise Wrong(f"uses bcrypt more than {MAX_HASHES} times", "Spread the hashes over several entries")
        return self._salt(value)


def text(value: Any) -> str:
    """Return what is written for a value; lists, maps, none and bytes are not guessed at.

    Raises:
        Wrong: there is no one way to write it.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, SecretValue):
        raise Wrong("uses bytes that are no text as text", "Use b64encode, or sha256: they take any bytes")
    _refuse_missing(value)
    if value is None:
        raise Wrong("uses none as text", 'Use default: value | default("text", true)')
    raise Wrong("uses a list or a map as text", "Use join, or tojson")


def number(value: Any, least: int, most: int, what: str) -> int:
    """Return a whole number if it is one and within its bounds."""
    if type(value) is not int or not least <= value <= most:
        raise Wrong(f"gives {what} that is not a number from {least} to {most}", "Correct the number")
    return value


def _refuse_missing(value: Any) -> None:
    """Let what is missing say so itself; it knows its name."""
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()  # noqa: SLF001 - how filters do it in Jinja


def cost(length: int, *parts: str) -> int:
    """Return what text of this length takes that is made of these parts: outside of ASCII, four bytes a character."""
    return length if all(map(str.isascii, parts)) else length * 4


def _read(work: Work, value: Any, growth: int = 1) -> str:
    """Return text and take what is made of it: at most so many characters for each one of it."""
    read = text(value)
    work.touch(cost(len(read) * (1 + growth), read))
    return read


def _bytes(work: Work, value: Any, growth: int) -> bytes:
    """Return the bytes of text, or of what is none, and take what is made of them."""
    data = value.reveal() if isinstance(value, SecretValue) else _read(work, value).encode()
    work.touch(len(data) * growth)
    return data


def _list(value: Any) -> Sequence[Any]:
    _refuse_missing(value)
    if not isinstance(value, list | tuple):
        raise Wrong("uses as a list what is none", "Use keys, values or items on a map, split on text")
    return value


def _map(value: Any) -> dict[str, Any]:
    _refuse_missing(value)
    if not isinstance(value, dict):
        raise Wrong("uses as a map what is none", "Use fromjson on the text of a map")
    return value


def weigh(work: Work, value: Any, growth: int = 0) -> None:
    """Take what it costs to read all of a value, and what is made of it: its characters, and a look at each part."""
    ahead = [value]
    while ahead:
        each = ahead.pop()
        work.touch(LOOK)
        if isinstance(each, str):
            work.touch(cost(len(each) * (1 + growth), each))
        elif isinstance(each, SecretValue):
            work.touch(len(each.reveal()))
        elif isinstance(each, dict):
            ahead += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple):
            ahead += each
        _refuse_missing(each)


def joined(work: Work, parts: Sequence[Any], between: str = "") -> str:
    """Return the texts of values as one text."""
    texts = [text(each) for each in parts]
    work.touch(cost(sum(map(len, texts)) + len(texts) * (LOOK + len(between)), between, *texts))
    return between.join(texts)


# Text

#: How each byte is written in a URL (urllib does the same, beside a client of the network that may not come in here).
PERCENT = [chr(byte) if re.match(r"[A-Za-z0-9._~-]", chr(byte)) else f"%{byte:02X}" for byte in range(256)]


def urlencode(work: Work, value: Any) -> str:
    """Percent-encode everything but letters, digits and `-._~` (RFC 3986): `/`, `@`, `:` and spaces too."""
    data = _bytes(work, text(value), 3)
    # Piece by piece, as join makes a list of all that it joins.
    pieces = (data[at : at + 16 * 1024] for at in range(0, len(data), 16 * 1024))
    return "".join("".join(map(PERCENT.__getitem__, piece)) for piece in pieces)


def b64encode(work: Work, value: Any) -> str:
    """Encode text, or bytes that are none, in standard Base64 without line breaks."""
    return base64.b64encode(_bytes(work, value, 2)).decode()


def b64decode(work: Work, value: Any) -> str | SecretValue:
    """Decode Base64: standard alphabet, padded; line breaks are fine. What it holds may be no text."""
    raw = _read(work, value, 3)
    try:
        decoded = base64.b64decode(raw.encode("ascii").translate(None, b" \t\r\n"), validate=True)
    except ValueError:
        raise Wrong("decodes what is not Base64", "Check the value at the store") from None
    try:
        return decoded.decode()
    except UnicodeDecodeError:
        return SecretValue(decoded)


def sha256(work: Work, value: Any) -> str:
    """Return the SHA-256 of text, or of bytes that are none, as 64 hex digits."""
    return hashlib.sha256(_bytes(work, value, 0)).hexdigest()


_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_OF_BCRYPT = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def bcrypt_(work: Work, value: Any, cost: Any = BCRYPT_COST) -> str:
    """Hash a password as `htpasswd -B` does; the same password of the same entry keeps its hash."""
    password = _read(work, value).encode()
    rounds = number(cost, BCRYPT_COST, MAX_BCRYPT_COST, "bcrypt a cost")
    if len(password) > 72 or b"\0" in password:
        raise Wrong("hashes a password that bcrypt cannot take: more than 72 bytes, or a NUL", "Use another password")
    salt = base64.b64encode(work.salt(password)[:16])[:22].translate(bytes.maketrans(_STANDARD, _OF_BCRYPT))
    return bcrypt.hashpw(password, b"$2b$%02d$%s" % (rounds, salt)).decode()


def indent(work: Work, value: Any, width: Any = 4, first: Any = False) -> str:
    """Put spaces in front of every line but the first and empty ones; `first=true`: the first too."""
    columns = number(width, 0, MAX_INDENT, "indent a width")
    read = _read(work, value)
    work.touch(cost(read.count("\n") * (columns + PART), read))
    lines = read.split("\n")
    pad = " " * columns
    rest = [pad + line if line else line for line in lines[1:]]
    return "\n".join([pad + lines[0] if first else lines[0], *rest])


def trim(work: Work, value: Any) -> str:
    """Take white space and line breaks off both ends."""
    return _read(work, value).strip()


def upper(work: Work, value: Any) -> str:
    """Write in capitals."""
    return _cased(work, value).upper()


def lower(work: Work, value: Any) -> str:
    """Write in small letters."""
    return _cased(work, value).lower()


def _cased(work: Work, value: Any) -> str:
    # A letter outside of ASCII may become three.
    return _read(work, value, 1 if text(value).isascii() else 3)


def replace(work: Work, value: Any, old: Any, new: Any) -> str:
    """Replace every `old` by `new`, both literal."""
    read, before, after = _read(work, value), text(old), text(new)
    if not before:
        raise Wrong("replaces empty text", "Name the text to replace")
    work.touch(cost(read.count(before) * len(after), read, after))
    return read.replace(before, after)


def split(work: Work, value: Any, separator: Any) -> list[str]:
    """Return the parts of text between separators, as a list."""
    read, between = _read(work, value), text(separator)
    parts = read.count(between) if between else MAX_PARTS
    if parts >= MAX_PARTS:
        raise Wrong(f"splits by empty text, or into more than {MAX_PARTS} parts", "Use another separator")
    work.touch(parts * PART)
    return read.split(between)


def shquote(work: Work, value: Any) -> str:
    """Write one word of a POSIX shell, in single quotes where it needs them."""
    # A quote becomes five signs, and is copied once more.
    return shlex.quote(_read(work, value, 10))


# JSON


def tojson(work: Work, value: Any) -> str:
    """Write JSON in one line, which is YAML too; text comes with its quotes."""
    # A control character becomes six: backslash, u and four digits.
    weigh(work, value, 6)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        raise Wrong("writes as JSON what JSON cannot say", "Use b64encode on bytes that are no text") from None


def fromjson(work: Work, value: Any) -> Any:
    """Return the map, list or value that JSON text says."""
    # One escaped character may make all others of its text four bytes wide.
    read = _read(work, value, 4)
    parts = sum(map(read.count, ",[{"))
    if parts > MAX_PARTS:
        raise Wrong(f"reads JSON of more than {MAX_PARTS} values", "Choose a part of it with property or jmesPath")
    work.touch(parts * PART)
    try:
        return json.loads(read, parse_constant=_no_number)
    except ValueError:
        raise Wrong("reads as JSON what is none", "Check the value at the store") from None


def _no_number(_: str) -> None:
    raise ValueError("not JSON, whatever Python says")


# Lists and maps


def default(_: Work, value: Any, instead: Any, when_empty: Any = False) -> Any:
    """Return the value, or `instead` where there is none; with `true` also where it is empty, none, zero or false."""
    if isinstance(value, Undefined) or (when_empty and not value):
        return instead
    return value


def join(work: Work, value: Any, separator: Any = "") -> str:
    """Return the items of a list as one text, the separator between them."""
    return joined(work, _list(value), text(separator))


def length(_: Work, value: Any) -> int:
    """Count characters, items, or names in a map."""
    return len(value) if isinstance(value, list | tuple | dict) else len(text(value))


def first(_: Work, value: Any) -> Any:
    """Return the first item of a list."""
    return _item(value, 0)


def last(_: Work, value: Any) -> Any:
    """Return the last item of a list."""
    return _item(value, -1)


def _item(value: Any, index: int) -> Any:
    items = _list(value)
    if not items:
        raise Wrong("takes an item of an empty list", "Ask first: if list | length > 0")
    return items[index]


def keys(work: Work, value: Any) -> list[str]:
    """Return the names in a map, as a list."""
    work.touch(len(_map(value)) * 8)
    return list(value)


def values(work: Work, value: Any) -> list[Any]:
    """Return the values in a map, as a list."""
    work.touch(len(_map(value)) * 8)
    return list(value.values())


def items(work: Work, value: Any) -> list[tuple[str, Any]]:
    """Return the names and values in a map, as pairs: `for name, value in map | items`."""
    work.touch(len(_map(value)) * PART)
    return list(value.items())


#: All filters there are, by name.
FILTERS: Final[dict[str, Callable[..., Any]]] = {
    each.__name__.rstrip("_"): each
    for each in (
        *(urlencode, b64encode, b64decode, sha256, bcrypt_, indent, trim, upper, lower, replace, split, shquote),
        *(tojson, fromjson, default, join, length, first, last, keys, values, items),
    )
}

#: All tests there are, by name: `x is defined`.
TESTS: Final[dict[str, Callable[[Any], bool]]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "undefined": lambda value: isinstance(value, Undefined),
    "none": lambda value: value is None,
    "string": lambda value: isinstance(value, str),
    "binary": lambda value: isinstance(value, SecretValue),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "mapping": lambda value: isinstance(value, dict),
    "sequence": lambda value: isinstance(value, list | tuple),
}
