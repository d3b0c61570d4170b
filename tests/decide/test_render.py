"""What an entry's value is, and where a key is: tables and properties, no server."""

from __future__ import annotations

import base64
import contextlib
import json
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import errors
from keywright.decide import render
from keywright.decide.render import Decode
from keywright.errors import Reason
from keywright.secret import SecretValue
from keywright.stores.base import Fetched

WHERE = "entry KEY (llm/openai of KeyStore/vault)"
CANARY = "kw-canary-6f1d2c9b4a"


def a_map(values: object) -> Fetched:
    return Fetched(SecretValue(json.dumps(values)), is_map=True)


def a_text(value: bytes | str) -> Fetched:
    return Fetched(SecretValue(value), is_map=False)


def value(fetched: Fetched, **wanted: Any) -> bytes:
    return render.entry_value(render.Parsed(fetched), where=WHERE, **wanted).reveal()


def refusal(call: Callable[[], object]) -> errors.Stalled:
    with pytest.raises(errors.Stalled) as caught:
        call()
    shown = "".join(traceback.TracebackException.from_exception(caught.value).format())
    assert CANARY not in f"{shown} {caught.value!r} {caught.value.hint}"
    assert caught.value.__context__ is None
    return caught.value


@given(st.binary(min_size=1))
def test_text_without_a_property_stays_as_it_is(data: bytes) -> None:
    assert value(a_text(data)) == data


def test_a_map_without_a_property_stays_as_it_is() -> None:
    text = '{"b": 1,\n "a": "ü"}'

    assert value(Fetched(SecretValue(text), is_map=True)) == text.encode()


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ({"api_key": "x"}, "api_key", b"x"),
        ({"a.b": "literal", "a": {"b": "nested"}}, "a.b", b"literal"),
        ({"a": {"b": {"c": "deep"}}}, "a.b.c", b"deep"),
        ({"": "nameless"}, "", b"nameless"),
        ({"a": {"": "x"}}, "a.", b"x"),
        ({"n": 0}, "n", b"0"),
        ({"n": 12345678901234567890}, "n", b"12345678901234567890"),
        ({"n": 1.5}, "n", b"1.5"),
        ({"t": True, "f": False}, "t", b"true"),
        ({"t": True, "f": False}, "f", b"false"),
        ({"m": {"k": ["ü", None]}}, "m", '{"k":["ü",null]}'.encode()),
        ({"l": []}, "l", b"[]"),
        ({"s": "line\n"}, "s", b"line\n"),
        ({"s": " \u202e\x00e\u0301"}, "s", " \u202e\x00e\u0301".encode()),
        ({"@!": {"ключ": "x"}}, "@!.ключ", b"x"),
    ],
)
def test_a_property_is_taken_literally_first_and_then_by_segments(values: object, name: str, expected: bytes) -> None:
    assert value(a_map(values), property=name) == expected


@pytest.mark.parametrize("name", ["API_KEY", "api_key.x", "list.0", "a..b", ".a", "a.b.c", "text.upper", ""])
def test_a_property_that_is_not_there_is_named_and_nothing_else(name: str) -> None:
    values = {"api_key": CANARY, "list": ["x"], "a": {"b": {CANARY: 1}}, "text": "x", f"name-{CANARY}": 1}

    error = refusal(lambda: value(a_map(values), property=name))

    assert (error.reason, error.message) == (Reason.PROPERTY_NOT_FOUND, f"{WHERE} has no property {name}")


@pytest.mark.parametrize("wanted", [{"property": "a"}, {"jmes_path": "a"}])
def test_there_is_nothing_to_choose_in_text(wanted: dict[str, str]) -> None:
    assert refusal(lambda: value(a_text('{"a": 1}'), **wanted)).reason == Reason.PROPERTY_NOT_FOUND


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("keys[?name=='prod'].value | [0]", b"sk-2"),
        ("keys[-1].value", b"sk-2"),
        ("keys[0]", b'{"name":"dev","value":"sk-1"}'),
        ("length(keys)", b"2"),
        ("not_null(missing, other)", b"x"),
        ("keys[?starts_with(value, 'sk-')].name", b'["dev","prod"]'),
        ("max_by(keys, &value).name", b"prod"),
        ("keys[?value == 'none'] | length(@) == `0`", b"true"),
        ('"quoted key"', b"y"),
    ],
)
def test_an_expression_chooses(expression: str, expected: bytes) -> None:
    keys = [{"name": "dev", "value": "sk-1"}, {"name": "prod", "value": "sk-2"}]

    assert value(a_map({"keys": keys, "other": "x", "quoted key": "y"}), jmes_path=expression) == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("missing", Reason.PROPERTY_NOT_FOUND),
        ("keys[?name=='none'] | [0]", Reason.PROPERTY_NOT_FOUND),
        ("length(number)", Reason.PROPERTY_NOT_FOUND),
        ("keys[::0]", Reason.PROPERTY_NOT_FOUND),
        ("keys[", Reason.INVALID_SPEC),
        ("", Reason.INVALID_SPEC),
        ("(" * 400, Reason.INVALID_SPEC),
        ("no_such_function(@)", Reason.INVALID_SPEC),
    ],
)
def test_an_expression_that_finds_nothing_or_is_none_is_refused(expression: str, reason: Reason) -> None:
    fetched = a_map({"keys": [{"name": CANARY}], "number": 1, CANARY: CANARY})

    assert refusal(lambda: value(fetched, jmes_path=expression)).reason == reason


@pytest.mark.parametrize(
    "expression",
    [
        " | ".join(["[@, @][]"] * 50),
        " | ".join(["{a: @, b: @}"] * 40),
        "`[1, 2]`[?`[1, 2]`[?`[1, 2]`]]",
        '`{"a": 1}`',
        "join(text, keys)",
        "map(&[@, @], keys)",
        "to_string(to_array(to_string(@)))",
        "keys[?[@, @]]",
        "sort_by(keys, &[@, @])",
    ],
)
def test_an_expression_that_could_grow_without_bound_is_refused_before_it_runs(expression: str) -> None:
    error = refusal(lambda: value(a_map({"keys": [1, 2], "text": CANARY}), jmes_path=expression))

    assert (error.reason, "may not" in error.message) == (Reason.INVALID_SPEC, True)


def test_an_expression_may_cost_its_length_times_the_size_of_the_key_and_no_more() -> None:
    fetched = a_map({"keys": [0] * 32_000})
    short, long = "length(keys[?@ > `0`])", "length(keys[?" + " || ".join(["@ > `0`"] * 20) + "])"

    assert value(fetched, jmes_path=short) == b"0"
    error = refusal(lambda: value(fetched, jmes_path=long))
    assert (error.reason, "may search" in error.message) == (Reason.VALUE_TOO_LARGE, True)


@given(st.binary(min_size=1))
def test_what_was_encoded_is_decoded(data: bytes) -> None:
    url = base64.urlsafe_b64encode(data)

    assert value(a_text(base64.b64encode(data)), decode="Base64") == data
    assert value(a_text(url), decode="Base64URL") == data
    assert value(a_text(url.rstrip(b"=")), decode="Base64URL") == data


@pytest.mark.parametrize("decode", ["Base64", "Base64URL"])
@pytest.mark.parametrize(
    "text", ["QQ==\n", " QQ==", "Q Q==", "QR==", "Q", "QQ=", "QQ===", "QQ==QQ==", "=", "QQ==\x00", f"!{CANARY}"]
)
def test_what_encoding_would_not_give_is_not_decoded(decode: Decode, text: str) -> None:
    error = refusal(lambda: value(a_text(text), decode=decode))

    assert (error.reason, error.message) == (Reason.DECODE_FAILED, f"{WHERE} is not {decode}")


@pytest.mark.parametrize(("decode", "text"), [("Base64", "-_8="), ("Base64", "QQ"), ("Base64URL", "+/8=")])
def test_one_alphabet_is_not_the_other(decode: Decode, text: str) -> None:
    assert refusal(lambda: value(a_text(text), decode=decode)).reason == Reason.DECODE_FAILED


@pytest.mark.parametrize(
    ("fetched", "wanted"),
    [
        (a_text(""), {}),
        (a_map({}), {}),
        (a_map({"k": ""}), {"property": "k"}),
        (a_map({"k": None}), {"property": "k"}),
        (a_map({"k": ""}), {"jmes_path": "k"}),
        (a_map({"k": ""}), {"property": "k", "decode": "Base64"}),
    ],
)
def test_an_empty_value_is_written_only_where_the_entry_says_so(fetched: Fetched, wanted: dict[str, Any]) -> None:
    error = refusal(lambda: value(fetched, **wanted))

    assert (error.reason, error.message) == (Reason.VALUE_EMPTY, f"{WHERE} is empty")
    assert value(fetched, allow_empty=True, **wanted) == b""


def test_half_a_character_is_refused_without_showing_the_rest() -> None:
    fetched = Fetched(SecretValue(f'{{"k": "{CANARY}\\ud800"}}'), is_map=True)

    assert refusal(lambda: value(fetched, property="k")).reason == Reason.DECODE_FAILED


def test_values_together_fill_a_secret_and_no_more() -> None:
    entries = {"a": SecretValue(b"x" * (render.MAX_SECRET - 10)), "b": SecretValue(b"y" * 10)}
    render.check_size(entries)

    error = refusal(lambda: render.check_size(entries | {name: SecretValue(b"z") for name in ("e", "d", "c")}))

    assert error.reason == Reason.VALUE_TOO_LARGE
    assert error.message.endswith("the largest are a, b, c")


def test_names_out_of_a_store_are_not_shown_whole_where_the_values_are_too_large() -> None:
    entries = {CANARY: SecretValue(b"x" * render.MAX_SECRET), "OWN": SecretValue(b"yy")}

    error = refusal(lambda: render.check_size(entries, {CANARY}))

    assert error.message.endswith(f"('{CANARY[:4]}...', {len(CANARY)} characters), OWN")


_UNPRINTABLE = ("a\x00", "a\nb", "a\x7f", "a\u202eb", "a\u2028b", "a\ud800")


@pytest.mark.parametrize("path", ["a", "llm/openai", "a b/ü+1?&#=", "..a/b..", "a" * 1024])
def test_a_canonical_path_stays_as_it_is(path: str) -> None:
    assert render.canonical(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "a/../b",
        "../a",
        "a/.",
        "%2e%2e/a",
        "a%2fb",
        "a\\b",
        *_UNPRINTABLE,
        "a" * 1025,
    ],
)
def test_any_other_path_is_refused_and_shown_in_plain_letters(path: str) -> None:
    error = refusal(lambda: render.canonical(path))

    assert error.reason == Reason.PATH_OUTSIDE_PREFIX
    assert error.message.isascii()
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("", "llm/openai"),
        ("/", "llm/openai"),
        ("teams/{namespace}/", "teams/team-a/llm/openai"),
        ("teams/{namespace}", "teams/team-a/llm/openai"),
        ("{namespace}-{namespace}", "team-a-team-a/llm/openai"),
    ],
)
def test_the_prefix_is_put_in_front(prefix: str, expected: str) -> None:
    assert render.effective_path("llm/openai", prefix, "team-a") == expected


@pytest.mark.parametrize("prefix", ["/teams/", "teams//", "../", "a/../{namespace}"])
def test_a_prefix_that_is_not_canonical_opens_nothing(prefix: str) -> None:
    assert refusal(lambda: render.effective_path("a", prefix, "team-a")).reason == Reason.PATH_OUTSIDE_PREFIX


#: Paths of what paths are made of, good and bad.
PATHS = st.lists(st.sampled_from(["a", "team-a", "-a", ".", "..", "", "%2e", "ü", " "]), max_size=5).map("/".join)


@given(PATHS, st.sampled_from(["teams/{namespace}/", "teams/{namespace}", "{namespace}"]))
def test_no_path_leaves_its_prefix(path: str, prefix: str) -> None:
    with contextlib.suppress(errors.Stalled):
        effective = render.effective_path(path, prefix, "team")
        below = prefix.replace("{namespace}", "team").rstrip("/") + "/"
        assert effective == below + path
        assert not {"", ".", ".."} & set(effective.split("/"))
