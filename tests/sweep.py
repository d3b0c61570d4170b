"""Finds values in text, in whatever form somebody may have written them there.

A canary is a random value. Of each of its lines, in each encoding, pieces are looked for that are worth about
``GRAM`` bytes, so that a part of a value is found as well; what is packed in base64 or gzip is unpacked first.

Does not belong here: where values go in (``branches``), which texts are swept (``outputs``).
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import quopri
import re
import secrets
import shlex
import urllib.parse
import zlib
from collections.abc import Callable, Iterable, Iterator

#: Bytes that a piece holds and how far apart they begin: of 23 characters of a value in a row one is complete.
GRAM, STEP = 16, 8
#: Shorter lines of a value tell nothing.
SHORT = 8
#: What is nobody's: the frame of PEM.
_FRAME = re.compile("-----[A-Z ]+-----")
_PACKED = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
#: How often something may be packed.
_DEPTH = 3

Encoder = Callable[[bytes], Iterable[str]]


def _shifted(encode: Callable[[bytes], bytes], group: int, signs: int) -> Encoder:
    """Return what writes bytes in groups, for each place in a group at which they may begin, without the ends."""

    def encoded(raw: bytes) -> Iterator[str]:
        for offset in range(group):
            tail = -(offset + len(raw)) % group
            written = encode(b"x" * offset + raw + b"x" * tail).decode()
            yield written[signs if offset else 0 : -signs if tail else None]

    return encoded


_base64, _base64url = _shifted(base64.b64encode, 3, 4), _shifted(base64.urlsafe_b64encode, 3, 4)


def _text(write: Callable[[str], str]) -> Encoder:
    return lambda raw: [write(raw.decode())]


def _signs(form: str, between: str = "") -> Encoder:
    """Return what writes each byte by itself."""
    return lambda raw: [between.join(form.format(each) for each in raw)]


#: How a value may be written.
ENCODINGS: dict[str, Encoder] = {
    "as it is": _text(str),
    "read as Latin-1": lambda raw: [raw.decode("latin-1")],
    "lower case": _text(str.lower),
    "upper case": _text(str.upper),
    "backwards": _text(lambda text: text[::-1]),
    "base64": _base64,
    "base64url": _base64url,
    "base64 twice": lambda raw: [two for one in _base64(raw) for two in _base64(one.encode())],
    "base32": _shifted(base64.b32encode, 5, 8),
    "hex": lambda raw: [raw.hex()],
    "HEX": lambda raw: [raw.hex().upper()],
    "hex with colons": lambda raw: [raw.hex(":"), raw.hex(" ")],
    "URL": lambda raw: [urllib.parse.quote(raw), urllib.parse.quote(raw, safe="")],
    "URL of a form": lambda raw: [urllib.parse.quote_plus(raw)],
    "URL twice": lambda raw: [urllib.parse.quote(urllib.parse.quote(raw, safe=""), safe="")],
    "URL, every byte": lambda raw: ["".join(f"%{each:02X}" for each in raw), "".join(f"%{each:02x}" for each in raw)],
    "JSON": _text(lambda text: json.dumps(text)[1:-1]),
    "JSON in UTF-8": _text(lambda text: json.dumps(text, ensure_ascii=False)[1:-1]),
    "JSON for HTML": _text(lambda text: re.sub("[<>&]", lambda it: f"\\u{ord(it[0]):04x}", json.dumps(text)[1:-1])),
    "JSON in JSON": _text(lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1]),
    "repr of text": _text(lambda text: repr(text)[1:-1]),
    "repr of bytes": lambda raw: [repr(raw)[2:-1]],
    "unicode_escape": _text(lambda text: text.encode("unicode_escape").decode()),
    "C, hex": _signs("\\x{:02x}"),
    "C, octal": _signs("\\{:03o}"),
    "numbers": lambda raw: [f"{list(raw)}"[1:-1], ",".join(map(str, raw)), " ".join(map(str, raw))],
    "HTML": _text(html.escape),
    "HTML, numbers": _text(lambda text: "".join(f"&#{ord(each)};" for each in text)),
    "shell": _text(lambda text: shlex.quote(text)[1:-1]),
    "quoted-printable": lambda raw: [quopri.encodestring(raw).decode().replace("=\n", "")],
}


class Canaries:
    """Values that are told apart by what they are for, and are found wherever they get to."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        #: The pieces by how they begin.
        self._grams: dict[str, dict[str, tuple[str, str]]] = {}
        self._short: dict[str, tuple[str, str]] = {}

    def __call__(self, name: str, form: str = '{}"+/&ü') -> str:
        """Return the value of this name, made as ``form`` says at first; each ``{}`` in it is of its own.

        By default characters that encodings write in their own ways are part of it.
        """
        if name not in self.values:
            parts = form.split("{}")
            self.watch(name, parts[0] + "".join(f"{secrets.token_hex(20)}{part}" for part in parts[1:]))
        return self.values[name]

    def watch(self, name: str, value: str) -> str:
        """Look for a value that somebody else made, too."""
        self.values[name] = value
        for line in value.splitlines():
            if len(line) >= SHORT and not _FRAME.fullmatch(line.strip()):
                # Of a long one its beginning tells enough.
                self._learn(name, line[:200].encode())
        return value

    def _learn(self, name: str, raw: bytes) -> None:
        for encoding, write in ENCODINGS.items():
            for form in write(raw):
                size = max(GRAM, GRAM * len(form) // (len(raw) + 4))
                if SHORT <= len(form) < size:
                    self._short.setdefault(form, (name, encoding))
                for start in (*range(0, len(form) - size, STEP), len(form) - size):
                    if start >= 0:
                        begins = self._grams.setdefault(form[start : start + GRAM], {})
                        begins.setdefault(form[start : start + size], (name, encoding))

    def found_in(self, text: str) -> set[tuple[str, str]]:
        """Return the names of the values of which a text holds anything, each with the form in which it does."""
        return {found for each in _unpacked(text, _DEPTH) for found in self._found_in(each)}

    def _found_in(self, text: str) -> Iterator[tuple[str, str]]:
        grams = self._grams
        for start in range(len(text) - GRAM + 1):
            if (begins := text[start : start + GRAM]) in grams:
                yield from (found for piece, found in grams[begins].items() if text.startswith(piece, start))
        yield from (found for form, found in self._short.items() if form in text)


def _unpacked(text: str, depth: int) -> Iterator[str]:
    """Yield a text, and what is packed in it."""
    yield text
    for packed in _PACKED.findall(text) if depth else ():
        inside = _opened(packed.translate(_USUAL))
        if inside:
            yield from _unpacked(inside, depth - 1)


_USUAL = str.maketrans("-_", "+/")


def _opened(packed: str) -> str:
    """Return what is packed in base64, and in gzip or zlib inside of it, as far as it goes; nothing if it is none."""
    try:
        raw = base64.b64decode(packed.rstrip("=")[: len(packed.rstrip("=")) // 4 * 4])
    except binascii.Error:
        return ""
    if raw[:2] in (b"\x1f\x8b", b"\x78\x9c", b"\x78\x01", b"\x78\xda"):
        try:
            return zlib.decompressobj(47).decompress(raw, 1 << 20).decode("latin-1")
        except zlib.error:
            return ""
    return raw.decode("latin-1")
