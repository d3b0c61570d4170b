"""Files below a root: which are read, which are replaced, and that nothing else is."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from keywright import errors
from keywright.errors import Reason
from keywright.keyfile import place


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """A root with a file in a folder, and what should not be read beside it."""
    (tmp_path / "root" / "team-a").mkdir(parents=True)
    (tmp_path / "root" / "team-a" / "keys.kw").write_bytes(b"inside")
    (tmp_path / "outside").write_bytes(b"outside")
    return tmp_path / "root"


def test_a_file_below_the_root_is_read(root: pathlib.Path) -> None:
    assert place.read_below(str(root), "team-a/keys.kw", 100) == b"inside"
    assert place.read_below(str(root), "team-a/keys.kw", 3) == b"insi"


NOWHERE = ["../outside", "/etc/passwd", "team-a/../../outside", "", ".", "team-a", "a\0", "team-a//keys.kw", "none"]


@pytest.mark.parametrize("name", NOWHERE)
def test_nothing_else_is_read(root: pathlib.Path, name: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        place.read_below(str(root), name, 100)

    assert caught.value.reason is Reason.FILE_REFUSED
    assert caught.value.__context__ is None


@pytest.mark.parametrize("what", ["link", "linked folder", "pipe"])
def test_no_link_leads_out_of_the_root_and_no_pipe_holds_the_reader(root: pathlib.Path, what: str) -> None:
    name = {"link": "team-a/link", "linked folder": "linked/outside", "pipe": "team-a/pipe"}[what]
    (root / "team-a" / "link").symlink_to(root.parent / "outside")
    (root / "linked").symlink_to(root.parent)
    os.mkfifo(root / "team-a" / "pipe")

    with pytest.raises(errors.Stalled):
        place.read_below(str(root), name, 100)


def test_a_file_below_the_root_is_replaced_while_it_is_what_it_was(root: pathlib.Path) -> None:
    assert not place.swap_below(str(root), "team-a/keys.kw", b"insid", b"new")
    assert not place.swap_below(str(root), "team-a/keys.kw", b"inside and more", b"new")
    assert (root / "team-a" / "keys.kw").read_bytes() == b"inside"

    assert place.swap_below(str(root), "team-a/keys.kw", b"inside", b"new")

    found = {each.name: each.read_bytes() for each in (root / "team-a").iterdir()}
    assert found == {"keys.kw": b"new", "keys.kw.previous": b"inside", "keys.kw.lock": b""}


@pytest.mark.parametrize("name", NOWHERE)
def test_nothing_else_is_replaced_and_nothing_is_made(root: pathlib.Path, name: str) -> None:
    with pytest.raises(errors.Stalled) as caught:
        place.swap_below(str(root), name, b"outside", b"new")

    assert caught.value.reason in (Reason.FILE_REFUSED, Reason.STORE_READ_ONLY)
    assert caught.value.__context__ is None
    assert (root.parent / "outside").read_bytes() == b"outside"
    assert not (root / "none").exists()


def test_of_processes_that_replace_a_file_at_once_each_sees_the_others(root: pathlib.Path) -> None:
    (root / "team-a" / "keys.kw").write_bytes(b"0")
    text = """
import sys
from keywright.keyfile import place
done = 0
while done < 20:
    before = place.read_below(sys.argv[1], "team-a/keys.kw", 100)
    done += place.swap_below(sys.argv[1], "team-a/keys.kw", before, str(int(before) + 1).encode())
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", text, str(root)]
    running = [subprocess.Popen(command, env=environment) for _ in range(3)]

    assert [each.wait(60) for each in running] == [0, 0, 0]
    assert (root / "team-a" / "keys.kw").read_bytes() == b"60"
