"""Somebody who follows a how-to: the commands are run as they stand on the page, and what it shows is looked for.

Does not belong here: which page, and what is at hand there (the tests of the pages).
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType

import shown
from shown import LOOKS
from world import PATIENCE

ROOT = pathlib.Path(__file__).parent.parent
BIN = pathlib.Path(sys.executable).parent
PASSPHRASE = "correct horse battery staple"

#: What stands in for what a reader has: OpenBao's client, and a Git that has nothing to say.
AT_HAND = 'vault() { bao "$@"; }; git() { :; }; read() { builtin read -r "${@: -1}" || true; }; set -e -o pipefail\n'
#: What a reader does only where it is not there yet; here it is.
THERE = ("kubectl create namespace", "vault secrets enable", "git clone")


class Reader:
    """Somebody who follows a page.

    Args:
        folder: where they work.
        knows: what they have in variables.
    """

    def __init__(self, folder: pathlib.Path, page: str, knows: Mapping[str, str] = MappingProxyType({})) -> None:
        self._folder, self._knows = folder, knows
        #: What else stands in place of what is on the page.
        self.places: dict[str, str] = {}
        self._text = (ROOT / "docs/howto" / page).read_text()
        self.passphrase(PASSPHRASE)

    def passphrase(self, text: str, name: str = "passphrase") -> pathlib.Path:
        """Write down a passphrase, in place of typing it."""
        path = self._folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def saves(self, number: int, name: str) -> None:
        """Save one of the manifests on the page."""
        found = re.findall(r"^```yaml\n(.*?)^```$", self._text, re.MULTILINE | re.DOTALL)
        (self._folder / name).write_text(self.here(found[number]))

    def walks(self, title: str, stdin: str = "") -> str:
        """Run the commands below a heading; return what they print.

        Args:
            stdin: what is typed where something is asked.
        """
        blocks = re.findall(r"^```(bash|console)\n(.*?)^```$", self._section(title), re.MULTILINE | re.DOTALL)
        assert blocks, title
        return "".join(self.runs(each, stdin) for kind, text in blocks for each in _commands(kind, text))

    def sees(self, title: str, stdin: str = "") -> None:
        """Run the commands below a heading; see that they print what the page shows.

        Args:
            stdin: what is typed where something is asked.
        """
        for step in shown.steps(self._section(title)):
            ends = time.monotonic() + PATIENCE
            printed = self._run(step.command, stdin).stdout
            expected = shown.alike(self.here(step.shown))
            while shown.alike(printed) != expected and LOOKS.match(step.command) and time.monotonic() < ends:
                time.sleep(0.2)
                printed = self._run(step.command).stdout
            if step.shown:
                assert shown.alike(printed) == expected, f"$ {step.command}\n{printed}"

    def _section(self, title: str) -> str:
        return self._text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]

    def runs(self, command: str, stdin: str = "") -> str:
        """Run a command; return what it prints."""
        if command.startswith(THERE):
            return ""
        done = self._run(command, stdin)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _run(self, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", AT_HAND + self.here(command)],
            cwd=self._folder,
            env=os.environ | self.environment(),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def here(self, text: str) -> str:
        """Put the names of this run in place of the page's."""
        for name, place in self.places.items():
            text = text.replace(name, place)
        return text

    def environment(self) -> dict[str, str]:
        """Return what commands find."""
        return {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self._folder),
            "KEYWRIGHT_MASTER_KEY_FILE": str(self._folder / "passphrase"),
            **self._knows,
        }


def _commands(kind: str, text: str) -> list[str]:
    """Return the commands of a block: of a terminal those after a prompt, else the lines, with those that go on."""
    if kind == "console":
        return re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    joined = re.sub(r"(\\|\|)\n\s*", lambda found: found.group(1).strip("\\") + " ", text)
    # What a line reads, the next one uses.
    return re.sub(r"^(read .*)\n", r"\1; ", joined, flags=re.MULTILINE).splitlines()
