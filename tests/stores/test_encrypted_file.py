"""The encrypted file as a store: the contract, where it may be, and what happens while it changes."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

import pydantic
import pytest

from keywright import errors
from keywright.errors import Reason
from keywright.keyfile import keys, sealed
from keywright.keyfile.contents import Contents
from keywright.keyfile.keys import Kdf
from keywright.secret import SecretValue
from keywright.stores.base import Fetched, Ref
from keywright.stores.encrypted_file import EncryptedFile
from stores.contract import CANARY, TIMEOUT, Backend, HeldCredentials, StoreContract, assert_clean, failure, refusal

KEY = base64.b64encode(b"\x07" * 32)
OTHER = base64.b64encode(b"\x08" * 32)
PASSPHRASE = "correct horse battery staple"
IN_CONFIG_MAP = {"configMapRef": {"name": "keys", "key": "keys.kw"}}
IN_SECRET = {"secretRef": {"name": "keys", "key": "keys.kw"}}
BY_KEY = {"keyRef": {"name": "master", "key": "key"}}
BY_PASSPHRASE = {"passphraseRef": {"name": "master", "key": "key"}}
PLACE = ("ConfigMap", "keys", "keys.kw")


class FileBackend(Backend):
    """A file in a ConfigMap, as somebody edits it."""

    credentials = (KEY.decode(), OTHER.decode())

    def __init__(self, kdf: Kdf | None = None, secret: bytes = KEY) -> None:
        self.kdf = kdf or Kdf.fresh("raw")
        self.contents = Contents.new(self.kdf, keys.derive(self.kdf, SecretValue(secret)))
        self.held = HeldCredentials({("master", "key"): secret})
        self.put("first", {})

    def put(self, path: str, values: Mapping[str, Any]) -> None:
        text = json.dumps(values, ensure_ascii=False)
        self.has(self.contents.put(path, SecretValue(text), "map"))

    def has(self, contents: Contents) -> None:
        self.contents = contents
        self.held.entries[PLACE] = contents.to_bytes()

    def opened(self, **config: Any) -> EncryptedFile:
        return EncryptedFile(EncryptedFile.Config.model_validate(config), self.held, TIMEOUT)

    def store(self) -> EncryptedFile:
        return self.opened(**IN_CONFIG_MAP, **BY_KEY)

    def logged_in(self, **config: Any) -> EncryptedFile:
        store = self.opened(**config) if config else self.store()
        store.login()
        return store

    def refused(self) -> EncryptedFile:
        held = HeldCredentials({("master", "key"): OTHER}, entries=self.held.entries)
        return EncryptedFile(EncryptedFile.Config.model_validate(IN_CONFIG_MAP | BY_KEY), held, TIMEOUT)


class TestContract(StoreContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return FileBackend()


@pytest.fixture
def file() -> FileBackend:
    return FileBackend()


@pytest.mark.parametrize("as_text", [False, True], ids=["as it is", "as base64"])
@pytest.mark.parametrize(
    "config", [IN_CONFIG_MAP, IN_SECRET, {"path": "team-a/keys.kw"}], ids=lambda each: next(iter(each))
)
def test_a_file_is_read_wherever_it_may_be(file: FileBackend, config: dict[str, Any], as_text: bool) -> None:
    data = file.held.entries.pop(PLACE)
    data = base64.encodebytes(data) if as_text else data
    if "path" in config:
        file.held.files["team-a/keys.kw"] = data
    else:
        file.held.entries["ConfigMap" if "configMapRef" in config else "Secret", "keys", "keys.kw"] = data

    assert file.logged_in(**config, **BY_KEY).fetch(Ref("first")).is_map


@pytest.mark.parametrize("algorithm", ["argon2id", "pbkdf2-sha256"])
def test_a_passphrase_opens_a_file(algorithm: keys.Algorithm) -> None:
    file = FileBackend(Kdf.fresh(algorithm), PASSPHRASE.encode())
    file.put("llm/openai", {"api_key": CANARY})

    fetched = file.logged_in(**IN_CONFIG_MAP, **BY_PASSPHRASE).fetch(Ref("llm/openai"))

    assert json.loads(fetched.value.reveal()) == {"api_key": CANARY}


def test_text_is_text_and_bytes_are_bytes_with_their_version_and_time(file: FileBackend) -> None:
    every = bytes(range(256))
    file.has(file.contents.put("text", SecretValue('{"a": 1}'), "text").put("bytes", SecretValue(every), "bytes"))
    store = file.logged_in()

    text, raw = store.fetch(Ref("text")), store.fetch(Ref("bytes"))

    assert (text.value.reveal(), text.is_map, text.version) == (b'{"a": 1}', False, "1")
    assert (raw.value.reveal(), raw.is_map) == (every, False)
    assert text.created_at == file.contents.newest[-1].created


def test_many_keys_are_read_at_once_each_with_its_answer(file: FileBackend) -> None:
    for number in range(1000):
        file.contents = file.contents.put(f"llm/{number}", SecretValue(str(number)), "text")
    file.has(file.contents)
    store = file.logged_in()
    asked = Counted(file.held.entries)
    file.held.entries = asked
    refs = [Ref(f"llm/{number}") for number in range(1000)]

    answer = store.snapshot()

    gone = answer(Ref("llm/none"))
    assert isinstance(gone, errors.Stalled) and gone.reason is Reason.NOT_FOUND
    found = [each.value.reveal() for ref in refs if isinstance(each := answer(ref), Fetched)]
    assert found == [str(n).encode() for n in range(1000)]
    assert asked.reads == 1


class Counted(dict[tuple[str, str, str], bytes]):
    """Entries that count how often they are read."""

    reads = 0

    def __getitem__(self, key: tuple[str, str, str]) -> bytes:
        self.reads += 1
        return super().__getitem__(key)


def test_a_deleted_entry_is_not_one_that_never_was(file: FileBackend) -> None:
    file.put("llm/openai", {"api_key": CANARY})
    file.has(file.contents.delete("llm/openai"))
    store = file.logged_in()

    assert refusal(store, Ref("llm/openai")).reason is Reason.VERSION_DELETED
    assert refusal(store, Ref("llm/openai", "1")).reason is Reason.NOT_FOUND
    file.put("llm/openai", {"api_key": "new"})
    assert store.fetch(Ref("llm/openai")).version == "3"


def test_a_passphrase_that_was_wrong_and_is_right_later_opens_the_file(file: FileBackend) -> None:
    store = file.store()
    file.held.secrets["master", "key"] = OTHER
    assert failure(store.login).reason is Reason.AUTH_FAILED

    file.held.secrets["master", "key"] = KEY
    store.login()

    assert store.fetch(Ref("first")).is_map


def test_a_file_under_another_key_asks_for_a_login_and_opens_with_the_new_one(file: FileBackend) -> None:
    store = file.logged_in()
    kdf = Kdf.fresh("raw")
    file.has(file.contents.rekeyed(kdf, keys.derive(kdf, SecretValue(OTHER))))

    error = refusal(store, Ref("first"))
    file.held.secrets["master", "key"] = OTHER
    store.login()

    assert isinstance(error, errors.LoginExpired)
    assert store.fetch(Ref("first")).is_map


def test_what_opens_a_file_is_read_anew_again_and_again(file: FileBackend) -> None:
    store = file.logged_in()

    assert 0 < (store.login() or 0) <= 300
    del file.held.secrets["master", "key"]

    assert failure(store.login).reason is Reason.CREDENTIAL_MISSING


def test_a_new_key_that_is_there_in_time_is_taken_up_without_a_login(file: FileBackend) -> None:
    store = file.logged_in()
    kdf = Kdf.fresh("raw")
    file.held.secrets["master", "key"] = OTHER
    file.has(file.contents.rekeyed(kdf, keys.derive(kdf, SecretValue(OTHER))))

    assert store.fetch(Ref("first")).is_map


def test_an_older_file_is_refused_until_a_newer_one_is_there(file: FileBackend) -> None:
    older = file.contents
    store = file.logged_in()
    file.put("llm/openai", {"api_key": CANARY})
    store.fetch(Ref("llm/openai"))
    file.has(older)

    for error in (refusal(store, Ref("first")), failure(store.login)):
        assert isinstance(error, errors.Stalled)
        assert (error.reason, error.message) == (
            Reason.FILE_ROLLED_BACK,
            "reads ConfigMap keys, which is at generation 1, after 2 was read",
        )
    file.has(file.contents.put("a", SecretValue("1"), "text").put("a", SecretValue("2"), "text"))
    assert store.fetch(Ref("first")).is_map


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.FILE_CORRUPT),
        (b"not base64", Reason.FILE_CORRUPT),
        (sealed.MAGIC, Reason.FILE_CORRUPT),
        (sealed.MAGIC + bytes(sealed.MAX_CLUSTER_FILE), Reason.FILE_REFUSED),
    ],
)
def test_what_is_no_file_is_refused_by_name(file: FileBackend, data: bytes, reason: Reason) -> None:
    file.held.entries[PLACE] = data

    error = failure(file.store().login)

    assert (type(error), error.reason) == (errors.Stalled, reason)
    assert error.message.startswith("reads ConfigMap keys, which ")
    assert_clean(error, KEY.decode())


def test_a_file_that_wants_more_memory_than_a_cluster_gives_is_refused_before_anything_runs(file: FileBackend) -> None:
    greedy = file.kdf.model_copy(update={"algorithm": "argon2id", "memory": 65 * 1024, "passes": 2, "lanes": 1})
    header = file.contents.header.model_copy(update={"kdf": greedy})
    file.held.entries[PLACE] = sealed.to_bytes(header, [], keys.derive(file.kdf, SecretValue(KEY)))

    error = failure(file.opened(**IN_CONFIG_MAP, **BY_PASSPHRASE).login)

    assert error.reason is Reason.FILE_REFUSED
    assert "argon2id with memory 66560, not within 19456 and 65536 KiB" in error.message


@pytest.mark.parametrize(("config", "field"), [(BY_PASSPHRASE, "keyRef"), (BY_KEY, "passphraseRef")])
def test_a_key_is_not_taken_for_a_passphrase_nor_the_other_way(config: dict[str, Any], field: str) -> None:
    kdf = Kdf.fresh("raw" if field == "keyRef" else "pbkdf2-sha256")
    file = FileBackend(kdf, KEY)

    error = failure(file.opened(**IN_CONFIG_MAP, **config).login)

    assert error.reason is Reason.AUTH_FAILED
    assert error.hint == f"Name it in encryptedFile.{field}"


@pytest.mark.parametrize("secret", [b"", b"\x07" * 31, b"\x07" * 33, b"%" * 44, KEY + b"\n\n"])
def test_what_is_no_raw_key_is_refused_without_being_shown(file: FileBackend, secret: bytes) -> None:
    file.held.secrets["master", "key"] = secret

    error = failure(file.store().login)

    assert error.reason is Reason.AUTH_FAILED
    assert_clean(error, *([secret.decode()] if secret else []))


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (b"", "is empty"),
        (b"pass\n", "ends with a line break"),
        (b"a\x00b", "holds control characters or several lines"),
        (b"\x07" * 32, "looks like a raw key: 32 bytes"),
    ],
)
def test_what_cannot_be_a_passphrase_is_told_by_what_is_wrong_with_it(secret: bytes, why: str) -> None:
    file = FileBackend(Kdf.fresh("pbkdf2-sha256"), PASSPHRASE.encode())
    file.held.secrets["master", "key"] = secret

    error = failure(file.opened(**IN_CONFIG_MAP, **BY_PASSPHRASE).login)

    assert f"is sealed under a passphrase, and what is given {why}" in error.message
    assert ("printf" in error.hint) == ("line" in why)


@pytest.mark.parametrize("gone", ["file", "key"])
def test_what_is_not_there_is_told_as_the_cluster_tells_it(file: FileBackend, gone: str) -> None:
    (file.held.entries if gone == "file" else file.held.secrets).clear()

    error = failure(file.store().login)

    assert error.reason is Reason.CREDENTIAL_MISSING
    assert "reads" not in error.message


def test_a_fetch_before_a_login_asks_for_one(file: FileBackend) -> None:
    assert isinstance(refusal(file.store(), Ref("first")), errors.LoginExpired)


@pytest.mark.parametrize("config", [IN_CONFIG_MAP, BY_KEY])
def test_what_the_api_server_would_refuse_is_refused_here_too(file: FileBackend, config: dict[str, Any]) -> None:
    assert failure(lambda: file.logged_in(**config)).reason is Reason.INVALID_SPEC


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../b", "a//b", "a/", "", ".git/config", "a\n"])
def test_a_path_that_leads_out_cannot_be_written(path: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        EncryptedFile.Config.model_validate({"path": path, **BY_KEY})


def test_all_namespaces_share_one_opened_file(file: FileBackend) -> None:
    config = EncryptedFile.Config.model_validate(IN_CONFIG_MAP | BY_KEY)

    assert EncryptedFile.identity(config, "team-a") == EncryptedFile.identity(config, "team-b") == ""


def test_the_key_is_derived_once_for_all_reads(file: FileBackend) -> None:
    store = file.logged_in()
    held = store._keys
    file.put("llm/openai", {"api_key": os.urandom(4).hex()})

    store.fetch(Ref("llm/openai"))
    store.login()

    assert held is not None and store._keys is held


def test_a_file_in_a_config_map_is_another_one_in_each_namespace() -> None:
    def key(home: str, **where: Any) -> str:
        config = EncryptedFile.Config.model_validate({**where, "keyRef": {"name": "master", "key": "key"}})
        return EncryptedFile.locate(config, "openai", "team-a", home).key

    for ref in ("configMapRef", "secretRef"):
        where = {ref: {"name": "keys", "key": "file"}}
        assert len({key(home, **where) for home in ("team-a", "team-b", "")}) == 3
    assert key("", path="keys.kw") == 'encryptedFile {"path":"keys.kw"} openai'
