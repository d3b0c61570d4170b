"""A secret value does not get out by accident, and its fingerprint tells values apart within one install only."""

from __future__ import annotations

import copy
import dataclasses
import functools
import io
import json
import logging
import pickle  # noqa: TID251 - the danger that is tried out
import pprint
import traceback
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.secret import FingerprintKey, SecretValue

CANARY = "canary-7f3a9c"
VALUE = SecretValue(CANARY)


@dataclasses.dataclass(frozen=True)
class Holder:
    name: str
    value: SecretValue


def _logged(*args: object) -> str:
    stream = io.StringIO()
    record = logging.LogRecord("x", logging.INFO, __file__, 1, " ".join(["%s %r"] * len(args)), args * 2, None)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter())
    handler.handle(record)
    return stream.getvalue()


def _raised() -> str:
    held = Holder("a", VALUE)
    try:
        raise ValueError(held.value, held)
    except ValueError as error:
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        return "".join(shown.format()) + repr(error) + str(error) + repr(error.args)


def _plainly_raised() -> str:
    try:
        raise ValueError(VALUE)
    except ValueError:
        return traceback.format_exc()


SHOWN: dict[str, Callable[[], str]] = {
    "repr": lambda: repr(VALUE),
    "str": lambda: str(VALUE),
    "ascii": lambda: ascii(VALUE),
    "format": lambda: format(VALUE),
    "format with a spec": lambda: format(VALUE, ">30"),
    "f-string": lambda: f"{VALUE} {VALUE!r} {VALUE!s} {VALUE!a} {VALUE:40}",
    "str.format": lambda: "{0} {0!r} {0:<9}".format(VALUE),  # noqa: UP032 - another way in
    "percent s": lambda: "%s %r %a" % (VALUE, VALUE, VALUE),  # noqa: UP031 - another way in
    "pprint": lambda: pprint.pformat({"a": [VALUE, Holder("a", VALUE)]}),
    "in a dataclass": lambda: repr(Holder("a", VALUE)),
    "in containers": lambda: repr([(VALUE,), {"a": VALUE}]),
    "JSON by str": lambda: json.dumps({"a": VALUE}, default=str),
    "logging arguments": lambda: _logged(VALUE, Holder("a", VALUE), {"a": VALUE}),
    "exception arguments, locals shown": _raised,
    "traceback": _plainly_raised,
    "dir": lambda: repr(dir(VALUE)),
    "the reading function": lambda: repr(VALUE._read),
}


@pytest.mark.parametrize("way", SHOWN, ids=str)
def test_showing_a_secret_does_not_show_it(way: str) -> None:
    shown = SHOWN[way]()

    assert CANARY not in shown
    assert shown.strip()


REFUSED: dict[str, Callable[[], object]] = {
    "bytes": lambda: bytes(VALUE),
    "bytearray": lambda: bytearray(VALUE),
    "memoryview": lambda: memoryview(VALUE),  # type: ignore[arg-type]
    "len": lambda: len(VALUE),
    "iter": lambda: iter(VALUE),
    "list": lambda: list(VALUE),
    "unpacking": lambda: [*VALUE],
    "index": lambda: VALUE[0],
    "slice": lambda: VALUE[0:3],
    "containment": lambda: b"c" in VALUE,  # type: ignore[operator]
    "hash": lambda: hash(VALUE),
    "set": lambda: {VALUE},
    "order": lambda: SecretValue("a") > VALUE,  # type: ignore[operator]
    "sum": lambda: VALUE + VALUE,  # type: ignore[operator]
    "join": lambda: b"".join([VALUE]),  # type: ignore[list-item]
    "int": lambda: int(VALUE),  # type: ignore[call-overload]
    "JSON": lambda: json.dumps({"a": VALUE}),
    "vars": lambda: vars(VALUE),
    "copy": lambda: copy.copy(VALUE),
    "deepcopy": lambda: copy.deepcopy({"a": VALUE}),
    "asdict": lambda: dataclasses.asdict(Holder("a", VALUE)),
    "reduce": VALUE.__reduce__,
    "state": VALUE.__getstate__,
    **{f"pickle {n}": functools.partial(pickle.dumps, VALUE, n) for n in range(pickle.HIGHEST_PROTOCOL + 1)},
    "pickle inside": lambda: pickle.dumps([Holder("a", VALUE)]),
}


@pytest.mark.parametrize("way", REFUSED, ids=str)
def test_taking_a_secret_apart_is_refused(way: str) -> None:
    with pytest.raises(TypeError) as caught:
        REFUSED[way]()

    assert CANARY not in "".join(traceback.format_exception(caught.value))


@given(st.binary())
def test_revealing_gives_the_bytes_back(value: bytes) -> None:
    assert SecretValue(value).reveal() == value
    assert bool(SecretValue(value)) is bool(value)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_kept_as_utf_8(value: str) -> None:
    assert SecretValue(value).reveal() == value.encode()


def test_a_buffer_that_changes_later_does_not_change_the_secret() -> None:
    buffer = bytearray(b"before")
    value = SecretValue(buffer)  # type: ignore[arg-type]
    buffer[:] = b"after!"

    assert value.reveal() == b"before"


@given(st.binary(), st.binary())
def test_secrets_are_equal_as_their_bytes_are(one: bytes, other: bytes) -> None:
    assert (SecretValue(one) == SecretValue(other)) is (one == other)
    assert (SecretValue(one) != SecretValue(other)) is (one != other)


@pytest.mark.parametrize("other", [CANARY, CANARY.encode(), None, 0, Holder("a", VALUE)])
def test_a_secret_is_never_equal_to_something_else(other: object) -> None:
    assert (other == VALUE, other == VALUE) == (False, False)


KEY = FingerprintKey("k1", SecretValue(b"\x01" * 32))
OTHER = FingerprintKey("k2", SecretValue(b"\x02" * 32))
names = st.text("abc/.", max_size=4)
values = st.binary(max_size=4)


@given(names, values, names, values)
def test_a_fingerprint_is_equal_for_the_same_value_of_the_same_owner_only(a: str, x: bytes, b: str, y: bytes) -> None:
    equal = KEY.fingerprint(a, SecretValue(x)) == KEY.fingerprint(b, SecretValue(y))

    assert equal is ((a, x) == (b, y))


@given(names, st.dictionaries(names, values, max_size=3), names, st.dictionaries(names, values, max_size=3))
def test_the_fingerprint_of_entries_is_equal_for_the_same_entries_only(
    a: str, one: dict[str, bytes], b: str, other: dict[str, bytes]
) -> None:
    first, second = (
        KEY.of_entries(owner, {name: SecretValue(value) for name, value in entries.items()})
        for owner, entries in ((a, one), (b, other))
    )

    assert (first == second) is ((a, one) == (b, other))


def test_the_order_of_entries_does_not_matter_for_their_fingerprint() -> None:
    one = {"a": SecretValue("1"), "b": SecretValue("2")}

    assert KEY.of_entries("o", one) == KEY.of_entries("o", dict(reversed(one.items())))


def test_another_install_makes_other_fingerprints() -> None:
    mine, theirs = KEY.fingerprint("o", VALUE), OTHER.fingerprint("o", VALUE)

    assert mine.partition(":")[2] != theirs.partition(":")[2]
    assert (mine.partition(":")[0], theirs.partition(":")[0]) == ("k1", "k2")


def test_a_fingerprint_is_the_key_id_and_hex_digits() -> None:
    assert len(KEY.fingerprint("o", VALUE)) == len("k1:") + 20
    assert len(KEY.of_entries("o", {"a": VALUE})) == len("k1:") + 32
    assert int(KEY.fingerprint("o", VALUE).partition(":")[2], 16) > 0
    assert CANARY not in repr(KEY)
