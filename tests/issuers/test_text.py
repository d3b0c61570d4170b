"""What is wrong with a text: placeholders and what only looks like one, white space, whatever bytes there are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.issuers import _text
from vendors import vendors
from vendors.base import ALNUM, word

PLACEHOLDERS = [
    *("changeme", "CHANGE_ME", "change-it", "replaceme", "REPLACE_THIS", "todo", "to-do", "FIXME", "tbd", "dummy"),
    *("<your key>", "<>", "[your key]", "{{ key }}", "${KEY}", "$KEY", "$(cat key)", "%KEY%", "n/a", "null", "None"),
    *("your-api-key", "your_key_here", "YOUR API KEY", "my-secret", "insert-token-here", "put_your_key_here"),
    *("sk-xxxx", "sk-...", "sk-****", "sk-your-key", "pk_your_key", "api_key", "secret-token", "test", "password"),
    *("xxxxxxxx", "********", "sk-proj-xxxxxxxxxxxxxxxx", "AKIAXXXXXXXXXXXXXXXX", "hvs.xxxxxxxxxxxx", "00000000"),
    *("sk_test_xxxxxxxxxxxxxxxxxxxxxxxx", "sk-ant-api03-........", "ghp_" + "x" * 36),
]
#: Keys that begin, end or go on as placeholders do, and are none.
NEAR_MISSES = [
    *("sk_test_" + "4eC39Hq", "test_" + "a8f7c6", "testA8f7c6", "rk_test_" + "51Hx"),
    *("my" + "9f8a7c", "myk3y", "my_" + "a8f" * 8, "mySecretToken9f8a", "yourS8x7Yq2", "the9a8f7b", "put4a8f7b"),
    *("sk-" + "yourS8x7Yq2", "sk-" + "xxxxa8f7c6b5", "sk-" + "x8f7c6", "xxxxxxxx" + "a8f7c6", "a8f7" + "x" * 30 + "c6"),
    *("a8f7c6b5d4e3xxxxxxx", "a8f7c6b5d4e3f2a1b" + "x" * 8, "a8f7c6b5d4e3f2a1b" + "0" * 20, "AKIA" + "A8X7C6XXXXXXX"),
    *("keyA8f7c6", "key-a8f7c6", "a8f7c6-key", "token_a8f7c6", "secretA8f7", "none0a8f", "api_key_a8f7c6"),
    *("example-a8f7c6", "foobar9f", "$2b$12$" + "a8f7c6", "[a8f7c6]", "<a8f7", "{a8f7}", "%a8f7", "${KEY}a8f7"),
]


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_what_stands_in_the_place_of_a_key_is_a_placeholder(text: str) -> None:
    assert _text.is_placeholder(text.encode())
    assert _text.defect(text.encode(), "token") == "is a placeholder, not a key"


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_a_key_that_looks_like_a_placeholder_is_none(text: str) -> None:
    assert not _text.is_placeholder(text.encode())
    assert _text.defect(text.encode(), "token") == ""


@pytest.mark.parametrize("text", ["apikey", "token", "secret", "test", "$Summer2026", "[abc]", "%abc%", "my-secret"])
def test_words_may_be_names_and_passwords(text: str) -> None:
    assert _text.is_placeholder(text.encode())
    assert not _text.is_placeholder(text.encode(), words=False)


@pytest.mark.parametrize("text", ["<your key>", "{{ key }}", "${KEY}", "changeme", "your-key", "xxxxxxxx", "sk-..."])
def test_what_nobody_means_is_a_placeholder_for_names_and_passwords_too(text: str) -> None:
    assert _text.is_placeholder(text.encode(), words=False)


@pytest.mark.parametrize("name", sorted(vendors()))
def test_no_vendors_credential_is_a_placeholder(name: str) -> None:
    for _ in range(50):
        for kind, parts in vendors()[name]().samples().items():
            assert not [part for part, value in parts.items() if _text.is_placeholder(value.encode())], kind


@given(st.sampled_from(["", "sk-", "sk_test_", "sk_live_", "my", "xoxb-", "AKIA", "your"]), st.integers(24, 200))
def test_random_keys_are_no_placeholders(prefix: str, length: int) -> None:
    assert _text.defect(f"{prefix}{word(length, ALNUM)}".encode(), "token") == ""


@given(st.sampled_from("xX*.#_-0"), st.integers(8, 60), st.sampled_from(["", "sk-", "sk-proj-", "ghp_", "hvs."]))
def test_a_row_of_what_stands_for_signs_is_a_placeholder(sign: str, count: int, prefix: str) -> None:
    assert _text.is_placeholder(f"{prefix}{sign * count}".encode())


@pytest.mark.parametrize(
    ("raw", "form", "said"),
    [
        (b"", "token", "is empty"),
        (b"", "json", "is empty"),
        (b"", "text", "is empty"),
        (b"\n", "token", "is nothing but white space"),
        (b" \t\r\n", "token", "is nothing but white space"),
        (b"k3y\n\n", "token", "ends with a newline"),
        (b"k3y\r\n", "token", "ends with a newline"),
        (b"\nk3y", "token", "begins or ends with white space"),
        (b"changeme\n", "token", "is a placeholder, not a key"),
        (b"k3\0y", "token", "holds white space or control characters"),
        (b"k3\x7fy", "token", "holds white space or control characters"),
        (b"k3y\x1b[0m", "token", "holds white space or control characters"),
        ("k3y\u00a0".encode(), "token", "holds characters beyond ASCII"),
        ("k3y\u200b".encode(), "token", "holds characters beyond ASCII"),
        ("\ufeffk3y".encode(), "token", "begins with a byte order mark"),
        ("k3y".encode("utf-16"), "token", "begins with a byte order mark"),
        ("{}".encode("utf-16"), "json", "begins with a byte order mark"),
        ('{"a":"é"}'.encode("utf-16-le"), "json", "is not JSON"),
        ('{"a":"é"}'.encode("latin-1"), "json", "is not JSON"),
        (b"[]", "json", "is not a JSON object"),
        (b"5", "json", "is not a JSON object"),
        (b'{"a": ' + b"9" * 5000 + b"}", "json", "is not JSON"),
        (b"{" * 100_000, "json", "is not JSON"),
        (b'{"a":' * 100_000, "json", "is not JSON"),
        (b' {"a": 1}\n', "json", ""),
        (b"\xff\0\n", "text", ""),
    ],
)
def test_what_is_wrong_is_said(raw: bytes, form: str, said: str) -> None:
    assert _text.defect(raw, form) == said  # type: ignore[arg-type] # of the table


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_a_token_without_defects_is_one_word_of_ascii(raw: bytes) -> None:
    if not _text.defect(raw, "token"):
        assert raw.isascii() and raw.decode().isprintable() and len(raw.split()) == 1 and raw == raw.strip()


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.text(), st.text()).map(lambda each: json.dumps(each).encode("utf-16-le"))
)
def test_json_without_defects_is_an_object_in_utf_8(raw: bytes) -> None:
    if not _text.defect(raw, "json"):
        assert isinstance(json.loads(raw.decode()), dict)


@given(st.text(ALNUM, min_size=12, max_size=40), st.sampled_from(["\n", " ", "\0", "é", "\ufeff"]), st.booleans())
def test_what_is_said_of_a_text_holds_none_of_it(text: str, sign: str, behind: bool) -> None:
    said = _text.defect((text + sign if behind else sign + text).encode(), "token")
    known = (_text.defect(each.encode(), "token") for each in (f"a{sign}b", f"{sign}a", f"a{sign}", "changeme"))

    assert said
    assert said in set(known)
