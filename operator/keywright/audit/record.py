"""One record: a closed schema, canonical JSON, no free text.

Every text in a record is a name out of the cluster or a store, a word of a closed list, or made here; none is what
somebody outside has said. Values leave a keyed fingerprint and nothing else.

Canonical is RFC 8785 as far as records need it: keys sorted, no white space, text as UTF-8, no fractions.

Does not belong here: how records hang together (``chain``), what is recorded when (``engine/``, ``cli/``).
"""

from __future__ import annotations

import enum
import re
from typing import Annotated, Any, Literal

import pydantic
from pydantic import alias_generators

from .. import canonical, errors
from ..errors import Reason
from ..schema import PRINTABLE_PATTERN

#: Bytes that a record may have; one that would have more is told in parts.
MAX_RECORD = 16 * 1024
#: ``prev`` of the first record of a log.
NOTHING = "0" * 64


class Type(enum.StrEnum):
    """What a record is about. The list is closed."""

    LOG_OPENED = "log.opened"
    """A log begins: with a leader's term, or because the one before was full or a day old. Names the one before."""
    LOG_CLOSED = "log.closed"
    """A log ends in order; nothing follows in it."""
    LOG_RECOVERED = "log.recovered"
    """The log before did not end in order; `count` tells how many of its intents were open. On a workstation: what a
    crash left behind the last whole record was cut off, `count` bytes."""
    RECORDS_LOST = "records.lost"
    """Nothing could be written for so long that `count` records were given up."""

    SYNC_WRITTEN = "sync.written"
    """A Secret was written; `keys` tells which versions it holds now, and which it held."""
    SYNC_REPAIRED = "sync.repaired"
    """A Secret that somebody had changed or deleted was put right; `count` times since `since`."""
    SYNC_DELETED = "sync.deleted"
    """A Secret, or the entries that an object had in it, was removed; or the object went."""
    SYNC_REFUSED = "sync.refused"
    """What an object asks for is not done, because a person must change something; `code` says why."""

    ACCESS_DENIED = "access.denied"
    """A store, an issuer or the API server denied access."""
    POLICY_DENIED = "policy.denied"
    """A rule of this install denied what an object asks for."""

    CHECK_VERDICT = "check.verdict"
    """A check of a credential says something else than before."""

    ACTION_INTENT = "action.intent"
    """A KeyAction is about to be carried out."""
    ACTION_OUTCOME = "action.outcome"
    """What came of it."""
    ROTATION_INTENT = "rotation.intent"
    """A step of a rotation is about to change an issuer or a store."""
    ROTATION_OUTCOME = "rotation.outcome"
    """What came of it."""
    CLEANUP_OWED = "cleanup.owed"
    """An outside clean-up could not be done yet."""
    CLEANUP_DONE = "cleanup.done"
    """One that was owed is done, or was given up by a person."""

    READ = "value.read"
    """A person saw a value, or had it read, through the command line."""
    STORED = "value.stored"
    """A person stored a value in an encrypted file."""
    DELETED = "value.deleted"
    """A person deleted an entry of an encrypted file."""
    REKEYED = "file.rekeyed"
    """A person sealed an encrypted file anew."""

    BREAK_GLASS = "breakglass.used"
    """Something was done although it could not be recorded before, as `auditMode: BestEffort` allows."""

    RESTART_INTENT = "restart.intent"
    """A workload is about to be restarted, because a Secret that it uses has changed."""
    RESTART_OUTCOME = "restart.outcome"
    """What came of it; whether the workload got ready is the cluster's to tell."""


#: What announces an act, and what tells how it ended; both carry the same ``id``.
INTENTS = frozenset({Type.ACTION_INTENT, Type.ROTATION_INTENT, Type.RESTART_INTENT})
OUTCOMES = frozenset({Type.ACTION_OUTCOME, Type.ROTATION_OUTCOME, Type.RESTART_OUTCOME})

Word = Annotated[str, pydantic.StringConstraints(pattern="^[A-Z][A-Za-z0-9]{0,62}$")]
Name = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=253, pattern=PRINTABLE_PATTERN)]
Text = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=1024, pattern=PRINTABLE_PATTERN)]
Id = Annotated[str, pydantic.StringConstraints(pattern="^[A-Za-z0-9][-A-Za-z0-9]{0,62}$")]
LogName = Annotated[str, pydantic.StringConstraints(pattern="^[a-z0-9][-a-z0-9]{0,60}[a-z0-9]$")]
Hash = Annotated[str, pydantic.StringConstraints(pattern="^[0-9a-f]{64}$")]
FINGERPRINT = "^[0-9a-zA-Z]{1,32}:[0-9a-f]{16,64}$"
Fingerprint = Annotated[str, pydantic.StringConstraints(pattern=FINGERPRINT)]
Number = Annotated[int, pydantic.Field(ge=0, le=2**53 - 1)]
Time = Annotated[
    str,
    pydantic.StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$"),
]


class Part(pydantic.BaseModel):
    """Base of every part of a record: strict, frozen, and closed: an unknown field is an error."""

    model_config = pydantic.ConfigDict(
        alias_generator=alias_generators.to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        extra="forbid",
        frozen=True,
    )


class Who(Part):
    """Whose act it was.

    Attributes:
        name: as the API server knows him, ``system:serviceaccount:keywright-system:keywright``; on a workstation the
            login name.
        verified: whether the API server vouches for it.
        instance: name of the process.
    """

    kind: Literal["ServiceAccount", "User", "Unknown"]
    name: Name
    verified: bool
    instance: Name | None = None


class Object(Part):
    """The object that it was done to or for."""

    kind: Word
    name: Name
    namespace: Name | None = None
    uid: Name | None = None
    generation: Number | None = None


class Version(Part):
    """A value, by what may be told of it.

    Attributes:
        version: the store's version of the key.
        fingerprint: keyed, with the id of its key in front; of one entry of one object.
    """

    version: (
        Annotated[str, pydantic.StringConstraints(min_length=1, max_length=128, pattern=PRINTABLE_PATTERN)] | None
    ) = None
    fingerprint: Fingerprint | None = None


class KeyChange(Part):
    """One entry of a Secret, or one of an encrypted file.

    Attributes:
        key: its name.
        store: where it comes from, ``ClusterKeyStore/vault``.
        path: path in the store.
        old: what was there; absent where nothing was.
        new: what is there now, or was read; absent where nothing is.
    """

    key: Name
    store: Text | None = None
    path: Text | None = None
    old: Version | None = None
    new: Version | None = None


class Credential(Part):
    """A credential and what is said of it: verdicts of checks."""

    name: Name
    issuer: Name | None = None
    old: Word | None = None
    new: Word | None = None


class Action(Part):
    """The KeyAction that asked for it."""

    name: Name
    uid: Name
    act: Word
    reason: Word | None = None
    reference: Annotated[str, pydantic.StringConstraints(pattern="^[-A-Za-z0-9/#]{1,40}$")] | None = None


class Piece(Part):
    """Which part of a record this is that would have been too long."""

    number: Number
    of: Number


class HeadPart(Part):
    """A head, see ``heads.Head``."""

    log: LogName
    size: Number
    root: Hash
    key: Id
    signature: Annotated[str, pydantic.StringConstraints(pattern="^[A-Za-z0-9+/]{86}==$")]


class Entry(Part):
    """What is to be recorded; its place in a log is added when it is written.

    Attributes:
        code: why, or what came of it; a word of a closed list.
        id: the same in an intent and in its outcome.
        secret: the target Secret.
        count: how many, where something is told once for many.
        since: when the first of these was.
        previous: the log before.
        generation: how many logs of the trail are before this one, each the one before of the next.
        public_key: of what signs this log's heads (Ed25519, hex).
    """

    type: Type
    code: Word
    who: Who
    id: Id | None = None
    object: Object | None = None
    secret: Name | None = None
    keys: Annotated[tuple[KeyChange, ...], pydantic.Field(max_length=500)] | None = None
    part: Piece | None = None
    credential: Credential | None = None
    action: Action | None = None
    count: Number | None = None
    since: Time | None = None
    previous: HeadPart | None = None
    generation: Number | None = None
    public_key: Hash | None = None


class Record(Entry):
    """An entry at its place.

    Attributes:
        seq: number in its log, from 0.
        epoch: the leader's term; 0 on a workstation.
        prev: hash of the record before, see ``chain``.
    """

    v: Literal[1]
    log: LogName
    seq: Number
    time: Time
    epoch: Number
    prev: Hash


def fitting(text: str | None, limit: int = 1024) -> str | None:
    """Return a text as a record may hold it: cut off, and with a question mark for what is not to be printed."""
    if not text:
        return None
    return "".join(sign if re.match(PRINTABLE_PATTERN, sign) else "?" for sign in text[:limit])


def dump(part: Part) -> dict[str, Any]:
    """Return a part as JSON has it, without what is absent."""
    return part.model_dump(mode="json", by_alias=True, exclude_none=True)


def parse(line: bytes | str) -> Record:
    """Read a record.

    Raises:
        errors.Stalled: ``AuditTampered``: it is none of this schema, or not canonical; its text is not repeated.
    """
    told = line if isinstance(line, bytes) else line.encode(errors="replace")
    try:
        record = Record.model_validate_json(told, strict=True, by_alias=True, by_name=False)
    except pydantic.ValidationError:
        record = None
    if record is not None and canonical.data(dump(record)) == told:
        return record
    raise errors.Stalled(Reason.AUDIT_TAMPERED, "is no record of this version's schema")


def parted(entry: Entry, limit: int = MAX_RECORD - 1024) -> tuple[Entry, ...]:
    """Return an entry as it is, or in parts where its keys would make it too long.

    Args:
        limit: bytes of a part; one that has a single key may be longer.
    """
    keys = entry.keys or ()
    if len(canonical.data(dump(entry))) <= limit or len(keys) < 2:
        return (entry,)
    bare = entry.model_copy(update={"keys": (), "part": Piece(number=len(keys), of=len(keys))})
    rest = len(canonical.data(dump(bare)))
    groups: list[list[KeyChange]] = [[]]
    size = rest
    for each in keys:
        length = len(canonical.data(dump(each))) + 1
        if groups[-1] and size + length > limit:
            groups.append([])
            size = rest
        groups[-1].append(each)
        size += length
    return tuple(
        entry.model_copy(update={"keys": tuple(group), "part": Piece(number=number, of=len(groups))})
        for number, group in enumerate(groups, 1)
    )
