"""The tour of the README, walked: every command is run as it stands there, and what is shown is what it prints."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

import shown
from controlplane import ControlPlane, OpenBao, free_ports
from shown import LOOKS, alike

ROOT = pathlib.Path(__file__).parent.parent
BIN = pathlib.Path(sys.executable).parent

#: Seconds for which the test looks.
PATIENCE = 45.0


def tour() -> list[shown.Step]:
    """Return what a reader types into the second terminal: in the first there is one command, to start the servers."""
    text = (ROOT / "README.md").read_text()
    found = shown.steps(text[text.index("## Five minutes") : text.index("## In your cluster")])
    return found[2:]


class Terminal:
    """Where the reader types.

    Args:
        folder: the reader's home.
    """

    def __init__(self, plane: ControlPlane, bao: OpenBao, folder: pathlib.Path) -> None:
        self._folder = folder
        self._environment = os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "KUBECONFIG": str(plane.kubeconfig),
            "VAULT_ADDR": bao.url,
            "VAULT_TOKEN": bao.root_token,
        }
        self._environment.pop("KEYWRIGHT_NAMESPACE", None)
        self._operator: subprocess.Popen[bytes] | None = None

    def __call__(self, command: str) -> str:
        """Run a command, and return all that it printed."""
        if command.endswith(" &"):
            return self._in_background(command.removesuffix(" &"))
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=90,
            check=False,
        )
        return done.stdout

    def _in_background(self, command: str) -> str:
        """Start the operator, at a port that is free, and return what it says first."""
        (port,) = free_ports(1)
        log = self._folder / "operator.log"
        with log.open("wb") as output:
            self._operator = subprocess.Popen(
                [*command.split(), f"--listen=127.0.0.1:{port}"],
                cwd=ROOT,
                env=self._environment,
                executable=BIN / "keywright",
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        ends = time.monotonic() + PATIENCE
        while not log.read_text().endswith("\n") and time.monotonic() < ends:
            time.sleep(0.05)
        return log.read_text()

    def close(self) -> None:
        """End the operator."""
        if self._operator:
            self._operator.terminate()
            self._operator.wait(20)


@pytest.fixture
def terminal(tmp_path: pathlib.Path) -> Iterator[Terminal]:
    """A terminal beside servers that know nothing of Keywright."""
    with (
        ControlPlane.start(tmp_path / "kubernetes") as plane,
        OpenBao.start(tmp_path / "openbao") as bao,
        contextlib.closing(Terminal(plane, bao, tmp_path)) as made,
    ):
        yield made


def test_the_tour_shows_what_is_printed(terminal: Terminal) -> None:
    for step in tour():
        ends = time.monotonic() + PATIENCE
        printed = terminal(step.command)
        while alike(printed) != alike(step.shown) and LOOKS.match(step.command) and time.monotonic() < ends:
            time.sleep(0.2)
            printed = terminal(step.command)
        if step.shown:
            assert alike(printed) == alike(step.shown), f"$ {step.command}\n{printed}"
