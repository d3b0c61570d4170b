"""The scalar types: what their patterns let through can be used, and what can be used they let through."""

from __future__ import annotations

import ipaddress
import re
import ssl

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import errors, schema, wire
from keywright.errors import Reason

TRUST = ssl.create_default_context()
URL = pydantic.TypeAdapter(schema.Url)
PRINTABLE = pydantic.TypeAdapter(schema.Printable)


def fits(adapter: pydantic.TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except pydantic.ValidationError:
        return False
    return True


def opens(url: str) -> bool:
    try:
        wire.Server(url, TRUST, 1)
    except errors.Stalled:
        return False
    return True


@given(st.from_regex(schema.DURATION_PATTERN, fullmatch=True).filter(lambda text: not text.endswith("\n")))
def test_no_duration_is_too_long_for_64_bits_of_nanoseconds(text: str) -> None:
    assert 0 <= schema.seconds(text) * 1e9 < 2**63


@pytest.mark.parametrize("unit", ["ms", "s", "m", "h", "d"])
def test_not_even_the_longest_of_each_unit(unit: str) -> None:
    digits = max(n for n in range(12) if re.match(schema.DURATION_PATTERN, f"{'9' * n}{unit}"))

    assert schema.seconds(f"{'9' * digits}{unit}" * 5) * 1e9 < 2**63
    with pytest.raises(ValueError, match="not a duration"):
        schema.seconds(f"1{'0' * digits}{unit}")


@given(st.from_regex(schema.URL_PATTERN, fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_an_address_that_fits_can_be_opened(url: str) -> None:
    assert opens(url) or not fits(URL, url)


GROUPS = st.lists(st.sampled_from(["", "0", "1", "ab", "FFFF", "12345", "g"]), min_size=1, max_size=10).map(":".join)


@given(GROUPS | st.ip_addresses(v=6).map(str))
def test_what_stands_in_brackets_is_an_ipv6_address(text: str) -> None:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        real = False
    else:
        real = True

    assert fits(URL, f"https://[{text}]:8200") is (real and "." not in text)


@given(st.integers(0, 100_000))
def test_a_port_is_one_that_there_is(port: int) -> None:
    assert fits(URL, f"https://vault:{port}") is opens(f"https://vault:{port}") is (1 <= port <= 65535)


@pytest.mark.parametrize(
    "url",
    [
        "https://x:99999",
        "https://x:abc",
        "https://x:0",
        "https://[::::]",
        "https://[1.2.3.4]",
        "https://[::1",
        "https://a..b",
        "https://.a",
        "https://",
        "https:///path",
        "ftp://vault",
        f"https://{'a' * 64}",
        f"https://{'a' * 300}",
        f"https://{'a.' * 127}b",
    ],
)
def test_an_address_that_is_none_is_refused_in_words(url: str) -> None:
    with pytest.raises(errors.Stalled, match="an address at which no server can be") as caught:
        wire.Server(url, TRUST, 1)

    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert not fits(URL, url)


@given(st.characters(codec="utf-8"))
def test_printable_text_is_text_without_control_characters(character: str) -> None:
    control = ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 or character in "\u2028\u2029"

    assert fits(PRINTABLE, f"a{character}b") is not control


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x1b", "\x1f", "\x7f", "\x80", "\x9f", "\u2028", "\u2029"])
def test_control_characters_are_refused_wherever_they_stand(character: str) -> None:
    assert not any(fits(PRINTABLE, text) for text in (character, f"a{character}", f"{character}a", f"a{character}a"))
