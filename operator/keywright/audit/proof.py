"""That one record is in a log, shown without the others: the record, a head, and the hashes between them.

Does not belong here: whether a log is whole (``verify``).
"""

from __future__ import annotations

from typing import Literal

import pydantic

from .. import errors
from ..errors import Reason
from . import heads, merkle
from .heads import Head
from .record import Hash, Number, Part, Record, parse


class Proof(Part):
    """A proof of inclusion.

    Attributes:
        record: its canonical JSON, as text.
        path: hashes from the record's leaf to the root, from the bottom up.
        public_key: of what signed the head (hex).
    """

    v: Literal[1] = 1
    record: str
    seq: Number
    path: tuple[Hash, ...]
    head: Head
    public_key: Hash


def make(lines: list[bytes], seq: int, head: Head, public: str) -> Proof:
    """Return the proof of one record.

    Args:
        lines: all records that the head vouches for.

    Raises:
        ValueError: the head vouches for no such record.
    """
    hashes = [merkle.leaf(each) for each in lines[: head.size]]
    path = tuple(each.hex() for each in merkle.path(hashes, seq))
    return Proof(record=lines[seq].decode(), seq=seq, path=path, head=head, public_key=public)


def read(text: bytes) -> Proof:
    """Read a proof.

    Raises:
        errors.Stalled: ``AuditTampered``: it is none.
    """
    try:
        return Proof.model_validate_json(text, by_alias=True, by_name=False)
    except pydantic.ValidationError:
        pass
    raise errors.Stalled(Reason.AUDIT_TAMPERED, "is no proof of a record")


def check(proof: Proof) -> Record:
    """Return the record that a proof proves to be in the log of its head.

    Raises:
        errors.Stalled: ``AuditTampered``: it does not.
    """
    record = parse(proof.record)
    hashed = merkle.leaf(proof.record.encode())
    root = merkle.root_from(hashed, proof.seq, proof.head.size, [bytes.fromhex(each) for each in proof.path])
    if (record.log, record.seq) != (proof.head.log, proof.seq):
        raise errors.Stalled(Reason.AUDIT_TAMPERED, "speaks of another record than it shows")
    if root is None or root.hex() != proof.head.root:
        raise errors.Stalled(Reason.AUDIT_TAMPERED, "does not lead from the record to the head")
    if proof.head.key != heads.key_id(proof.public_key) or not heads.is_signed(proof.head, proof.public_key):
        raise errors.Stalled(Reason.AUDIT_TAMPERED, "has a head that its key has not signed")
    return record
