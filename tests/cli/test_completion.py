"""The completion of shells, in a real bash: what somebody sees after the tab key."""

from __future__ import annotations

import os
import pathlib
import pty
import subprocess

import pytest

from cli.terminal import BIN, keywright


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(shell: str) -> None:
    said = keywright("completion", shell)

    assert said.code == 0
    assert "_KEYWRIGHT_COMPLETE" in said.out


def completed(typed: str, folder: pathlib.Path) -> str:
    """Type the begin of a line and a tab in a bash of its own; return the words that the line then has."""
    leader, follower = pty.openpty()
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "TERM": "dumb", "HOME": str(folder), "PS1": "> ", "LC_ALL": "C"}
    setup = 'source <(keywright completion bash); keywright_is() { printf "<%s>" "$@"; exit; }\n'
    # Ctrl-A leads to the begin of the line, where a function is put before what was completed.
    keys = setup + typed + "\t" + "\x01" + "keywright_is " + "\n"
    with subprocess.Popen(
        ["/bin/bash", "--norc", "--noprofile", "-i"],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        cwd=folder,
        env=environment,
        start_new_session=True,
        text=True,
    ) as shell:
        os.close(follower)
        os.write(leader, keys.encode())
        # Readline writes to stderr; what is left on stdout is our own.
        said = shell.stdout.read() if shell.stdout else ""
    os.close(leader)
    return said


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("keywright stat", "<keywright><status>"),
        ("keywright get --rev", "<keywright><get><--reveal>"),
        ("keywright list -o ya", "<keywright><list><-o><yaml>"),
        ("keywright store --kdf a", "<keywright><store><--kdf><argon2id>"),
        ("keywright list --file some.k", "<keywright><list><--file><some.kw>"),
        ("keywright validate some.y", "<keywright><validate><some.yaml>"),
        ("keywright status --kubeconfig conf", "<keywright><status><--kubeconfig><config>"),
        ("keywright operator --file-store-root fol", "<keywright><operator><--file-store-root><folder/>"),
        ("keywright debts f", "<keywright><debts><forget>"),
        ("keywright rotate --reason comp", "<keywright><rotate><--reason><compromised>"),
        ("keywright nothing-like-this", "<keywright><nothing-like-this>"),
    ],
)
def test_bash_completes_commands_options_values_and_files(tmp_path: pathlib.Path, typed: str, words: str) -> None:
    for name in ("some.kw", "some.yaml", "config"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()

    assert completed(typed, tmp_path) == words
