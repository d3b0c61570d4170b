"""Formats by configuration, and of strangers: what a file changes, and what none can do."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from issuers.issuing import secret
from keywright import errors
from keywright.errors import Reason
from keywright.issuers import load, table
from keywright.issuers._strangers import STRANGERS
from keywright.issuers._table import Format, Table
from keywright.issuers.base import Malformed
from keywright.issuers.openai import OpenAI
from vendors.base import word

CANARY = "kw-canary-6f1d2c9b4a"


def changed(forms: Any, issuer: str = "openai") -> Table:
    """Return the table as a file changes it."""
    return table(yaml.safe_dump({issuer: forms}))


def form(kind: str = "new key", **said: Any) -> dict[str, Any]:
    return {"kind": kind, "pattern": "sk-new-[a-z]{8}", "checked": "2026-12-24", **said}


def kinds(of: Table) -> list[str]:
    return [each.kind for each in of.of("openai")]


def test_another_kind_is_added() -> None:
    found = changed([form(prefix="sk-new-", source="the vendor's blog")])

    assert kinds(found) == [*kinds(table()), "new key"]
    added = Format("new key", "sk-new-[a-z]{8}", "2026-12-24", "the vendor's blog", "sk-new-")
    assert found.of("openai")[-1] == added
    assert found.owner("sk-new-abcdefgh") == ("openai", added)
    assert table().owner("sk-new-abcdefgh") is None


def test_a_kind_that_is_there_is_replaced_in_its_place() -> None:
    found = changed([form("project key")])

    assert kinds(found) == kinds(table())
    assert {each.kind: each.pattern for each in found.of("openai")}["project key"] == "sk-new-[a-z]{8}"


def test_a_kind_is_dropped() -> None:
    found = changed([{"kind": "user key", "remove": True}])

    assert kinds(found) == [each for each in kinds(table()) if each != "user key"]


def test_dates_need_no_quotes_and_text_of_numbers_is_text() -> None:
    said = "groq:\n- {kind: API key, pattern: gsk_1, checked: 2026-12-24}\n- {kind: 5, pattern: 7, checked: 2026-01-01}"

    assert [(each.kind, each.pattern, each.checked) for each in table(said).of("groq")] == [
        ("API key", "gsk_1", "2026-12-24"),
        ("5", "7", "2026-01-01"),
    ]


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "{}", "openai: []"])
def test_a_file_without_forms_changes_nothing(text: str) -> None:
    assert [table(text).of(name) for name in table().issuers()] == [table().of(name) for name in table().issuers()]


@pytest.mark.parametrize(
    ("forms", "said"),
    [
        ([form(pattern="(" + CANARY)], "openai, form 1 (new key): pattern"),
        ([form(pattern=f"(?={CANARY})")], "openai, form 1 (new key): pattern"),
        ([form(pattern="((a{100}){100}){100}")], "openai, form 1 (new key): pattern"),
        ([form(pattern=CANARY * 100)], "openai, form 1: pattern: string_too_long"),
        ([{"kind": "a", "checked": "2026-01-01"}], "openai, form 1 (a): pattern: missing"),
        ([form(pattern=[CANARY])], "openai, form 1: pattern: string_type"),
        ([form(), form("b", checked="2026-13-01")], "openai, form 2 (b): checked"),
        ([form(checked=CANARY)], "openai, form 1: checked: string_pattern_mismatch"),
        ([form(kind="a\nb")], "openai, form 1: kind"),
        ([form(kind="")], "openai, form 1: kind"),
        ([form(prefix="s")], "openai, form 1: prefix"),
        ([form(prefix="s k-")], "openai, form 1: prefix"),
        ([form(part="user")], "openai, form 1 (new key): part"),
        ([form(remove=CANARY)], "openai, form 1: remove"),
        ([form(remove=True)], "openai, form 1 (new key): remove"),
        ([form(patern=CANARY)], "openai, form 1: patern: extra_forbidden"),
        ([CANARY], "openai, form 1"),
        (CANARY, "for openai no list of forms"),
        ([form(str(number)) for number in range(65)], "for openai no list of forms, or one of more than 64"),
    ],
)
def test_what_is_wrong_is_named_and_not_shown(forms: Any, said: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        changed(forms)

    assert caught.value.reason is Reason.INVALID_SPEC
    assert said in caught.value.message
    assert CANARY not in repr(caught.value) + caught.value.message + caught.value.hint
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("opnai: []", "names issuer opnai,"),
        ("custom: []", "names issuer custom,"),
        ("'a b': []", "names issuer number 1,"),
        ("[]", "holds no map"),
        ("openai", "holds no map"),
        ("openai: [", "is not YAML"),
        ("\x00", "is not YAML"),
        ("a: 1\n---\nb: 2", "is not YAML"),
        ("openai: &a []\ngroq: *a", "has aliases"),
        ("openai: [[[[[]]]]]", "has aliases, too many values, or too deep ones"),
        ("[" * 100_000, "too deep ones"),
        ("{a: " * 50_000, "too deep ones"),
        ("openai: [" + "a," * 25_000 + "]", "too many values"),
        ("#" * 300_000, "is larger than 256 KiB"),
        ("openai: []\nopenai: []", "has a name twice"),
        ("{[a]: b}", "has a name twice, or one that is no text"),
        ("openai: !!python/object:os.system []", "x"),
    ],
)
def test_a_wild_file_is_refused(text: str, said: str) -> None:
    if said == "x":
        assert kinds(table(text)) == kinds(table())  # tags mean nothing
        return
    with pytest.raises(errors.Stalled) as caught:
        table(text)

    assert said in caught.value.message


def test_files_that_cannot_be_read_are_refused(tmp_path: pathlib.Path) -> None:
    for name, data in (("large", b"#" * 300_000), ("bytes", b"\xff\xfe\xff")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(errors.Stalled):
            load(tmp_path / name)
    with pytest.raises(errors.Stalled, match="cannot be read"):
        load(tmp_path / "none")


def test_a_file_is_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "formats.yaml").write_text("\ufeff" + yaml.safe_dump({"openai": [form()]}))

    assert "new key" in kinds(load(tmp_path / "formats.yaml"))


FIELDS = ["kind", "pattern", "checked", "source", "prefix", "part", "remove"]
WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | st.sampled_from(FIELDS), inner),
    max_leaves=20,
)


def _refused(text: str) -> bool:
    """Whether a file is refused; else each form of its table is whole."""
    try:
        found = table(text)
    except errors.Stalled:
        return True
    assert all(each.kind and each.pattern and each.checked for name in found.issuers() for each in found.of(name))
    return False


@given(st.dictionaries(st.sampled_from(["openai", "groq", "nobody"]), WILD) | WILD)
def test_whatever_a_file_holds_it_is_a_table_or_refused(said: Any) -> None:
    assert _refused(yaml.safe_dump(said, allow_unicode=True)) in (True, False)


@given(st.text())
def test_whatever_text_a_file_is_it_is_a_table_or_refused(text: str) -> None:
    assert _refused(text) in (True, False)


# Strangers.

HEX = "0123456789abcdef"
MADE = {
    "cloudflare": lambda: f"cfut_{word(40)}{word(8, HEX)}",
    "digitalOcean": lambda: f"dop_v1_{word(64, HEX)}",
    "doppler": lambda: f"dp.st.prd.{word(43)}",
    "groq": lambda: f"gsk_{word(52)}",
    "onePassword": lambda: f"ops_eyJ{word(400)}==",
    "openRouter": lambda: f"sk-or-v1-{word(64, HEX)}",
    "perplexity": lambda: f"pplx-{word(48)}",
    "pinecone": lambda: f"pcsk_{word(6)}_{word(63)}",
    "replicate": lambda: f"r8_{word(37)}",
    "sendGrid": lambda: f"SG.{word(22)}.{word(43)}",
    "twilio": lambda: f"SK{word(32, HEX)}",
    "vault": lambda: f"hvs.{word(95)}",
    "xai": lambda: f"xai-{word(80)}",
}


def test_every_stranger_is_tried() -> None:
    assert set(MADE) == set(STRANGERS)


@pytest.mark.parametrize("name", sorted(STRANGERS))
def test_a_strangers_key_in_anothers_place_is_told_by_name(name: str) -> None:
    key = MADE[name]()
    claimed = table().owner(key)

    assert claimed and claimed[0] == name and claimed[1].matches(key)
    found = OpenAI(None, table()).recognise(secret({"apiKey": key}))
    assert found == Malformed("apiKey", f"is a credential of {name}, by how it begins")


@pytest.mark.parametrize("name", sorted(STRANGERS))
def test_strangers_are_dated_and_unmistakable(name: str) -> None:
    for each in STRANGERS[name]:
        assert each.checked and each.source and each.kind
        assert len(each.prefix) >= 2
        # Letters alone tell nothing without the whole form.
        assert not each.prefix.isalnum() or not each.claims(each.prefix + "a")
