"""A Secret's entries in the shape that others expect: tables and properties, read back by who reads them."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any

import dotenv
import pydantic
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import assume, given
from hypothesis import strategies as st

from decide.shaping import CANARY, GHCR, TLS, certificate, in_pem, made, refusal, shaped
from keywright import crd, errors
from keywright.decide import shapes
from keywright.errors import Reason
from keywright.kinds.shapes import Shapes
from keywright.secret import SecretValue

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
#: Text made of what quoting is about.
TRICKY = st.lists(st.sampled_from(["\\", "'", '"', "$", "{", "}", "\n", "\r", "#", "=", " ", "a", "ü"])).map("".join)


SSH = {"sshAuth": {"privateKeyFrom": "KEY"}}
BASIC = {"basicAuth": {"usernameFrom": "USER", "passwordFrom": "PASS"}}


def test_a_pull_secret_is_what_docker_writes() -> None:
    hub = {"server": "https://index.docker.io/v1/", "usernameFrom": "USER", "passwordFrom": "PASS", "email": "a@b.c"}

    result = shaped({"dockerConfig": {"registries": [hub, GHCR]}}, USER="ünal", PASS="a:b", TOKEN="t", OTHER="x")

    (only,) = result.entries.items()
    assert only[0] == ".dockerconfigjson"
    assert json.loads(only[1].reveal()) == {
        "auths": {
            "ghcr.io": {"username": "bot", "password": "t", "auth": base64.b64encode(b"bot:t").decode()},
            "https://index.docker.io/v1/": {
                "username": "ünal",
                "password": "a:b",
                "email": "a@b.c",
                "auth": base64.b64encode("ünal:a:b".encode()).decode(),
            },
        }
    }
    assert (set(result.consumed), result.type) == ({"USER", "PASS", "TOKEN"}, "kubernetes.io/dockerconfigjson")


def test_the_order_of_registries_and_entries_is_nothing() -> None:
    other = GHCR | {"server": "quay.io"}
    one = made({"dockerConfig": {"registries": [GHCR, other]}, "json": {}}, TOKEN="t", A="1", B="2")

    assert one == made({"dockerConfig": {"registries": [other, GHCR]}, "json": {}}, B="2", A="1", TOKEN="t")
    assert one["config.json"] == b'{"A":"1","B":"2"}'


def test_a_user_and_a_password() -> None:
    said = {"basicAuth": {"username": "admin", "passwordFrom": "PASS"}}

    assert made(said, PASS=b"\xff\x00") == {"username": b"admin", "password": b"\xff\x00"}
    result = shaped(BASIC, USER="u", PASS="p")
    assert (set(result.consumed), result.type) == ({"USER", "PASS"}, "kubernetes.io/basic-auth")


def test_a_key_to_log_in_with_ends_with_a_line() -> None:
    pem = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"
    said = {"sshAuth": {"privateKeyFrom": "KEY", "knownHostsFrom": "HOSTS"}}

    assert made(said, KEY=pem, HOSTS="h k") == {"ssh-privatekey": f"{pem}\n".encode(), "known_hosts": b"h k"}
    result = shaped(SSH, KEY=f"{pem}\n")
    assert result.entries["ssh-privatekey"].reveal() == f"{pem}\n".encode()
    assert (set(result.consumed), result.type) == ({"KEY"}, "kubernetes.io/ssh-auth")


def test_a_certificate_with_its_chain_and_its_key_stay_as_they_are() -> None:
    (pem, key), (ca, _) = certificate(), certificate("ca")
    said = {"tls": {**TLS["tls"], "caFrom": "CA"}}

    result = shaped(said, CERT=f"# mine\n{pem}{ca}", KEY=key, CA=ca)

    assert {name: value.reveal().decode() for name, value in result.entries.items()} == {
        "tls.crt": f"# mine\n{pem}{ca}",
        "tls.key": key,
        "ca.crt": ca,
    }
    assert (set(result.consumed), result.type) == ({"CERT", "KEY", "CA"}, "kubernetes.io/tls")


def test_a_certificate_that_is_no_pair_with_its_key_is_refused() -> None:
    (pem, key), (ca, other) = certificate(), certificate("ca")
    locked = in_pem(ec.generate_private_key(ec.SECP256R1()), serialization.BestAvailableEncryption(b"x"))

    for wrong, said in (
        ({"KEY": other}, "not that of the certificate in entry CERT"),
        ({"CERT": ca + pem}, "not that of the certificate in entry CERT"),
        ({"CERT": pem.replace("M", "N")}, "entry CERT "),
        ({"CERT": pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "entry CERT "),
        ({"CERT": CANARY}, "entry CERT "),
        ({"CERT": key}, "entry CERT "),
        ({"KEY": locked}, "without a passphrase, and entry KEY "),
        ({"KEY": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"}, "entry KEY "),
        ({"KEY": pem}, "entry KEY "),
    ):
        error = refusal(TLS, **({"CERT": pem, "KEY": key} | wrong))
        assert (error.reason, said in error.message) == (Reason.SHAPE_FAILED, True), error.message
    with_ca = {"tls": {**TLS["tls"], "caFrom": "CA"}}
    assert "entry CA " in refusal(with_ca, CERT=pem, KEY=key, CA=CANARY).message


@pytest.mark.parametrize(
    ("spec", "entries", "said"),
    [
        (BASIC, {"USER": "u"}, "basicAuth needs entry PASS, which is not there"),
        (BASIC, {"PASS": "p"}, "basicAuth needs entry USER, which is not there"),
        (SSH, {"KEY": CANARY}, "entry KEY "),
        (SSH, {"KEY": f"ssh-ed25519 {CANARY}"}, "entry KEY "),
        ({"dockerConfig": {"registries": [GHCR]}}, {}, "dockerConfig for ghcr.io needs entry TOKEN"),
        ({"dockerConfig": {"registries": [GHCR]}}, {"TOKEN": b"\xff"}, "entry TOKEN is not UTF-8"),
        ({"dockerConfig": {"registries": [GHCR | {"username": "a:b"}]}}, {"TOKEN": "t"}, "username with a colon"),
        ({"json": {"keys": ["A"]}}, {"B": CANARY}, "config.json needs entry A"),
        ({"json": {}}, {"A": CANARY.encode() + b"\xff"}, "config.json needs text, and entry A is not UTF-8"),
        ({"json": {}}, {}, "config.json has no entries"),
        (BASIC | {"dotenv": {}}, {"USER": "u", "PASS": "p"}, ".env has no entries"),
        ({"dotenv": {}}, {"A": f"{CANARY}\0"}, "entry A has one"),
        ({"dotenv": {}}, {"A": f"{CANARY}${{HOME}}"}, "entry A has a $ beside"),
        ({"dotenv": {}}, {"A": f"{CANARY}$\\\\"}, "entry A has a $ beside"),
        ({"dotenv": {}}, {"A": f"{CANARY}$\\'"}, "entry A has a $ beside"),
        ({"dotenv": {}}, {"A": f"{CANARY}$\r\n"}, "entry A has a $ beside"),
        ({"dotenv": {}}, {"A": f"{CANARY}$\\"}, "entry A has a $ beside"),
    ],
)
def test_an_entry_that_is_not_what_a_shape_needs_is_named(
    spec: dict[str, Any], entries: dict[str, str | bytes], said: str
) -> None:
    error = refusal(spec, **entries)

    assert (error.reason, said in error.message) == (Reason.SHAPE_FAILED, True), error.message


@pytest.mark.parametrize(
    ("spec", "entries"),
    [
        ({"json": {"keys": ["A"]}}, {"A": "1", "config.json": "2"}),
        ({"json": {"file": "x"}, "dotenv": {"file": "x"}}, {"A": "1"}),
        (BASIC, {"USER": "u", "PASS": "p", "password": CANARY}),
        ({"dockerConfig": {"registries": [GHCR, GHCR]}}, {"TOKEN": "t"}),
    ],
)
def test_two_things_of_one_name_are_refused(spec: dict[str, Any], entries: dict[str, str]) -> None:
    assert refusal(spec, **entries).reason == Reason.CONFLICTING_ENTRIES


def test_two_shapes_that_want_a_type_are_refused() -> None:
    assert refusal(BASIC | SSH, USER="u", PASS="p", KEY="k").reason == Reason.INVALID_SPEC
    (rule,) = crd.structural(Shapes, "shapes")["x-kubernetes-validations"]
    assert rule["message"] == "dockerConfig, basicAuth, sshAuth and tls exclude each other: a Secret has one type"


def test_a_login_without_a_username_is_refused() -> None:
    assert refusal({"basicAuth": {"passwordFrom": "PASS"}}, PASS="p").reason == Reason.INVALID_SPEC


def test_an_input_may_have_the_name_of_what_is_made_of_it() -> None:
    pem, key = certificate()
    said = {"tls": {"certificateFrom": "tls.crt", "privateKeyFrom": "tls.key"}}

    assert made(said, **{"tls.crt": pem, "tls.key": key}) == {"tls.crt": pem.encode(), "tls.key": key.encode()}


def test_files_take_what_they_name_or_what_no_other_shape_takes() -> None:
    spec = BASIC | {"dotenv": {"keys": ["USER", "A"]}, "json": {}}

    result = shaped(spec, A="1", B="2", USER="u", PASS="p")

    assert result.entries[".env"].reveal() == b'A="1"\nUSER="u"\n'
    assert result.entries["config.json"].reveal() == b'{"B":"2"}'
    assert (set(result.consumed), result.type) == ({"A", "B", "USER", "PASS"}, "kubernetes.io/basic-auth")


def test_an_optional_entry_that_is_missing_is_left_out() -> None:
    values = {name: SecretValue(name) for name in ("A", "B")}
    spec = {"dotenv": {"keys": ["A", "GONE"]}, "json": {"keys": ["GONE", "B"]}}

    result = shapes.shape(Shapes.model_validate(spec), values, {"GONE", "A"})

    assert {name: value.reveal() for name, value in result.entries.items()} == {
        ".env": b'A="A"\n',
        "config.json": b'{"B":"B"}',
    }
    (pem, key), hosts = certificate(), {"sshAuth": {"privateKeyFrom": "KEY", "knownHostsFrom": "GONE"}}
    for said, more in ((hosts, "known_hosts"), ({"tls": {**TLS["tls"], "caFrom": "GONE"}}, "ca.crt")):
        given = {"CERT": SecretValue(pem), "KEY": SecretValue(key)}
        assert more not in shapes.shape(Shapes.model_validate(said), given, {"GONE"}).entries


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (BASIC, "basicAuth needs entry PASS, which is optional, and which the store lacks"),
        ({"dotenv": {"keys": ["PASS"]}}, ".env has no entries: those in its keys are optional, and missing"),
        ({"json": {"keys": ["OTHER"]}}, "config.json needs entry OTHER, which is not there"),
    ],
)
def test_a_shape_that_cannot_do_without_an_optional_entry_says_so(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        shapes.shape(Shapes.model_validate(spec), {"USER": SecretValue("u")}, {"PASS"})

    assert (caught.value.reason, caught.value.message) == (Reason.SHAPE_FAILED, said)


def test_no_shape_changes_nothing() -> None:
    assert shaped({}, A="1") == shapes.Shaped({}, frozenset(), None)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("", '""'),
        ("sk-1", '"sk-1"'),
        ("a b#c=d", '"a b#c=d"'),
        ('say "hi"', r'"say \"hi\""'),
        ("it's", '"it\'s"'),
        ("a\nb\r\n", r'"a\nb\r\n"'),
        ("C:\\new", r'"C:\\new"'),
        ("pa$$word", "'pa$$word'"),
        ("$it's\nC:\\new", "'$it\\'s\nC:\\new'"),
        ("ü\u2028", '"ü\u2028"'),
    ],
)
def test_a_variable_is_quoted_as_compose_reads_it(value: str, quoted: str) -> None:
    # What docker compose makes of these is written down from compose-go 2.16; python-dotenv is asked below.
    assert made({"dotenv": {}}, A=value) == {".env": f"A={quoted}\n".encode()}


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][-._A-Za-z0-9]{0,9}", fullmatch=True), TEXTS | TRICKY, min_size=1))
def test_a_file_of_variables_is_read_back(variables: dict[str, str]) -> None:
    assume(not any("\0" in value or ("$" in value and re.search(r"\$\{|\\|\r", value)) for value in variables.values()))

    text = made({"dotenv": {"file": "file"}}, **variables)["file"].decode()

    assert dict(dotenv.dotenv_values(stream=io.StringIO(text, newline=None))) == variables


@given(st.dictionaries(st.text("abc", min_size=1), TEXTS, min_size=1))
def test_a_json_file_is_read_back(fields: dict[str, str]) -> None:
    assert json.loads(made({"json": {"file": "file"}}, **fields)["file"]) == fields


@pytest.mark.parametrize(
    "wrong",
    [
        {"dockerConfig": {"registries": []}},
        {"dockerConfig": {"registries": [GHCR | {"server": ""}]}},
        {"basicAuth": {"username": "u"}},
        {"tls": {"certificateFrom": "a b", "privateKeyFrom": "b"}},
        {"dotenv": {"file": "../.env"}},
        {"json": {"keys": []}},
    ],
)
def test_a_shape_that_is_none_is_refused_on_reading(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Shapes.model_validate(wrong)
