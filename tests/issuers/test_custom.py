"""Credentials as objects declare them: what is demanded, how it is asked, and what nobody can declare."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuers.issuing import asking, secret
from keywright import errors, wire
from keywright.errors import Reason
from keywright.issuers import table
from keywright.issuers._demands import MAX_TEXT, entropy
from keywright.issuers.base import Finding, Malformed, Recognised, Unrecognised, Verdict
from keywright.issuers.custom import MAX_VALUE, Custom
from vendors import serving

CANARY = "kw-canary-6f1d2c9b4a"
URL = "https://api.example.com/v1/me"
Json = dict[str, Any]


def custom(*parts: Json, **probe: Any) -> Custom:
    """Return an issuer of some parts; with a probe if anything is said of one."""
    said: Json = {"parts": list(parts) or [{"name": "apiKey"}]}
    if probe:
        said["probe"] = {"url": URL} | probe
    return Custom(Custom.Config.model_validate(said), table())


def part(name: str = "apiKey", **said: Any) -> Json:
    return {"name": name, **said}


class Server:
    """Answers whatever it is asked, and keeps it."""

    def __init__(self, status: int = 200, data: bytes = b"{}") -> None:
        self.answer = wire.Answer(status, data)
        self.asked: list[tuple[str, str, Mapping[str, str], bytes | None]] = []

    def __call__(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Any:
        self.asked.append((method, target, headers, body))
        return self.answer


def schema(**said: Any) -> Json:
    return part(form="Json", jsonSchema=json.dumps(said))


# Demands.


@pytest.mark.parametrize(
    ("demands", "value", "said"),
    [
        (part(pattern="k-[a-z]+"), "k-abc", ""),
        (part(pattern="k-[a-z]+"), "k-abc1", "does not match its pattern"),
        (part(pattern="k|k-long"), "k-long", ""),
        (part(form="Text", pattern="(?s).*"), "two\nlines", ""),
        (part(form="Text", pattern="k.*"), b"k\xff\xfe", "does not match its pattern"),
        (part(minEntropy=8), "abcdefgh", ""),
        (part(minEntropy=25), "abcdefgh", "has less entropy than its minEntropy"),
        (part(minEntropy=1), "zzzzzz", "has less entropy than its minEntropy"),
        (part(minEntropy=1), "kq" * (MAX_VALUE // 2), ""),
        (part(minEntropy=1), "kq" * (MAX_VALUE // 2 + 1), "is larger than 64 KiB"),
        (part(pattern=".*"), "k" * MAX_TEXT, ""),
        (part(pattern=".*"), "k" * (MAX_TEXT + 1), "is too long for its pattern"),
        (part(pattern="[ab]*a[ab]{950}"), "ba" * 500, ""),
        (part(pattern="[ab]*a[ab]{950}"), "ab" * 600, "is too long for its pattern"),
        (part(form="Json", jsonSchema="true"), json.dumps({"a": "k" * 60_000}), ""),
        (schema(allOf=[{"not": {"const": each}} for each in range(200)]), '{"a": 1}', ""),
        (
            schema(allOf=[{"not": {"const": each}} for each in range(200)]),
            json.dumps({"a": [1] * 2000}),
            "is too large for its jsonSchema",
        ),
        (schema(properties={"a": {"pattern": "^[ab]*a[ab]{900}"}}), json.dumps({"a": "ab" * 1500}), ""),
        (
            schema(properties={"a": {"pattern": "^[ab]*a[ab]{900}"}}),
            json.dumps({"a": "ab" * 3000}),
            "is too large for its jsonSchema",
        ),
        (schema(required=["a"]), '{"a": 1}', ""),
        (schema(required=["a"]), '{"b": 1}', "is not what its jsonSchema says"),
        (schema(required=["a"]), "[]", "is not a JSON object"),
        (schema(required=["a"]), "a", "is not JSON"),
        (schema(properties={"a": {"pattern": "^(a+)+$"}}), json.dumps({"a": "a" * 20_000 + "b"}), "is not what its "),
        (schema(enum=[{"b": 1}]), '{"a":' * 400 + "1" + "}" * 400, "is not what its jsonSchema says"),
    ],
)
def test_what_an_object_demands_is_demanded(demands: Json, value: str | bytes, said: str) -> None:
    found = custom(demands).recognise(secret({"apiKey": value}))

    if said:
        assert isinstance(found, Malformed)
        assert found.said.startswith(said)
    else:
        assert found == Recognised("credential")


def test_without_a_demand_there_is_nothing_to_recognise() -> None:
    assert custom().recognise(secret({"apiKey": "abc"})) == Unrecognised()
    assert custom().recognise(secret({"apiKey": "abc\n"})) == Malformed("apiKey", "ends with a newline")


def test_each_part_of_a_pair_has_its_own_demands() -> None:
    pair = custom(part("user"), part("password", form="Text", minEntropy=40))

    assert pair.recognise(secret({"user": "bob", "password": "x Y3!\n8qzWk#"})) == Recognised("credential")
    found = pair.recognise(secret({"user": "bob", "password": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}))
    assert isinstance(found, Malformed) and found.part == "password"


@pytest.mark.parametrize(("user", "word"), [("apikey", "SG.x"), ("svc", "$Summer2026"), ("token", "abcdefgh1")])
def test_names_and_passwords_are_no_placeholders(user: str, word: str) -> None:
    """SendGrid's user of SMTP is called ``apikey``; a password may begin with a dollar sign."""
    pair = custom(part("user"), part("password"))

    assert pair.recognise(secret({"user": user, "password": word})) == Unrecognised()


def test_parts_are_those_declared_and_those_named() -> None:
    found = custom(part("user"), part("account", form="Json")).parts_for({"more": 1, "user": 1})

    assert [(each.name, each.form) for each in found] == [("user", "token"), ("account", "json"), ("more", "token")]


@given(st.binary(max_size=200))
def test_entropy_is_between_none_and_that_of_different_bytes(raw: bytes) -> None:
    assert -1e-9 <= entropy(raw) <= len(raw) * 8
    assert entropy(bytes(reversed(raw))) == pytest.approx(entropy(raw))


@pytest.mark.parametrize(
    ("text", "bits"), [(b"", 0), (b"aaaa", 0), (b"ab", 2), (b"aabb", 4), (bytes(range(256)), 2048)]
)
def test_entropy_of_some_texts(text: bytes, bits: float) -> None:
    assert entropy(text) == pytest.approx(bits)


# What is wrong with an object.


@pytest.mark.parametrize(
    ("parts", "probe", "where"),
    [
        ([part(pattern="(")], {}, "custom.parts of apiKey: pattern"),
        ([part(pattern="(?=a)")], {}, "custom.parts of apiKey: pattern"),
        ([part(pattern="((a{100}){100}){100}")], {}, "custom.parts of apiKey: pattern"),
        ([part(pattern="\\pX")], {}, "custom.parts of apiKey: pattern"),
        ([part(pattern="[ab]{1000}")], {}, "custom.parts of apiKey: pattern"),
        ([part(jsonSchema="{}")], {}, "custom.parts of apiKey: jsonSchema"),
        ([part(form="Json", jsonSchema="{ ")], {}, "custom.parts of apiKey: jsonSchema"),
        ([part(form="Json", jsonSchema="[1]")], {}, "custom.parts of apiKey: jsonSchema"),
        ([part(form="Json", jsonSchema='{"a":' * 1600)], {}, "custom.parts of apiKey: jsonSchema"),
        ([part(form="Json", jsonSchema='{"not":' * 1000 + "{}" + "}" * 1000)], {}, "custom.parts of apiKey"),
        ([schema(type="nonsense")], {}, "custom.parts of apiKey: jsonSchema"),
        ([schema(pattern="(?=a)")], {}, "custom.parts of apiKey: jsonSchema"),
        ([schema(pattern="(a{1000}){1000}")], {}, "custom.parts of apiKey: jsonSchema"),
        ([schema(allOf=[{"$ref": "#"}])], {}, "custom.parts of apiKey: jsonSchema"),
        ([schema(anyOf=[{"unevaluatedProperties": {}}])], {}, "custom.parts of apiKey: jsonSchema"),
        ([schema(items={"not": {"unevaluatedItems": False}})], {}, "custom.parts of apiKey: jsonSchema"),
        ([schema(items={"pattern": "[ab]{1000}"})], {}, "custom.parts of apiKey: jsonSchema"),
        ([schema(patternProperties={"[ab]{1000}": {}})], {}, "custom.parts of apiKey: jsonSchema"),
        ([schema(allOf=[{"pattern": "[ab]{900}"}] * 5)], {}, "custom.parts of apiKey: jsonSchema"),
        ([schema(enum=list(range(1400)))], {}, "custom.parts of apiKey: jsonSchema"),
        (
            [schema(properties={"a": {"$ref": "https://schemas.example.com/a"}})],
            {},
            "custom.parts of apiKey: jsonSchema",
        ),
        ([schema(**{"$schema": "https://schemas.example.com/a"})], {}, "custom.parts of apiKey: jsonSchema"),
        ([], {"headers": {"Authorization": "Bearer {token}"}}, "custom.probe.headers.Authorization"),
        ([], {"method": "POST", "body": '{"a": "{other}"}'}, "custom.probe.body"),
        ([], {"limited": [401]}, "custom.probe has one status in two lists"),
    ],
)
def test_what_is_wrong_in_an_object_is_named_and_not_shown(parts: list[Json], probe: Json, where: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        custom(*parts, **probe)

    assert caught.value.reason is Reason.INVALID_SPEC
    assert caught.value.message.startswith(where)
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert "example.com" not in caught.value.message


@pytest.mark.parametrize(
    "probe",
    [
        {"url": "http://api.example.com/"},
        {"url": "https://api.example.com/{apiKey}"},
        {"url": "https://user@api.example.com/"},
        {"url": "https://api.example.com/\r\nX: y"},
        {"url": "https://api.example.com/#a"},
        {"url": "https://"},
        {"url": "https://api.example.com:99999/"},
        {"url": "https://api.example.com:65536"},
        {"url": "https://api.example.com:0"},
        {"method": "DELETE"},
        {"headers": {"X-Key": "a\nb"}},
        {"headers": {"X-Key": "é"}},
        {"valid": [500]},
        {"valid": [100]},
    ],
)
def test_what_no_probe_may_be_the_model_refuses(probe: Json) -> None:
    with pytest.raises(pydantic.ValidationError):
        custom(**probe)


# Probes.


def test_a_probe_is_sent_as_it_is_declared() -> None:
    server = Server()
    own = custom(
        part(), part("user"), headers={"authorization": "Token {user}:{apiKey}", "X": "{nope"}, url=URL + "?a=b"
    )

    found = own.probe(secret({"apiKey": "k/1", "user": "bob"}), server)

    assert (found.verdict, own.address) == (Verdict.VALID, "https://api.example.com")
    headers = {"authorization": "Token bob:k/1", "X": "{nope", "Accept": "application/json"}
    assert server.asked == [("GET", "/v1/me?a=b", headers, None)]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"key": "q\\"\\\\&\\n"}'),
        ("application/json; charset=utf-8", b'{"key": "q\\"\\\\&\\n"}'),
        ("application/x-www-form-urlencoded", b'{"key": "q%22%5C%26%0A"}'),
        ("text/plain", b'{"key": "q"\\&\n"}'),
    ],
)
def test_a_part_in_a_body_is_escaped_as_its_type_wants(kind: str, body: bytes) -> None:
    server = Server()
    own = custom(part(form="Text"), method="POST", body='{"key": "{apiKey}"}', headers={"content-type": kind})

    own.probe(secret({"apiKey": 'q"\\&\n'}), server)

    assert [each[3] for each in server.asked] == [body]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_json_body_stays_json_whatever_the_part(text: str) -> None:
    server = Server()
    own = custom(
        part(form="Text"), method="POST", body='{"key":"{apiKey}"}', headers={"Content-Type": "application/json"}
    )

    own.probe(secret({"apiKey": text}), server)

    assert json.loads(server.asked[0][3] or b"") == {"key": text}


@pytest.mark.parametrize(
    "value", [f"{CANARY}\r\nX-Admin: yes", f"{CANARY}\0", f"{CANARY}é", b"\xff\xfe" + CANARY.encode()]
)
def test_a_part_that_cannot_stand_in_a_header_is_neither_sent_nor_told(value: str | bytes) -> None:
    server = Server()

    found = custom(part(form="Text"), headers={"X-Key": "{apiKey}"}).probe(secret({"apiKey": value}), server)

    assert (found.verdict, server.asked) == (Verdict.UNKNOWN, [])
    assert CANARY not in repr(found)


def test_bytes_that_are_no_text_are_not_put_into_json() -> None:
    server = Server()
    own = custom(part(form="Text"), method="POST", body="{apiKey}", headers={"Content-Type": "application/json"})

    assert own.probe(secret({"apiKey": b"\xff"}), server).verdict is Verdict.UNKNOWN
    assert server.asked == []


@pytest.mark.parametrize(
    ("status", "data", "said", "verdict"),
    [
        (200, b"{}", {}, Verdict.VALID),
        (401, b"{}", {}, Verdict.INVALID),
        (403, b"{}", {}, Verdict.UNKNOWN),
        (403, b"{}", {"limited": [403]}, Verdict.LIMITED),
        (404, b"{}", {"invalid": [404]}, Verdict.INVALID),
        (401, b"{}", {"invalid": [404]}, Verdict.UNKNOWN),
        (429, b"{}", {"invalid": [429]}, Verdict.UNKNOWN),
        (200, b"<html>", {}, Verdict.UNKNOWN),
        (401, b"", {}, Verdict.UNKNOWN),
        (204, b"", {"valid": [204], "answer": "Any"}, Verdict.VALID),
        (200, b"", {"method": "HEAD", "answer": "Any"}, Verdict.VALID),
    ],
)
def test_an_answer_means_what_the_object_says(status: int, data: bytes, said: Json, verdict: Verdict) -> None:
    own = custom(**{"answer": "Json"} | said)

    assert own.probe(secret({"apiKey": "k"}), Server(status, data)).verdict is verdict


def test_without_a_probe_nobody_is_asked() -> None:
    server = Server()

    assert custom().address == ""
    assert custom().probe(secret({"apiKey": "k"}), server).verdict is Verdict.NOT_CHECKED
    assert server.asked == []


def test_a_body_and_a_part_that_is_json_get_there() -> None:
    with serving("custom") as vendor:
        own = custom(part(form="Json"), method="POST", body="{apiKey}", url="https://api.example.com")
        found = asking(own, vendor.url, secret({"apiKey": '{"a": 1}'}))

        assert found == Finding(Verdict.UNKNOWN, "answered 404")
        assert [(each.method, each.target, each.body) for each in vendor.requests] == [("POST", "/", b'{"a": 1}')]
