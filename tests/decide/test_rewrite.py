"""What the entries of a map are and what they are called: tables and properties, no server."""

from __future__ import annotations

import contextlib
import json
import re
import traceback
from collections.abc import Callable
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright import crd, errors, schema
from keywright.decide import render, rewrite
from keywright.errors import Reason
from keywright.kinds.rewrite import Rewrite
from keywright.secret import SecretValue
from keywright.stores.base import Fetched

WHERE = "dataFrom[0] (llm/shared of KeyStore/vault)"
CANARY = "kw-canary-6f1d2c9b4a"
CASES = ["UpperSnake", "LowerSnake", "Kebab", "Camel", "Pascal"]


def regexp(source: str, target: str) -> dict[str, Any]:
    return {"regexp": {"source": source, "target": target}}


def renamed(names: list[str], *rules: dict[str, Any]) -> dict[str, str]:
    return rewrite.renamed(names, [Rewrite.model_validate(each) for each in rules], rewrite.Budget(), where=WHERE)


def extracted(value: Any, name: str | None = None, *, allow_empty: bool = False) -> dict[str, bytes]:
    text, is_map = (value, False) if isinstance(value, str) else (json.dumps(value), True)
    parsed = render.Parsed(Fetched(SecretValue(text), is_map=is_map))
    values = rewrite.extracted(parsed, name, WHERE)
    if not allow_empty:
        rewrite.check_empty(values, (), WHERE)
    return {name: each.reveal() for name, each in values.items()}


def refusal(call: Callable[[], object]) -> errors.Stalled:
    with pytest.raises(errors.Stalled) as caught:
        call()
    error = caught.value
    told = "".join(traceback.TracebackException.from_exception(error).format())
    assert CANARY not in f"{told} {error!r} {error.hint}"
    assert error.__context__ is None
    assert error.message.startswith(WHERE) and error.message.isascii() and error.message.isprintable()
    assert len(error.message) < 600 and error.hint
    return error


@pytest.mark.parametrize(
    ("rule", "name", "expected"),
    [
        (regexp("^llm_(.*)$", "$1"), "llm_api_key", "api_key"),
        (regexp("^llm_(.*)$", "$1"), "other", "other"),
        (regexp("^llm_(.*)$", "${1}_KEY"), "llm_api", "api_KEY"),
        (regexp("(?P<first>[a-z]+)-(?P<rest>.*)", "${rest}.$first"), "aws-id", "id.aws"),
        (regexp("a", "b"), "banana", "bbnbnb"),
        (regexp("[^-._a-zA-Z0-9]+", "_"), "öl/preis in €", "_l_preis_in_"),
        (regexp("x", ""), "axbxc", "abc"),
        (regexp("(?i)API", "key"), "apiApi", "keykey"),
        (regexp("(a)|(b)c", "$1$2."), "abc", "a.b."),
        (regexp("(a)|b", "<$1>"), "ab", "<a><>"),
        (regexp("a", "$0$0$$"), "a", "aa$"),
        # As Go's documentation and tests have them.
        (regexp("a(x*)b", "${1}W"), "-ab-axxb-", "-W-xxW-"),
        (regexp("a*", "x"), "baaac", "xbxcx"),
        (regexp("$", "_KEY"), "api", "api_KEY"),
        (regexp("^", "P_"), "api", "P_api"),
        (regexp("()", "-"), "añb", "-a-ñ-b-"),
        (regexp("\\b", "|"), "a b", "|a| |b|"),
        (regexp("b*", "x"), "ñ", "xñx"),
        (regexp("\\\\B", "_"), "a\\B", "a_"),
        (regexp("a", "$"), "a", "$"),
        (regexp("a", "${"), "a", "${"),
        (regexp("a", "$-{a}"), "a", "$-{a}"),
        ({"prefix": "llm."}, "key", "llm.key"),
    ],
)
def test_a_rule_renames_as_users_of_other_tools_know_it(rule: dict[str, Any], name: str, expected: str) -> None:
    undo = regexp(f"^{re.escape(expected)}$", "OK")

    if re.fullmatch(r"[-._a-zA-Z0-9]+", expected):
        assert renamed([name], rule) == {name: expected}
    assert renamed([name], rule, undo, regexp("^$", "OK")) == {name: "OK"}


@pytest.mark.parametrize(
    ("name", "upper", "lower", "kebab", "camel", "pascal"),
    [
        ("apiKey", "API_KEY", "api_key", "api-key", "apiKey", "ApiKey"),
        ("API_KEY", "API_KEY", "api_key", "api-key", "apiKey", "ApiKey"),
        ("OpenAI api.key", "OPEN_AI_API_KEY", "open_ai_api_key", "open-ai-api-key", "openAiApiKey", "OpenAiApiKey"),
        ("HTTPServer", "HTTP_SERVER", "http_server", "http-server", "httpServer", "HttpServer"),
        ("s3Bucket", "S3_BUCKET", "s3_bucket", "s3-bucket", "s3Bucket", "S3Bucket"),
        ("K8S_TOKEN", "K8S_TOKEN", "k8s_token", "k8s-token", "k8sToken", "K8sToken"),
        ("--a//b__", "A_B", "a_b", "a-b", "aB", "AB"),
        ("1st", "1ST", "1st", "1st", "1st", "1st"),
    ],
)
def test_a_case_spells_the_words_of_a_name(
    name: str, upper: str, lower: str, kebab: str, camel: str, pascal: str
) -> None:
    spelled = [renamed([name], {"case": case})[name] for case in CASES]

    assert spelled == [upper, lower, kebab, camel, pascal]


@given(st.from_regex(r"[-_a-zA-Z0-9]*[a-zA-Z0-9][-_a-zA-Z0-9]*", fullmatch=True).filter(lambda name: len(name) < 99))
def test_a_spelling_with_separators_is_stable(name: str) -> None:
    for case in CASES[:3]:
        (once,) = renamed([name], {"case": case}).values()
        assert renamed([once], {"case": case}) == {once: once}


def test_rules_are_applied_one_after_the_other() -> None:
    rules = [regexp("^llm_(.*)$", "$1"), {"case": "UpperSnake"}, {"prefix": "APP_"}]

    assert renamed(["llm_apiKey", "region"], *rules) == {"llm_apiKey": "APP_API_KEY", "region": "APP_REGION"}


def test_without_rules_names_stay_as_they_are() -> None:
    assert renamed(["API_KEY", ".env", "a.b-c"]) == {"API_KEY": "API_KEY", ".env": ".env", "a.b-c": "a.b-c"}


@given(st.dictionaries(st.text(max_size=20), st.none(), max_size=5), st.sampled_from([[], *([c] for c in CASES)]))
def test_names_become_keys_of_a_secret_each_its_own_or_are_refused(names: dict[str, None], cases: list[str]) -> None:
    with contextlib.suppress(errors.Stalled):
        result = renamed(list(names), *({"case": case} for case in cases))
        assert list(result) == list(names)
        assert len(set(result.values())) == len(names)
        assert all(pydantic.TypeAdapter(schema.DataKey).validate_python(new) for new in result.values())


@pytest.mark.parametrize(
    ("name", "as_told"),
    [
        ("a b", "'a...', 3 characters, with ' ')"),
        ("", "'...', 0 characters)"),
        ("..", "'...', 2 characters)"),
        ("..data", "'.....', 6 characters)"),
        ("a/b", "'a...', 3 characters, with '/')"),
        ("a\n\x1b[31m", r"'a\n...', 7 characters, with '\n' and '\x1b' and '[')"),
        ("\u202ekey", r"'\u202e...', 4 characters, with '\u202e')"),
        ("ſ", "'...', 1 characters)"),
        ("é" * 253, "'" + "\\xe9" * 4 + "...', 253 characters)"),
        (f"{CANARY} x", "'kw-c...', 22 characters, with ' ')"),
    ],
)
def test_a_name_that_a_secret_cannot_have_is_refused_in_plain_letters(name: str, as_told: str) -> None:
    error = refusal(lambda: renamed([name, "GOOD"]))

    assert error.reason == Reason.INVALID_SPEC
    assert re.fullmatch(rf".*can have: name [12] of 2 \({re.escape(as_told)}", error.message)
    assert "GOOD" not in error.message
    assert "rewrite" in error.hint


def test_letters_beyond_ascii_do_not_turn_into_others() -> None:
    assert refusal(lambda: renamed(["straße"], {"case": "UpperSnake"})).reason == Reason.INVALID_SPEC


def test_many_wrong_names_are_counted() -> None:
    error = refusal(lambda: renamed([f"no {number}" for number in range(9)]))

    three = [f"name {number} of 9 ('n...', 4 characters, with ' ')" for number in (1, 2, 3)]
    assert error.message.endswith(f"can have: {', '.join(three)} and 6 more")


@pytest.mark.parametrize("name", ["a" * 254, "a\ud800"])
def test_a_name_that_cannot_be_worked_on_is_refused_before_any_rule(name: str) -> None:
    assert refusal(lambda: renamed([name], regexp(".*", "a"))).reason == Reason.INVALID_SPEC


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        (["api-key", "api_key"], [{"case": "UpperSnake"}]),
        (["a1", "a2"], [regexp("[0-9]", "")]),
        (["b", "a"], [regexp("a", "b")]),
        ([f"{CANARY}-a", f"{CANARY}_a"], [{"case": "UpperSnake"}]),
    ],
)
def test_two_names_that_become_one_are_both_told_by_their_places(names: list[str], rules: list[dict[str, Any]]) -> None:
    error = refusal(lambda: renamed(["other", *names], *rules))

    assert error.reason == Reason.CONFLICTING_ENTRIES
    places = [sorted(["other", *names]).index(name) + 1 for name in sorted(names)]
    assert re.findall(r"name (\d) of 3", error.message) == [str(each) for each in places]
    assert error.message == refusal(lambda: renamed([*reversed(names), "other"], *rules)).message


@pytest.mark.parametrize(
    "rule",
    [
        regexp("(", ""),
        regexp("(?=a)", ""),
        regexp("(a)\\1", ""),
        regexp("a{1001}", ""),
        regexp("(\\pL|\\pN){1,100}", ""),
        regexp("(.{100}){10}", ""),
        regexp("\\B", "_"),
        regexp("\\\\\\C", "_"),
        regexp("a", "$1"),
        regexp("(a)", "$1_key"),
        regexp("(a)", "${name}"),
        regexp("(a)", "$01"),
        regexp("(a)", "$99999999999999999999"),
        {},
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_whatever_the_names(rule: dict[str, Any]) -> None:
    assert refusal(lambda: renamed([], rule)).reason == Reason.INVALID_SPEC


def test_an_expression_that_costs_too_much_is_stopped() -> None:
    names = [f"{number}{'a' * 240}" for number in range(500)]

    assert "costs too much" in refusal(lambda: renamed(names, regexp("(((a?){10}){10}){3}c|a", "b"))).message
    assert len(renamed(names, regexp("(.*)a(.*)", "$1$2"))) == 500


@pytest.mark.parametrize(
    ("names", "rules"),
    [
        (["a" * 240], [regexp("(?:(a)|b|ab|a?b?){150}c", "y")] * 10),
        (["a"], [regexp(f"(a?){{400}}{each}", "y") for each in range(16)]),
        ([f"N{number}" + "a" * 240 for number in range(40)], [{"case": "UpperSnake"}, {"case": "Kebab"}] * 8),
    ],
    ids=["searches", "compiling", "plain steps"],
)
def test_all_maps_of_an_object_have_one_budget(names: list[str], rules: list[dict[str, Any]]) -> None:
    budget = rewrite.Budget()

    def each() -> dict[str, str]:
        return rewrite.renamed(names, [Rewrite.model_validate(rule) for rule in rules], budget, where=WHERE)

    each()
    error = refusal(lambda: [each() for _ in range(31)])
    assert (error.reason, "costs too much, with all before it" in error.message) == (Reason.INVALID_SPEC, True)


def test_ordinary_rewrites_of_large_maps_are_within_the_budget() -> None:
    names, budget = [f"llm_provider-{number}.apiKey" for number in range(500)], rewrite.Budget()
    rules = [regexp("^llm_(.*)$", "$1"), regexp("[^a-zA-Z0-9]+", "_"), {"case": "UpperSnake"}, {"prefix": "APP_"}]

    for _ in range(4):
        rewrite.renamed(names, [Rewrite.model_validate(rule) for rule in rules], budget, where=WHERE)


def test_a_text_that_takes_much_memory_as_json_is_not_parsed() -> None:
    text = '{"a": ' + "[" * 900 + "[]," * 400_000 + "[]" + "]" * 900 + "}"

    assert refusal(lambda: extracted(text)).reason == Reason.VALUE_TOO_LARGE
    assert refusal(lambda: extracted({"inside": text}, "inside")).reason == Reason.VALUE_TOO_LARGE


def test_names_do_not_grow_without_bound() -> None:
    twice = regexp("(.*)", "$1$1")

    assert "too long" in refusal(lambda: renamed(["a"], *[twice] * 16)).message


def test_what_the_rules_say_can_stand_in_a_crd() -> None:
    told = crd.structural(Rewrite, "rewrite")

    assert set(told["properties"]) == {"regexp", "prefix", "case", "transform", "merge"}
    assert "has(self.regexp), has(self.prefix), has(self.case)" in told["x-kubernetes-validations"][0]["rule"]


@pytest.mark.parametrize(
    "wrong", [{"prefix": ""}, {"prefix": "a/"}, {"case": "Screaming"}, regexp("a" * 513, ""), regexp("", "a\nb")]
)
def test_a_rule_that_is_none_is_refused_on_reading(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Rewrite.model_validate(wrong)


def test_the_entries_of_a_map_are_its_values() -> None:
    values = {"text": "ü\n", "number": 1.5, "on": True, "list": [1, None], "map": {"a": "ü"}, "a b": "x"}

    assert extracted(values) == {
        "text": "ü\n".encode(),
        "number": b"1.5",
        "on": b"true",
        "list": b"[1,null]",
        "map": '{"a":"ü"}'.encode(),
        "a b": b"x",
    }


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ({"A": "1"}, None),
        ('{"A": "1"}', None),
        ({"in": {"A": "1"}}, "in"),
        ({"in": '{"A": "1"}'}, "in"),
        ({"in.side": {"A": "1"}}, "in.side"),
        ({"in": {"side": {"A": "1"}}}, "in.side"),
    ],
)
def test_a_map_is_found(value: Any, name: str | None) -> None:
    assert extracted(value, name) == {"A": b"1"}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (CANARY, None),
        (f'["{CANARY}"]', None),
        ("[" * 100_000, None),
        (CANARY, "in"),
        ({"in": CANARY}, "in"),
        ({"in": [CANARY]}, "in"),
        ({"in": None}, "in"),
        ({"in": {"A": CANARY}}, "out"),
        ({"in": f'{{"A": "{CANARY}'}, "in"),
    ],
)
def test_what_is_no_map_is_refused(value: Any, name: str | None) -> None:
    assert refusal(lambda: extracted(value, name)).reason == Reason.PROPERTY_NOT_FOUND


@pytest.mark.parametrize("value", [{}, {"A": ""}, {"A": None}, {"A": CANARY, "B": ""}])
def test_empty_values_are_extracted_only_where_that_is_said(value: dict[str, Any]) -> None:
    assert refusal(lambda: extracted(value)).reason == Reason.VALUE_EMPTY
    assert set(extracted(value, allow_empty=True)) == set(value)


def test_half_a_character_is_refused_by_the_name_of_its_entry() -> None:
    error = refusal(lambda: extracted(f'{{"{CANARY}": "{CANARY}\\ud800", "B": "b"}}'))

    assert (error.reason, "name 2 of 2 ('kw-c...', 20 characters)," in error.message) == (Reason.DECODE_FAILED, True)


def test_an_empty_value_is_refused_by_the_place_of_its_name() -> None:
    assert (
        "name 1 of 2 ('kw-c...', 20 characters), is empty" in refusal(lambda: extracted({CANARY: "", "z": "1"})).message
    )


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=3))
def test_of_a_name_no_more_than_a_third_is_told(name: str, others: list[str]) -> None:
    told = rewrite.hinted(name, {name, *others})

    assert told.isascii() and told.isprintable()
    start = name[: min(4, len(name) // 3)]
    assert f"({start + '...'!a}, {len(name)} characters)" in told


def test_a_map_has_so_many_entries_and_no_more() -> None:
    values = {f"K{number}": "x" for number in range(rewrite.MAX_ENTRIES)}

    assert len(extracted(values)) == rewrite.MAX_ENTRIES
    assert refusal(lambda: extracted(values | {"more": CANARY})).reason == Reason.VALUE_TOO_LARGE
