"""The tour of the README, walked: every command is run as it stands there, and what is shown is what it prints."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from controlplane import ControlPlane, OpenBao, free_ports

ROOT = pathlib.Path(__file__).parent.parent
BIN = pathlib.Path(sys.executable).parent

#: Commands that change nothing: a reader calls them when things have happened, the test until they have.
LOOKS = ("kubectl get", "kubectl events", "keywright plan", "keywright status")
#: Seconds for which the test looks.
PATIENCE = 45.0

#: What is different at each reading, and what it is called here.
DIFFERENT = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "NOW"),
    (r"since \d{4}-\d\d-\d\d \d\d:\d\d UTC", "since NOW"),
    (r"request [-0-9a-f]{36}", "request ID"),
    (r"[0-9a-f]{8}:[0-9a-f]{20}", "FINGERPRINT"),
    (r"\b\d+ ?(s|m|min)\b", "AGE"),
    (r"operator \S+ leads", "operator NAME leads"),
    (r"[ \t]+", " "),
)


@dataclasses.dataclass(frozen=True)
class Step:
    """A command of the tour, and what the page shows of its output; nothing, where that is not worth a line."""

    command: str
    shown: str


def steps() -> list[Step]:
    """Return what a reader types into the second terminal."""
    text = (ROOT / "README.md").read_text()
    tour = text[text.index("## Five minutes") : text.index("## In your cluster")]
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", tour, re.MULTILINE | re.DOTALL)[1:]:
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            here = re.match(r".*<<END\n.*?^END\n", part, re.MULTILINE | re.DOTALL)
            command = here.group() if here else part.partition("\n")[0]
            found.append(Step(command, part.removeprefix(command).strip("\n")))
    return found


def alike(text: str) -> str:
    """Return a text without what is different at each reading."""
    for pattern, name in DIFFERENT:
        text = re.sub(pattern, name, text)
    return "\n".join(line.strip() for line in text.strip().splitlines())


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
    for step in steps():
        ends = time.monotonic() + PATIENCE
        printed = terminal(step.command)
        while alike(printed) != alike(step.shown) and step.command.startswith(LOOKS) and time.monotonic() < ends:
            time.sleep(0.2)
            printed = terminal(step.command)
        if step.shown:
            assert alike(printed) == alike(step.shown), f"$ {step.command}\n{printed}"
