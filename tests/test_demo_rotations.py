"""The demo of rotations tells its story without a call that fails; a call that fails, fails it."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable

from demo.client import Client
from vendors import serving

ROOT = pathlib.Path(__file__).parent.parent

STORY = (
    "an issuer that makes others",
    "A client calls the API with the key from its mounted Secret",
    "Rotation 1 of 3",
    "The issuer makes a key that it does not accept",
    "with a kill -9 of the operator",
    "A person turns a rotation back",
    "Rotation 3 of 3",
    "The client ends",
    "The issuer has one key of ours",
    "on record",
)


def test_a_client_calls_on_through_rotations_a_bad_key_a_dead_operator_and_a_way_back() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--rotate", "--rotations=3"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = re.findall(r"^ *\d+ ✓ (.*)$", done.stdout, re.MULTILINE)
    assert [line for line, expected in zip(told, STORY, strict=True) if expected not in line] == []
    assert re.search(r"[\d,]+ calls, 0 failed, 3 rotations, 1 bad key, 1 dead operator, 1 way back\.", done.stdout)
    assert "Nothing is owed" in done.stdout
    # Every key of theirs begins so.
    assert not re.search(r"sk-(svcacct|admin)", done.stdout + done.stderr)
    assert max(map(len, done.stdout.splitlines())) <= 100


def _wait(there: Callable[[], object]) -> None:
    ends = time.monotonic() + 30
    while not there():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_the_client_counts_a_key_that_is_not_accepted_and_one_that_is_not_there(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "key"
    with serving("openai") as server:
        good = server.vendor.make("key_good", "good", "service account key")
        file.write_text(good.parts["apiKey"])
        client = Client(file, server.url)
        with client.hammering() as count:
            _wait(lambda: count.calls >= 3)
            assert (count.failed, count.keys) == (0, 1)
            server.vendor.end("key_good")
            _wait(lambda: count.failed)
            assert count.why.endswith("came to 401")
            before = count.failed
            file.unlink()
            _wait(lambda: count.failed > before + 2)
    assert count.failed < count.calls
