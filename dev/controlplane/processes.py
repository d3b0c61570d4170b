"""Server processes that never outlive us, on free loopback ports, known to answer before anybody uses them.

Does not belong here: any one server's flags.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

Result = TypeVar("Result")

#: Asks the kernel to be killed when the parent dies, then becomes the server. A program of its own instead of Popen's
#: preexec_fn, which runs Python between fork and exec, where another thread's lock may be held for ever.
#: The parent may have died before prctl was called; then nobody would ever tell. Another user comes first: who becomes
#: one is not told of deaths any more.
_LAUNCHER = """
import ctypes, os, signal, sys
if user := int(sys.argv[2]):
    os.setgroups([]), os.setgid(user), os.setuid(user)
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[3], sys.argv[3:])
"""

#: For the kernel, the parent is the *thread* that forked: a server started from a pool's thread would die with that
#: thread. So all are started from this one, which ends with the interpreter.
_spawner = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


class StartError(Exception):
    """A server did not start; the message says which and where its log is."""


def free_ports(count: int) -> list[int]:
    """Return ports that are free on loopback, all different."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def free_pair() -> int:
    """Return a port that is free together with the next one.

    Raises:
        StartError: none was found.
    """
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port
    raise StartError("no two neighbouring free ports on loopback")


def once_more(start: Callable[[], Result]) -> Result:
    """Start something, a second time if it failed: a port may be lost between finding it and binding it."""
    try:
        return start()
    except StartError:
        return start()


class Server:
    """A running server process; its output goes to ``<folder>/<name>.log``.

    Args:
        command: absolute path of the program, and its arguments.
        environment: variables beside our own.
        user: number of the user, and group, as whom it runs, where it may not be root; 0: as we do.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: pathlib.Path,
        environment: Mapping[str, str] | None = None,
        *,
        user: int = 0,
    ) -> None:
        self.name, self.log, self._user = name, folder / f"{name}.log", user
        self._command, self._environment = list(command), dict(environment or {})
        self._process = _spawner.submit(self._spawn).result()

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-S", "-c", _LAUNCHER, str(os.getpid()), str(self._user), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self._environment,
                # Ctrl-C is for us: we stop the servers in order.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def wait_for(self, answers: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until it answers.

        Args:
            answers: whether it does; may raise while it does not.

        Raises:
            StartError: it ended, or did not answer in time; it is stopped then.
        """
        ends = time.monotonic() + seconds
        while self.running and time.monotonic() < ends:
            # What a server that is not there yet does to a client has no end of kinds.
            with contextlib.suppress(Exception):
                if answers():
                    return
            time.sleep(0.05)
        state = f"did not answer within {seconds:.0f} s" if self.running else "ended at once"
        tail = "".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-5:])
        self.stop()
        raise StartError(f"{self.name} {state}; the end of {self.log}:\n{tail}")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.running:
            self._process.send_signal(number)

    def pause(self) -> None:
        """Freeze it; return once each of its threads has stopped: a signal takes its time on a busy machine."""
        self.signal(signal.SIGSTOP)
        while self.running and not _frozen(self.pid):
            time.sleep(0.001)

    def resume(self) -> None:
        """Let a paused one go on."""
        self.signal(signal.SIGCONT)

    def stop(self, seconds: float = 10.0) -> None:
        """End it, paused or not: politely, then not."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Kill it and start it with the same command, so on the same port."""
        self.kill()
        self._process = _spawner.submit(self._spawn).result()


class Group:
    """Servers that belong together and are described by one folder: started by this process, or by another.

    Args:
        folder: everything that is needed to use them lies there.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        #: Those that this process has started, in the order in which they end.
        self._servers: list[Server] = []

    @classmethod
    def attach(cls, folder: pathlib.Path) -> Self:
        """Use what another process has started."""
        return cls(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End them."""
        for server in self._servers:
            server.stop()


def _frozen(pid: int) -> bool:
    """Whether all threads of a process are stopped (``proc(5)``: the state follows the name in parentheses)."""
    states = (
        path.read_text().rpartition(")")[2].split()[0] for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")
    )
    return all(state == "T" for state in states)


def end_of_lines(log: pathlib.Path) -> int:
    """Return where the last whole line of a log ends: a line that is just being written begins there."""
    with log.open("rb") as opened:
        end = opened.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65536)
            opened.seek(start)
            newline = opened.read(end - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0
