"""What a real process logs, and what it keeps to itself."""

from __future__ import annotations

import logging
import os
import pathlib
import re
import subprocess
import sys

import pytest

import keywright
from keywright import errors, logs

CANARY = "canary-7f3a9c"

PROGRAM = f'''
import asyncio, logging, sys, threading
from keywright import errors, logs, metrics
from keywright.errors import Reason
from keywright.secret import SecretValue

logs.configure(sys.argv[1])
log = logging.getLogger("keywright.somewhere")

def fails(error):
    text = "{CANARY}"
    raise error

def says(title, *arguments, **more):
    try:
        fails(*arguments)
    except BaseException:
        log.exception(title, **more)

logging.getLogger("kopf.clients").error("Request attempt #1/6 failed; will retry: GET /x -> %r", ValueError("{CANARY}"))
log.debug("at debug")
log.info("at info with %s", SecretValue("{CANARY}"))
log.warning("at warning")
log.info("token %s", "hvs." + "A" * 24)
log.info("bad arguments %d %d", "{CANARY}")
says("foreign", ValueError("{CANARY}"))
says("ours", errors.Stalled(Reason.NOT_FOUND, "answered 404 for llm"))
says("ours with a key", errors.Stalled(Reason.NOT_FOUND, "answered 404 for sk-" + "a" * 30))
pem = "-----{{0}} RSA PRIVATE KEY-----"
body = "\\nMIIE{CANARY}\\n{CANARY}==\\n"
log.info("a private key %s, and more", pem.format("BEGIN") + body + pem.format("END"))
log.info("on one line %s", (pem.format("BEGIN") + body + pem.format("END")).replace("\\n", "\\\\n") + " and more")
log.info("cut off %s", pem.format("BEGIN") + body)
says("cut off in a traceback " + pem.format("BEGIN"), errors.Stalled(Reason.NOT_FOUND, body))
says("group", ExceptionGroup("{CANARY}", [ValueError("{CANARY}"), errors.Stalled(Reason.NOT_FOUND, "inside")]))
says("with a stack", ValueError("{CANARY}"), stack_info=True)

# Another handler was first and has kept what it made of the exception.
elsewhere = logging.StreamHandler(open("/dev/null", "w"))
elsewhere.setFormatter(logging.Formatter())
log.addHandler(elsewhere)
says("after another handler", ValueError("{CANARY}"))
log.removeHandler(elsewhere)

for library in logs.CAPPED:
    for name in (library, library + ".deep.inside"):
        logging.getLogger(name).info("chatter of %s: {CANARY}", name)
        logging.getLogger(name).debug("chatter of %s: {CANARY}", name)

class Fragile:
    def __del__(self):
        raise ValueError("{CANARY}")

Fragile()
thread = threading.Thread(target=fails, args=(ValueError("{CANARY}"),))
thread.start()
thread.join()

async def main():
    loop = asyncio.get_running_loop()
    logs.watch_loop(loop)
    loop.call_soon(fails, ValueError("{CANARY}"))
    await asyncio.sleep(0.01)

asyncio.run(main())
log.info("redactions %d", metrics.REDACTIONS._value.get())
fails(ValueError("{CANARY}"))
'''


def _said(level: str) -> str:
    path = str(pathlib.Path(keywright.__file__).parent.parent)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, level],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


@pytest.fixture(scope="module")
def said() -> str:
    """What the process has logged at debug."""
    return _said("debug")


def _about(said: str, title: str) -> str:
    """The record with this title: its line and what hangs on it."""
    found = re.search(rf"^\S+ \S+ [A-Z]+ +\S+: {title}.*\n(  .*\n)*", said, re.MULTILINE)
    assert found, title
    return found.group()


def test_no_value_and_no_text_of_a_foreign_exception_is_logged(said: str) -> None:
    assert CANARY not in said
    assert "<SecretValue>" in _about(said, "at info")


def test_a_foreign_exception_is_told_by_place_and_type(said: str) -> None:
    assert re.fullmatch(
        r".*: foreign\n  <string>:\d+ in says\n  <string>:\d+ in fails\n  ValueError\n", _about(said, "foreign")
    )


def test_an_own_error_keeps_its_message(said: str) -> None:
    assert _about(said, "ours").endswith("  Stalled: answered 404 for llm\n")


def test_a_group_tells_of_each_of_its_exceptions(said: str) -> None:
    assert _about(said, "group").endswith("  ExceptionGroup\n  ValueError\n  Stalled: inside\n")


def test_what_looks_like_a_key_is_redacted_in_messages_and_tracebacks_and_counted(said: str) -> None:
    assert "token [redacted]\n" in _about(said, "token")
    assert "answered 404 for [redacted]\n" in _about(said, "ours with a key")
    assert "redactions 6\n" in _about(said, "redactions")


def test_of_a_private_key_nothing_is_left_and_behind_one_without_an_end_no_further_line(said: str) -> None:
    assert _about(said, "a private key").endswith(": a private key [redacted], and more\n")
    assert _about(said, "on one line").endswith(": on one line [redacted] and more\n")
    assert _about(said, "cut off").endswith(": cut off [redacted]\n")
    assert _about(said, "cut off in").endswith(": cut off in a traceback [redacted]\n")


def test_a_record_that_cannot_be_formatted_does_not_break_who_logs_it(said: str) -> None:
    assert re.search(r"a record of <string>:\d+ cannot be formatted", said)


def test_what_another_handler_made_of_an_exception_is_not_taken_over(said: str) -> None:
    assert _about(said, "after another handler").endswith("in fails\n  ValueError\n")


def test_a_stack_is_not_printed(said: str) -> None:
    assert "Stack (most recent call last)" not in said


def test_libraries_do_not_chatter(said: str) -> None:
    assert "chatter" not in said


@pytest.mark.parametrize("title", ["not caught", "something escaped in the event loop"])
def test_what_escapes_is_told_by_place_and_type(said: str, title: str) -> None:
    assert _about(said, title).endswith("  ValueError\n")


def test_threads_finalizers_and_the_main_program_tell_of_what_they_do_not_catch(said: str) -> None:
    assert said.count("CRITICAL keywright.logs: not caught") == 3
    assert "Traceback" not in said


def test_the_level_is_that_of_our_own_loggers(said: str) -> None:
    quieter = _said("warning")

    assert "at debug" in said
    assert "at info" not in quieter
    assert "at warning" in quieter


SECRETS = [
    "hvs.CAESIJ" + "x" * 90,
    "hvb.AAAAAQ" + "x" * 90,
    "s." + "aB3" * 8,
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0abc.c2lnbmF0dXJl",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "sk-proj-" + "a1" * 20,
    "sk-ant-api03-" + "a1" * 20,
    "ghp_" + "a1" * 18,
    "glpat-" + "a1" * 10,
    "github_pat_" + "a1" * 20,
    "AIza" + "aB3_x" * 7,
    "hf_" + "aB" * 17,
    "xoxb-" + "1234567890-" + "a1" * 10,
    "sk_live_" + "a1" * 12,
    "-----BEGIN RSA PRIVATE KEY-----MIIE-----END RSA PRIVATE KEY-----",
]
HARMLESS = [
    "ClusterKeyStore/vault answered 403 for teams/team-a/llm/openai (request 9c1f2d3e-0000-4444-8888-123456789abc)",
    "k1:0123456789abcdef0123 is the fingerprint of team-a/llm",
    "uid 7f0e0f9c-5b55-4b6e-9c55-a5d1b5b9f3a1, resourceVersion 123456789",
    "keywright.stores.vault and keywright.engine.opened",
    "risk-management/desk-assignments-of-the-whole-floor",
]


@pytest.mark.parametrize("text", SECRETS)
@pytest.mark.parametrize("around", ["{}", "Bearer {}", 'token="{}"', "https://x/?key={}&y=1", "({})"])
def test_keys_by_their_looks(text: str, around: str) -> None:
    shown = logs._Plain().format(logging.LogRecord("x", logging.INFO, "x.py", 1, around.format(text), None, None))

    assert shown == around.format("[redacted]")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_key_stays(text: str) -> None:
    assert logs._Plain().format(logging.LogRecord("x", logging.INFO, "x.py", 1, text, None, None)) == text


@pytest.mark.parametrize(
    ("sign", "shown"),
    [
        ("\n", r"\n"),
        ("\r", r"\r"),
        ("\x00", r"\x00"),
        ("\x1b", r"\x1b"),
        ("\x7f", r"\x7f"),
        ("\x85", r"\x85"),
        ("\x9b", r"\x9b"),
        ("\u2028", r"\u2028"),
        ("\u2029", r"\u2029"),
        ("\u202e", r"\u202e"),
        ("\ud800", r"\ud800"),
    ],
)
def test_text_from_outside_cannot_begin_a_line_or_speak_to_a_terminal(sign: str, shown: str) -> None:
    forged = f"a{sign}2026-01-01 00:00:00,000 INFO    keywright.lease: leading"

    for message, arguments in ((forged, None), ("%s", (forged,))):
        line = logs._Plain().format(logging.LogRecord("x", logging.INFO, "x.py", 1, message, arguments, None))
        assert line == forged.replace(sign, shown)


def test_the_lines_of_a_traceback_are_ours_alone() -> None:
    error = errors.Stalled(errors.Reason.NOT_FOUND, "answered 404 for a\nb")
    group = ExceptionGroup("foreign", [error])

    text = logs._Plain().format(
        logging.LogRecord("x", logging.INFO, "x.py", 1, "said", None, (type(group), group, None))
    )

    assert text.splitlines() == ["said", "  ExceptionGroup", r"  Stalled: answered 404 for a\nb"]


@pytest.mark.parametrize("before", ["\n", "\t", "\x1b"])
def test_a_key_is_found_behind_a_sign_that_is_spelled_out(before: str) -> None:
    line = logs._Plain().format(
        logging.LogRecord("x", logging.INFO, "x.py", 1, f"token{before}{SECRETS[0]}", None, None)
    )

    assert SECRETS[0] not in line
    assert line.endswith("[redacted]")
