"""The audit trail of a workstation when the machine does not do its part: full disks, failing ones, deaths at any
moment, and others who write at the same time."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Iterator

import pytest

from audit.local_trails import begun, entry, judged, newest, program, quick_folder, records, trail
from keywright.audit.local import files

#: Watches the calls by which files are changed; at the n-th, `fault` comes.
WATCHED = """
    CALLS = ("mkdir", "open", "flock", "write", "fsync", "ftruncate", "rename", "unlink")

    def watched(number, fault, act):
        calls = []
        def watch(frame, event, function):
            if event == "c_call" and function.__name__ in CALLS and function.__module__ in ("posix", "fcntl"):
                calls.append(function.__name__)
                if len(calls) == number:
                    fault()
        sys.setprofile(watch)
        try:
            act()
        finally:
            sys.setprofile(None)
        return calls

    def fails():
        raise OSError(errno.EIO, "sk-canary")

    def keys():
        return [each["keys"][0]["key"] for line in local.lines_of(folder) if "keys" in (each := json.loads(line))]

    def restored(files):
        for each in folder.iterdir():
            each.unlink()
        for name, data in files.items():
            (folder / name).write_bytes(data)
            (folder / name).chmod(0o600)
"""

#: What is there when a record is made: a log that takes it, one that is full, a torn one, one whose key is lost.
STATES = ("open", "full", "torn", "key lost", "nothing")


def prepared(folder: pathlib.Path, state: str) -> None:
    if state == "nothing":
        folder.mkdir(mode=0o700, parents=True)
        return
    trail(folder).record(entry("first"))
    if state == "torn":
        with files(folder)[0].open("ab") as file:
            file.write(b'{"torn')
    if state == "key lost":
        (folder / "key").unlink()


@pytest.fixture
def folder() -> Iterator[pathlib.Path]:
    with quick_folder() as made:
        yield made / "audit"


@pytest.mark.parametrize("state", STATES)
def test_a_writer_that_is_killed_at_any_call_leaves_a_trail_that_the_next_one_goes_on_with(
    folder: pathlib.Path, state: str
) -> None:
    prepared(folder, state)
    text = (
        WATCHED
        + """
    before, number, told = {each.name: each.read_bytes() for each in folder.iterdir()}, 1, []
    full = local.LocalTrail(folder, 1 if sys.argv[2] == "full" else local.MAX_FILE)
    killed = entry("killed")
    while True:
        child = os.fork()
        if child == 0:
            watched(number, lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: full.record(killed))
            os._exit(0)
        done = not os.WIFSIGNALED(os.waitpid(child, 0)[1])
        trail.record(entry("next"))
        verifier = local.Verifier()
        list(verifier.take_all(local.lines_of(folder)))
        assert verifier.verdict().findings == (), (number, verifier.verdict().findings)
        kept = [key for key in keys() if key != "first"]
        assert kept in (["next"], ["killed", "next"]), kept
        told.append(len(kept) - 1)
        if done:
            break
        restored(before)
        number += 1
    print(json.dumps(told))
    """
    )

    told = json.loads(program(text, folder, state))

    assert len(told) > 8
    assert told == sorted(told)
    assert set(told) == {0, 1}


@pytest.mark.parametrize("state", STATES)
def test_whatever_call_fails_nothing_is_said_to_be_recorded_that_is_not(folder: pathlib.Path, state: str) -> None:
    prepared(folder, state)
    text = (
        WATCHED
        + """
    before, number, failed = {each.name: each.read_bytes() for each in folder.iterdir()}, 1, []
    full = local.LocalTrail(folder, 1 if sys.argv[2] == "full" else local.MAX_FILE)
    lost, calls = entry("lost"), range(1000)
    while number <= len(calls):
        try:
            calls = watched(number, fails, lambda: full.record(lost))
            assert "lost" in keys()
        except errors.Stalled as error:
            assert error.reason == "AuditUnavailable", error.reason
            assert error.message.endswith(": Input/output error") and "canary" not in error.message, error.message
            assert error.__context__ is error.__cause__ is None
            failed.append(number)
        trail.record(entry("next"))
        verifier = local.Verifier()
        list(verifier.take_all(local.lines_of(folder)))
        assert verifier.verdict().findings == ()
        assert keys()[-1] == "next"
        restored(before)
        number += 1
    print(len(failed))
    """
    )

    assert int(program(text, folder, state)) > 5


def test_a_file_whose_sync_failed_is_not_written_to_again_but_made_anew(folder: pathlib.Path) -> None:
    trail(folder).record(entry("kept"))
    before, old = newest(folder), files(folder)[0].stat().st_ino
    text = (
        WATCHED
        + """
    def sync(frame, event, function):
        if event == "c_call" and function.__name__ == "fsync":
            fails()
    sys.setprofile(sync)
    try:
        trail.record(entry("lost"))
    except errors.Stalled as error:
        print(error.message)
    """
    )

    said = program(text, folder)

    assert (
        said
        == f"nothing can be recorded, so nothing is shown or changed: {folder} cannot be written: Input/output error\n"
    )
    assert newest(folder) == before
    assert files(folder)[0].stat().st_ino != old


def test_a_record_is_synced_before_anybody_is_told_and_a_new_file_with_its_folder(folder: pathlib.Path) -> None:
    text = (
        WATCHED
        + """
    for _ in range(2):
        calls = watched(0, None, lambda: trail.record(entry()))
        print(*[name for name in calls if name in ("flock", "write", "fsync", "rename", "mkdir")])
    """
    )

    first, second = program(text, folder).splitlines()

    put = "write fsync rename fsync"
    assert first == f"mkdir fsync flock {put} {put}"
    assert second == "flock write fsync"


def test_a_disk_that_takes_no_more_leaves_the_trail_whole(folder: pathlib.Path) -> None:
    trail(folder).record(entry("kept"))
    before = newest(folder)
    text = """
        import resource
        for size in range(len(local.files(folder)[0].read_bytes()), 2400, 61):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            try:
                trail.record(entry("lost"))
            except errors.Stalled as error:
                print(error.message)
            else:
                break
    """

    said = program(text, folder).splitlines()

    assert len(said) > 5
    assert set(said) == {
        f"nothing can be recorded, so nothing is shown or changed: {folder} cannot be written: File too large"
    }
    assert newest(folder).startswith(before)
    assert [each["type"] for each in records(folder)] == ["log.opened", "value.read", "value.read"]
    assert judged(folder).findings == ()


def test_a_folder_that_takes_no_files_is_told(folder: pathlib.Path) -> None:
    """Rights do not hold up an administrator: as such, the program gives up being one."""
    folder.mkdir(mode=0o700)
    for each in (folder, *[parent for parent in folder.parents if parent.stat().st_uid == os.geteuid()][:3]):
        each.chmod(0o755)
    text = """
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        folder.chmod(0o500)
        for place in (folder, folder / "below"):
            try:
                local.LocalTrail(place).record(entry())
            except errors.Stalled as error:
                print(error.message, error.hint, sep="|")
    """

    said = program(text, folder).splitlines()

    start = "nothing can be recorded, so nothing is shown or changed:"
    hint = "Mend that, or name another folder: KEYWRIGHT_AUDIT_FOLDER"
    assert said == [
        f"{start} {folder} cannot be written: Permission denied|{hint}",
        f"{start} {folder}/below cannot be written: Permission denied|{hint}",
    ]


def test_two_writers_lose_nothing(folder: pathlib.Path) -> None:
    text = """
        trail = local.LocalTrail(folder, 150_000)
        for number in range(25):
            trail.record(*[entry(f"{sys.argv[2]}/{number}/{each}") for each in range(40)])
    """
    writers = [begun(text, folder, name) for name in ("one", "two")]
    for writer in writers:
        with writer:
            assert writer.communicate(timeout=120)[1] == ""

    verdict, found = judged(folder), records(folder)
    assert verdict.findings == ()
    assert len(verdict.logs) > 3
    for name in ("one", "two"):
        told = [each["keys"][0]["key"] for each in found if "keys" in each and each["keys"][0]["key"].startswith(name)]
        assert told == [f"{name}/{number}/{each}" for number in range(25) for each in range(40)]


def test_a_writer_that_is_killed_loses_nothing_that_it_said_was_recorded(folder: pathlib.Path) -> None:
    text = """
        import random, time
        trail = local.LocalTrail(folder, 20_000)
        for turn in range(30):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                for number in range(1_000_000):
                    trail.record(entry(f"{turn}.{number}"))
                    os.write(writing, f"{turn}.{number}\\n".encode())
            os.close(writing)
            time.sleep(random.random() / 20)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            print(os.read(reading, 1 << 20).decode(), end="")
            os.close(reading)
    """

    said = program(text, folder).split()
    trail(folder).record(entry("last"))

    told = [each["keys"][0]["key"] for each in records(folder) if "keys" in each]
    assert [each for each in said if each not in told] == []
    # Of each turn, one more may be there than was said.
    assert len(said) <= len(told) - 1 <= len(said) + 30
    assert judged(folder).findings == ()
