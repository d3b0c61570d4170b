"""The commands on the encrypted file where somebody, or the machine, wants them to fail."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from cli.desk import CANARY, PASSPHRASE, Desk
from cli.terminal import BIN, keywright, typed

QUICK = "--kdf=pbkdf2-sha256"
COMMANDS = (["store", "a"], ["get", "a"], ["list"], ["delete", "a", "-y"], ["rekey"])
SHORT = "Error: a passphrase has at least 8 characters."
WARNING = "Warning: API_KEY_MASTER is seen by every program"


#: Seven characters; of more bytes, and with a line break that does not count.
@pytest.mark.parametrize("passphrase", ["seven77", "ééééééé", "seven77\n", "seven77\r\n"])
def test_a_short_passphrase_is_refused_out_of_a_file(desk: Desk, passphrase: str) -> None:
    desk.write_key(passphrase.encode())
    said = desk("store", "a", QUICK, stdin=CANARY)

    assert (said.code, said.err.splitlines()[0]) == (1, SHORT)
    assert not desk.file.exists()


@pytest.mark.parametrize("passphrase", ["seven77", "ééééééé"])
def test_a_short_passphrase_is_refused_out_of_the_environment_with_the_warning(desk: Desk, passphrase: str) -> None:
    said = desk("store", "a", QUICK, stdin=CANARY, KEYWRIGHT_MASTER_KEY_FILE="", API_KEY_MASTER=passphrase)

    warned, refused, _ = said.err.splitlines()
    assert (said.code, refused, said.out) == (1, SHORT, "")
    assert warned.startswith(WARNING)
    assert not desk.file.exists()


@pytest.mark.parametrize("passphrase", ["seven77", "ééééééé"])
def test_a_short_passphrase_is_refused_at_the_prompt(desk: Desk, passphrase: str) -> None:
    asked: Any = {"Value of a": CANARY, "Passphrase": passphrase, "Repeat for confirmation": passphrase}

    code, seen = typed(asked, "store", "a", QUICK, XDG_DATA_HOME=str(desk.data))

    assert code == 1
    assert SHORT in seen
    assert not desk.file.exists()


def test_eight_characters_are_enough_wherever_they_come_from(desk: Desk, tmp_path: pathlib.Path) -> None:
    eight = "éééééééé"
    asked: Any = {"Value of a": CANARY, "Passphrase": eight, "Repeat for confirmation": eight}
    place = {"XDG_DATA_HOME": str(desk.data)}

    assert typed(asked, "store", "a", QUICK, **place)[0] == 0
    other = f"--file={tmp_path}/other/keys.kw"
    said = desk("store", "a", QUICK, other, stdin=CANARY, KEYWRIGHT_MASTER_KEY_FILE="", API_KEY_MASTER=eight)
    assert said.code == 0
    desk.write_key(eight.encode())
    assert desk.must("get", "a", "--reveal").out == desk.must("get", "a", "--reveal", other).out == CANARY
    desk.must("store", "a", QUICK, f"--file={tmp_path}/third/keys.kw", stdin=CANARY)


def test_a_new_passphrase_is_held_to_the_same(desk: Desk, tmp_path: pathlib.Path) -> None:
    desk.must("store", "a", stdin=CANARY)
    new = tmp_path / "new"
    new.write_text("seven77")
    new.chmod(0o600)

    assert desk("rekey", f"--new-key-file={new}").err.splitlines()[0] == SHORT
    assert desk.must("get", "a", "--reveal").out == CANARY


@pytest.mark.parametrize("mode", [0o644, 0o620])
def test_no_command_takes_a_key_file_that_others_may_open(desk: Desk, mode: int) -> None:
    desk.must("store", "a", stdin=CANARY)
    desk.key.chmod(mode)

    for each in COMMANDS:
        said = desk(*each, stdin="x")
        assert (said.code, said.out) == (1, "")
        assert said.err.splitlines()[0] == f"Error: {desk.key} is a file that others may open."


@pytest.mark.parametrize("mode", [0o770, 0o1777])
def test_no_command_works_in_a_folder_that_others_may_write(desk: Desk, mode: int) -> None:
    desk.must("store", "a", stdin=CANARY)
    before = desk.file.read_bytes()
    desk.file.parent.chmod(mode)

    for each in COMMANDS:
        said = desk(*each, stdin="x")
        assert (said.code, said.out) == (1, "")
        assert said.err.splitlines()[0] == f"Error: {desk.file} is in {desk.file.parent}, which others may open."
        # As root, to close /tmp for all others would be a bad piece of advice.
        assert "chmod" not in said.err
    assert desk.file.read_bytes() == before


@pytest.mark.parametrize(
    "command", ["store a <&-", "list >&-", "get a --reveal >&-", "delete a <&-", "list >/dev/full"]
)
def test_a_stream_that_is_closed_is_no_bug(desk: Desk, command: str) -> None:
    desk.must("store", "a", stdin="x")

    said = desk.shell(f"keywright {command}")

    assert said.code == 1
    assert "Error: this machine refuses what is needed: " in said.err
    assert desk.must("get", "a", "--reveal").out == "x"


def test_without_a_place_for_errors_there_is_still_an_exit_code(desk: Desk) -> None:
    desk.must("store", "a", stdin="x")

    assert desk.shell("keywright get a 2>&-").code == 0
    assert desk.shell("keywright get b 2>&- <&- >&-").code == 1
    assert desk.shell("keywright get a 2>&-", KEYWRIGHT_MASTER_KEY_FILE="").code == 1


def test_a_pipe_without_an_end_is_not_read_to_its_end(desk: Desk) -> None:
    said = desk.shell("keywright store a --binary </dev/zero")

    assert said.code == 1
    assert "takes no value of more than 1024 KiB, as for a." in said.err


@pytest.mark.parametrize(("size", "ending"), [(1 << 20, b""), (1 << 20, b"\n"), (1 << 20, b"\r\n")])
def test_the_largest_value_may_end_with_a_line_break(desk: Desk, size: int, ending: bytes) -> None:
    said = desk.shell("keywright store a && keywright get a --reveal | wc -c", b"x" * size + ending)

    assert said.out.split() == ["a:", "version", "1", str(size)]
    assert desk.shell("keywright store a", b"x" * (size + 1) + ending).code == 1


@pytest.mark.parametrize("value", [b"\0", b"\xff\xfe\n\n", b"\x1b[31m\r\n\n", bytes(range(256))])
def test_bytes_come_out_as_they_went_in(desk: Desk, value: bytes) -> None:
    desk.shell("keywright store a --binary", value)
    out = desk.file.with_name("out")

    assert desk.shell(f"keywright get a --reveal >'{out}'").code == 0
    assert out.read_bytes() == value


@pytest.mark.parametrize("command", ["get", "delete", "store"])
@pytest.mark.parametrize("path", ["a\nError: b", "\x1b[31m", "../a", "a//b"])
def test_a_path_that_is_none_is_not_repeated(desk: Desk, command: str, path: str) -> None:
    said = desk(command, path, stdin="x")

    assert said.code == 1
    assert len(said.err.splitlines()) == 2
    assert said.err.startswith(f"Error: {desk.file} takes no path that is empty")
    assert "\x1b" not in said.err


@pytest.mark.parametrize("version", ["", "0", "-1", "one"])
def test_a_version_that_is_none_is_not_the_newest(desk: Desk, version: str) -> None:
    desk.must("store", "a", stdin="x")

    said = desk("get", "a", "--reveal", f"--version={version}")

    assert (said.code, said.out) == (2, "")


def test_a_value_is_revealed_alone(desk: Desk) -> None:
    desk.must("store", "a", stdin=CANARY)

    said = desk("get", "a", "--reveal", "-o", "json")

    assert (said.code, said.out) == (2, "")


def test_names_may_have_spaces_and_any_letters(desk: Desk, tmp_path: pathlib.Path) -> None:
    file = tmp_path / "mine, ü 'quoted'" / "my keys.kw"
    path = "team ä/key of 東京"
    desk.must("store", path, f"--file={file}", stdin="x")

    listed = desk.must("list", "team ", f"--file={file}", "-o", "json").json
    got = yaml.safe_load(desk.must("get", path, f"--file={file}", "-o", "yaml").out)
    file.chmod(0o644)
    hint = desk("list", f"--file={file}").err.partition("chmod")[2].removesuffix(".\n")
    subprocess.run(["/bin/bash", "-c", f"chmod {hint}"], check=True)

    assert listed["file"] == str(file)
    assert [each["path"] for each in listed["entries"]] == [got["path"]] == [path]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_home_that_is_none_is_not_where_keys_are_put(desk: Desk, tmp_path: pathlib.Path) -> None:
    there, nowhere = {"XDG_DATA_HOME": "relative", "HOME": str(tmp_path)}, {"XDG_DATA_HOME": "", "HOME": "relative"}

    assert desk("store", "a", stdin="x", **there).code == 0
    assert (tmp_path / ".local/share/keywright/keys.kw").exists()
    said = desk("store", "a", stdin="x", **nowhere)
    assert said.code == 1
    assert said.err.startswith("Error: there is no place for the encrypted file by what HOME and XDG_DATA_HOME say.")
    broken = desk("list", XDG_DATA_HOME="/tmp/a\nError: b")
    assert len(broken.err.splitlines()) == 2


def test_a_passphrase_in_the_environment_need_not_be_text(desk: Desk) -> None:
    said = desk.shell(
        rf"export KEYWRIGHT_MASTER_KEY_FILE= API_KEY_MASTER=$'\xff\xfe long enough'; keywright store a {QUICK}", b"x"
    )
    desk.write_key(b"\xff\xfe long enough")

    assert said.code == 0
    assert desk.must("get", "a", "--reveal").out == "x"


def test_the_environment_holds_no_new_passphrase(desk: Desk) -> None:
    held = {"KEYWRIGHT_MASTER_KEY_FILE": "", "API_KEY_MASTER": PASSPHRASE}
    desk("store", "a", QUICK, stdin="x", **held)
    before = desk.file.read_bytes()

    said = desk("rekey", QUICK, **held)

    assert said.code == 1
    assert "Error: there is no new passphrase, and no terminal to ask for it." in said.err
    assert desk.file.read_bytes() == before


def test_a_full_disk_leaves_what_was_there(desk: Desk) -> None:
    desk.must("store", "a", stdin="x")
    before = desk.file.read_bytes()

    said = desk.shell("ulimit -f 8; keywright store b --binary", bytes(20_000))

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"Error: {desk.file} cannot be written: File too large.")
    assert desk.file.read_bytes() == before
    assert {each.name for each in desk.file.parent.iterdir()} == {
        "keys.kw",
        "keys.kw.lock",
        "keys.kw.previous",
    }


def test_a_place_that_cannot_be_written_is_named(desk: Desk) -> None:
    desk.must("store", "a", stdin="x")
    desk.file.chmod(0o400)
    desk.file.parent.chmod(0o500)

    assert desk.must("get", "a", "--reveal").out == "x"
    said = desk("store", "a", "--file=/sys/keywright/keys.kw", stdin="x")
    assert said.code == 1
    assert said.err.startswith("Error: /sys/keywright/keys.kw cannot be written: ")
    desk.file.parent.chmod(0o700)


def test_stores_at_once_lose_nothing_even_of_a_file_that_is_new(desk: Desk) -> None:
    said = desk.shell('for n in 1 2 3 4 5 6; do echo "value $n" | keywright store "n/$n" & done; wait')

    assert sorted(said.out.splitlines()) == [f"n/{n}: version 1" for n in range(1, 7)]
    assert [desk.must("get", f"n/{n}", "--reveal").out for n in range(1, 7)] == [f"value {n}" for n in range(1, 7)]


@pytest.mark.parametrize("key", [b"\x03", b"\x04"], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("question", ["Value of a", "Passphrase", "Repeat for confirmation"])
def test_breaking_off_at_a_question_leaves_nothing(desk: Desk, key: bytes, question: str) -> None:
    answers: dict[str, str | bytes] = {"Value of a": CANARY, "Passphrase": PASSPHRASE, "Repeat for confirmation": ""}
    asked = {each: answers[each] for each in list(answers)[: list(answers).index(question)]} | {question: key}

    code, seen = typed(asked, "store", "a", XDG_DATA_HOME=str(desk.data))

    assert code == 130
    assert seen.endswith("Aborted.\n")
    assert not desk.data.exists()


def test_the_terminal_shows_again_what_is_typed_after_breaking_off(desk: Desk) -> None:
    """Asked of the terminal itself, after the program has ended in it."""
    script = f"keywright store a; stty -a | grep -o ' echo ' && KEYWRIGHT_MASTER_KEY_FILE={desk.key} keywright list"
    code, seen = typed({"Value of a": b"\x03"}, "-ic", script, program="/bin/bash", PATH=f"{BIN}:/usr/bin:/bin")

    assert code == 1
    assert " echo " in seen


WRONGLY_TYPED: dict[str, tuple[Any, str]] = {
    "the first line of many": ("-----BEGIN PRIVATE KEY-----", "a value of several lines cannot be typed"),
    "more than a terminal takes": ("x" * 4200, "a terminal takes no line of more than 4094 bytes"),
    "what is no text": (b"\xff\xfe\n", "what was typed is no text"),
}


@pytest.mark.parametrize("name", WRONGLY_TYPED)
def test_what_cannot_be_all_that_was_typed_is_not_stored(desk: Desk, name: str) -> None:
    answer, why = WRONGLY_TYPED[name]

    code, seen = typed({"Value of a": answer}, "store", "a", f"--key-file={desk.key}", XDG_DATA_HOME=str(desk.data))

    assert code == 1
    assert f"Error: {why}" in seen
    assert not desk.file.exists()


def test_no_answer_to_a_question_is_no(desk: Desk) -> None:
    desk.must("store", "a", stdin="x")

    for stdin in ("", "n\n", "\n"):
        said = desk("delete", "a", stdin=stdin)
        assert (said.code, said.out) == (130, "")
    assert desk.must("get", "a", "--reveal").out == "x"
    assert keywright("delete", "a", "--file=/dev/null/a", "-y").code == 1
