"""What the tests of a workstation's audit trail share."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from typing import Any

from keywright.audit.local import MAX_FILE, LocalTrail, files, lines_of, person
from keywright.audit.record import Entry, KeyChange, Object, Type
from keywright.audit.verify import Verdict, Verifier

#: How a program of a test's own begins: `trail` is that in the folder that it is given, `entry` makes what to record.
OPENING = """
import errno, json, os, pathlib, signal, sys
from audit.local_trails import entry
from keywright import errors
from keywright.audit import local
folder = pathlib.Path(sys.argv[1])
trail = local.LocalTrail(folder)
"""


@contextlib.contextmanager
def quick_folder() -> Iterator[pathlib.Path]:
    """Yield a folder in memory, where there is one: a sync costs nothing there."""
    memory = pathlib.Path("/dev/shm")
    made = pathlib.Path(tempfile.mkdtemp(prefix="keywright-", dir=memory if os.access(memory, os.W_OK) else None))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def entry(key: str = "llm/openai") -> Entry:
    """Return what a person's look at a value leaves."""
    return Entry(
        type=Type.READ,
        code="Revealed",
        who=person(),
        object=Object(kind="EncryptedFile", name="keys.kw", uid="7" * 32),
        keys=(KeyChange(key=key),),
    )


def trail(folder: pathlib.Path, limit: int = MAX_FILE) -> LocalTrail:
    """Return the trail in a folder, as another process finds it."""
    return LocalTrail(folder, limit)


def newest(folder: pathlib.Path) -> bytes:
    """Return the newest file."""
    return files(folder)[-1].read_bytes()


def judged(folder: pathlib.Path) -> Verdict:
    """Return what `verify` says of a trail."""
    verifier = Verifier()
    for line in lines_of(folder):
        verifier.take(line)
    return verifier.verdict()


def records(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Return the records of a trail, without its heads."""
    return [found for line in lines_of(folder) if "head" not in (found := json.loads(line))]


def begun(text: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start a program."""
    command = [sys.executable, "-c", OPENING + textwrap.dedent(text), *map(str, arguments)]
    held = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment
    return subprocess.Popen(command, env=held, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def program(text: str, *arguments: object, **environment: str) -> str:
    """Run a program; return what it prints."""
    with begun(text, *arguments, **environment) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out
