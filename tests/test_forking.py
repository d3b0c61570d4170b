"""A call that comes out of the loaded program is the same as one that is started from a shell."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import click
import psutil
import pytest

import forking
from cli.terminal import keywright
from keywright import cli

COMMANDS = cli.keywright.list_commands(click.Context(cli.keywright))
#: Waits for what is to be stored.
WAITING = [str(forking.BIN / "keywright"), "store", "a", "--file=/dev/null/a"]
#: Starts a call that waits, tells its process id, and is killed.
LEAVING = f"""
import os, sys
sys.path[:0] = {[str(pathlib.Path(__file__).parent)]}
import forking
read, give = os.pipe()
print(forking.start({WAITING}, dict(os.environ), stdin=read, stdout=2, stderr=2).pid, flush=True)
os.kill(os.getpid(), 9)
"""


@contextlib.contextmanager
def waiting(**environment: str) -> Iterator[forking.Process | subprocess.Popen[bytes]]:
    """Give a call that waits."""
    read, give = os.pipe()
    try:
        with open(os.devnull, "r+b") as nothing:
            out = nothing.fileno()
            yield forking.start(WAITING, forking.environment(**environment), stdin=read, stdout=out, stderr=out)
    finally:
        os.close(read)
        os.close(give)


@pytest.mark.parametrize("arguments", [[], ["nonsense"], *([each, "--help"] for each in COMMANDS)], ids=" ".join)
def test_each_command_says_the_same_as_from_a_shell(arguments: list[str]) -> None:
    command = [str(forking.BIN / "keywright"), *arguments]
    started = subprocess.run(command, capture_output=True, text=True, check=False, env=forking.environment())

    forked = keywright(*arguments)

    assert (forked.code, forked.out, forked.err) == (started.returncode, started.stdout, started.stderr)
    assert forked.everything.startswith("Usage: keywright ")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_call_takes_signals(number: signal.Signals) -> None:
    with waiting() as call:
        assert call.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            call.wait(0.1)

        call.send_signal(number)

        assert call.wait(30) == call.poll() == (130 if number == signal.SIGINT else -number)


def test_what_loading_depends_on_takes_a_process_of_its_own() -> None:
    for variable in ("LC_ALL", "PYTHONUTF8", "KUBECONFIG", "NO_COLOR"):
        with waiting(**{variable: "1"}) as call:
            assert isinstance(call, subprocess.Popen), variable
            call.kill()
            call.wait()
    with waiting(KEYWRIGHT_NAMESPACE="a") as call:
        assert isinstance(call, forking.Process)
        call.kill()
        call.wait()


def test_a_call_has_its_environment_and_its_folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert keywright("store", "a", "--file=here/keys.kw", stdin="x", API_KEY_MASTER="long enough").code == 0
    assert (tmp_path / "here" / "keys.kw").exists()
    assert f"{tmp_path}/there" in keywright("list", XDG_DATA_HOME=f"{tmp_path}/there").err


def test_no_call_outlives_who_asked_for_it() -> None:
    ended = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, check=False)

    pid = int(ended.stdout)
    until = time.monotonic() + 30
    while psutil.pid_exists(pid):
        assert time.monotonic() < until, "it goes on"
        time.sleep(0.05)
    assert ended.returncode == -signal.SIGKILL
