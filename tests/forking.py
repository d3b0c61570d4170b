"""Calls of the program, each a process of its own, without the second that it takes to load the program.

They come out of a process that has loaded it (``forkserver``), one for each process of tests. What a start from a
shell has of its own (the loading, the command line that the system shows, closed streams, variables that are looked at
while loading) is for tests that start it from a shell, and for those that ask for no fork.

Does not belong here: what is called, and as whom (``running``, ``cli.terminal``).
"""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import functools
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

from forkserver import LARGEST, NUMBER

BIN = pathlib.Path(sys.executable).parent
#: Variables that Python, the C library or the loader look at when a process starts, by how they begin.
AT_START = ("GLIBC", "LANG", "LC_", "LD_", "MALLOC", "PYTHON", "TZ")
#: What must not be there while the program is loaded: it is what tests say of their own. The last costs each start of
#: a process a second of compiling.
LEFT_OUT = ("COLUMNS", "FORCE_COLOR", "KUBECONFIG", "NO_COLOR", "TERM", "PYTHONDONTWRITEBYTECODE")


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a call: that of the tests, without what might be set on the machine, and more."""
    return {name: value for name, value in os.environ.items() if name not in LEFT_OUT} | more


class Process:
    """A running call; as far as it goes, what ``subprocess.Popen`` is.

    Args:
        pid: its process id.
        ended: where its exit code can be read once it has one; negative: the signal that ended it.
    """

    def __init__(self, pid: int, ended: int) -> None:
        self.pid, self.returncode = pid, None
        self._ended = ended

    returncode: int | None

    def poll(self) -> int | None:
        """Return its exit code, None if it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            (self.returncode,) = NUMBER.unpack(os.read(self._ended, NUMBER.size))
            os.close(self._ended)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class _Server:
    """The process that has loaded the program."""

    def __init__(self) -> None:
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._environment = environment()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as this
        command = [sys.executable, "-P", str(pathlib.Path(__file__).with_name("forkserver.py"))]
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=self._log, env=self._environment
            )
        atexit.register(self.stop)
        self._fixed = frozenset(json.loads(self._asking.recv(LARGEST) or self._failed()))

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether what counted while the program was loaded is the same in an environment."""
        differing = {
            name
            for name in environment.keys() | self._environment.keys()
            if environment.get(name) != self._environment.get(name)
        }
        differing.discard("PYTHONDONTWRITEBYTECODE")
        return not any(name in self._fixed or name.startswith(AT_START) for name in differing)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], streams: Sequence[int]) -> Process:
        """Start a call with these streams: standard input, output and error."""
        told, telling = os.pipe()
        call = {"arguments": arguments, "environment": dict(environment), "folder": str(pathlib.Path.cwd())}
        socket.send_fds(self._asking, [json.dumps(call).encode()], [*streams, telling])
        os.close(telling)
        (pid,) = NUMBER.unpack(os.read(told, NUMBER.size) or self._failed())
        return Process(pid, told)

    def stop(self) -> None:
        """End it, and with it all that still runs."""
        self._asking.close()
        self._process.wait()
        self._log.close()

    def _failed(self) -> bytes:
        self._log.seek(0)
        raise RuntimeError(f"What has loaded the program has ended: {self._log.read().decode()}")


@functools.cache
def _server() -> _Server:
    return _Server()


def start(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdin: int,
    stdout: int,
    stderr: int,
    fork: bool = True,
) -> Process | subprocess.Popen[bytes]:
    """Start a call of the program.

    Args:
        arguments: the first is the path of the program.
        environment: all of it.
        stdin: descriptor of an open file, as the others.
        fork: whether it may come out of the process that has loaded the program.
    """
    if fork and _server().suits(environment):
        return _server().start(arguments, environment, (stdin, stdout, stderr))
    return subprocess.Popen(arguments, stdin=stdin, stdout=stdout, stderr=stderr, env=environment)


def run(
    arguments: Sequence[str], environment: Mapping[str, str], stdin: bytes, timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """Call the program in pipes, and wait until it ends.

    Raises:
        subprocess.TimeoutExpired: it does not end in time, in seconds; it is killed then.
    """
    (read, give), (out, write_out), (err, write_err) = os.pipe(), os.pipe(), os.pipe()
    try:
        process = start(arguments, environment, stdin=read, stdout=write_out, stderr=write_err)
    finally:
        for each in (read, write_out, write_err):
            os.close(each)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        pool.submit(_give, give, stdin)
        outputs = [pool.submit(_read, each) for each in (out, err)]
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(arguments, code, *(each.result() for each in outputs))


def _give(pipe: int, text: bytes) -> None:
    # It may end without reading all of it.
    with contextlib.suppress(BrokenPipeError), open(pipe, "wb") as opened:
        opened.write(text)


def _read(pipe: int) -> bytes:
    with open(pipe, "rb") as opened:
        return opened.read()
