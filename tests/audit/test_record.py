"""The schema of records is closed, and their form is one only."""

from __future__ import annotations

import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audit.logbook import OPERATOR, START, act, edited, log, whole, written
from keywright import canonical, errors
from keywright.audit import record
from keywright.audit.record import Credential, Entry, KeyChange, Piece, Type, Version

GOLDEN = pathlib.Path(__file__).parent / "records.jsonl"
HEAD = log(1, [[written(1)]], closed=True).head


def example(kind: Type) -> Entry:
    """Return an entry of each type, with all that such a one may have."""
    if kind in record.INTENTS | record.OUTCOMES:
        return act(kind, "9c1f")
    if kind is Type.LOG_OPENED:
        return Entry(type=kind, code="Started", who=OPERATOR, previous=HEAD, public_key="0" * 64)
    if kind is Type.CHECK_VERDICT:
        found = Credential(name="openai", issuer="openai", old="Valid", new="Invalid")
        return Entry(type=kind, code="Refused", who=OPERATOR, object=written(1).object, credential=found)
    if kind in (Type.LOG_RECOVERED, Type.RECORDS_LOST, Type.SYNC_REPAIRED):
        told = {"count": 3, "since": "2026-05-04T09:00:00.000000Z"}
        return written(1).model_copy(update={"type": kind, **told})
    return written(2).model_copy(update={"type": kind, "part": Piece(number=1, of=2)})


def golden() -> list[bytes]:
    part = log(1, [[example(kind) for kind in Type]], at=START)
    return part.batches[0].lines[1:]


def test_a_record_of_each_type_is_written_as_it_always_was() -> None:
    """A change here is a change of the format: old trails must still be read."""
    assert GOLDEN.read_bytes().splitlines() == golden()
    assert {json.loads(line)["type"] for line in golden()} == {str(each) for each in Type}
    assert [record.parse(line).seq for line in golden()] == list(range(1, len(Type) + 1))


@pytest.mark.parametrize("place", ["", "who", "object", "previous"])
def test_a_field_that_is_not_of_the_schema_is_refused(place: str) -> None:
    content = json.loads(golden()[0]) | {"object": {"kind": "KeyStore", "name": "vault"}}
    assert record.parse(canonical.data(content)).object
    (content[place] if place else content)["note"] = "free text"

    with pytest.raises(errors.Stalled) as refused:
        record.parse(canonical.data(content))
    assert "free text" not in str(refused.value)


def test_a_record_has_one_form_only() -> None:
    line = golden()[3]
    content = json.loads(line)
    forms = [
        line + b" ",
        json.dumps(content, sort_keys=True).encode(),
        json.dumps(dict(reversed(content.items())), separators=(",", ":")).encode(),
        edited(line, seq=str(content["seq"])),
        edited(line, count=None),
        edited(line, v=True),
        line.replace(b'"seq":4', b'"seq":4,"seq":4'),
        line.replace(b"Updated", b"\\u0055pdated"),
        golden()[0].replace(b'"publicKey"', b'"public_key"'),
    ]

    assert record.parse(line).seq == 4
    for each in forms:
        with pytest.raises(errors.Stalled):
            record.parse(each)


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b"NaN", b"\xff", b"[" * 60_000, b'{"seq":' + b"9" * 5000 + b"}", "\ud800"]
)
def test_what_is_no_record_is_refused_in_our_own_words(line: bytes | str) -> None:
    with pytest.raises(errors.Stalled, match="is no record"):
        record.parse(line)


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "a\u2028b", "\ud800", "x" * 254])
def test_a_name_is_one_line_of_text(name: str) -> None:
    with pytest.raises(ValidationError):
        KeyChange(key=name)


@pytest.mark.parametrize("version", ["", "1\n2", "\x1b[2J", "1" * 129])
def test_a_version_is_one_line_of_text(version: str) -> None:
    with pytest.raises(ValidationError):
        Version(version=version)


def test_a_log_may_say_which_one_of_its_trail_it_is() -> None:
    opened = [log(1, [], generation=generation).lines()[0] for generation in (None, 0, 7)]

    assert [record.parse(line).generation for line in opened] == [None, 0, 7]
    assert [b"generation" in line for line in opened] == [False, True, True]
    with pytest.raises(errors.Stalled):
        record.parse(edited(opened[2], generation=-1))


json_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | json_texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def rfc8785(value: object) -> str:
    """Return JSON as RFC 8785 says, written out rule by rule."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
        return '"' + "".join(short.get(ord(c)) or (c if ord(c) > 31 else f"\\u{ord(c):04x}") for c in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(rfc8785, value)) + "]"
    assert isinstance(value, dict)
    ordered = sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be"))
    return "{" + ",".join(f"{rfc8785(name)}:{rfc8785(each)}" for name, each in ordered) + "}"


@given(st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=5), values, max_size=4))
def test_canonical_is_what_rfc_8785_says(content: dict[str, object]) -> None:
    assert canonical.data(content) == rfc8785(content).encode()


changes = st.builds(
    KeyChange,
    key=st.text("ABCDE_é", min_size=1, max_size=40),
    path=st.none() | st.text("abc/ü", min_size=1, max_size=300),
    new=st.builds(Version, version=st.text("0123456789", min_size=1, max_size=20)),
)


@given(st.lists(changes, min_size=1, max_size=60), st.integers(900, 4000))
def test_what_is_too_long_is_told_in_parts_that_lose_nothing(keys: list[KeyChange], limit: int) -> None:
    entry = written(1).model_copy(update={"keys": tuple(keys)})

    made = record.parted(entry, limit)

    assert [key for each in made for key in each.keys or ()] == keys
    assert all(len(canonical.data(record.dump(each))) <= limit or len(each.keys or ()) == 1 for each in made)
    if len(made) > 1:
        assert [each.part for each in made] == [Piece(number=n, of=len(made)) for n in range(1, len(made) + 1)]
        assert {each.model_copy(update={"keys": None, "part": None}) for each in made} == {
            entry.model_copy(update={"keys": None})
        }
    else:
        assert made[0] is entry


def test_the_longest_record_is_no_longer_than_a_record_may_be() -> None:
    long = written(1).model_copy(update={"keys": tuple([KeyChange(key="K" * 253, path="p" * 1024)] * 500)})
    part = log(1, [list(record.parted(long))])

    assert max(map(len, whole([part]))) <= record.MAX_RECORD
