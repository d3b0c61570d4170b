"""Whose a text is by its form: prefixes that are unmistakable, those that are not, and the table that is built in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.issuers import table
from keywright.issuers._table import Format, Table
from vendors import vendors
from vendors.base import word


def form(prefix: str, pattern: str = "", kind: str = "key") -> Format:
    return Format(kind, pattern or rf"{prefix}[a-z0-9]{{8}}", "2026-12-24", "a test", prefix)


TABLE = Table(
    {
        "one": (form("o-"), form("o-admin-", kind="admin key"), form("", "[a-z]{4}", kind="bare key")),
        "two": (form("TW"), form("o-two-")),
        "none": (),
    }
)


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("o-abcdefgh", ("one", "key")),
        ("o-anything at all", ("one", "key")),
        ("o-", ("one", "key")),
        ("o-admin-abcdefgh", ("one", "admin key")),
        ("o-two-abcdefgh", ("two", "key")),
        ("o-two", ("one", "key")),
        ("TWabcdefgh", ("two", "key")),
        ("TWabcdefghi", None),
        ("TWENTY", None),
        ("abcd", None),
        ("xo-abcdefgh", None),
        ("O-abcdefgh", None),
        ("o", None),
        ("", None),
    ],
)
def test_whose_a_text_is(text: str, owner: tuple[str, str] | None) -> None:
    found = TABLE.owner(text)

    assert (found and (found[0], found[1].kind)) == owner


@given(st.permutations(["a-", "a-b-", "a-b-c-", "a-c-"]))
def test_the_longest_prefix_decides_in_whatever_order_they_stand(prefixes: list[str]) -> None:
    of = Table({f"issuer{number}": (form(prefix),) for number, prefix in enumerate(prefixes)})

    for text, prefix in (("a-b-c-1", "a-b-c-"), ("a-b-1", "a-b-"), ("a-c-1", "a-c-"), ("a-1", "a-")):
        found = of.owner(text)
        assert found and found[1].prefix == prefix


@given(st.text())
def test_a_text_is_nobodys_or_begins_as_its_owners_do(text: str) -> None:
    for of in (TABLE, table()):
        if found := of.owner(text):
            assert text.startswith(found[1].prefix)
            assert found[1] in of.of(found[0])


def test_a_form_is_of_the_whole_text() -> None:
    one = form("", "a|ab")

    assert [one.matches(text) for text in ("a", "ab", "abc", "a\n", "")] == [True, True, False, False, False]


def test_a_table_tells_what_it_holds() -> None:
    assert TABLE.issuers() == ("one", "two", "none")
    assert TABLE.of("none") == TABLE.of("nobody") == ()


# The table that is built in.


@pytest.mark.parametrize("name", sorted(vendors()))
def test_what_a_vendor_makes_is_nobody_elses(name: str) -> None:
    for kind, parts in vendors()[name]().samples().items():
        for value in parts.values():
            found = table().owner(value)
            assert found is None or found[0] == name, kind


def test_an_unmistakable_prefix_is_of_one_issuer() -> None:
    own: dict[str, set[str]] = {}
    for name in table().issuers():
        for each in table().of(name):
            if each.prefix and not each.prefix.isalnum():
                own.setdefault(each.prefix, set()).add(name)

    assert {prefix: names for prefix, names in own.items() if len(names) > 1} == {}


def test_random_words_are_nobodys() -> None:
    assert [each for each in (word(40) for _ in range(2000)) if table().owner(each)] == []


@pytest.mark.parametrize(
    "text", ["k" * 1_000_000, "sk-" * 300_000, "\0" * 1000, "sk-proj-" + "A" * 1_000_000, "SK" * 99_999]
)
def test_large_and_strange_texts_are_told_from_keys(text: str) -> None:
    assert not [each for name in table().issuers() for each in table().of(name) if each.matches(text)]
