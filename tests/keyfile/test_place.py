"""The file at its place: who may open it, two writers, and a save that is cut off at any moment."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

from keyfile.files import KEY, OPENING, at, stored
from keywright import errors, private
from keywright.errors import Reason
from keywright.keyfile import place, sealed
from keywright.keyfile.contents import Contents
from keywright.secret import SecretValue

OWN_FOLDER = "Put it into a folder of its own that nobody else may open (mode 0700)"


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    """A place in a folder that is not there yet."""
    return tmp_path / "data" / "keywright" / "keys.kw"


def program(text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program that has opened a file."""
    command = [sys.executable, "-c", OPENING + textwrap.dedent(text), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done


def refusal(path: pathlib.Path) -> errors.Error:
    with pytest.raises(errors.Stalled) as caught:
        at(path).open()
    assert caught.value.__context__ is caught.value.__cause__ is None
    return caught.value


def test_a_new_file_and_its_folder_are_their_owners_alone(path: pathlib.Path) -> None:
    stored(at(path), "a", "1")
    stored(at(path), "a", "2")

    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {
        "keys.kw": 0o600,
        "keys.kw.lock": 0o600,
        "keys.kw.previous": 0o600,
    }


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601])
def test_a_file_that_others_may_open_is_refused(path: pathlib.Path, mode: int) -> None:
    stored(at(path), "a", "1")
    path.chmod(mode)

    error = refusal(path)

    assert (error.reason, error.hint) == (Reason.FILE_REFUSED, f"Close it: chmod 600 {path}")


@pytest.mark.parametrize("mode", [0o750, 0o755, 0o777, 0o1777])
def test_a_folder_that_others_may_open_is_refused(path: pathlib.Path, mode: int) -> None:
    stored(at(path), "a", "1")
    path.parent.chmod(mode)

    error = refusal(path)

    assert (error.reason, error.hint) == (Reason.FILE_REFUSED, OWN_FOLDER)
    with pytest.raises(errors.Stalled, match="which others may open"):
        stored(at(path), "a", "2")


def test_a_file_of_somebody_else_is_refused(path: pathlib.Path) -> None:
    stored(at(path), "a", "1")
    if os.geteuid() == 0:
        os.chown(path, 65532, 65532)
    else:
        path = pathlib.Path("/etc/passwd")

    assert "belongs to somebody else" in refusal(path).message


@pytest.mark.parametrize("what", ["link", "folder", "pipe"])
def test_what_is_no_regular_file_is_refused(path: pathlib.Path, what: str) -> None:
    stored(at(path), "a", "1")
    path.rename(path.with_name("other"))
    if what == "link":
        path.symlink_to("other")
    elif what == "folder":
        path.mkdir()
    else:
        os.mkfifo(path, 0o600)

    assert refusal(path).reason is Reason.FILE_REFUSED


def test_a_file_that_is_not_there_is_not_made_by_looking(path: pathlib.Path) -> None:
    assert refusal(path).reason is Reason.NOT_FOUND
    assert not path.parent.exists()


def test_nothing_takes_the_place_of_a_file_that_was_lost(path: pathlib.Path) -> None:
    stored(at(path), "a", "1")
    stored(at(path), "a", "2")
    path.unlink()

    with pytest.raises(errors.Stalled, match="its previous generation is there") as caught:
        stored(at(path), "b", "3")

    assert caught.value.reason is Reason.NOT_FOUND
    path.with_name("keys.kw.previous").rename(path)
    assert at(path).open().read("a").version == 1


def test_another_key_does_not_change_the_file(path: pathlib.Path) -> None:
    stored(at(path), "a", "1")
    before = path.read_bytes()

    with pytest.raises(errors.Stalled, match="not opened"):
        stored(at(path, SecretValue(b"\x08" * 32)), "a", "2")

    assert path.read_bytes() == before


def test_who_comes_second_does_his_change_anew(path: pathlib.Path) -> None:
    stored(at(path), "a", "1")
    turns: list[int] = []

    def change(contents: Contents) -> Contents:
        if not turns:
            stored(at(path), "b", "in between")
        turns.append(1)
        return contents.put("a", SecretValue("2"), "text")

    at(path).update(change)

    assert len(turns) == 2
    assert [each.path for each in at(path).open().newest] == ["a", "b"]


def test_two_writers_lose_nothing(path: pathlib.Path) -> None:
    text = """
        def count(contents):
            number = int(contents.read("count").value.reveal()) + 1
            return contents.put("count", SecretValue(str(number)), "text").put(
                f"{sys.argv[2]}/{number}", SecretValue(b"x"), "text")
        for _ in range(80):
            file.update(count)
    """
    stored(at(path), "count", "0")
    command = [sys.executable, "-c", OPENING + textwrap.dedent(text), str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [subprocess.Popen([*command, name], env=environment) for name in ("one", "two")]

    assert [each.wait(120) for each in writers] == [0, 0]
    found = at(path).open()
    assert found.read("count").value.reveal() == b"160"
    assert sorted(int(each.path.partition("/")[2]) for each in found.newest[1:]) == list(range(1, 161))


#: Runs a save in a child that dies at its n-th call of the operating system, for every n, and looks at the file then.
SWEEP = """
    import faulthandler, json
    path = pathlib.Path(sys.argv[1])
    before = file.open().header.generation if sys.argv[2] != "create" else 0

    def save():
        if sys.argv[2] == "rekey":
            file.rekey(SecretValue(bytes([7]) * 32), "raw")
        else:
            file.update(lambda contents: contents.put("a", SecretValue("new"), "text"))

    def killed(number):
        calls = 0
        def watch(frame, event, function):
            nonlocal calls
            if event == "c_call" and getattr(function, "__module__", "") in ("posix", "fcntl"):
                calls += 1
                if calls == number:
                    os.kill(os.getpid(), signal.SIGKILL)
        child = os.fork()
        if child == 0:
            sys.setprofile(watch)
            save()
            sys.setprofile(None)
            os._exit(0)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])

    number, saved = 1, []
    beside = path.with_name("keys.kw.previous")
    old, aside = (path.read_bytes(), beside.read_bytes()) if before else (b"", b"")
    while killed(number):
        if before or path.exists():
            now = file.open()
            assert now.header.generation in (before, before + 1)
            assert now.read("kept" if before else "a").value.reveal() in (b"kept", b"new")
            saved.append(now.header.generation - before)
        else:
            saved.append(0)
        if not saved[-1]:
            # What died does not stand in the way of the next one.
            save()
            assert file.open().header.generation == before + 1
        if before:
            path.write_bytes(old)
            beside.write_bytes(aside)
        else:
            path.unlink()
        number += 1
    print(json.dumps(saved))
"""


@pytest.mark.parametrize("act", ["create", "store", "rekey"])
def test_a_save_that_is_killed_at_any_call_leaves_the_old_file_or_the_new_one(path: pathlib.Path, act: str) -> None:
    if act != "create":
        stored(at(path), "kept", "kept")
        stored(at(path), "a", "old")

    saved = eval(program(SWEEP, path, act).stdout)  # noqa: S307 - our own words

    assert len(saved) > 20
    assert saved == sorted(saved)
    assert {0, 1} == set(saved)


def test_a_save_syncs_the_new_file_before_it_takes_the_place_and_the_folder_after(path: pathlib.Path) -> None:
    stored(at(path), "a", "old")
    text = """
        calls = []
        def watch(frame, event, function):
            if event == "c_call" and getattr(function, "__module__", "") in ("posix", "fcntl"):
                calls.append(function.__name__)
        sys.setprofile(watch)
        file.update(lambda contents: contents.put("a", SecretValue("new"), "text"))
        sys.setprofile(None)
        print(*calls)
    """
    calls = program(text, path).stdout.split()

    put = ["unlink", "open", "write", "fsync", "close", "rename", "fsync"]
    locked = calls[calls.index("flock") + 1 :]
    assert [each for each in locked[locked.index("unlink") :] if each in {*put}] == [*put, *put, "close", "close"]


def test_a_writer_that_is_killed_loses_nothing_that_it_said_was_saved(path: pathlib.Path) -> None:
    stored(at(path), "a", "0")
    text = """
        import random, time
        for turn in range(30):
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                for number in range(1_000_000):
                    file.update(lambda contents: contents.put("a", SecretValue(f"{turn}.{number}"), "text"))
                    os.write(writing, f"{turn}.{number}\\n".encode())
            os.close(writing)
            time.sleep(random.random() / 20)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            said = os.read(reading, 1 << 20).split()
            os.close(reading)
            found = file.open().read("a").value.reveal().decode()
            if said:
                last = int(said[-1].partition(b".")[2])
                assert found in (f"{turn}.{last}", f"{turn}.{last + 1}"), (said[-1], found)
    """
    program(text, path)

    assert at(path).open().read("a").path == "a"


def test_a_disk_that_takes_no_more_leaves_the_file_as_it_was(path: pathlib.Path) -> None:
    stored(at(path), "a", "1")
    before = path.read_bytes()
    text = """
        import resource
        from keywright import errors, private
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            file.update(lambda contents: contents.put("b", SecretValue("x" * 4000), "text"))
        except errors.Stalled as error:
            print(error.reason, error.message, sep="|")
    """
    said = program(text, path).stdout.strip()

    assert said == "StoreReadOnly|cannot be written: File too large"
    assert path.read_bytes() == before
    assert not path.with_name("keys.kw.new").exists()


def test_rekeying_leaves_nothing_that_the_old_key_opens(path: pathlib.Path) -> None:
    stored(at(path), "a", "1")
    stored(at(path), "a", "2")
    new = SecretValue(b"\x08" * 32)

    at(path).rekey(new)

    assert at(path, new).open().read("a", "1").value.reveal() == b"1"
    assert "not opened" in refusal(path).message
    assert not path.with_name("keys.kw.previous").exists()


def test_a_larger_file_than_is_read_is_refused(path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, mode=0o700)
    path.touch(0o600)
    os.truncate(path, sealed.MAX_FILE + 1)

    assert refusal(path).reason is Reason.FILE_REFUSED


def test_a_passphrase_that_others_may_read_is_refused(tmp_path: pathlib.Path) -> None:
    secret = tmp_path / "master"
    secret.write_bytes(KEY.reveal())
    secret.chmod(0o644)

    with pytest.raises(errors.Stalled, match="others may open"):
        place.read_private(secret, 4096)

    secret.chmod(0o400)
    assert place.read_private(secret, 4096) == KEY.reveal()


def test_a_lock_is_waited_for(path: pathlib.Path) -> None:
    stored(at(path), "a", "1")
    before = path.read_bytes()
    text = """
        def watch(frame, event, function):
            if event == "c_call" and function.__name__ == "flock":
                print("waits", flush=True)
        sys.setprofile(watch)
        file.rekey(SecretValue(bytes([7]) * 32), "raw")
    """
    command = [sys.executable, "-c", OPENING + textwrap.dedent(text), str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}

    with private.opened(path.parent) as folder, private.locked(folder, "keys.kw.lock"):
        writer = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        assert writer.stdout
        assert writer.stdout.readline() == b"waits\n"
        assert path.read_bytes() == before

    with writer:
        assert writer.wait(60) == 0
    assert path.read_bytes() != before
