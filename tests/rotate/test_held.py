"""Which key a Secret has, by what is known of it: one line a case."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.decide.rotate.held import Entry, Evidence, Found, are_in, has
from keywright.decide.rotate.sight import Has, Holds
from keywright.secret import LONG, SecretValue

OLD, NEW = Entry(Has.OLD, made=True), Entry(Has.NEW, made=True)
#: Neither; of something else; through an expression, in the version that the store has, and in another one.
THIRD, ELSE = Entry(Has.NOTHING, made=True), Entry()
CURRENT, EARLIER = Entry(made=True, current=True), Entry(made=True)
EMPTY, NOT_OURS = Found(ours=True), Found()

CASES: list[tuple[str, Evidence, Has]] = [
    ("never written", Evidence(written=False), Has.NOTHING),
    ("never written, whatever is said", Evidence(written=False, told=True, entries=[OLD]), Has.NOTHING),
    ("about to be written", Evidence(), Has.UNKNOWN),
    # By what the status tells.
    ("the old one", Evidence(told=True, entries=[OLD, ELSE]), Has.OLD),
    ("the new one", Evidence(told=True, entries=[ELSE, NEW]), Has.NEW),
    ("both", Evidence(told=True, entries=[OLD, NEW]), Has.UNKNOWN),
    ("a third", Evidence(told=True, entries=[THIRD]), Has.NOTHING),
    ("something else", Evidence(told=True, entries=[ELSE]), Has.NOTHING),
    ("nothing at all", Evidence(told=True), Has.NOTHING),
    ("what the store has", Evidence(told=True, entries=[CURRENT], store=Holds.NEW), Has.NEW),
    ("the same before", Evidence(told=True, entries=[CURRENT], store=Holds.OLD), Has.OLD),
    ("the store has a third", Evidence(told=True, entries=[CURRENT], store=Holds.OTHER), Has.UNKNOWN),
    ("the store has nothing", Evidence(told=True, entries=[CURRENT], store=Holds.NOTHING), Has.UNKNOWN),
    ("the store is silent", Evidence(told=True, entries=[CURRENT]), Has.UNKNOWN),
    ("another version", Evidence(told=True, entries=[EARLIER], store=Holds.NEW), Has.UNKNOWN),
    ("one is known, and one is not", Evidence(told=True, entries=[NEW, EARLIER], store=Holds.NEW), Has.UNKNOWN),
    ("both, by value and version", Evidence(told=True, entries=[OLD, CURRENT], store=Holds.NEW), Has.UNKNOWN),
    ("as before", Evidence(told=True, entries=[EARLIER], store=Holds.NEW, before=Has.OLD), Has.OLD),
    # By what is in it.
    ("it was touched", Evidence(entries=[OLD]), Has.UNKNOWN),
    ("it was touched, and known before", Evidence(entries=[OLD], before=Has.OLD), Has.UNKNOWN),
    ("the status is older", Evidence(entries=[OLD], found=Found(new=True, ours=True)), Has.NEW),
    ("an earlier one is old", Evidence(told=True, entries=[EARLIER], found=Found(old=True, ours=True)), Has.OLD),
    ("both are in it", Evidence(found=Found(old=True, new=True, ours=True)), Has.UNKNOWN),
    ("it is not seen", Evidence(found=EMPTY), Has.UNKNOWN),
    ("it would be seen", Evidence(found=EMPTY, plain=True), Has.NOTHING),
    ("nothing in it is ours", Evidence(found=NOT_OURS), Has.NOTHING),
    ("somebody has put it there", Evidence(found=Found(old=True)), Has.OLD),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "which"), [each[1:] for each in CASES], ids=[each[0] for each in CASES])
def test_which_key_a_secret_has(seen: Evidence, which: Has) -> None:
    assert has(seen) is which


ENTRIES = st.builds(Entry, st.sampled_from(Has), st.booleans(), st.booleans())
FOUND = st.none() | st.builds(Found, st.booleans(), st.booleans(), st.booleans())


@given(
    st.booleans(),
    st.lists(ENTRIES, max_size=4),
    st.none() | st.sampled_from(Holds),
    st.none() | st.sampled_from((Has.OLD, Has.NEW)),
    FOUND,
)
def test_what_is_not_sure_is_never_said_to_be_nothing(
    told: bool, entries: list[Entry], store: Holds | None, before: Has | None, found: Found | None
) -> None:
    which = has(Evidence(told=told, entries=entries, store=store, before=before, found=found))

    if which is not Has.NOTHING:
        return
    # Its status tells all of it, or nobody of ours has written what is in it.
    whole = told and not any(each.value in (Has.OLD, Has.NEW) for each in entries)
    whole = whole and not any(each.made and each.value is Has.UNKNOWN for each in entries)
    assert whole or found == NOT_OURS


def values(*texts: str) -> dict[str, SecretValue]:
    return {f"part{number}": SecretValue(text) for number, text in enumerate(texts)}


def entries(texts: Mapping[str, str]) -> dict[str, SecretValue]:
    return {name: SecretValue(text) for name, text in texts.items()}


#: What an entry has, and whether the old key, the new one, or both of them are in that.
KEY, NEXT = "sk-old-0123456789", "sk-new-0123456789"
LOGIN = json.dumps({"auth": base64.b64encode(f"user:{NEXT}".encode()).decode()})
MAPS = [json.dumps({"email": "somebody@example.com", "key": f"-----BEGIN\n{name} key\n"}) for name in ("old", "new")]
WHERE: list[tuple[str, str, str, str | bytes, str]] = [
    ("itself", KEY, NEXT, KEY, "old"),
    ("with white space", KEY, NEXT, f" {KEY}\n", "old"),
    ("the new one", KEY, NEXT, f"Bearer {NEXT}", "new"),
    ("both", KEY, NEXT, f"{KEY},{NEXT}", "old new"),
    ("neither", KEY, NEXT, KEY[:-1], ""),
    ("within a map", KEY, NEXT, json.dumps({"region": "eu", "api_key": KEY}), "old"),
    ("within a map, with signs", 'o"1"\\ü', "n", json.dumps({"key": 'o"1"\\ü'}), "old"),
    ("within a list, with signs", 'o"1"\\ü', "n", json.dumps(['o"1"\\ü'], ensure_ascii=False), "old"),
    ("in an URL", "p/w@:1234", NEXT, "postgres://app:p%2Fw%40%3A1234@db", "old"),
    ("in Base64", KEY, NEXT, base64.b64encode(KEY.encode()), "old"),
    ("after a user in Base64", KEY, NEXT, base64.b64encode(f"me:{KEY}".encode()), "old"),
    ("after another one", KEY, NEXT, base64.b64encode(f"you:{KEY}:".encode()), "old"),
    ("in Base64 for URLs", "?>?>?>?>?>", NEXT, base64.urlsafe_b64encode(b"{'?>?>?>?>?>'}"), "old"),
    ("a login of dockerConfig", KEY, NEXT, LOGIN, "new"),
    ("decoded from Base64", base64.b64encode(b"\xff\0 some bytes").decode(), NEXT, b"\xff\0 some bytes", "old"),
    # A short one is seen as it is: better once too often than not at all. What it looks like encoded tells nothing.
    ("a short one", "1234", "5678", "pin=1234", "old"),
    ("a short one in Base64", "12", "56", base64.b64encode(b"a12"), ""),
    ("an empty one", "", NEXT, "anything", ""),
    ("an empty one and nothing", " ", NEXT, "", ""),
    # A key that is a map, of which somebody has read one text; what both have in common tells nothing.
    ("a text of a map", MAPS[0], MAPS[1], "-----BEGIN\nold key\n", "old"),
    ("within another one", MAPS[0], MAPS[1], json.dumps({"a": "-----BEGIN\nnew key\n"}), "new"),
    ("what both maps have", MAPS[0], MAPS[1], "somebody@example.com", ""),
    ("the whole map", MAPS[0], MAPS[1], MAPS[0], "old"),
    # One that goes on where the other one ends.
    ("the shorter one", "key-1", "key-12", '"key-1"', "old"),
    ("the longer one", "key-1", "key-12", '"key-12"', "new"),
    ("the longer one is the old one", "key-12", "key-1", "key-12", "old"),
    ("both of them", "key-1", "key-12", "key-1 key-12", "old new"),
    ("the longer one in Base64", "secret-key-1", "secret-key-12", base64.b64encode(b"secret-key-12"), "new"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "text", "seen"), [each[1:] for each in WHERE], ids=[each[0] for each in WHERE])
def test_a_key_is_seen_where_it_is_an_entry_or_stands_within_one(
    old: str, new: str, text: str | bytes, seen: str
) -> None:
    texts = {"A": SecretValue("else"), "B": SecretValue(text)}

    assert are_in(values(old), values(new), texts) == ("old" in seen, "new" in seen)
    assert are_in(values(f"{old}\n"), values(new), texts) == ("old" in seen, "new" in seen)
    assert are_in(values(new), values(old), texts) == ("new" in seen, "old" in seen)
    assert are_in({}, {}, texts) == (False, False)


@pytest.mark.parametrize("make", [lambda key: key, lambda key: {"map": json.dumps(key)}], ids=["parts", "a map"])
def test_a_secret_is_seen_within_a_text_also_where_the_id_is_longer(
    make: Callable[[Mapping[str, str]], Mapping[str, str]],
) -> None:
    keys = ({"sid": "SK" + each * 32, "secret": each.upper() * 32} for each in "ab")
    old, new = (entries(make(each)) for each in keys)
    for text, seen in (
        (f"https://acct:{'A' * 32}@api.example/", (True, False)),
        (f"https://acct:{'B' * 32}@api.example/", (False, True)),
        (f"SK{'a' * 32}:{'B' * 32}", (True, True)),
        ("https://acct@api.example/", (False, False)),
    ):
        assert are_in(old, new, entries({"URL": text})) == seen, text


def test_of_a_key_of_several_parts_the_short_ones_are_seen_as_whole_entries_alone() -> None:
    pair = values("app", "a-long-password")
    for texts, seen in (
        ({"USER": "app"}, True),
        ({"URL": "postgres://app:a-long-password@db"}, True),
        ({"URL": "postgres://app:another@db"}, False),
        ({"HOST": "apple"}, False),
    ):
        assert are_in(pair, {}, entries(texts)) == (seen, False), texts


@given(
    st.binary(min_size=LONG).filter(lambda key: len(key.strip()) >= LONG), st.binary(max_size=8), st.binary(max_size=8)
)
def test_a_key_is_seen_whatever_stands_before_and_after_it(key: bytes, before: bytes, after: bytes) -> None:
    for text in (before + key + after, base64.b64encode(before + key + after)):
        assert are_in({"key": SecretValue(key)}, {}, {"A": SecretValue(text)}) == (True, False), text
