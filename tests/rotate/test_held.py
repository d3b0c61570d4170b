"""Which key a Secret has, by what is known of it: one line a case."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.decide.rotate.held import Entry, Evidence, Found, has, is_in
from keywright.decide.rotate.sight import Has, Holds
from keywright.secret import SecretValue

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


def test_a_key_is_seen_where_it_is_an_entry_or_stands_within_one() -> None:
    key = 'sk-"1"\\ü'
    texts = (key, f" {key}\n", f"Bearer {key}", json.dumps({"key": key}), json.dumps([key], ensure_ascii=False))
    for text in texts:
        assert is_in(values(key), entries({"A": "else", "B": text})), text
        assert is_in(values(f"{key}\n"), entries({"B": text})), text
    assert not is_in(values(key), entries({"A": "sk-1", "B": ""}))
    assert not is_in({}, entries({"A": key}))


def test_of_a_key_of_several_parts_the_short_ones_are_seen_as_whole_entries_alone() -> None:
    pair = values("app", "a-long-password")
    for texts, seen in (
        ({"USER": "app"}, True),
        ({"URL": "postgres://app:a-long-password@db"}, True),
        ({"URL": "postgres://app:another@db"}, False),
        ({"HOST": "apple"}, False),
    ):
        assert is_in(pair, entries(texts)) is seen, texts


def test_bytes_that_are_no_text_are_seen_too() -> None:
    for before, after in itertools.product((b"", b"x"), repeat=2):
        assert is_in({"key": SecretValue(b"\xff\x00key")}, {"A": SecretValue(before + b"\xff\x00key" + after)})
