"""The encrypted file writes, below the operator's root: the contract on a real folder, and what only a file has."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from keywright import errors
from keywright.errors import Reason
from keywright.keyfile import keys, place, sealed
from keywright.keyfile.contents import Contents
from keywright.keyfile.keys import Kdf
from keywright.secret import SecretValue
from keywright.stores.base import Ref
from keywright.stores.encrypted_file import EncryptedFile
from stores.contract import CANARY, TIMEOUT, HeldCredentials, assert_clean
from stores.writing import HERE, WriteBackend, WriteContract, entries, held, refused, write

KEY, OTHER = (base64.b64encode(each * 32).decode() for each in (b"\x07", b"\x08"))
BY_KEY = {"keyRef": {"name": "master", "key": "key"}}


class BelowRoot(HeldCredentials):
    """A key that is held, and files in a real folder.

    Attributes:
        between: called after a file was read and before it is replaced, once.
        dies: whether the process dies after a file was replaced.
    """

    def __init__(self, root: pathlib.Path, key: str) -> None:
        super().__init__({("master", "key"): key})
        self.root = root
        self.between: Callable[[], object] | None = None
        self.dies = False

    def file(self, path: str, limit: int) -> SecretValue:
        return SecretValue(place.read_below(str(self.root), path, limit))

    def swap_file(self, path: str, before: SecretValue, after: SecretValue) -> bool:
        between, self.between = self.between, None
        if between:
            between()
        done = place.swap_below(str(self.root), path, before.reveal(), after.reveal())
        if self.dies:
            raise Died
        return done


class Died(BaseException):
    """The process ends."""


class FileBackend(WriteBackend):
    credentials = (KEY, OTHER)

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.path = root / "keys.kw"
        self.kdf = Kdf.fresh("raw")
        self.master = keys.derive(self.kdf, SecretValue(KEY))
        self.older = self.path.write_bytes(
            Contents.new(self.kdf, self.master).put("a", SecretValue("1"), "text").to_bytes()
        )
        self._backup = b""

    def contents(self) -> Contents:
        return Contents.open(sealed.parse(self.path.read_bytes()), self.master)

    def put(self, path: str, values: Mapping[str, Any]) -> None:
        after = self.contents().put(path, SecretValue(json.dumps(values)), "map").to_bytes()
        self._backup = self._backup or after
        self.path.write_bytes(after)

    def opened(self, credentials: BelowRoot) -> EncryptedFile:
        return EncryptedFile(EncryptedFile.Config.model_validate({"path": "keys.kw", **BY_KEY}), credentials, TIMEOUT)

    def store(self) -> EncryptedFile:
        return self.opened(BelowRoot(self.root, KEY))

    def reader(self) -> EncryptedFile:
        class ReadOnly(BelowRoot):
            def swap_file(self, path: str, before: SecretValue, after: SecretValue) -> bool:
                raise errors.Stalled(Reason.STORE_READ_ONLY, f"writes file {path}, which cannot be written")

        return self.opened(ReadOnly(self.root, KEY))

    def refused(self) -> EncryptedFile:
        return self.opened(BelowRoot(self.root, OTHER))

    def goes_back(self, path: str) -> None:
        self.path.write_bytes(self._backup)


@pytest.fixture
def file(tmp_path: pathlib.Path) -> FileBackend:
    return FileBackend(tmp_path)


class TestContract(WriteContract):
    @pytest.fixture
    def backend(self, file: FileBackend) -> WriteBackend:
        return file


def logged_in(file: FileBackend, credentials: BelowRoot | None = None) -> EncryptedFile:
    store = file.opened(credentials or BelowRoot(file.root, KEY))
    store.login()
    return store


def test_another_entry_that_changes_meanwhile_is_kept_and_does_not_count(file: FileBackend) -> None:
    file.put("llm/openai", {"api_key": "one"})
    credentials = BelowRoot(file.root, KEY)
    store = logged_in(file, credentials)
    credentials.between = lambda: file.put("llm/other", {"api_key": "theirs"})

    version = write(store, entries(api_key="two"), "1")

    assert (version, held(store)) == ("2", {"api_key": "two"})
    assert json.loads(store.fetch(Ref("llm/other")).value.reveal()) == {"api_key": "theirs"}


def test_the_same_entry_that_changes_meanwhile_is_not_written_over(file: FileBackend) -> None:
    file.put("llm/openai", {"api_key": "one"})
    credentials = BelowRoot(file.root, KEY)
    store = logged_in(file, credentials)
    credentials.between = lambda: file.put("llm/openai", {"api_key": "theirs"})

    assert refused(store, entries(api_key="two"), "1").reason is Reason.STORE_CHANGED
    assert held(store) == {"api_key": "theirs"}


def test_writers_of_different_entries_lose_nothing(file: FileBackend) -> None:
    stores = [logged_in(file) for _ in range(4)]

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        done = [
            threads.submit(write, store, entries(n=str(turn)), None, None, Ref(f"llm/{number}-{turn}"))
            for number, store in enumerate(stores)
            for turn in range(3)
        ]

    assert [each.result() for each in done] == ["1"] * 12
    assert len(file.contents().newest) == 13


def test_a_process_that_dies_after_the_write_finds_it_when_it_repeats_it(file: FileBackend) -> None:
    file.put("llm/openai", {"api_key": "one"})
    credentials = BelowRoot(file.root, KEY)
    store, credentials.dies = logged_in(file, credentials), True
    with pytest.raises(Died):
        write(store, entries(api_key="two"), "1")

    assert write(logged_in(file), entries(api_key="two"), "1") == "2"
    assert [each.version for each in file.contents().newest if each.path == "llm/openai"] == [2]


def test_what_was_deleted_is_made_anew_with_the_next_number(file: FileBackend) -> None:
    file.put("llm/openai", {"api_key": "one"})
    file.path.write_bytes(file.contents().delete("llm/openai").to_bytes())
    store = logged_in(file)

    assert write(store, entries(api_key="two"), None) == "3"
    assert write(store, entries(api_key="two"), None) == "3"


@pytest.mark.parametrize("value", [b"text", b"\xff\x00bytes", b'{"a": 1}'])
def test_text_stays_text_and_bytes_bytes(file: FileBackend, value: bytes) -> None:
    store = logged_in(file)

    write(store, SecretValue(value), None)

    assert (store.fetch(HERE).value.reveal(), store.fetch(HERE).is_map) == (value, False)


def test_text_takes_the_place_of_a_map_and_is_not_taken_for_the_same(file: FileBackend) -> None:
    file.put("llm/openai", {"api_key": "one"})
    file.put("llm/openai", {"api_key": "two"})
    store = logged_in(file)

    assert refused(store, SecretValue("text"), "1").reason is Reason.STORE_CHANGED
    assert refused(store, SecretValue(b"\xff"), "1").reason is Reason.STORE_CHANGED
    write(store, SecretValue("text"), "2")

    assert (store.fetch(HERE).value.reveal(), store.fetch(HERE).is_map) == (b"text", False)


def test_a_file_in_base64_stays_in_base64_and_the_one_before_lies_beside_it(file: FileBackend) -> None:
    before = base64.encodebytes(file.path.read_bytes())
    file.path.write_bytes(before)

    write(logged_in(file), entries(api_key="one"), None)

    assert base64.b64decode(file.path.read_bytes()).startswith(sealed.MAGIC)
    assert (file.root / "keys.kw.previous").read_bytes() == before


def test_a_folder_that_takes_nothing_is_told_as_read_only(file: FileBackend) -> None:
    (file.root / "keys.kw.lock").mkdir()

    error = refused(logged_in(file), entries(api_key=CANARY), None)

    assert (type(error), error.reason) == (errors.Stalled, Reason.STORE_READ_ONLY)
    assert_clean(error, CANARY, KEY)


def test_a_file_that_would_be_larger_than_is_read_is_not_written(file: FileBackend) -> None:
    store = logged_in(file)
    for number in range(4):
        value = SecretValue(os.urandom(sealed.MAX_VALUE))
        (write if number < 3 else refused_for_room)(store, value, None, None, Ref(f"large/{number}"))


def refused_for_room(store: EncryptedFile, value: SecretValue, expected: None, name: None, ref: Ref) -> None:
    with pytest.raises(errors.Stalled) as caught:
        write(store, value, expected, name, ref)
    assert caught.value.reason is Reason.STORE_READ_ONLY


@pytest.mark.parametrize("kind", ["configMapRef", "secretRef"])
def test_a_file_in_the_cluster_is_only_read(kind: str) -> None:
    config = {kind: {"name": "keys", "key": "keys.kw"}, **BY_KEY}
    store = EncryptedFile(EncryptedFile.Config.model_validate(config), HeldCredentials(), TIMEOUT)

    error = refused(store, entries(api_key="one"), None)

    assert (type(error), error.reason) == (errors.Stalled, Reason.UNSUPPORTED)
    assert "is not written from here" in error.message


def test_a_file_under_another_key_asks_for_a_login(file: FileBackend) -> None:
    store = logged_in(file)
    kdf = Kdf.fresh("raw")
    file.path.write_bytes(file.contents().rekeyed(kdf, keys.derive(kdf, SecretValue(OTHER))).to_bytes())

    error = refused(store, entries(api_key="one"), None)

    assert (type(error), error.reason) == (errors.LoginExpired, Reason.AUTH_FAILED)
