"""Texts with places for values: what stands where, and that no value becomes more than itself."""

from __future__ import annotations

import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import errors, placeholders
from keywright.errors import Reason
from keywright.placeholders import Template
from keywright.secret import SecretValue

UNKNOWN = errors.Stalled(Reason.INVALID_SPEC, "names what is not there")


def template(text: str, *known: str) -> Template:
    return Template(text, set(known) or {"key"}, UNKNOWN)


def test_a_name_in_braces_stands_for_a_value_and_all_else_for_itself() -> None:
    found = template("{a} {{b}} {A} { a } {}", "a", "b").filled({"a": SecretValue("1"), "b": SecretValue("{a}")})

    assert found == b"1 {{a}} {A} { a } {}"
    with pytest.raises(errors.Stalled, match="names what is not there"):
        template("{a} {other}", "a")


def test_a_value_that_is_not_there_leaves_no_text_at_all() -> None:
    assert template("x{key}").filled({}) is None
    assert template("x{key}").filled({"key": SecretValue(b"\xff")}, placeholders.in_json) is None


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_ends_where_it_should(text: str) -> None:
    value = {"key": SecretValue(text)}
    body = template('{"a": "{key}", "b": 1}').filled(
        value, placeholders.escape_for({"content-type": "application/json"})
    )
    form = template("a={key}&b=1").filled(
        value, placeholders.escape_for({"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    )
    path = template("/x/{key}/y").filled(value, placeholders.in_url)

    assert body is not None
    assert form is not None
    assert path is not None
    assert json.loads(body) == {"a": text, "b": 1}
    assert dict(urllib.parse.parse_qsl(form.decode(), keep_blank_values=True)) == {"a": text, "b": "1"}
    assert [urllib.parse.unquote(each) for each in path.decode().split("/")] == ["", "x", text, "y"]


@given(st.binary())
def test_headers_are_one_line_of_ascii_or_none(raw: bytes) -> None:
    found = placeholders.headers({"X-Key": template("k {key}")}, {"key": SecretValue(raw)})

    plain = all(each == 9 or 32 <= each < 127 for each in raw)
    assert found == ({"X-Key": f"k {raw.decode()}"} if plain else None)
