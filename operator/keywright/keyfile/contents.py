"""What is in an opened file: entries, their versions, and what may be done with them.

Contents never change; a change gives other contents, one generation later. The last few versions of an entry are kept,
so that a pinned one stays readable for a while. An entry that is deleted leaves a record without a value behind, so
that version numbers are never used twice.

Does not belong here: bytes (``sealed``), files and locks (``place``, ``edit``).
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .. import canonical, errors
from ..errors import Reason
from ..secret import FingerprintKey, SecretMap, SecretValue
from . import keys, sealed
from .keys import Kdf, Master
from .sealed import DataKey, Form, Header, Label, Record

#: Versions of an entry that are kept, the newest among them.
KEPT_VERSIONS = 5
#: Values that one data key seals before another takes its place.
MAX_USES = 2**30
#: Below it lies what Keywright itself remembers; nobody lists, reads or writes that as a key.
RESERVED = ".keywright/"

_MAP = 'Write it like {"user": "...", "password": "..."}, each key once'
_BAD_PATH = re.compile(r"[%\\]|(^|/)\.{0,2}(/|$)")


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One version of one entry.

    Attributes:
        created: when it was written (RFC 3339).
        form: what the value is; never ``deleted``.
    """

    path: str
    version: int
    created: str
    form: Form
    value: SecretValue


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """All that is in a file, and its key."""

    header: Header
    _master: Master = dataclasses.field(repr=False)
    _records: Mapping[str, tuple[Record, ...]] = dataclasses.field(repr=False)
    _data_keys: Mapping[str, bytes] = dataclasses.field(repr=False)

    @classmethod
    def new(cls, kdf: Kdf, master: Master) -> Contents:
        """Return the contents of a file without entries, at generation 0: it is saved at its first change."""
        store_id = os.urandom(16).hex()
        data_key, key = _data_key(master, store_id)
        header = Header.model_construct(version=1, store_id=store_id, generation=0, kdf=kdf, data_keys=[data_key])
        return cls(header, master, MappingProxyType({}), {data_key.id: key})

    @classmethod
    def open(cls, file: sealed.Sealed, master: Master) -> Contents:
        """Open a file with its key.

        Raises:
            errors.Stalled: ``AuthFailed``, ``FileCorrupt``.
        """
        by_path: dict[str, list[Record]] = {}
        for record in file.records(master):
            by_path.setdefault(record.label.path, []).append(record)
        header = file.header
        with errors.boundary(lambda _: sealed.corrupt("its data keys cannot be unwrapped")):
            opened = {
                each.id: master.unwrap(bytes.fromhex(each.wrapped), _about_key(header.store_id, each))
                for each in header.data_keys
            }
        return cls(header, master, {path: tuple(found) for path, found in by_path.items()}, opened)

    @property
    def newest(self) -> list[Label]:
        """The newest label of every entry that is not deleted, by path."""
        last = (self._records[path][-1].label for path in sorted(self._records))
        return [each for each in last if each.form != "deleted" and not each.path.startswith(RESERVED)]

    def read(self, path: str, version: str | None = None) -> Entry:
        """Return an entry: its newest version, or the one that is asked for.

        Raises:
            errors.Stalled: ``NotFound``, ``VersionDeleted``, ``Unsupported``: no version is called that.
                ``FileCorrupt``.
        """
        what = f"{path} version {version}" if version else path
        if version and not re.fullmatch("[1-9][0-9]{0,8}", version):
            said = f"numbers its versions, unlike what is asked of {path}"
            raise errors.Stalled(Reason.UNSUPPORTED, said, "Name a version by its number, or none")
        records = () if path.startswith(RESERVED) else self._records.get(path, ())
        found = [each for each in records if not version or each.label.version == int(version)]
        if not found:
            raise errors.Stalled(Reason.NOT_FOUND, f"has no entry {what}", "Check the path: keywright list")
        label = found[-1].label
        if label.form == "deleted":
            said = f"has no entry {what} any more: deleted at {label.created}"
            raise errors.Stalled(Reason.VERSION_DELETED, said, "Store it anew: keywright store")
        return Entry(path, label.version, label.created, label.form, self._value(found[-1]))

    def fingerprint(self, entry: Entry) -> str:
        """Return what tells equal values of one entry from different ones, as long as the file has this key."""
        return FingerprintKey(self.header.store_id[:8], self._master.shown()).fingerprint(entry.path, entry.value)

    def fingerprint_of(self, owner: str, parts: SecretMap) -> str:
        """Return the same of a credential; its key id is another one once the file is sealed anew.

        Args:
            owner: what the credential belongs to.
        """
        key = FingerprintKey(self.header.data_keys[0].id[:8], self._master.shown())
        return key.of_entries(f"{self.header.store_id} {owner}", parts)

    def remembered(self, name: str) -> tuple[int, SecretValue] | None:
        """Return what Keywright itself remembers under a name, and which version that is; None if nothing is there."""
        found = self._records.get(f"{RESERVED}{name}", ())
        return (found[-1].label.version, self._value(found[-1])) if found else None

    def all_remembered(self, prefix: str) -> dict[str, SecretValue]:
        """Return what Keywright itself remembers under names that begin so, by what follows in them."""
        begins = f"{RESERVED}{prefix}"
        found = {path: each[-1] for path, each in self._records.items() if path.startswith(begins) and each}
        return {path.removeprefix(begins): self._value(each) for path, each in found.items()}

    def remember(self, name: str, value: SecretValue) -> Contents:
        """Return the contents with something that Keywright itself remembers; what it remembered before goes.

        Raises:
            errors.Stalled: ``ValueTooLarge``.
        """
        _check_size(name, value)
        return self._with(f"{RESERVED}{name}", value, "text", keep=1)

    def put(self, path: str, value: SecretValue, form: Form) -> Contents:
        """Return the contents with a new version of an entry.

        Raises:
            errors.Stalled: ``InvalidSpec``: the path cannot be one; ``ValueTooLarge``; ``DecodeFailed``: ``form`` is
                ``map`` and the value is no JSON map, or ``text`` and it is no text.
        """
        check_path(path)
        _check_size(path, value)
        _check_form(value, form)
        return self._with(path, value, form)

    def delete(self, path: str) -> Contents:
        """Return the contents without an entry and all its versions.

        Raises:
            errors.Stalled: ``NotFound``, ``VersionDeleted``.
        """
        self.read(path)
        return self._with(path, SecretValue(b""), "deleted")

    def rekeyed(self, kdf: Kdf, master: Master) -> Contents:
        """Return the same entries under another master key and another data key; nothing of the old ones opens it."""
        data_key, key = _data_key(master, self.header.store_id)
        labels = [(record, self._value(record)) for found in self._records.values() for record in found]
        fresh = data_key.model_copy(update={"uses": len(labels)})
        by_path: dict[str, list[Record]] = {}
        for old, value in labels:
            label = old.label.model_copy(update={"data_key": data_key.id})
            by_path.setdefault(label.path, []).append(self._sealed(label, value, key))
        header = self.header.model_copy(
            update={"generation": self.header.generation + 1, "kdf": kdf, "data_keys": [fresh]}
        )
        return Contents(header, master, {path: tuple(found) for path, found in by_path.items()}, {data_key.id: key})

    def to_bytes(self) -> bytes:
        """Return the file."""
        ordered = (record for path in sorted(self._records) for record in self._records[path])
        return sealed.to_bytes(self.header, ordered, self._master)

    def _value(self, record: Record) -> SecretValue:
        with errors.boundary(lambda _: sealed.corrupt("an entry does not open with its data key")):
            key = self._data_keys[record.label.data_key]
            return keys.unseal(key, record.sealed, _about(self.header.store_id, record.label))

    def _sealed(self, label: Label, value: SecretValue, key: bytes) -> Record:
        return Record(label, keys.seal(key, value, _about(self.header.store_id, label)))

    def _with(self, path: str, value: SecretValue, form: Form, keep: int = KEPT_VERSIONS) -> Contents:
        """Return the contents one generation later, with one more record and without those that are too many."""
        data_keys, opened, last = list(self.header.data_keys), dict(self._data_keys), self.header.data_keys[-1]
        if last.uses >= MAX_USES:
            last, opened[last.id] = _data_key(self._master, self.header.store_id)
            data_keys.append(last)
        data_keys[-1] = last.model_copy(update={"uses": last.uses + 1})
        before = self._records.get(path, ())
        number = before[-1].label.version + 1 if before else 1
        label = Label(path=path, version=number, created=_now(), data_key=last.id, form=form)
        kept = () if form == "deleted" else tuple(each for each in before if each.label.form != "deleted")
        after = (*kept, self._sealed(label, value, opened[last.id]))[-keep:]
        records = {**self._records, path: after}
        if sum(map(len, records.values())) > sealed.MAX_RECORDS:
            said = f"holds as much as it may: {sealed.MAX_RECORDS} versions of entries"
            raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Spread its entries over several files")
        used = {each.label.data_key for found in records.values() for each in found}
        header = self.header.model_copy(
            update={
                "generation": self.header.generation + 1,
                "data_keys": [each for each in data_keys if each.id in used],
            }
        )
        return Contents(header, self._master, records, opened)


def check_path(path: str) -> None:
    """Hold a path to its canonical form, as stores are asked for it.

    Raises:
        errors.Stalled: ``InvalidSpec``.
    """
    if not path.isprintable() or _BAD_PATH.search(path) or not 1 <= len(path) <= 1024:
        said = "takes no path that is empty, longer than 1024 characters, or not in canonical form"
        hint = "Write it like llm/openai: no %, no backslash, no empty segment, no . and .., nothing unprintable"
        raise errors.Stalled(Reason.INVALID_SPEC, said, hint)
    if path.startswith(RESERVED):
        said = f"takes no path below {RESERVED}, where it keeps what it remembers of rotations itself"
        raise errors.Stalled(Reason.INVALID_SPEC, said, "Name another path")


def _check_size(path: str, value: SecretValue) -> None:
    if len(value.reveal()) > sealed.MAX_VALUE:
        said = f"takes no value of more than {sealed.MAX_VALUE // 1024} KiB, as for {path}"
        raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Split it")


def _check_form(value: SecretValue, form: Form) -> None:
    """Hold a value to what it is said to be; what is wrong is told without it."""
    if form not in ("text", "map"):
        return
    hint = _MAP if form == "map" else "Say --binary to store it as bytes"
    with errors.boundary(lambda _: _unfit(form, "is not UTF-8", hint)):
        text = value.reveal().decode()
    if form == "map":
        with errors.boundary(lambda _: _unfit(form, "is not JSON", hint)):
            found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        if not isinstance(found, dict):
            raise _unfit(form, "is JSON, but a list, a text or a number", hint)


def _unfit(form: Form, why: str, hint: str) -> errors.Stalled:
    wanted = "a map" if form == "map" else "text"
    return errors.Stalled(Reason.DECODE_FAILED, f"cannot take the value as {wanted}: it {why}", hint)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose names stand once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _unfit("map", "has a key twice in one map", _MAP)
    return found


def _no_number(_: str) -> None:
    """Refuse the numbers that JSON does not have."""
    raise ValueError


def _about(store_id: str, label: Label) -> bytes:
    """Return what a value is sealed together with: whose file, which entry, which version."""
    return canonical.data({"store_id": store_id, "v": sealed.VERSION} | label.model_dump(mode="json"))


def _about_key(store_id: str, data_key: DataKey) -> bytes:
    said = {"store_id": store_id, "v": sealed.VERSION, "data_key": data_key.id, "created": data_key.created}
    return canonical.data(said)


def _data_key(master: Master, store_id: str) -> tuple[DataKey, bytes]:
    key = os.urandom(keys.KEY)
    made = DataKey(id=os.urandom(8).hex(), created=_now(), uses=0, wrapped="")
    return made.model_copy(update={"wrapped": master.wrap(key, _about_key(store_id, made)).hex()}), key


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
