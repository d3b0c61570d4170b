"""The sweep finds a value in every form that somebody plants, whole or in part, and takes nothing else for one."""

from __future__ import annotations

import base64
import gzip
import html
import json
import pprint
import secrets
import urllib.parse
import zlib
from collections.abc import Callable
from xml.sax import saxutils

import pytest
import yaml

from sweep import ENCODINGS, Canaries

#: As programs write values, not as the sweep does: with something before and behind.
PLANTED: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "in a URL": lambda value: f"https://x/?q={urllib.parse.quote(value, safe='')}&y=1",
    "in a form": lambda value: urllib.parse.urlencode({"a": f"x {value}"}),
    "in a URL in a URL": lambda value: urllib.parse.quote(urllib.parse.quote(value, safe=""), safe=""),
    "JSON": lambda value: json.dumps({"a": value}),
    "JSON in UTF-8": lambda value: json.dumps({"a": value}, ensure_ascii=False),
    "JSON in JSON": lambda value: json.dumps({"body": json.dumps({"a": value})}),
    "YAML": lambda value: yaml.safe_dump({"a": value}, width=1000),
    "repr": repr,
    "repr of bytes": lambda value: repr(value.encode()),
    "pprint": lambda value: pprint.pformat({"a": value}),
    "read wrongly": lambda value: value.encode().decode("latin-1"),
    "unicode_escape": lambda value: value.encode("unicode_escape").decode(),
    "backslashreplace": lambda value: value.encode("ascii", "backslashreplace").decode(),
    "lower": str.lower,
    "upper": str.upper,
    "backwards": lambda value: value[::-1],
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "hex dump": lambda value: value.encode().hex(" "),
    "C": lambda value: "".join(f"\\x{each:02x}" for each in value.encode()),
    "octal": lambda value: "".join(f"\\{each:03o}" for each in value.encode()),
    "list of numbers": lambda value: str(list(value.encode())),
    "numbers of Go": lambda value: " ".join(str(each) for each in value.encode()),
    "HTML": html.escape,
    "XML": saxutils.quoteattr,
    "HTML entities": lambda value: "".join(f"&#{ord(each)};" for each in value),
    "shell": lambda value: "'" + value.replace("'", "'\"'\"'") + "'",
}
#: The same, of bytes that have others before them.
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "base64 twice": lambda raw: base64.b64encode(base64.b64encode(raw)),
    "base32": base64.b32encode,
    "gzip": lambda raw: base64.b64encode(gzip.compress(raw)),
    "gzip, cut off": lambda raw: base64.b64encode(gzip.compress(raw))[:-8],
    "zlib": lambda raw: base64.urlsafe_b64encode(zlib.compress(raw)),
    "a Secret in gzip": lambda raw: base64.b64encode(
        gzip.compress(json.dumps(base64.b64encode(raw).decode()).encode())
    ),
}


def _canaries() -> tuple[Canaries, str]:
    canary = Canaries()
    value = canary("one")
    canary("two")
    return canary, value


def _names(found: set[tuple[str, str]]) -> set[str]:
    return {name for name, _ in found}


@pytest.mark.parametrize("way", PLANTED)
def test_a_value_is_found_however_it_is_written(way: str) -> None:
    canary, value = _canaries()

    assert _names(canary.found_in(f"before {PLANTED[way](value)} after")) == {"one"}


@pytest.mark.parametrize("way", PACKED)
@pytest.mark.parametrize("offset", range(5))
def test_a_value_is_found_however_it_is_packed(way: str, offset: int) -> None:
    canary, value = _canaries()
    packed = PACKED[way](b"x" * offset + value.encode() + b"yz").decode()

    assert _names(canary.found_in(f'before: "{packed}", after')) == {"one"}


def test_every_encoding_is_found_by_itself_and_there_are_many() -> None:
    assert len(ENCODINGS) >= 12
    for write in ENCODINGS.values():
        canary, value = _canaries()
        for text in write(value.encode()):
            assert _names(canary.found_in(f"<{text}>")) == {"one"}


def test_a_part_of_a_value_is_enough() -> None:
    canary = Canaries()
    value = canary("long", "{}{}")

    for start in range(len(value) - 24):
        assert _names(canary.found_in(f"...{value[start : start + 24]}...")) == {"long"}


def test_every_line_of_a_value_is_looked_for_and_a_frame_is_nobodys() -> None:
    canary = Canaries()
    value = canary("pem", "-----BEGIN PRIVATE KEY-----\n{}\n{}\nshortest\nshort\n-----END PRIVATE KEY-----\n")
    frame, *lines, short, end = value.splitlines()

    for line in lines:
        assert _names(canary.found_in(f"{line},")) == {"pem"}, line
        assert _names(canary.found_in(f"{line.encode().hex()},")) == {"pem"}, line
    assert canary.found_in(f"{frame} {short} {end}") == set()


def test_what_is_nobodys_is_not_taken_for_a_value() -> None:
    canary = Canaries()
    for number in range(50):
        canary(f"value {number}")
    others = [
        secrets.token_hex(40) + secrets.token_urlsafe(60) + str(list(secrets.token_bytes(60))) for _ in range(200)
    ]

    assert canary.found_in(f"{others} {base64.b64encode(secrets.token_bytes(9000))!r}") == set()
