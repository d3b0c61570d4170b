"""The audit trail of a workstation: files of lines in one person's folder, each file one log, each act on the disk
before it is done.

Lines are only ever added, records and the head behind them in one write. What a crash has left behind the last whole
head is cut off, and that is recorded; whatever else does not fit is left as it is, and nothing is recorded behind it
until a person has looked.

Does not belong here: what is recorded when (``cli/``), whether all of a trail is whole (``verify``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import pathlib
import pwd
import re
import shlex
import socket
import time
from collections.abc import Iterator, Sequence

from .. import errors, private
from ..errors import Reason
from ..secret import SecretValue
from . import lines
from .chain import Batch, Chain
from .heads import Head, SigningKey, is_signed
from .record import Entry, Type, Who, parted
from .verify import Log, Problem, Verifier

#: Bytes from which on a file is full: what comes then begins a new log.
MAX_FILE = 1024 * 1024
#: Bytes of a file that are read: one that is nearly full takes one command's records.
_MAX_READ = 16 * 1024 * 1024
#: Bytes of the seed that signs heads.
_SEED = 32
_FILE = re.compile(r"[0-9]{6,9}\.jsonl")
_LOCK, _KEY, _BESIDE = "lock", "key", "new"

_MEND = "Mend that, or name another folder: KEYWRIGHT_AUDIT_FOLDER"


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    """The newest file, as it is.

    Attributes:
        whole: all up to the last head.
        records: the lines in it that are records.
        head: the last one.
        torn: what is behind it.
    """

    name: str
    whole: bytes
    records: Sequence[bytes]
    head: Head
    log: Log
    torn: bytes

    @property
    def number(self) -> int:
        """Number of the file."""
        return int(self.name.partition(".")[0])


class LocalTrail:
    """The audit trail in a folder, which is made if it is not there.

    Args:
        folder: absolute; its owner's alone, as all in it.
        limit: bytes from which on a file is full.
    """

    def __init__(self, folder: pathlib.Path, limit: int = MAX_FILE) -> None:
        self._folder, self._limit = folder, limit

    def record(self, *entries: Entry) -> None:
        """Record what is about to be done, or to be shown; it is on the disk when this returns.

        Raises:
            errors.Stalled: ``AuditTampered``: the newest log is not as it was written; ``AuditUnavailable``: nothing
                can be recorded for another reason. The trail is as it was.
        """
        parts = [part for entry in entries for part in parted(entry)]
        try:
            with private.told("cannot be written", Reason.AUDIT_UNAVAILABLE):
                self._record(parts)
            return
        except errors.Error as error:
            refused = error
        raise refused if refused.reason is Reason.AUDIT_TAMPERED else _unavailable(self._folder, refused)

    def _record(self, entries: Sequence[Entry]) -> None:
        _make(self._folder)
        with private.opened(self._folder, itself=True) as folder, private.locked(folder, _LOCK):
            kept = self._newest(folder)
            writer = _Writer(folder, self._signing_key(folder))
            if kept is None:
                writer.begin(1, None, "Started", entries)
            elif kept.log.public != writer.key.public:
                writer.follow(kept, "KeyReplaced", entries)
            elif kept.log.closed:
                writer.follow(kept, "Rotated", entries)
            elif len(kept.whole) >= self._limit:
                writer.follow(writer.close(kept), "Rotated", entries)
            else:
                writer.append(kept, entries)

    def _newest(self, folder: int) -> _Kept | None:
        found = files(self._folder)
        if not found:
            return None
        return _read(found[-1], _data(folder, found[-1], _MAX_READ))

    def _signing_key(self, folder: int) -> SigningKey:
        """Return what signs heads; one that is gone is replaced, and that is told where the next log begins."""
        path = self._folder / _KEY
        try:
            seed = _data(folder, path, _SEED)
        except FileNotFoundError:
            seed = os.urandom(_SEED)
            private.put(folder, _KEY, seed, _BESIDE)
        if len(seed) != _SEED:
            hint = (
                f"Move it away, and a new one is made, which the trail tells: mv {_quoted(path)} {_quoted(path)}.kept"
            )
            raise errors.Stalled(Reason.AUDIT_TAMPERED, f"{path} is not the key that it was: it has another size", hint)
        return SigningKey(SecretValue(seed))


class _Writer:
    """Writes while the lock is held.

    Args:
        folder: opened.
    """

    def __init__(self, folder: int, key: SigningKey) -> None:
        self._folder, self.key = folder, key
        self._who, self._at = person(), time.time()

    def begin(self, number: int, previous: Head | None, code: str, entries: Sequence[Entry]) -> None:
        """Begin a log, in a file of its own that is there as a whole or not at all."""
        chain = Chain(f"local-{number:06d}-{os.urandom(8).hex()}", 0, self.key)
        opened = Entry(type=Type.LOG_OPENED, code=code, who=self._who, previous=previous, public_key=self.key.public)
        private.put(self._folder, f"{number:06d}.jsonl", self._text(chain, [opened, *entries]), _BESIDE)

    def follow(self, kept: _Kept, code: str, entries: Sequence[Entry]) -> None:
        """Begin a log behind another one; what is torn at the end of that is cut off once this is told."""
        self.begin(kept.number + 1, kept.head, code, [*self._recovered(kept), *entries])
        if kept.torn:
            private.put(self._folder, kept.name, kept.whole, _BESIDE)

    def close(self, kept: _Kept) -> _Kept:
        """End a log; return it as it is then."""
        return self.append(kept, [Entry(type=Type.LOG_CLOSED, code="Rotated", who=self._who)])

    def append(self, kept: _Kept, entries: Sequence[Entry]) -> _Kept:
        """Add records to a log; return it as it is then."""
        chain = Chain.going_on(kept.log.name, 0, self.key, kept.records)
        text = self._text(chain, [*self._recovered(kept), *entries])
        if kept.torn:
            # In one step: there is no moment at which the end is cut off, and nothing tells of it.
            private.put(self._folder, kept.name, kept.whole + text, _BESIDE)
        else:
            self._add(kept, text)
        return dataclasses.replace(kept, whole=kept.whole + text, head=chain.head(), torn=b"")

    def _recovered(self, kept: _Kept) -> list[Entry]:
        """Return the record of what is cut off."""
        if not kept.torn:
            return []
        self._put_aside(kept)
        return [Entry(type=Type.LOG_RECOVERED, code="TornTail", who=self._who, count=len(kept.torn))]

    def _put_aside(self, kept: _Kept) -> None:
        """Keep what is cut off, beside the file: a person may want to see it."""
        there = set(os.listdir(self._folder))
        free = (name for number in itertools.count(1) if (name := f"{kept.name}.torn-{number}") not in there)
        private.put(self._folder, next(free), kept.torn, _BESIDE)

    def _text(self, chain: Chain, entries: Sequence[Entry]) -> bytes:
        """Return the lines of records and of the head behind them."""
        batch: Batch = chain.build([(entry, self._at) for entry in entries])
        chain.commit(batch)
        return b"".join(line + b"\n" for line in (*batch.lines, lines.head_line(batch.head)))

    def _add(self, kept: _Kept, text: bytes) -> None:
        file = os.open(kept.name, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder)
        try:
            private.write(file, text)
            os.fsync(file)
        except OSError:
            self._undo(kept, file)
            raise
        finally:
            os.close(file)

    def _undo(self, kept: _Kept, file: int) -> None:
        """Leave a file as it was; if that cannot be done either, the next one finds a torn end.

        After a sync that failed, what the machine holds of a file need not be what is on the disk, and the next sync
        may say nothing of that: a file made anew is both.
        """
        with contextlib.suppress(OSError):
            private.put(self._folder, kept.name, kept.whole, _BESIDE)
            return
        with contextlib.suppress(OSError):
            os.ftruncate(file, len(kept.whole))


def files(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the files of a trail, the oldest first; none if there is no folder.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        found = [each for each in os.listdir(folder) if _FILE.fullmatch(each)]
    except FileNotFoundError:
        return []
    return [folder / each for each in sorted(found, key=lambda name: int(name.partition(".")[0]))]


def lines_of(folder: pathlib.Path) -> Iterator[bytes]:
    """Yield all lines of a trail, as ``verify.Verifier`` takes them.

    Raises:
        OSError: a file cannot be read.
    """
    for path in files(folder):
        with path.open("rb") as file:
            for line in file:
                yield line.removesuffix(b"\n")


def person() -> Who:
    """Return who sits at this machine: the login name of whose process this is. Nobody vouches for it."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = ""
    host = _clean(socket.gethostname())[:200]
    return Who(kind="User", name=_clean(name)[:253] or str(uid), verified=False, instance=f"{host}:{os.getpid()}")


def _clean(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _data(folder: int, path: pathlib.Path, limit: int) -> bytes:
    """Return a file; errors name it."""
    try:
        return private.read(folder, path, limit)
    except errors.Error as error:
        refused = error.about(str(path))
    raise refused


def _read(path: pathlib.Path, data: bytes) -> _Kept:
    """Read the newest file; what a crash may leave at its end is told apart from everything else.

    Raises:
        errors.Stalled: ``AuditTampered``.
    """
    whole = data.split(b"\n")[:-1]
    # Where a page never reached the disk there are zeros, in what was written last; no line has any.
    torn = next((number for number, line in enumerate(whole) if b"\0" in line), len(whole))
    heads = [number for number, line in enumerate(whole) if lines.is_head(line)]
    sealed = max((number + 1 for number in heads if number < torn), default=0)
    verifier = Verifier()
    for line in whole[:torn]:
        verifier.take(line)
    verdict = verifier.verdict()
    wrong = [each for each in verdict.findings if each.problem is not Problem.UNSEALED]
    if wrong or len(data) > _MAX_READ or not sealed or len(verdict.logs) != 1:
        raise _tampered(path, str(wrong[0]) if wrong else "it does not hold one log")
    behind = [whole[number] for number in heads if number > torn]
    if behind[1:] or any(_is_whole(line, verdict.logs[0].public) for line in behind):
        # What a head vouches for is never cut off.
        raise _tampered(path, f"line {torn + 1} is damaged, and a whole head stands behind it")
    end = sum(len(line) + 1 for line in whole[:sealed])
    records = [line for line in whole[:sealed] if not lines.is_head(line)]
    head = lines.read_head(whole[sealed - 1])
    return _Kept(path.name, data[:end], records, head, verdict.logs[0], data[end:])


def _is_whole(line: bytes, public: str) -> bool:
    """Whether a line is a head that a key has signed."""
    try:
        return is_signed(lines.read_head(line), public)
    except ValueError:
        return False


def _tampered(path: pathlib.Path, said: str) -> errors.Stalled:
    folder = _quoted(path.parent)
    return errors.Stalled(
        Reason.AUDIT_TAMPERED,
        f"the audit trail is not as it was written, so nothing is recorded, shown or changed: {path}: {said}",
        "See what else is wrong: keywright audit verify --local; to begin a new trail, move this one away:"
        f" mv {folder} {folder}.kept",
    )


def _unavailable(folder: pathlib.Path, refused: errors.Error) -> errors.Stalled:
    said = refused.message if refused.message.startswith("/") else f"{folder} {refused.message}"
    message = f"nothing can be recorded, so nothing is shown or changed: {said}"
    own = refused.reason is Reason.FILE_REFUSED
    return errors.Stalled(Reason.AUDIT_UNAVAILABLE, message, refused.hint if own else _MEND)


def _make(folder: pathlib.Path) -> None:
    """Make the folder, and the one it is in, if they are not there."""
    for each in (folder.parent, folder):
        if not each.exists():
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(each.parent)


def _sync(folder: pathlib.Path) -> None:
    opened = os.open(folder, private.FOLDER)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _quoted(path: pathlib.Path) -> str:
    return shlex.quote(str(path))
