"""The audit trail of a workstation: what is recorded is on the disk, what a crash leaves is mended and told, and what
somebody has changed is neither mended nor built upon."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit.local_trails import entry, judged, newest, program, quick_folder, records, trail
from keywright import canonical, errors
from keywright.audit import heads, lines
from keywright.audit.local import LocalTrail, files, lines_of, person
from keywright.audit.record import KeyChange, Type
from keywright.audit.verify import Problem, State, Verifier
from keywright.errors import Reason


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    """A folder that is not there yet, nor the one that it is in."""
    with quick_folder() as made:
        yield made / "data" / "keywright" / "audit"


def refusal(folder: pathlib.Path) -> errors.Error:
    """Return the error of an attempt to record; nothing in the folder changes."""
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    with pytest.raises(errors.Stalled) as caught:
        trail(folder).record(entry())
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before
    return caught.value


def test_a_trail_is_its_owners_alone_and_holds_what_was_recorded(folder: pathlib.Path) -> None:
    trail(folder).record(entry("a"), entry("b"))
    trail(folder).record(entry("c"))

    assert {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()} == {
        "000001.jsonl": 0o600,
        "key": 0o600,
        "lock": 0o600,
    }
    assert {each.stat().st_mode & 0o777 for each in (folder, folder.parent)} == {0o700}
    assert [(each["type"], each["code"]) for each in records(folder)] == [
        ("log.opened", "Started"),
        *[("value.read", "Revealed")] * 3,
    ]
    assert [each["keys"][0]["key"] for each in records(folder)[1:]] == ["a", "b", "c"]
    assert {(each["epoch"], each["v"]) for each in records(folder)} == {(0, 1)}
    assert judged(folder).state is State.UNWITNESSED


def test_a_witness_that_saw_the_last_head_makes_it_whole(folder: pathlib.Path) -> None:
    trail(folder).record(entry())
    last = lines.read_head(newest(folder).splitlines()[-1])
    trail(folder).record(entry())
    verifier = Verifier([last])
    assert len(list(verifier.take_all(lines_of(folder)))) == 3

    assert verifier.verdict().state is State.WHOLE


def test_a_full_log_is_closed_and_the_next_one_names_its_head(folder: pathlib.Path) -> None:
    for _ in range(12):
        trail(folder, limit=2500).record(entry())

    verdict, found = judged(folder), records(folder)
    assert len(files(folder)) == len(verdict.logs) > 2
    assert verdict.findings == ()
    assert [each.closed for each in verdict.logs] == [True] * (len(verdict.logs) - 1) + [False]
    assert [each["code"] for each in found if each["type"] == "log.opened"] == ["Started"] + ["Rotated"] * (
        len(verdict.logs) - 1
    )
    assert len([each for each in found if each["type"] == "value.read"]) == 12


def test_a_long_entry_is_told_in_parts(folder: pathlib.Path) -> None:
    many = tuple(KeyChange(key=f"KEY_{number}", path="p" * 200) for number in range(200))

    trail(folder).record(entry().model_copy(update={"keys": many}))

    parts = records(folder)[1:]
    assert [each["part"]["number"] for each in parts] == list(range(1, len(parts) + 1))
    assert [key["key"] for each in parts for key in each["keys"]] == [each.key for each in many]
    assert judged(folder).findings == ()


@pytest.mark.parametrize(("limit", "step"), [(1_000_000, 1), (1, 97)])
def test_an_end_torn_at_any_byte_is_cut_off_and_told(folder: pathlib.Path, limit: int, step: int) -> None:
    """Where the log is full, and the next one begins, as well."""
    trail(folder).record(entry("kept"))
    kept = newest(folder)
    trail(folder).record(entry("torn"))
    path, both = files(folder)[-1], newest(folder)

    for length in range(len(kept) + 1, len(both), step):
        path.write_bytes(both[:length])
        trail(folder, limit).record(entry("next"))

        found = records(folder)
        (told,) = [each for each in found if each["type"] == "log.recovered"]
        assert (told["code"], told["count"]) == ("TornTail", length - len(kept))
        assert [each["keys"][0]["key"] for each in found if "keys" in each] == ["kept", "next"]
        assert judged(folder).findings == ()
        for each in files(folder)[1:]:
            each.unlink()


@pytest.mark.parametrize("seen", [0, 1, 400, -100, -1])
def test_pages_that_never_reached_the_disk_are_a_torn_end(folder: pathlib.Path, seen: int) -> None:
    trail(folder).record(entry("kept"))
    kept = newest(folder)
    trail(folder).record(entry("torn"))
    torn = newest(folder)[len(kept) :]
    holes = {0: b"\0" * len(torn), 1: b"{" + b"\0" * (len(torn) - 1), 400: torn[:400] + b"\0" * (len(torn) - 400)}
    end = holes.get(seen, b"\0" * (len(torn) + seen) + torn[seen:])
    files(folder)[0].write_bytes(kept + end)

    trail(folder).record(entry("next"))

    assert [each["type"] for each in records(folder)[2:]] == ["log.recovered", "value.read"]
    assert judged(folder).findings == ()
    aside = folder / "000001.jsonl.torn-1"
    assert (aside.read_bytes(), aside.stat().st_mode & 0o777) == (end, 0o600)


def test_what_a_whole_head_vouches_for_is_never_cut_off(folder: pathlib.Path) -> None:
    trail(folder).record(entry("kept"))
    kept = newest(folder)
    trail(folder).record(entry("damaged"))
    damaged = kept + b"\0" * 9 + newest(folder)[len(kept) + 9 :]
    files(folder)[0].write_bytes(damaged)

    error = refusal(folder)

    assert error.reason is Reason.AUDIT_TAMPERED
    assert "line 4 is damaged, and a whole head stands behind it" in error.message
    assert newest(folder) == damaged


def test_a_first_file_that_was_cut_is_no_torn_end(folder: pathlib.Path) -> None:
    """It is put in place as a whole: no crash leaves less."""
    trail(folder).record(entry())
    path, data = files(folder)[0], newest(folder)
    for length in (0, 1, 300, len(data) - 1):
        path.write_bytes(data[:length])

        error = refusal(folder)

        assert error.reason is Reason.AUDIT_TAMPERED
        assert str(path) in error.message


def _line(data: bytes, number: int, change: Callable[[bytes], bytes]) -> bytes:
    found = data.split(b"\n")
    found[number] = change(found[number])
    return b"\n".join(found)


def _field(name: str, value: Any) -> Callable[[bytes], bytes]:
    return lambda line: canonical.data(json.loads(line) | {name: value})


#: A trail has lines 0 and 1 and their head, line 3 and its head, line 5 and its head.
TAMPERED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a record": (
        lambda data: _line(data, 3, _field("code", "Other")),
        "record 2 of log {log} is vouched for by a head",
    ),
    "the last record": (
        lambda data: _line(data, 5, _field("code", "Other")),
        "record 3 of log {log} is vouched for by",
    ),
    "a first record": (lambda data: _line(data, 0, _field("code", "Other")), "record 0 of log {log} was changed"),
    "a record to none": (
        lambda data: _line(data, 5, lambda _: b"{}"),
        "record 3 of log {log} is no record and no head",
    ),
    "a head": (
        lambda data: _line(data, 4, lambda line: line[:-80] + b"A" * 3 + line[-77:]),
        "record 2 of log {log} is",
    ),
    "the last head": (lambda data: _line(data, 6, lambda line: line[:-1] + b" "), "record 4 of log {log} is no record"),
    "no record": (
        lambda data: b"\n".join(data.split(b"\n")[:3] + data.split(b"\n")[4:]),
        "record 2 of log {log} is mis",
    ),
    "two records": (
        lambda data: _line(data, 3, lambda line: line + b"\n" + line),
        "record 2 of log {log} is not in its",
    ),
    "a line behind": (lambda data: data + b"more\n", "record 4 of log {log} is no record and no head"),
    "a zero long ago": (lambda data: _line(data, 1, lambda line: b"\0" + line), "it does not hold one log"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_somebody_changed_is_left_as_it_is_and_nothing_is_recorded_behind_it(
    folder: pathlib.Path, what: str
) -> None:
    for _ in range(3):
        trail(folder).record(entry())
    path, log = files(folder)[0], records(folder)[0]["log"]
    change, said = TAMPERED[what]
    path.write_bytes(change(newest(folder)))

    error = refusal(folder)

    assert error.reason is Reason.AUDIT_TAMPERED
    assert f"so nothing is recorded, shown or changed: {path}: {said.format(log=log)}" in error.message
    assert error.hint.startswith("See what else is wrong: keywright audit verify --local; to begin a new trail, move")
    folder.rename(folder.with_name("audit.kept"))
    trail(folder).record(entry())
    assert judged(folder).findings == ()


def test_a_lost_key_begins_a_new_log_that_names_the_one_before(folder: pathlib.Path) -> None:
    trail(folder).record(entry("old"))
    (folder / "key").unlink()
    with files(folder)[0].open("ab") as file:
        file.write(b'{"torn')

    trail(folder).record(entry("new"))

    opened = [each for each in records(folder) if each["type"] == "log.opened"]
    assert [each["code"] for each in opened] == ["Started", "KeyReplaced"]
    assert opened[1]["previous"]["log"] == opened[0]["log"]
    assert opened[0]["publicKey"] != opened[1]["publicKey"]
    assert [each["type"] for each in records(folder)][-2:] == ["log.recovered", "value.read"]
    verdict = judged(folder)
    assert (verdict.findings, len(verdict.logs)) == ((), 2)


def test_a_key_of_another_size_is_told(folder: pathlib.Path) -> None:
    trail(folder).record(entry())
    for wrong in (b"", b"x" * 31, b"x" * 33):
        (folder / "key").write_bytes(wrong)

        error = refusal(folder)

        assert (error.reason, "another size" in error.message) == (Reason.AUDIT_TAMPERED, True)


def test_a_log_that_another_key_has_signed_is_not_gone_on_with(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    trail(folder).record(entry("ours"))
    trail(tmp_path / "theirs").record(entry("theirs"))
    files(folder)[0].write_bytes(newest(tmp_path / "theirs"))

    trail(folder).record(entry("next"))

    assert [each["code"] for each in records(folder) if each["type"] == "log.opened"] == ["Started", "KeyReplaced"]
    public = heads.SigningKey(_seed(folder)).public
    verifier = Verifier(trusted=[public])
    list(verifier.take_all(lines_of(folder)))
    assert [each.problem for each in verifier.verdict().findings] == [Problem.KEY_UNKNOWN]


def _seed(folder: pathlib.Path) -> Any:
    from keywright.secret import SecretValue

    return SecretValue((folder / "key").read_bytes())


@pytest.mark.parametrize(
    ("what", "mode", "said"),
    [
        (".", 0o750, "{folder} is a folder that others may open"),
        ("000001.jsonl", 0o640, "{folder}/000001.jsonl is a file that others may open"),
        ("key", 0o604, "{folder}/key is a file that others may open"),
    ],
)
def test_what_others_may_open_is_not_trusted(folder: pathlib.Path, what: str, mode: int, said: str) -> None:
    trail(folder).record(entry())
    (folder / what).chmod(mode)

    error = refusal(folder)

    assert error.reason is Reason.AUDIT_UNAVAILABLE
    message = "nothing can be recorded, so nothing is shown or changed: "
    assert error.message == message + said.format(folder=folder)
    assert error.hint.startswith("Close it: chmod ")


@pytest.mark.parametrize("what", ["000001.jsonl", "key", "lock"])
def test_no_link_leads_elsewhere(folder: pathlib.Path, what: str) -> None:
    trail(folder).record(entry())
    (folder / what).rename(folder.parent / what)
    (folder / what).symlink_to(folder.parent / what)

    error = refusal(folder)

    assert (error.reason, "symbolic link" in error.message) == (Reason.AUDIT_UNAVAILABLE, True)


def test_who_it_was_is_what_the_machine_says_and_nobody_vouches_for(folder: pathlib.Path) -> None:
    said = program("print(local.person().model_dump_json())", folder, SUDO_USER="mallory", LOGNAME="mallory")

    who = json.loads(said)
    assert (who["kind"], who["name"], who["verified"]) == ("User", person().name, False)
    assert who["instance"].rpartition(":")[2].isdecimal()


def test_types_of_the_trail_itself_need_no_entry(folder: pathlib.Path) -> None:
    LocalTrail(folder).record()

    assert [each["type"] for each in records(folder)] == [Type.LOG_OPENED]
