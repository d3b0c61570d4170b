"""The commands on the encrypted file: values come in unseen, go out only when asked for, and errors name the file."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest
import yaml

from cli.desk import CANARY, PASSPHRASE, Desk
from cli.terminal import typed


def test_a_value_comes_out_as_it_went_in_and_only_when_asked_for(desk: Desk) -> None:
    stored = desk.must("store", "llm/openai", stdin=CANARY)
    shown, listed = desk.must("get", "llm/openai"), desk.must("list")
    revealed = desk.must("get", "llm/openai", "--reveal")

    assert stored.out == "llm/openai: version 1\n"
    assert shown.out.splitlines()[0].split() == ["PATH", "VERSION", "FORM", "AGE", "FINGERPRINT"]
    assert listed.out.splitlines()[1].split()[:3] == ["llm/openai", "1", "text"]
    assert revealed.out == CANARY
    assert CANARY not in stored.everything + shown.everything + listed.everything
    assert CANARY.encode() not in desk.file.read_bytes()


@pytest.mark.parametrize(
    ("stdin", "options", "value"),
    [
        ("one\n", [], "one"),
        ("one\n", ["--exact"], "one\n"),
        ("one\ntwo\n", [], "one\ntwo\n"),
        ("one\n", ["--binary"], "one\n"),
        (" one ", [], " one "),
    ],
)
def test_only_the_line_break_behind_a_single_line_is_left_out(
    desk: Desk, stdin: str, options: list[str], value: str
) -> None:
    desk.must("store", "a", *options, stdin=stdin)

    assert desk.must("get", "a", "--reveal").out == value


def test_programs_are_told_the_same(desk: Desk) -> None:
    desk.must("store", "llm/map", "--map", stdin='{"a": 1}')
    desk.must("store", "other", stdin="x")

    got, listed = desk.must("get", "llm/map", "-o", "json").json, desk.must("list", "llm/", "-o", "yaml").out

    entry = {"path": "llm/map", "version": 1, "created": got["created"], "form": "map"}
    assert got == entry | {"fingerprint": got["fingerprint"]}
    assert yaml.safe_load(listed) == {"file": str(desk.file), "generation": 2, "entries": [entry]}


def test_a_fingerprint_tells_equal_from_different(desk: Desk) -> None:
    prints = []
    for value in ("one", "two", "one"):
        desk.must("store", "a", stdin=value)
        prints.append(desk.must("get", "a", "-o", "json").json["fingerprint"])

    assert prints[0] == prints[2] != prints[1]
    assert desk.must("get", "a", "--version", "2", "-o", "json").json["fingerprint"] == prints[1]


def test_a_deleted_entry_is_gone_and_told_so(desk: Desk) -> None:
    desk.must("store", "a", stdin="x")

    refused = desk("delete", "a")
    desk.must("delete", "a", "--yes")
    said = desk("get", "a")

    assert refused.code == 130
    assert said.code == 1
    assert said.err.startswith(f"Error: {desk.file} has no entry a any more: deleted at ")
    assert desk.must("list").out == f"No entries in {desk.file}.\n"


def test_a_person_is_asked_for_everything_and_nothing_is_seen(desk: Desk) -> None:
    place = {"XDG_DATA_HOME": str(desk.data)}
    asked = {"Value of a": CANARY, "Passphrase": PASSPHRASE, "Repeat for confirmation": PASSPHRASE}

    code, seen = typed(asked, "store", "a", **place)
    again, listed = typed({"Passphrase": PASSPHRASE}, "list", **place)
    wrong, refused = typed({"Passphrase": "another one"}, "list", **place)

    assert (code, again, wrong) == (0, 0, 1)
    assert "a: version 1" in seen
    assert listed.splitlines()[-1].split()[:2] == ["a", "1"]
    assert f"{desk.file} is not opened by the passphrase or key that is given" in refused
    assert not any(secret in seen + listed + refused for secret in (CANARY, PASSPHRASE, "another one"))


def test_a_short_passphrase_is_refused(desk: Desk) -> None:
    asked = {"Value of a": CANARY, "Passphrase": "short", "Repeat for confirmation": "short"}

    code, seen = typed(asked, "store", "a", XDG_DATA_HOME=str(desk.data))

    assert code == 1
    assert "Error: a passphrase has at least 8 characters." in seen
    assert not desk.file.exists()


def test_a_passphrase_in_the_environment_is_warned_about(desk: Desk) -> None:
    said = desk("store", "a", "--kdf=pbkdf2-sha256", stdin="x", KEYWRIGHT_MASTER_KEY_FILE="", API_KEY_MASTER=PASSPHRASE)

    assert said.code == 0
    assert said.err.startswith("Warning: API_KEY_MASTER is seen by every program")
    assert PASSPHRASE not in said.everything


def test_a_new_key_opens_what_the_old_one_does_not(desk: Desk, tmp_path: pathlib.Path) -> None:
    desk.must("store", "a", stdin=CANARY)
    new = tmp_path / "new.key"
    new.write_bytes(os.urandom(32))
    new.chmod(0o600)

    said = desk.must("rekey", "--new-key-file", str(new))

    assert said.out == f"{desk.file}: sealed anew\n"
    assert "is not opened by" in desk("get", "a").err
    assert desk.must("get", "a", "--reveal", f"--key-file={new}").out == CANARY


def test_a_new_passphrase_is_asked_for_after_the_old_one(desk: Desk) -> None:
    place = {"XDG_DATA_HOME": str(desk.data)}
    desk.must("store", "a", stdin=CANARY)
    new = {"New passphrase": PASSPHRASE, "Repeat for confirmation": PASSPHRASE}

    code, seen = typed(new, "rekey", "--kdf=pbkdf2-sha256", f"--key-file={desk.key}", **place)
    listed, _ = typed({"Passphrase": PASSPHRASE}, "list", **place)

    assert (code, listed) == (0, 0)
    assert seen.endswith(f"{desk.file}: sealed anew\n")
    assert PASSPHRASE not in seen


WRONG: dict[str, Any] = {
    "a path that is none": (["store", "../a"], "takes no path that is empty"),
    "a map that is none": (["store", "a", "--map"], "cannot take the value as a map: it is not JSON."),
    "an entry that is not there": (["get", "b"], "has no entry b."),
    "a version that is not there": (["get", "a", "--version=7"], "has no entry a version 7"),
    "deleting what is not there": (["delete", "b", "-y"], "has no entry b."),
    "a derivation that it has not": (["store", "a", "--kdf=argon2id"], "is there already, and derives its key by raw."),
    "no key file": (["list", "--key-file=/no/such"], "/no/such cannot be read: No such file or directory."),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_done_is_said_in_a_line(desk: Desk, name: str) -> None:
    desk.must("store", "a", stdin="x")
    arguments, why = WRONG[name]

    said = desk(*arguments, stdin=CANARY)

    assert (said.code, said.out) == (1, "")
    assert why in said.err.splitlines()[0]
    assert CANARY not in said.err


def test_what_the_form_of_a_value_asks_for_is_told_with_what_to_do(desk: Desk) -> None:
    binary = desk.shell("keywright store a", stdin=b"\xff\xfe")
    doubled = desk("store", "a", "--map", stdin='{"a": 1, "a": 2}')

    assert binary.err.endswith("cannot take the value as text: it is not UTF-8.\nSay --binary to store it as bytes.\n")
    assert "it has a key twice in one map.\nWrite it like {" in doubled.err


def test_the_way_to_another_derivation_is_told(desk: Desk) -> None:
    desk.must("store", "a", "--kdf=raw", stdin="x")
    desk.must("store", "a", "--kdf=raw", stdin="y")

    assert "keywright rekey --kdf pbkdf2-sha256." in desk("store", "a", "--kdf=pbkdf2-sha256", stdin="z").err
    assert desk.must("get", "a", "--reveal").out == "y"


def test_a_link_is_called_a_link(desk: Desk) -> None:
    desk.must("store", "a", stdin="x")
    link = desk.file.with_name("link.kw")
    link.symlink_to(desk.file)

    said = desk("list", f"--file={link}")

    assert said.err.splitlines() == [
        f"Error: {link} cannot be read: it is a symbolic link.",
        "Name the file that the link leads to.",
    ]


def test_there_is_no_value_without_one(desk: Desk) -> None:
    assert desk("store", "a").err.startswith("Error: there is no value for a.")


def test_a_key_file_that_others_may_read_is_refused(desk: Desk) -> None:
    desk.write_key(b"\x07" * 32, 0o644)

    assert f"Close it: chmod 600 {desk.key}." in desk("store", "a", stdin="x").err


def test_without_a_terminal_nobody_is_asked(desk: Desk) -> None:
    said = desk("store", "a", stdin="x", KEYWRIGHT_MASTER_KEY_FILE="")

    assert said.code == 1
    assert said.err.startswith("Error: there is no passphrase, and no terminal to ask for it.")


def test_a_damaged_file_is_not_called_a_wrong_key(desk: Desk) -> None:
    desk.must("store", "a", stdin="x")
    data = bytearray(desk.file.read_bytes())
    data[100] ^= 1
    desk.file.write_bytes(data)

    assert desk("list").err.startswith(f"Error: {desk.file} is damaged: its checksum does not fit.")


def test_another_file_may_be_named(desk: Desk, tmp_path: pathlib.Path) -> None:
    other = tmp_path / "private" / "other.kw"
    desk.must("store", "a", f"--file={other}", stdin="x")

    assert other.exists()
    assert not desk.file.exists()


def test_wrong_usage_is_told_from_failure(desk: Desk) -> None:
    assert desk("store", "a", "--map", "--binary", stdin="x").code == 2
    assert desk("get").code == 2
    assert desk("list", "--file=").code == 2
    for flag in ("--file=.", "--key-file=/etc"):
        assert (desk("list", flag).code, "is no file: it is a folder" in desk("list", flag).err) == (2, True)
