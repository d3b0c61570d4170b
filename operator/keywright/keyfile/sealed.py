r"""The bytes of an encrypted file: laid out, read back, and checked before a key is tried.

    magic "KEYWRT1\0" | u32 length | header | 32 bytes header MAC | records | 32 bytes set MAC | 32 bytes SHA-256
    record = u32 length | label | u32 length | salt, nonce, ciphertext

Numbers are big-endian. Header and labels are canonical JSON: keys sorted, no spaces, UTF-8. The header MAC covers
everything before it, the set MAC everything before it too, so that no record can be added, taken away, moved or be an
older one. The checksum needs no key: it tells damage from a wrong key, and costs no key derivation.

Does not belong here: keys (``keys``), what the records mean together (``contents``).
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import struct
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import pydantic

from .. import canonical, errors
from ..errors import Reason
from .keys import NONCE, SALT, TAG, Hex, Kdf, Master

MAGIC = b"KEYWRT1\0"
VERSION = 1
_MAC = 32
_LENGTH = struct.Struct(">I")

#: Bytes of a file on a workstation and in a cluster, of a header, of a label, of a value; records of a file.
MAX_FILE, MAX_CLUSTER_FILE = 64 * 1024 * 1024, 4 * 1024 * 1024
MAX_HEADER, MAX_LABEL, MAX_VALUE, MAX_RECORDS = 64 * 1024, 16 * 1024, 1024 * 1024, 100_000

#: What a value is: text, the JSON text of a map, bytes; or that the entry was deleted.
Form = Literal["text", "map", "bytes", "deleted"]
Stamp = Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}(:[0-9]{2}){2}Z$")]
DataKeyId = Annotated[str, pydantic.StringConstraints(pattern="^[0-9a-f]{16}$")]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, frozen=True, extra="forbid")

    def canonical(self) -> bytes:
        """Return the one way to write it."""
        return canonical.data(self.model_dump(mode="json"))


class DataKey(_Part):
    """A key that entries are sealed with, itself sealed under the master key; ``uses`` counts what it has sealed."""

    id: DataKeyId
    created: Stamp
    uses: Annotated[int, pydantic.Field(ge=0)]
    wrapped: Hex


class Header(_Part):
    """What a file is: its identity, how often it was saved, how its key is made. New entries use the last data key."""

    version: Literal[1]
    store_id: Annotated[str, pydantic.StringConstraints(pattern="^[0-9a-f]{32}$")]
    generation: Annotated[int, pydantic.Field(ge=1)]
    kdf: Kdf
    data_keys: Annotated[list[DataKey], pydantic.Field(min_length=1, max_length=16)]


class Label(_Part):
    """What a record is about; in clear, and authenticated with its value."""

    path: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024)]
    version: Annotated[int, pydantic.Field(ge=1)]
    created: Stamp
    data_key: DataKeyId
    form: Form


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """One version of one entry, sealed."""

    label: Label
    sealed: bytes = dataclasses.field(repr=False)

    def to_bytes(self) -> bytes:
        """Return it as it stands in a file."""
        label = self.label.canonical()
        return _LENGTH.pack(len(label)) + label + _LENGTH.pack(len(self.sealed)) + self.sealed


@dataclasses.dataclass(frozen=True, slots=True)
class Sealed:
    """A file whose layout and checksum are right; nothing in it is to be trusted until ``records`` was called."""

    header: Header
    _head: bytes = dataclasses.field(repr=False)
    _body: bytes = dataclasses.field(repr=False)
    _set_mac: bytes = dataclasses.field(repr=False)

    def records(self, master: Master) -> list[Record]:
        """Check the file with its key, and return its records.

        Raises:
            errors.Stalled: ``AuthFailed``: it is another key's file; ``FileCorrupt``.
        """
        if not hmac.compare_digest(self._head[-_MAC:], master.header_mac(self._head[:-_MAC])):
            raise errors.Stalled(
                Reason.AUTH_FAILED,
                "is not opened by the passphrase or key that is given",
                "Check the passphrase or key; if it is right, restore the file from where it was last good",
            )
        if not hmac.compare_digest(self._set_mac, master.set_mac(self._head + self._body)):
            raise corrupt("its entries are not those that were saved together")
        with errors.boundary(lambda _: corrupt("its entries cannot be read")):
            return list(_records(self._body))


def corrupt(why: str) -> errors.Stalled:
    """Return the error for a file that is not as it was saved."""
    hint = "Restore it from where it was last good: Git, a backup, or its .previous"
    return errors.Stalled(Reason.FILE_CORRUPT, f"is damaged: {why}", hint)


def parse(data: bytes, limit: int = MAX_FILE) -> Sealed:
    """Read the layout of a file of at most ``limit`` bytes, without a key.

    Raises:
        errors.Stalled: ``FileCorrupt``, ``FileRefused``: it is too large.
    """
    if len(data) > limit:
        said = f"is larger than the {limit // 1024} KiB that are read"
        raise errors.Stalled(Reason.FILE_REFUSED, said, "Spread its entries over several files")
    if not data.startswith(MAGIC):
        raise corrupt("it does not begin like an encrypted file")
    if not hmac.compare_digest(hashlib.sha256(data[:-_MAC]).digest(), data[-_MAC:]):
        raise corrupt("its checksum does not fit")
    with errors.boundary(lambda _: corrupt("its header cannot be read")):
        return _parsed(data)


def to_bytes(header: Header, records: Iterable[Record], master: Master) -> bytes:
    """Return a whole file."""
    told = header.canonical()
    head = MAGIC + _LENGTH.pack(len(told)) + told
    head += master.header_mac(head)
    whole = head + b"".join(each.to_bytes() for each in records)
    whole += master.set_mac(whole)
    return whole + hashlib.sha256(whole).digest()


def _parsed(data: bytes) -> Sealed:
    (length,) = _LENGTH.unpack_from(data, len(MAGIC))
    begin = len(MAGIC) + _LENGTH.size
    end = begin + length + _MAC
    if length > MAX_HEADER or end + 2 * _MAC > len(data):
        raise corrupt("its header is cut off")
    told = data[begin : begin + length]
    header = Header.model_validate_json(told)
    if header.canonical() != told:
        raise corrupt("its header is not written as it should be")
    return Sealed(header, data[:end], data[end : -2 * _MAC], data[-2 * _MAC : -_MAC])


def _records(body: bytes) -> Iterator[Record]:
    """Yield all records; they stand in the order of paths and versions, each once."""
    at, before, count = 0, ("", 0), 0
    while at < len(body):
        told, at = _piece(body, at, MAX_LABEL)
        sealed, at = _piece(body, at, MAX_VALUE + SALT + NONCE + TAG)
        label = Label.model_validate_json(told)
        count += 1
        if (label.path, label.version) <= before or label.canonical() != told or count > MAX_RECORDS:
            raise corrupt("its entries are not in order")
        before = (label.path, label.version)
        yield Record(label, sealed)


def _piece(body: bytes, at: int, most: int) -> tuple[bytes, int]:
    (length,) = _LENGTH.unpack_from(body, at)
    begin, end = at + _LENGTH.size, at + _LENGTH.size + length
    if length > most or end > len(body):
        raise corrupt("an entry is cut off")
    return body[begin:end], end
