"""What commands leave in this machine's audit trail: who read or changed which value, and no value.

It is written before a value is shown or a file is saved; where that cannot be, nothing is shown or saved. A save that
fails leaves a second record, with the same id.

Does not belong here: the files of the trail (``audit/local.py``), which command records what (its file).
"""

from __future__ import annotations

import contextlib
import enum
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import click

from .. import errors, settings
from ..errors import Reason

if TYPE_CHECKING:
    from ..audit.record import Entry, KeyChange, Object, Type, Version
    from ..engine.records import Record
    from ..keyfile.contents import Contents
    from ..keyfile.contents import Entry as Stored

#: Why a command that could not record says so: not because of the file or the object that it is about.
OURS = (Reason.AUDIT_UNAVAILABLE, Reason.AUDIT_TAMPERED)
#: Keys that one record names at most.
_MANY = 500


class Code(enum.StrEnum):
    """What came of it, in the records of commands; where stores were asked in vain, it is the reason."""

    REVEALED = "Revealed"
    """`get --reveal`: the value is shown."""
    PLANNED = "Planned"
    """`plan`: values were read and compared; none is shown."""
    CHECKED = "Checked"
    """`check`: the operator was asked to read and check them."""
    UNANSWERED = "Unanswered"
    """The same, and it had not answered when the command ended."""
    STORED = "Stored"
    """`store`."""
    DELETED = "Deleted"
    """`delete`."""
    REKEYED = "Rekeyed"
    """`rekey`; `count` tells how many entries."""
    FAILED = "Failed"
    """What the record with the same id tells ended in an error; as a rule nothing has changed."""
    OVERTAKEN = "Overtaken"
    """Somebody else was faster, so it was done anew; the next record tells."""


def record(*entries: Entry) -> None:
    """Write entries to the trail of this machine.

    Raises:
        errors.Stalled: ``AuditUnavailable``, ``AuditTampered``.
    """
    from ..audit.local import LocalTrail

    said = "there is no place for the audit trail by what HOME, XDG_DATA_HOME and KEYWRIGHT_AUDIT_FOLDER say"
    error = errors.Stalled(Reason.AUDIT_UNAVAILABLE, said, "Name a folder by its absolute path: KEYWRIGHT_AUDIT_FOLDER")
    with errors.boundary(lambda _: error):
        folder = settings.audit_folder()
    if not folder.is_absolute() or not str(folder).isprintable():
        raise error
    LocalTrail(folder).record(*entries)


def revealed(name: str, contents: Contents, entry: Stored) -> None:
    """Record that the value of an entry is about to be shown.

    Args:
        name: of the file.

    Raises:
        errors.Stalled: as ``record``.
    """
    from ..audit.record import Type

    record(_entry(Type.READ, Code.REVEALED, _file(name, contents), [_of_path(entry.path, new=_shown(contents, entry))]))


class Change:
    """A change of an encrypted file, from before it is saved until it is: use it as a context.

    Args:
        path: of the entry; None: all of them.
        name: of the file.
    """

    def __init__(self, code: Code, path: str | None, name: str) -> None:
        self._code, self._path, self._name = code, path, name
        self._open: Entry | None = None

    def begins(self, before: Contents, after: Contents | None = None) -> None:
        """Record what is about to be saved; what was recorded before was somebody else's to save.

        Raises:
            errors.Stalled: as ``record``.
        """
        from ..audit.record import Type

        self._ends(Code.OVERTAKEN)
        types = {Code.STORED: Type.STORED, Code.DELETED: Type.DELETED, Code.REKEYED: Type.REKEYED}
        keys = []
        if self._path and after:
            keys = [_of_path(self._path, _newest(before, self._path), _newest(after, self._path))]
        more = {"id": os.urandom(8).hex()} | ({} if self._path else {"count": len(before.newest)})
        entry = _entry(types[self._code], self._code, _file(self._name, before), keys, **more)
        record(entry)
        self._open = entry

    def _ends(self, code: Code) -> None:
        if self._open:
            entry, self._open = self._open, None
            record(entry.model_copy(update={"code": str(code)}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            return
        try:
            self._ends(Code.FAILED)
        except errors.Error:
            said = "the audit trail says that this was done; that it was not could not be recorded"
            click.echo(f"Warning: {said}.", err=True)


def of_rotation(name: str, contents: Contents, path: str, code: str, act: str) -> Entry:
    """Return the record that one thing is about to be done for the rotation of an entry.

    Args:
        name: of the file.
        code: what is done.
        act: id of what is done.
    """
    from ..audit.record import Type

    now = _newest(contents, path)
    # The same twice: with the old one alone, it would be one that is removed.
    keys = [_of_path(path, now, now)]
    return _entry(Type.ROTATION_INTENT, code, _file(name, contents), keys, id=act)


def came_of(entry: Entry, code: str, contents: Contents, path: str) -> Entry:
    """Return the record of what came of it: the same id, and what the entry holds now."""
    from ..audit.record import Type

    old = entry.keys[0].old if entry.keys else None
    keys = (_of_path(path, old, _newest(contents, path)),)
    return entry.model_copy(update={"type": Type.ROTATION_OUTCOME, "code": code, "keys": keys})


def of_debts(name: str, contents: Contents, path: str, codes: Sequence[str], *, done: bool) -> list[Entry]:
    """Return the records of clean-ups that are owed for an entry from now on, or no longer."""
    from ..audit.record import Type

    kind = Type.CLEANUP_DONE if done else Type.CLEANUP_OWED
    return [_entry(kind, code, _file(name, contents), [_of_path(path)]) for code in codes]


@contextlib.contextmanager
def reading(about: Record) -> Iterator[list[KeyChange]]:
    """Record that the stores of an ApiKeySecret were read here, when that has ended, in whichever way.

    Yields:
        where to put what was read; else what the object asks for is told.

    Raises:
        errors.Stalled: as ``record``.
    """
    found: list[KeyChange] = []
    code = str(Code.FAILED)
    try:
        yield found
        code = str(Code.PLANNED)
    except errors.Error as error:
        code = str(error.reason)
        raise
    finally:
        _record_read(code, about, found or _wanted(about))


def checked(namespace: str, name: str, item: Mapping[str, Any] | None) -> None:
    """Record that the operator was asked to read and check the values of an ApiKeySecret.

    Args:
        item: the object when that was done; None: it was not, so far.

    Raises:
        errors.Stalled: as ``record``.
    """
    if item is None:
        from ..audit.record import Type

        record(_entry(Type.READ, Code.UNANSWERED, _object(namespace, name)))
        return
    from ..engine import records

    about = records.read(dict(item))
    wanted = {each.key: each for each in _wanted(about)}
    keys = [
        wanted.get(each["key"], key_change(each["key"])).model_copy(
            update={"new": version(each.get("version"), each.get("fingerprint"))}
        )
        for each in (item.get("status") or {}).get("versions") or []
    ]
    _record_read(str(Code.CHECKED), about, keys or list(wanted.values()))


def key_change(key: str, store: str | None = None, path: str | None = None, new: Version | None = None) -> KeyChange:
    """Return what a record says of one key; text from outside is cut and cleaned as records need it."""
    from ..audit.record import KeyChange

    return KeyChange(key=_clean(key, 253) or "?", store=_clean(store, 1024), path=_clean(path, 1024), new=new)


def version(number: object, fingerprint: str | None = None) -> Version | None:
    """Return what a record says of a version; None where nothing is known of it."""
    from ..audit.record import Version

    return Version(version=_clean(str(number), 128), fingerprint=fingerprint) if number or fingerprint else None


def _entry(kind: Type, code: str, about: Object, keys: Sequence[KeyChange] = (), **more: Any) -> Entry:
    from ..audit.local import person
    from ..audit.record import Entry

    return Entry(type=kind, code=str(code), who=person(), object=about, keys=tuple(keys) or None, **more)


def _record_read(code: str, about: Record, keys: Sequence[KeyChange]) -> None:
    from ..audit.record import Type

    told = _object(about.key.namespace, about.key.name, about.uid, about.generation)
    secret = None
    with contextlib.suppress(errors.Stalled):
        secret = about.spec_model().target_name(about.key.name)
    starts = range(0, max(1, len(keys)), _MANY)
    record(*(_entry(Type.READ, code, told, keys[start : start + _MANY], secret=secret) for start in starts))


def _file(name: str, contents: Contents) -> Object:
    from ..audit.record import Object

    return Object(kind="EncryptedFile", name=_clean(name, 253) or "?", uid=contents.header.store_id)


def _object(namespace: str, name: str, uid: str | None = None, generation: int | None = None) -> Object:
    from ..audit.record import Object

    return Object(kind="ApiKeySecret", name=name, namespace=namespace, uid=uid or None, generation=generation)


def _of_path(path: str, old: Version | None = None, new: Version | None = None) -> KeyChange:
    """Return what a record says of an entry; a long path stands in a field of its own, as a whole."""
    from ..audit.record import KeyChange

    return KeyChange(key=path[:253], path=path if len(path) > 253 else None, old=old, new=new)


def _newest(contents: Contents, path: str) -> Version | None:
    with contextlib.suppress(errors.Stalled):
        return _shown(contents, contents.read(path))
    return None


def _shown(contents: Contents, entry: Stored) -> Version | None:
    return version(entry.version, contents.fingerprint(entry))


def _wanted(about: Record) -> list[KeyChange]:
    """Return what an object asks for; nothing where that cannot be read."""
    try:
        spec = about.spec_model()
    except errors.Stalled:
        return []

    def store(own: Any) -> str | None:
        ref = own or spec.store_ref
        return f"{ref.kind}/{ref.name}" if ref else None

    entries = [
        key_change(each.key, store(each.store_ref), each.remote_ref.path) if each.remote_ref else key_change(each.key)
        for each in spec.data
    ]
    extracts = enumerate(spec.data_from)
    return entries + [
        key_change(f"dataFrom[{number}]", store(each.store_ref), each.extract.path) for number, each in extracts
    ]


def _clean(text: str | None, limit: int) -> str | None:
    """Return a text as records have it, None if nothing is left."""
    return "".join(sign if sign.isprintable() else "?" for sign in text or "")[:limit] or None
