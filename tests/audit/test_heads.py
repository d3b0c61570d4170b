"""Heads: what is signed, how they are printed, and how they are found again."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from audit.logbook import KEY, OTHER_KEY, trail
from keywright.audit import heads, lines

HEAD = trail()[0].head


def test_what_is_signed_is_the_body_of_a_c2sp_checkpoint() -> None:
    root = base64.b64encode(bytes.fromhex(HEAD.root)).decode()
    body = f"keywright.dev/audit/{HEAD.log}\n{HEAD.size}\n{root}\n"

    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(KEY.public))
    public.verify(base64.b64decode(HEAD.signature), body.encode())
    assert heads.is_signed(HEAD, KEY.public)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 4},
        {"log": "000002-0000-9f2c41d07ab3"},
        {"root": "0" * 64},
        {"signature": "A" * 86 + "=="},
        # The same bytes, written otherwise: the last character holds four bits that nobody reads.
        {"signature": HEAD.signature[:85] + chr(ord(HEAD.signature[85]) + 1) + "=="},
    ],
)
def test_nothing_of_a_head_can_be_changed(wrong: dict[str, object]) -> None:
    assert not heads.is_signed(HEAD.model_copy(update=wrong), KEY.public)
    assert not heads.is_signed(HEAD, OTHER_KEY.public)
    assert not heads.is_signed(HEAD, "no key")


@given(
    st.from_regex(r"[a-z0-9][-a-z0-9]{0,60}[a-z0-9]", fullmatch=True),
    st.integers(0, 999_999_999_999_999),
    st.binary(min_size=32, max_size=32),
    st.text(),
)
def test_a_head_that_is_printed_is_found_in_any_text(log: str, size: int, root: bytes, around: str) -> None:
    head = KEY.sign(log, size, root)
    text = f"{around} {heads.printed(head)} {around}\n2026-05-04T09:00:00Z {heads.printed_key(KEY.public)}\n"

    assert head in heads.found_in(text.split("\n"))
    assert head in heads.found_in([f"{around}{lines.head_line(head).decode()}{around}"])
    assert KEY.public in heads.keys_in(text.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "keywright-audit-head",
        heads.printed(HEAD)[:-3],
        heads.printed(HEAD).replace(" ", "  "),
        heads.printed_key(KEY.public).replace(KEY.id, OTHER_KEY.id),
    ],
)
def test_what_is_cut_or_does_not_fit_is_no_head_and_no_key(text: str) -> None:
    assert list(heads.found_in([text])) == []
    assert list(heads.keys_in([text])) == []


def test_the_line_of_a_head_has_one_form_only() -> None:
    line = lines.head_line(HEAD)
    content = json.loads(line)
    forms = [
        line + b" ",
        line.replace(b":", b": ", 2),
        line.replace(b'"size":3', b'"size":"3"'),
        json.dumps({"head": content["head"] | {"note": ""}}, sort_keys=True, separators=(",", ":")).encode(),
        line[:-1] + b',"note":1}',
        b'{"head":null}',
        b'{"head":',
    ]

    assert lines.is_head(line)
    assert lines.read_head(line) == HEAD
    for each in forms:
        with pytest.raises(ValueError, match=r".*"):
            lines.read_head(each)
