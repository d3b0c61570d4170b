"""What commands on the encrypted file leave in the audit trail: before anything is shown or saved, and no value."""

from __future__ import annotations

import os
import pathlib
import subprocess
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.local_trails import judged, records
from cli.desk import CANARY, Desk
from cli.terminal import BIN, typed
from keywright import errors
from keywright.audit.local import files
from keywright.cli import _recording
from keywright.keyfile.contents import check_path


def told(desk: Desk, folder: pathlib.Path | None = None) -> list[dict[str, Any]]:
    """Return the records of commands; the trail is whole, and holds no value."""
    trail = folder or desk.trail
    assert judged(trail).findings == ()
    assert not any(CANARY.encode() in each.read_bytes() for each in trail.iterdir())
    return records(trail)[1:]


def test_each_act_on_a_value_leaves_its_record(desk: Desk, tmp_path: pathlib.Path) -> None:
    desk.must("store", "llm/openai", stdin=CANARY)
    first = desk.must("get", "llm/openai", "-o", "json").json["fingerprint"]
    desk.must("store", "llm/openai", stdin=f"{CANARY}-two")
    second = desk.must("get", "llm/openai", "-o", "json").json["fingerprint"]
    shown = desk.must("get", "llm/openai", "--reveal", "--version", "1").out
    desk.must("list")
    desk.must("delete", "llm/openai", "--yes")
    new = tmp_path / "new.key"
    new.write_bytes(os.urandom(32))
    new.chmod(0o600)
    desk.must("rekey", "--new-key-file", str(new))

    found = told(desk)
    one, two = ({"version": "1", "fingerprint": first}, {"version": "2", "fingerprint": second})
    assert shown == CANARY
    assert [(each["type"], each["code"], each.get("keys")) for each in found] == [
        ("value.stored", "Stored", [{"key": "llm/openai", "new": one}]),
        ("value.stored", "Stored", [{"key": "llm/openai", "old": one, "new": two}]),
        ("value.read", "Revealed", [{"key": "llm/openai", "new": one}]),
        ("value.deleted", "Deleted", [{"key": "llm/openai", "old": two}]),
        ("file.rekeyed", "Rekeyed", None),
    ]
    (named,) = {(each["object"]["kind"], each["object"]["name"], each["object"]["uid"][:8]) for each in found}
    assert named == ("EncryptedFile", "keys.kw", first.partition(":")[0])
    assert {(each["who"]["kind"], each["who"]["verified"]) for each in found} == {("User", False)}


def test_what_neither_shows_nor_changes_a_value_leaves_none(desk: Desk) -> None:
    desk.must("store", "a", stdin=CANARY)
    for command in (["list"], ["get", "a"], ["check", "--stdin", "--no-probe"], ["issuers"]):
        desk(*command, stdin="sk-nothing")

    assert len(told(desk)) == 1


def test_what_cannot_be_recorded_is_neither_shown_nor_done(desk: Desk) -> None:
    desk.must("store", "a", stdin=CANARY)
    path = files(desk.trail)[0]
    path.write_bytes(path.read_bytes().replace(b'"Stored"', b'"Storeb"'))
    kept = desk.file.read_bytes()

    for command in (["get", "a", "--reveal"], ["store", "a"], ["delete", "a", "--yes"]):
        said = desk(*command, stdin="other")

        assert (said.code, said.out) == (1, "")
        start = "Error: the audit trail is not as it was written, so nothing is recorded, shown or changed: "
        assert said.err.startswith(f"{start}{path}: one of the records 0 to 1 of log local-000001-")
        assert "keywright audit verify --local" in said.err
    assert desk.file.read_bytes() == kept

    nowhere = desk("get", "a", "--reveal", KEYWRIGHT_AUDIT_FOLDER="/dev/null/audit")
    assert (nowhere.code, nowhere.out) == (1, "")
    assert nowhere.err == (
        "Error: nothing can be recorded, so nothing is shown or changed: /dev/null/audit cannot be written: Not a"
        " directory.\nMend that, or name another folder: KEYWRIGHT_AUDIT_FOLDER.\n"
    )
    relative = desk("get", "a", "--reveal", KEYWRIGHT_AUDIT_FOLDER="audit")
    assert (relative.code, relative.out) == (1, "")
    assert relative.err.startswith("Error: there is no place for the audit trail by what HOME")
    elsewhere = desk("get", "a", "--reveal", KEYWRIGHT_AUDIT_FOLDER=str(desk.data / "other"))
    assert elsewhere.out == CANARY


def test_a_trail_is_beside_the_usual_file_where_nothing_else_is_said(desk: Desk, tmp_path: pathlib.Path) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    # The folder that the trail makes is one in which the file may be.
    for options in (["--file", str(other / "other.kw")], []):
        said = desk("store", "a", *options, stdin=CANARY, KEYWRIGHT_AUDIT_FOLDER="")
        assert said.code == 0, said.err

    assert [each["object"]["name"] for each in told(desk, desk.file.parent / "audit")] == ["other.kw", "keys.kw"]


def test_a_save_that_fails_leaves_a_second_record(desk: Desk) -> None:
    desk.must("store", "a", stdin=CANARY)
    (desk.file.parent / "keys.kw.previous").mkdir()

    stored, deleted = desk("store", "a", stdin="x"), desk("delete", "a", "--yes")

    assert (stored.code, deleted.code) == (1, 1)
    found = told(desk)[1:]
    assert [(each["type"], each["code"]) for each in found] == [
        ("value.stored", "Stored"),
        ("value.stored", "Failed"),
        ("value.deleted", "Deleted"),
        ("value.deleted", "Failed"),
    ]
    assert found[0]["id"] == found[1]["id"] != found[2]["id"] == found[3]["id"]
    assert desk.must("get", "a", "--reveal").out == CANARY


def test_who_is_overtaken_leaves_a_record_of_each_attempt(desk: Desk) -> None:
    desk.must("store", "count", stdin="x")
    command = f'for n in $(seq 6); do printf x | "{BIN}/keywright" store count >/dev/null || exit 1; done'
    environment = os.environ | {
        "XDG_DATA_HOME": str(desk.data),
        "KEYWRIGHT_MASTER_KEY_FILE": str(desk.key),
        "KEYWRIGHT_AUDIT_FOLDER": str(desk.trail),
    }
    writers = [subprocess.Popen(["/bin/bash", "-c", command], env=environment) for _ in range(2)]

    assert [each.wait(120) for each in writers] == [0, 0]
    found = told(desk)
    stored = {each["id"]: each["keys"][0]["new"]["version"] for each in found if each["code"] == "Stored"}
    overtaken = {each["id"] for each in found if each["code"] == "Overtaken"}
    assert sorted(int(version) for act, version in stored.items() if act not in overtaken) == list(range(1, 14))


def test_a_question_that_is_not_answered_leaves_nothing(desk: Desk) -> None:
    desk.must("store", "a", stdin=CANARY)
    place = {"XDG_DATA_HOME": str(desk.data), "KEYWRIGHT_AUDIT_FOLDER": str(desk.trail)}

    code, _ = typed({"Delete a? [y/N]": "n"}, "delete", "a", f"--key-file={desk.key}", **place)

    assert code == 130
    assert len(told(desk)) == 1


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=1024))
def test_whatever_a_path_is_a_record_can_say_it(path: str) -> None:
    try:
        check_path(path)
    except errors.Stalled:
        return
    told = _recording._of_path(path)
    assert path in (told.key, told.path)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=2000), st.none() | st.text(max_size=2000), st.text(max_size=2000))
def test_whatever_a_cluster_says_a_record_can_say_it(key: str, store: str | None, number: str) -> None:
    told = _recording.key_change(key, store, store, _recording.version(number))

    assert told.key == (key[:253] if key.isprintable() and key else told.key)
    assert told.key.isprintable()
