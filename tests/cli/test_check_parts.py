"""``keywright check --stdin`` of credentials of several parts, and of issuers that take more than parts."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cli.terminal import Said, keywright, typed
from vendors import VendorServer, serving

ALIVE, FAILED, USAGE, MALFORMED, INVALID, UNKNOWN = 0, 1, 2, 5, 6, 7
CANARY = "canary"


@pytest.fixture
def aws() -> Iterator[VendorServer]:
    with serving("aws") as server:
        yield server


def pair(server: VendorServer) -> dict[str, str]:
    parts = dict(server.vendor.samples()["access key"])
    server.vendor.knows(parts)
    return parts


def check(issuer: str, given: str, *arguments: str) -> Said:
    return keywright("check", "--stdin", f"--issuer={issuer}", *arguments, stdin=given)


def lines(parts: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in parts.items())


def test_several_parts_are_read_from_lines_or_from_json(aws: VendorServer) -> None:
    parts, at = pair(aws), f"--endpoint={aws.url}"

    alive, whole = check("aws", lines(parts), at), check("aws", json.dumps(parts), at, "--parts=json")
    wrong = check("aws", lines(parts | {"secretAccessKey": "A" * 39 + "/"}), at)
    swapped = check("aws", lines(parts | {"secretAccessKey": parts["accessKeyId"]}), at)

    assert (alive.code, whole.code, wrong.code, swapped.code) == (ALIVE, ALIVE, INVALID, MALFORMED)
    assert alive.out.splitlines()[-1] == "AWS answered 200."
    for value in parts.values():
        assert value not in alive.everything + whole.everything + wrong.everything + swapped.everything


def test_parts_are_asked_for_one_by_one_on_a_terminal(aws: VendorServer) -> None:
    parts = pair(aws)
    asked: dict[str, str | bytes] = {f"{name} of AWS": value for name, value in parts.items()}

    code, seen = typed(
        asked | {"sessionToken of AWS (empty: none)": ""}, "check", "--stdin", "--issuer=aws", f"--endpoint={aws.url}"
    )

    assert code == ALIVE
    assert parts["secretAccessKey"] not in seen


@pytest.mark.parametrize(
    ("given", "arguments", "code", "why"),
    [
        (f"accessKeyId={CANARY}\n", [], USAGE, "lacks secretAccessKey, which AWS needs"),
        (f"{CANARY}=1\n", [], USAGE, "names a part that AWS does not know: accessKeyId, secretAccessKey, sessionToken"),
        (CANARY, ["--parts=value"], USAGE, "AWS needs accessKeyId, secretAccessKey: give them by --parts lines, or"),
        (CANARY, [], FAILED, "line 1 of the standard input is not PART=VALUE"),
    ],
)
def test_parts_that_do_not_make_a_credential_are_refused(given: str, arguments: list[str], code: int, why: str) -> None:
    said = check("aws", given, "--no-probe", *arguments)

    assert (said.code, said.out) == (code, "")
    assert why in said.err
    assert CANARY not in said.err


def test_one_part_of_several_tells_whose_it_is_and_what_else_is_needed(aws: VendorServer) -> None:
    said = keywright("check", "--stdin", stdin=pair(aws)["accessKeyId"])

    assert said.code == UNKNOWN
    assert said.out.splitlines()[-1] == (
        "By how it begins, it is a credential of AWS. It has several parts: give them with --issuer aws."
    )


def test_a_key_of_a_vendor_without_an_issuer_is_told_by_name() -> None:
    said = keywright("check", "--stdin", "-o", "json", stdin="gsk_" + "Ab0" * 17 + "x")

    assert (said.code, said.json["issuer"], said.json["verdict"]) == (UNKNOWN, "groq", "NotChecked")


def test_a_document_of_several_lines_cannot_be_typed() -> None:
    code, seen = typed({}, "check", "--stdin", "--issuer=gcpServiceAccount")

    assert code == FAILED
    assert "Error: a value of several lines cannot be typed." in seen


def test_what_an_object_says_of_a_custom_issuer_stands_in_a_file(tmp_path: pathlib.Path) -> None:
    with serving("custom") as server:
        parts = dict(server.vendor.samples()["credential"])
        server.vendor.knows(parts, "limited")
        file = tmp_path / "acme.yaml"
        file.write_text(yaml.safe_dump(dict(server.vendor.config)))
        options = (f"--config={file}", f"--endpoint={server.url}")

        alive = check("custom", lines(parts), *options, "-o", "json")
        broken = check("custom", lines(parts | {"user": "nobody"}), *options)

    assert (alive.code, alive.json["verdict"]) == (ALIVE, "ValidLimited")
    assert broken.code == MALFORMED
    assert broken.out.splitlines()[-1] == "user does not match its pattern."


@pytest.mark.parametrize(
    ("config", "line", "why"),
    [
        ("parts:\n- name: a\n  patern: b\n", 3, "parts[0].patern is no field; did you mean pattern?"),
        ("parts:\n- name: a\n  name: b\n", 3, "parts[0].name stands there twice"),
        ("parts: []\n", 1, "parts must have at least 1 item"),
        ("", 1, "parts is required"),
        ("[canary]", 1, "must be of type object"),
        ("parts: [canary\n", 2, "it is not YAML"),
        (b"\xff\xfe", 1, "it is not UTF-8"),
        ("a: &a [*a]\n", 1, "it has too many values, or too deep ones"),
    ],
)
def test_a_file_that_says_nothing_of_use_is_refused_with_its_line(
    tmp_path: pathlib.Path, config: Any, line: int, why: str
) -> None:
    file = tmp_path / "acme.yaml"
    file.write_bytes(config if isinstance(config, bytes) else config.encode())

    said = check("custom", CANARY, f"--config={file}", "--no-probe")

    assert (said.code, said.out) == (FAILED, "")
    assert said.err.splitlines()[0] == f"Error: acme.yaml:{line}: {why}."
    assert CANARY not in said.err


def test_a_pattern_that_does_not_compile_is_named(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text("parts:\n- {name: apiKey, pattern: '('}\n")

    said = check("custom", CANARY, f"--config={file}", "--no-probe")

    assert said.code == FAILED
    assert said.err.splitlines()[0] == "Error: custom.parts of apiKey: pattern cannot be used."


def test_a_custom_issuer_without_its_file_is_wrong_usage(tmp_path: pathlib.Path) -> None:
    without, nowhere = check("custom", CANARY), check("custom", CANARY, f"--config={tmp_path}/none")

    assert (without.code, nowhere.code) == (USAGE, USAGE)
    assert "--issuer custom needs --config" in without.err
    assert "none cannot be read" in nowhere.err
