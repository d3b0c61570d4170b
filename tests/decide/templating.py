"""What tests of templates share: entries, and what becomes of a template."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable

import pytest

from keywright import errors
from keywright.decide.template import Template
from keywright.secret import SecretMap, SecretValue

WHERE = "template of entry config.yaml"
ABOUT = {"name": "llm", "namespace": "team-a"}
CANARY = "kw-canary-6f1d2c9b4a"
MIB = 1024 * 1024


def entries(**values: str | bytes) -> dict[str, SecretValue]:
    """Return entries; a name with a dot is written with two underscores."""
    return {name.replace("__", "."): SecretValue(value) for name, value in values.items()}


#: Text, JSON, bytes that are no text, all with what must not be told.
SECRETS = entries(
    user=f"user {CANARY}",
    password=f"pass/{CANARY}",
    tls__crt=f"-----BEGIN {CANARY}-----\nabc\n",
    json=f'{{"{CANARY}": ["{CANARY}", 1, null], "text": "{CANARY}"}}',
    raw=b"\xff\xfe" + CANARY.encode(),
    entries=CANARY,
    metadata=CANARY,
)


def salt(value: bytes) -> bytes:
    """Return the same salt for the same value."""
    return hashlib.sha256(value).digest()[:16]


def made(text: str, given: SecretMap = SECRETS, delimiters: tuple[str, str] = ("{{", "}}")) -> str:
    """Return what a template makes, if that is text."""
    return Template(text, WHERE, delimiters).render(given, ABOUT, salt).reveal().decode()


def refusal(call: Callable[[], object]) -> errors.Stalled:
    """Return the error of a call after looking for values in all that can be reached from it."""
    with pytest.raises(errors.Stalled) as caught:
        call()
    error = caught.value
    ours = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if "keywright" in frame.f_code.co_filename]
    shown = "".join(traceback.TracebackException.from_exception(error).format())
    assert CANARY not in f"{shown} {error!r} {error.hint} {[frame.f_locals for frame in ours]}"
    assert error.__context__ is None and error.__cause__ is None
    assert error.message.startswith(WHERE) and error.message.isprintable() and error.hint
    return error


def refused(text: str, given: SecretMap = SECRETS) -> str:
    """Return reason, what was wrong and hint of a template that makes nothing."""
    error = refusal(lambda: made(text, given))
    return f"{error.reason}: {error.message.removeprefix(WHERE).strip()}; {error.hint}"
