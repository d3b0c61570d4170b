"""What the tests of the commands on the encrypted file share."""

from __future__ import annotations

import os
import pathlib
import subprocess

from cli.terminal import BIN, Said, keywright

CANARY = "sk-canary-one"
PASSPHRASE = "correct horse battery staple"


class Desk:
    """A person's data folder, and a raw key, which costs no time."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.key = folder / "master.key"
        self.data = folder / "data"
        self.file = self.data / "keywright" / "keys.kw"
        self.trail = folder / "trail"
        self.write_key(b"\x07" * 32)

    def write_key(self, value: bytes, mode: int = 0o600) -> None:
        self.key.write_bytes(value)
        self.key.chmod(mode)

    @property
    def environment(self) -> dict[str, str]:
        """What tells the program where all that is."""
        held = {"XDG_DATA_HOME": str(self.data), "KEYWRIGHT_MASTER_KEY_FILE": str(self.key)}
        return held | {"KEYWRIGHT_AUDIT_FOLDER": str(self.trail)}

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Said:
        held = self.environment | environment
        # Without the first two the program looks for them; without the last it would be that of all tests.
        return keywright(
            *arguments,
            stdin=stdin,
            **{name: each for name, each in held.items() if each or name == "KEYWRIGHT_AUDIT_FOLDER"},
        )

    def shell(self, script: str, stdin: bytes = b"", **environment: str) -> Said:
        """Run a script of bash; ``keywright`` in it is the program."""
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=90,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"} | self.environment | environment,
        )
        assert b"Traceback" not in done.stderr, done.stderr
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    def must(self, *arguments: str, stdin: str = "") -> Said:
        said = self(*arguments, stdin=stdin)
        assert said.code == 0, said.err
        return said
