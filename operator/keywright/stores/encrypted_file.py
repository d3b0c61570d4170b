"""Encrypted files: keys that are kept in Git, as a ConfigMap, a Secret, or a file that is mounted.

The whole file is read at each fetch, and read for all keys at once by ``snapshot``. Its key is derived once for each
salt and passphrase. ``keywright store`` writes it; from here it is written only below the operator's root.

Does not belong here: the format, key derivation, files (``keyfile/``); where ConfigMaps and files may be
(``engine/credentials.py``).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import functools
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

import pydantic

from .. import errors
from ..errors import Reason
from ..schema import Cel, DataKey, ObjectName, OneOf, SecretKeyRef, Spec
from ..secret import SecretValue
from . import _content
from .base import Content, Credentials, Fetched, Location, Ref, Snapshot, Store

if TYPE_CHECKING:
    from ..keyfile.contents import Contents
    from ..keyfile.keys import Kdf, Master
    from ..keyfile.sealed import Form, Sealed

#: Seconds after which a passphrase is read anew: one that was taken away or replaced opens nothing any more.
LASTS = 300.0
#: How often a write is begun anew because other entries of the file were changed meanwhile.
TRIES = 16
#: So many files are remembered, those that were read last.
MAX_FILES = 16

_SEGMENT = "[a-zA-Z0-9_][-_.a-zA-Z0-9]*"
FilePath = Annotated[str, pydantic.StringConstraints(max_length=512, pattern=rf"^{_SEGMENT}(/{_SEGMENT})*$")]


class ConfigMapKeyRef(Spec):
    """One entry of a ConfigMap. A KeyStore's is in its own namespace, a ClusterKeyStore's in the operator's."""

    name: ObjectName
    """Name of the ConfigMap."""
    key: DataKey
    """Entry of the ConfigMap: in `binaryData` as it is, or in `data` as base64."""


class EncryptedFile(Store, name="encryptedFile"):
    """Keys in one encrypted file, as `keywright store` makes it."""

    class Config(Spec):
        """Where an encrypted file is, and what opens it."""

        cel: ClassVar[tuple[Cel | OneOf, ...]] = (
            OneOf(("config_map_ref", "secret_ref", "path")),
            OneOf(("passphrase_ref", "key_ref")),
        )

        config_map_ref: ConfigMapKeyRef | None = None
        """Entry of a ConfigMap that holds the file."""
        secret_ref: SecretKeyRef | None = None
        """Entry of a Secret that holds the file, as it is or as base64."""
        path: FilePath | None = None
        """Path of the file, relative to the operator's `--file-store-root`. For a ClusterKeyStore only."""
        passphrase_ref: SecretKeyRef | None = None
        """Entry that holds the passphrase, for a file that has one."""
        key_ref: SecretKeyRef | None = None
        """Entry that holds the raw key, 32 bytes or their base64, for a file that has one."""

    @classmethod
    def identity(cls, config: Config, namespace: str) -> str:
        """Return nothing: one passphrase opens the file for everybody."""
        return ""

    @classmethod
    def locate(cls, config: Config, path: str, namespace: str, home: str) -> Location:
        """Say where a key lies: a ConfigMap or Secret is another one in each namespace."""
        found = super().locate(config, path, namespace, home)
        return found if config.path else Location(f"{home} {found.where}".strip())

    @classmethod
    def unwritten(cls, config: Config) -> errors.Stalled | None:
        """Return why a file in a ConfigMap or a Secret is only read; None for one below the operator's root."""
        return None if config.path else _only_read(config)

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        self._config = config
        self._credentials = credentials
        self._timeout = timeout
        self._keys: _Keys | None = None
        self._opened: _Opened | None = None
        self._deriving, self._learning = threading.Lock(), threading.Lock()

    def login(self) -> float | None:
        """Read the passphrase or key anew, and open the file with it."""
        self._open(self._secret())
        return LASTS

    def fetch(self, ref: Ref) -> Fetched:
        """Read one key."""
        found = self.snapshot()(ref)
        if isinstance(found, errors.Error):
            raise found
        return found

    def snapshot(self) -> Snapshot:
        """Read the file once, for all keys."""
        before = self.files
        return functools.partial(self._fetched, self._opened_again(self._data(), before))

    def write(self, ref: Ref, content: Content, *, expected: str | None, token: str) -> str:
        """Replace an entry of a file below the operator's root; see ``Store.write``. Other places are only read.

        A repeated write is known by what it has written, so the token does not count.
        """
        path = self._config.path
        if not path:
            raise _only_read(self._config)
        for _ in range(TRIES):
            raw, contents = self._to_change(path)
            after = replaced(contents, ref.path, content, expected)
            if after is contents or self._saved(path, raw, after):
                return str(after.read(ref.path).version)
        raise errors.Retry(Reason.CONFLICT, f"reads {self._where}, which keeps being changed while it is written")

    def _to_change(self, path: str) -> tuple[SecretValue, Contents]:
        """Return a file as it is, and what is in it."""
        from ..keyfile import sealed

        before, raw = self.files, self._credentials.file(path, sealed.MAX_CLUSTER_FILE)
        return raw, self._opened_again(_unwrapped(raw.reveal(), sealed.MAGIC), before)

    def _opened_again(self, data: bytes, before: Mapping[str, int]) -> Contents:
        """Open the file with what opened it before, as long as it does."""
        if not self._opened:
            raise errors.LoginExpired(Reason.AUTH_FAILED, f"has not opened {self._where} yet")
        try:
            return self._contents(data, None, before)
        except errors.Error as error:
            named = error if error.reason in _OF_CREDENTIALS else self._about(error)
        raise _expired(named)

    def _saved(self, path: str, raw: SecretValue, after: Contents) -> bool:
        """Save a file, in base64 where it was; False if somebody else was faster."""
        from ..keyfile import sealed

        data = after.to_bytes()
        if len(data) > sealed.MAX_CLUSTER_FILE:
            said = f"reads {self._where}, which would be larger than {sealed.MAX_CLUSTER_FILE // 1024} KiB"
            raise errors.Stalled(Reason.STORE_READ_ONLY, said, "Spread its entries over several files")
        wrapped = data if raw.reveal().startswith(sealed.MAGIC) else base64.encodebytes(data)
        if not self._credentials.swap_file(path, raw, SecretValue(wrapped)):
            return False
        self._opened_again(data, self.files)  # so that an older one is refused from now on
        return True

    def close(self) -> None:
        """Forget the key and the file."""
        self._keys = self._opened = None

    def _open(self, secret: SecretValue) -> Contents:
        """Read the file and open it."""
        before, data = self.files, self._data()
        try:
            return self._contents(data, secret, before)
        except errors.Error as error:
            named = error if error.reason in _OF_CREDENTIALS else self._about(error)
        raise named

    def _contents(self, data: bytes, secret: SecretValue | None, before: Mapping[str, int]) -> Contents:
        from ..keyfile import sealed
        from ..keyfile.contents import Contents

        known = self._opened
        file = known.file if known and known.data == data else sealed.parse(data, sealed.MAX_CLUSTER_FILE)
        master = self._master(file.header.kdf, secret)
        opened = known.contents if known and known.file is file and known.master is master else None
        contents = opened or Contents.open(file, master)
        self._learn(file, before)
        self._opened = _Opened(data, file, master, contents)
        return contents

    def _master(self, kdf: Kdf, secret: SecretValue | None) -> Master:
        """Return the file's key; derived once for each salt and passphrase, one derivation at a time."""
        from ..keyfile import keys

        with self._deriving:
            known = self._keys
            if known and known.kdf == kdf and (secret is None or secret == known.secret):
                return known.master
            secret = self._secret() if secret is None else secret
            if (kdf.algorithm == "raw") != bool(self._config.key_ref):
                raise _other_kind(kdf)
            master = keys.derive(kdf, secret, memory=keys.CLUSTER_MEMORY, wait=self._timeout)
            self._keys = _Keys(kdf, secret, master)
            return master

    def _learn(self, file: Sealed, before: Mapping[str, int]) -> None:
        """Refuse a file that is older than one that had been read before this read began; remember the newest."""
        header = file.header
        if header.generation < before.get(header.store_id, 0):
            raise errors.Stalled(
                Reason.FILE_ROLLED_BACK,
                f"is at generation {header.generation}, after {before[header.store_id]} was read",
                "Restore the newer file; where the older one is meant, delete the store object and apply it again",
            )
        with self._learning:
            known = dict(self.files)
            newest = max(header.generation, known.pop(header.store_id, 0))
            self.files = dict([*known.items(), (header.store_id, newest)][-MAX_FILES:])

    def _fetched(self, contents: Contents, ref: Ref) -> Fetched | errors.Error:
        try:
            entry = contents.read(ref.path, ref.version)
        except errors.Error as error:
            return self._about(error)
        return Fetched(entry.value, entry.form == "map", str(entry.version), entry.created)

    def _data(self) -> bytes:
        """Return the file, decoded where it stands as base64."""
        from ..keyfile import sealed

        config = self._config
        if config.config_map_ref:
            found = self._credentials.entry("ConfigMap", config.config_map_ref.name, config.config_map_ref.key)
        elif config.secret_ref:
            found = self._credentials.entry("Secret", config.secret_ref.name, config.secret_ref.key)
        elif config.path:
            found = self._credentials.file(config.path, sealed.MAX_CLUSTER_FILE)
        else:
            raise _incomplete("configMapRef, secretRef and path")
        return _unwrapped(found.reveal(), sealed.MAGIC)

    def _secret(self) -> SecretValue:
        ref = self._config.key_ref or self._config.passphrase_ref
        if ref is None:
            raise _incomplete("passphraseRef and keyRef")
        return self._credentials.secret(ref)

    @property
    def _where(self) -> str:
        return _where(self._config)

    def _about(self, error: errors.Error) -> errors.Error:
        return error.about(f"reads {self._where}, which")


@dataclasses.dataclass(frozen=True, slots=True)
class _Keys:
    """A key, and what it was derived from."""

    kdf: Kdf
    secret: SecretValue
    master: Master


@dataclasses.dataclass(frozen=True, slots=True)
class _Opened:
    """A file as it was last read."""

    data: bytes = dataclasses.field(repr=False)
    file: Sealed
    master: Master
    contents: Contents


def _where(config: EncryptedFile.Config) -> str:
    if config.config_map_ref:
        return f"ConfigMap {config.config_map_ref.name}"
    return f"Secret {config.secret_ref.name}" if config.secret_ref else f"file {config.path}"


def _only_read(config: EncryptedFile.Config) -> errors.Stalled:
    said = f"reads {_where(config)}, which is not written from here"
    return errors.Stalled(Reason.UNSUPPORTED, said, "Change the file by keywright store, and commit it")


def replaced(contents: Contents, path: str, content: Content, expected: str | None) -> Contents:
    """Return the contents with another value at a path; the same if an earlier attempt has written it.

    Args:
        expected: the version that must be current; None: nothing must be there.

    Raises:
        errors.Retry: ``StoreChanged``: another version is current.
        errors.Stalled: as ``Store.write``.
    """
    held = current(contents, path)
    now = held.version if held else None
    if now != expected:
        next_to_it = expected is None or EncryptedFile.previous(now or "") == expected
        if held and next_to_it and _content.is_same(content, held, path):
            return contents
        wanted, there = (f"version {each}" if each else "nothing" for each in (expected, now))
        said = f"is not written at {path}: {wanted} was to be there, and it is {there}"
        raise errors.Retry(Reason.STORE_CHANGED, said, "Find out who else writes it")
    return contents.put(path, _content.as_value(content, path), _form(content, held))


def current(contents: Contents, path: str) -> Fetched | None:
    """Return what is current at a path; None where nothing is, or no longer."""
    try:
        entry = contents.read(path)
    except errors.Stalled as error:
        if error.reason in (Reason.NOT_FOUND, Reason.VERSION_DELETED):
            return None
        raise
    return Fetched(entry.value, entry.form == "map", str(entry.version), entry.created)


def _form(content: Content, held: Fetched | None) -> Form:
    """Return what is written: a map, also as a text that takes the place of one; text; or bytes."""
    if not isinstance(content, SecretValue) or (held and held.is_map and _content.is_map(content)):
        return "map"
    with contextlib.suppress(UnicodeDecodeError):
        content.reveal().decode()
        return "text"
    return "bytes"


def _expired(error: errors.Error) -> errors.Error:
    """Return an error, as one that a new login may help where what opens the file does not."""
    if error.reason is not Reason.AUTH_FAILED:
        return error
    return errors.LoginExpired(error.reason, error.message, error.hint)


#: What the passphrase's or key's own Secret is about, not the file.
_OF_CREDENTIALS = (Reason.CREDENTIAL_MISSING, Reason.KUBERNETES_UNAVAILABLE)


def _unwrapped(data: bytes, magic: bytes) -> bytes:
    """Return a file out of its base64, as which it may stand in an object; itself where it is none."""
    with contextlib.suppress(binascii.Error, ValueError):
        return data if data.startswith(magic) else base64.b64decode(b"".join(data.split()), validate=True)
    return data


def _other_kind(kdf: Kdf) -> errors.Stalled:
    opened, field = ("a raw key", "keyRef") if kdf.algorithm == "raw" else ("a passphrase", "passphraseRef")
    return errors.Stalled(Reason.AUTH_FAILED, f"is opened by {opened}", f"Name it in encryptedFile.{field}")


def _incomplete(fields: str) -> errors.Stalled:
    return errors.Stalled(
        Reason.INVALID_SPEC, "cannot tell where its file is, or what opens it", f"Set one of {fields}"
    )
