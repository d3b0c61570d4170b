"""The program as a person or a script calls it."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping
from typing import Any

import forking
from world import World

BIN = forking.BIN
#: Seconds after which a program that says nothing on its terminal is ended: it waits for what nobody answers.
SILENCE = 60


@dataclasses.dataclass(frozen=True)
class Said:
    """What a call printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def everything(self) -> str:
        return self.out + self.err


def keywright(*arguments: str, program: str = "keywright", stdin: str | bytes = "", **environment: str) -> Said:
    """Call the program in a pipe."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = forking.run([str(BIN / program), *arguments], _environment(environment), given, timeout=90)
    assert b"Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def call(world: World, command: str, *arguments: str, kubeconfig: pathlib.Path | None = None) -> Said:
    """Call a command for a world's namespace, as its administrator if nothing else is said."""
    return keywright(command, *arguments, *place(world, kubeconfig))


def place(world: World, kubeconfig: pathlib.Path | None = None, namespace: str = "") -> list[str]:
    """Return the options that name a world."""
    return [
        f"--kubeconfig={kubeconfig or world.plane.kubeconfig}",
        f"--namespace={namespace or world.namespace}",
        f"--operator-namespace={world.system}",
    ]


def person(world: World, *rules: dict[str, list[str]]) -> pathlib.Path:
    """Return the kubeconfig of somebody who may do just this in the world's namespace."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}"
    world.must("POST", f"{rbac}/roles", {"metadata": {"name": "person"}, "rules": list(rules)})
    binding = {
        "metadata": {"name": "person"},
        "roleRef": {"kind": "Role", "name": "person", "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "ServiceAccount", "name": "person", "namespace": world.namespace}],
    }
    world.must("POST", f"{rbac}/rolebindings", binding)
    return world.plane.kubeconfig_for(world.namespace, "person", world.folder / "person.kubeconfig")


def on_a_terminal(columns: int, *arguments: str) -> str:
    """Return what the program prints on a terminal of this width."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [str(BIN / "keywright"), *arguments]
    environment = _environment({"TERM": "xterm-256color"})
    with subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environment) as process:
        os.close(follower)
        text = b""
        with contextlib.suppress(OSError):  # Linux ends a terminal with EIO.
            while part := os.read(leader, 65536):
                text += part
        process.wait(30)
    os.close(leader)
    return text.decode().replace("\r\n", "\n")


def typed(
    answers: Mapping[str, str | bytes], *arguments: str, program: str = str(BIN / "keywright"), **environment: str
) -> tuple[int, str]:
    """Answer what the program asks on a terminal; return its exit code and what was to be seen there.

    Args:
        answers: what is typed after each question, in this order; text gets a line break, bytes are single keys.
    """
    leader, follower = pty.openpty()
    command = [program, *arguments]
    # A session of its own, or it would ask at the terminal from which the tests are run.
    with subprocess.Popen(
        command,
        stdout=follower,
        stderr=follower,
        stdin=follower,
        env=_environment({"TERM": "xterm-256color", "COLUMNS": "200"} | environment),
        start_new_session=True,
        preexec_fn=_before_a_terminal,  # noqa: PLW1509 - no threads here
    ) as process:
        os.close(follower)
        seen, waiting = b"", list(answers.items())
        with contextlib.suppress(OSError):  # Linux ends a terminal with EIO.
            while True:
                if not select.select([leader], [], [], SILENCE)[0]:
                    process.kill()
                seen += os.read(leader, 65536)
                if waiting and seen.endswith(f"{waiting[0][0]}: ".encode()):
                    answer = waiting.pop(0)[1]
                    os.write(leader, answer if isinstance(answer, bytes) else f"{answer}\n".encode())
        code = process.wait(30)
    os.close(leader)
    return code, seen.decode().replace("\r\n", "\n")


def _before_a_terminal() -> None:
    """Make a terminal this process's own, or Ctrl-C would be a sign; and mind it, where tests run in the background."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _environment(more: dict[str, str]) -> dict[str, str]:
    ours = ("XDG_DATA_HOME", "KEYWRIGHT_MASTER_KEY_FILE", "API_KEY_MASTER")
    kept = (*ours, *forking.LEFT_OUT, "KEYWRIGHT_NAMESPACE")
    return {name: value for name, value in os.environ.items() if name not in kept} | more
