"""``keywright check --stdin``: one credential, looked at and asked about from a laptop, and never shown."""

from __future__ import annotations

import base64
import json
import pathlib
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
import yaml

from cli.terminal import BIN, Said, keywright, typed
from vendors import VendorServer, serving, vendors

ALIVE, FAILED, USAGE, MALFORMED, INVALID, UNKNOWN, UNRECOGNISED = 0, 1, 2, 5, 6, 7, 8
COLUMNS = ["ISSUER", "KIND", "FORM", "VERDICT", "EXPIRES"]


@pytest.fixture
def openai() -> Iterator[VendorServer]:
    with serving("openai") as server:
        yield server


def key(kind: str = "project key", vendor: str = "openai") -> str:
    (value,) = vendors()[vendor]().samples()[kind].values()
    return value


def check(value: str | bytes, *arguments: str, **environment: str) -> Said:
    """Pipe a value in, byte for byte."""
    return keywright("check", "--stdin", *arguments, stdin=value, **environment)


def at(server: VendorServer) -> tuple[str, str]:
    return "--issuer=openai", f"--endpoint={server.url}"


@pytest.mark.parametrize(
    ("state", "code", "verdict", "why"),
    [
        ("valid", ALIVE, "Valid", "OpenAI answered 200."),
        ("limited", ALIVE, "ValidLimited", "OpenAI answered 401 (missing_scope)."),
        ("invalid", INVALID, "Invalid", "OpenAI answered 401 (invalid_api_key)."),
    ],
)
def test_the_code_is_that_of_the_verdict(openai: VendorServer, state: str, code: int, verdict: str, why: str) -> None:
    value = key()
    if state in ("valid", "limited"):
        openai.vendor.knows({"apiKey": value}, "valid" if state == "valid" else "limited")

    said, told = check(value, *at(openai)), check(value, *at(openai), "-o", "json")

    assert (said.code, told.code, said.err) == (code, code, "")
    header, row, _, last = said.out.splitlines()
    assert (header.split(), last) == (COLUMNS, why)
    assert row.split() == ["openai", "project", "key", "Recognised", verdict, "-"]
    assert told.json == {
        "issuer": "openai",
        "kind": "project key",
        "form": "Recognised",
        "verdict": verdict,
        "message": why,
        "asked": True,
        "createdAt": None,
        "expiresAt": None,
    }
    assert yaml.safe_load(check(value, *at(openai), "-o", "yaml").out) == told.json
    assert value[10:] not in said.everything + told.everything


@pytest.mark.parametrize("mood", ["slow down", "echo", "garbage", "hangs up"])
def test_an_issuer_that_tells_nothing_is_unknown_and_nothing_of_the_key_is_shown(
    openai: VendorServer, mood: str
) -> None:
    openai.mood = mood  # type: ignore[assignment]
    value = key()

    said = check(value, *at(openai), "--log-level=debug")

    assert said.code == UNKNOWN
    assert said.out.splitlines()[-1].startswith("OpenAI ")
    assert value[10:] not in said.everything


def test_a_newline_at_the_end_is_malformed_and_it_is_said_how_it_came_there(openai: VendorServer) -> None:
    value = key()

    said = check(f"{value}\n", *at(openai))

    assert said.code == MALFORMED
    assert said.out.splitlines()[-1] == (
        "apiKey ends with a newline. Pipe it in without that: `printf %s` adds no newline, where `echo` does."
    )
    assert openai.requests == []
    assert value[10:] not in said.everything


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "is empty"),
        (b"\n", "is nothing but white space"),
        (b"\xff\xfes\x00k\x00", "begins with a byte order mark"),
        (bytes(range(256)), "holds characters beyond ASCII"),
        (b"sk-proj-\x1b[31m\x00", "holds white space or control characters"),
        (b"changeme", "is a placeholder, not a key"),
        (b"x" * (1 << 20), "is a placeholder, not a key"),
    ],
)
def test_what_can_be_no_key_is_malformed_whatever_it_is(value: bytes, why: str) -> None:
    said = check(value, "--issuer=openai", "--no-probe")

    assert (said.code, said.out.splitlines()[-1], said.err) == (MALFORMED, f"apiKey {why}.", "")
    assert said.out.isascii()


def test_a_key_of_another_issuer_is_malformed_and_is_not_sent_to_this_one(openai: VendorServer) -> None:
    said = check(key("API key", "anthropic"), *at(openai))

    assert said.code == MALFORMED
    assert said.out.splitlines()[-1] == "apiKey is a credential of anthropic, by how it begins."
    assert openai.requests == []


def test_without_a_probe_the_form_alone_decides() -> None:
    known, unknown = check(key(), "--issuer=openai", "--no-probe"), check("sk-proj-1", "--issuer=openai", "--no-probe")

    assert (known.code, unknown.code) == (ALIVE, UNRECOGNISED)
    assert known.out.splitlines()[-1] == "Nobody was asked."
    assert unknown.out.splitlines()[-1] == "It has no form of OpenAI that is known. Nobody was asked."


def test_a_form_that_is_not_known_does_not_keep_the_issuer_from_being_asked(openai: VendorServer) -> None:
    openai.vendor.knows({"apiKey": "sk-of-tomorrow"})

    said = check("sk-of-tomorrow", *at(openai))

    assert said.code == ALIVE
    assert said.out.splitlines()[-1] == "It has no form of OpenAI that is known. OpenAI answered 200."


def test_a_key_tells_by_itself_whose_it_is() -> None:
    said = check(key("API key", "anthropic"), "--no-probe", "-o", "json")
    broken = check(key("API key", "anthropic") + "\n", "--no-probe")
    nobodys, nothing = check("correct horse battery staple"), check("")

    assert (said.code, said.json["issuer"], said.json["kind"]) == (ALIVE, "anthropic", "API key")
    assert said.json["message"] == "By how it begins, it is a credential of Anthropic. Nobody was asked."
    assert broken.code == MALFORMED
    assert (nobodys.code, nothing.code) == (UNRECOGNISED, MALFORMED)
    assert nobodys.out.splitlines()[-1] == "It does not tell by itself whose it is: say that with --issuer."


def test_when_it_ends_is_told_by_the_issuer_and_by_the_value_itself() -> None:
    with serving("github") as github:
        value = key("classic personal access token", "github")
        github.vendor.knows({"token": value}, ends="2027-01-02T03:04:05Z")
        said = check(value, "--issuer=github", f"--endpoint={github.url}", "-o", "json")
    claims = base64.urlsafe_b64encode(json.dumps({"exp": 4102444800}).encode()).decode().rstrip("=")

    token = check(f"eyJhbGciOiJub25lIn0.{claims}.x", "-o", "json")

    assert (said.code, said.json["expiresAt"]) == (ALIVE, "2027-01-02T03:04:05Z")
    assert (token.code, token.json["expiresAt"]) == (UNRECOGNISED, "2100-01-01T00:00:00Z")


def test_parts_can_stand_in_lines_and_in_json(openai: VendorServer) -> None:
    value = key()
    openai.vendor.knows({"apiKey": value})

    lines = check(f"apiKey={value}\n", *at(openai), "--parts=lines")
    whole = check(json.dumps({"apiKey": value}), *at(openai), "--parts=json")
    dos = check(f"apiKey={value}\r\n", *at(openai), "--parts=lines")

    assert (lines.code, whole.code, dos.code) == (ALIVE, ALIVE, MALFORMED)


@pytest.mark.parametrize(
    ("layout", "given", "code"),
    [
        ("lines", b"canary", FAILED),
        ("lines", b"", FAILED),
        ("lines", b"apiKey=canary\napiKey=canary\n", FAILED),
        ("lines", b"canary=canary\n", USAGE),
        ("json", b"canary", FAILED),
        ("json", b'["canary"]', FAILED),
        ("json", b'{"apiKey": 5}', FAILED),
        ("json", b'{"apiKey": "\\ud800canary"}', FAILED),
        ("json", b'{"apiKey": "canary", "apiKey": "canary"}', FAILED),
        ("json", b"[" * 100_000, FAILED),
        ("json", b"\xff", FAILED),
        ("json", b"{}", USAGE),
        ("json", b'{"canary": "canary"}', USAGE),
    ],
)
def test_parts_that_are_none_are_refused_without_a_word_of_them(layout: str, given: bytes, code: int) -> None:
    said = check(given, "--issuer=openai", f"--parts={layout}", "--no-probe")

    assert (said.code, said.out) == (code, "")
    assert "standard input" in said.err
    assert "canary" not in said.err


def test_a_pipe_without_an_end_is_not_read_to_its_end() -> None:
    with pathlib.Path("/dev/zero").open("rb") as endless:
        command = [str(BIN / "keywright"), "check", "--stdin"]
        done = subprocess.run(command, stdin=endless, capture_output=True, text=True, check=False)

    assert done.returncode == FAILED
    assert done.stderr.startswith("Error: the standard input holds more than 1024 KiB, and no credential does.")


def test_a_standard_input_that_is_closed_is_no_bug() -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", f"{BIN}/keywright check --stdin <&-"], capture_output=True, text=True, check=False
    )

    assert done.returncode == FAILED
    assert done.stderr.startswith("Error: this machine refuses what is needed: ")


def test_on_a_terminal_it_is_asked_for_and_not_seen(openai: VendorServer) -> None:
    value = key()
    openai.vendor.knows({"apiKey": value})

    code, seen = typed({"apiKey of OpenAI": value}, "check", "--stdin", *at(openai))
    nobodys, unseen = typed({"Value": "hunter2hunter2"}, "check", "--stdin")

    assert (code, nobodys) == (ALIVE, UNRECOGNISED)
    assert "Valid" in seen
    assert value[10:] not in seen
    assert "hunter2" not in unseen


@pytest.mark.parametrize("pressed", [b"\x03", b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
def test_breaking_off_at_the_question_is_told(pressed: bytes) -> None:
    code, seen = typed({"Value": pressed}, "check", "--stdin")

    assert code == 130
    assert seen.endswith("Aborted.\n")


def test_breaking_off_while_the_issuer_is_silent_ends_it_at_once(openai: VendorServer) -> None:
    openai.mood, openai.pause, value = "slow", 60, key()
    command = [str(BIN / "keywright"), "check", "--stdin", *at(openai)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads here
    ) as process:
        assert process.stdin
        process.stdin.write(value.encode())
        process.stdin.close()
        while not openai.requests and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.stdout and process.stderr
        out, err = process.stdout.read(), process.stderr.read()

    assert (process.returncode, out, err) == (130, b"", b"\nAborted.\n")


def test_only_public_addresses_are_asked_unless_an_endpoint_is_named(tmp_path: pathlib.Path) -> None:
    # A machine on which the issuer's name leads to loopback.
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "socket.getaddrinfo = lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, '', ('127.0.0.1', 9))]\n"
    )

    said = check(key(), "--issuer=openai", PYTHONPATH=str(tmp_path))

    assert said.code == UNKNOWN
    assert said.out.splitlines()[-1] == (
        "OpenAI may not be reached: its address is a loopback, link-local, metadata or private one."
    )


def test_no_cluster_is_asked_whatever_the_environment_says() -> None:
    said = check(key(), "--no-probe", "--issuer=openai", KUBECONFIG="/no/such/file", KEYWRIGHT_NAMESPACE="NONE")

    assert said.code == ALIVE


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["check"], "Name an ApiKeySecret, or give a credential by --stdin"),
        (["check", "llm", "--no-probe"], "Name an ApiKeySecret, or give a credential by --stdin"),
        (["check", "llm", "--issuer=openai"], "Name an ApiKeySecret, or give a credential by --stdin"),
        (["check", "llm", "--stdin"], "--stdin asks no cluster"),
        (["check", "-n", "team-a", "--stdin"], "--stdin asks no cluster"),
        (["check", "--stdin", "--parts=json"], "need --issuer"),
        (["check", "--stdin", "--endpoint=https://a.example"], "need --issuer"),
        (["check", "--stdin", "--issuer=openai", "--config=/dev/null"], "takes no --config"),
        (["check", "--stdin", "--issuer=openai", "--endpoint=http://a.example"], "is no endpoint"),
        (["check", "--stdin", "--issuer=openai", "--endpoint=https://a.example?q"], "is no endpoint"),
        (["check", "--stdin", "--issuer=openai", "--endpoint=file:///etc/passwd"], "is no endpoint"),
        (["check", "--stdin", "--issuer=nobody"], "is not one of"),
        (["check", "llm", "--timeout=soon"], "a span of time is written like"),
    ],
)
def test_wrong_usage_is_refused(arguments: list[str], why: str) -> None:
    said = keywright(*arguments, stdin="canary")

    assert (said.code, said.out) == (USAGE, "")
    assert why in said.err
    assert "canary" not in said.err
