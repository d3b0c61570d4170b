"""Heads: what is signed, how they are printed, and how they are found again."""

from __future__ import annotations

import base64
import json
import logging

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from audit.logbook import KEY, OTHER_KEY, log, trail, written
from keywright import errors, logs
from keywright.audit import heads, lines
from keywright.errors import Reason

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


#: What a tenant may have logged: a key of his own, and heads that it has signed.
FORGED = OTHER_KEY.sign(HEAD.log, 3, b"x" * 32)
TEXTS = [
    f"{heads.printed_key(OTHER_KEY.public)} {heads.printed(FORGED)}",
    f"{heads.printed(FORGED)} {lines.head_line(FORGED).decode()}",
    lines.head_line(FORGED).decode(),
    heads.printed_key(OTHER_KEY.public).replace(" ", "  ", 1) + " " + heads.printed_key(OTHER_KEY.public),
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("before", ["", "team-a/", "\n", '"', "\u00a0", "x: "])
@pytest.mark.parametrize("pipeline", ["", "2026-05-04T09:00:00Z stderr F ", "[pod/keywright-0/operator] "])
def test_what_the_operator_logs_is_neither_a_head_nor_a_key(text: str, before: str, pipeline: str) -> None:
    """Whatever a tenant calls a path, a key or a namespace, his words make no witness and no key."""
    shown = before + text
    error = errors.Stalled(Reason.NOT_FOUND, f"there is no {shown}")
    info = (type(error), error, None)

    for form in ("%(message)s", "%(asctime)s %(levelname)-7s %(name)s: %(message)s"):
        record = logging.LogRecord("keywright.sync", logging.INFO, "x.py", 1, "%s", (shown,), info)
        printed = [pipeline + line for line in logs._Plain(form).format(record).split("\n")]
        assert list(heads.found_in(printed)) == []
        assert list(heads.keys_in(printed)) == []


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("pipeline", ["", "2026-05-04T09:00:00Z stderr F ", '{"log":"'])
@pytest.mark.parametrize("begin", ["2026-05-04 09:00:00,123 WARNING keywright.sync: no ", "  Stalled: there is no "])
def test_what_stands_in_a_log_record_was_not_printed(text: str, pipeline: str, begin: str) -> None:
    assert list(heads.found_in([pipeline + begin + text])) == []
    assert list(heads.keys_in([pipeline + begin + text])) == []


@pytest.mark.parametrize("text", TEXTS)
def test_what_stands_in_a_record_of_an_export_was_not_printed(text: str) -> None:
    entry = written(1)
    change = (entry.keys or ())[0].model_copy(update={"path": text})
    (line,) = (
        each.decode()
        for each in log(1, [[entry.model_copy(update={"keys": (change,)})]]).lines()
        if b"sync.written" in each
    )

    for found in (line, json.dumps({"log": line}), f"2026-05-04T09:00:00Z siem {line}"):
        assert list(heads.found_in([found])) == []
        assert list(heads.keys_in([found])) == []


@pytest.mark.parametrize(
    "text", ["Secret keywright-system/keywright-audit-key does not hold the key", "ConfigMap keywright-audit-sinks is"]
)
def test_the_names_of_our_own_objects_are_logged_as_they_are(text: str) -> None:
    assert logs._Plain().format(logging.LogRecord("x", logging.INFO, "x.py", 1, text, None, None)) == text


def test_heads_are_told_apart_by_who_has_signed_them() -> None:
    renamed = FORGED.model_copy(update={"key": KEY.id})

    assert heads.signed([HEAD, FORGED, renamed], [KEY.public]) == [HEAD]
    assert heads.signed([HEAD, FORGED, renamed], [KEY.public, OTHER_KEY.public]) == [HEAD, FORGED]
    assert heads.signed([HEAD, FORGED], ["", "no key"]) == []
