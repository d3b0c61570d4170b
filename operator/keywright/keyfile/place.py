"""The file itself: who may open it, how it is replaced, and files below a root that are only read.

A save leaves either the old file or the new one, whatever ends the process and whenever: the new one is written beside
it, synced, and renamed over it, and the folder is synced. The generation before stays beside it as ``<name>.previous``.

Does not belong here: what is in the file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pathlib
import shlex
import stat
from collections.abc import Iterator

from .. import errors
from ..errors import Reason

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: Rights of group and others, of which neither the file nor its folder may give any.
_OTHERS = 0o077


class Place:
    """Where a file is that belongs to one person: mode 0600, in a folder of mode 0700, both theirs.

    Args:
        limit: bytes that are read at most, and one more.
    """

    def __init__(self, path: pathlib.Path, limit: int) -> None:
        self.path, self._limit = path, limit

    def read(self) -> bytes | None:
        """Return the file; None if it is not there.

        Raises:
            errors.Stalled: ``FileRefused``: it, or its folder, is open to others, somebody else's, or a link.
        """
        with _told("cannot be read", Reason.FILE_REFUSED):
            try:
                with self._folder() as folder:
                    return self._read(folder)
            except FileNotFoundError:
                return None

    def swap(self, before: bytes | None, after: bytes, *, keep: bool = True) -> bool:
        """Replace the file if it still is what it was, durably; False if somebody else was faster.

        Args:
            before: what was read; None: there was nothing.
            keep: whether the generation before stays beside it; else none does.

        Raises:
            errors.Stalled: ``StoreReadOnly``: it cannot be written; ``FileRefused``.
        """
        with _told("cannot be written", Reason.STORE_READ_ONLY):
            if before is None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._folder() as folder, self._locked(folder):
                if self._read_if_there(folder) != before:
                    return False
                self._replace(folder, before, after, keep=keep)
                return True

    @property
    def previous(self) -> pathlib.Path:
        """Where the generation before is."""
        return self.path.with_name(f"{self.path.name}.previous")

    @contextlib.contextmanager
    def _folder(self) -> Iterator[int]:
        """Open the folder; it has to be its owner's alone, or anybody could put another file in place."""
        folder = os.open(self.path.parent, _FOLDER)
        try:
            _check_alone(os.fstat(folder), self.path.parent)
            yield folder
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _locked(self, folder: int) -> Iterator[None]:
        """Keep other writers out. The lock is a file of its own, because the file itself is replaced."""
        lock = os.open(f"{self.path.name}.lock", _LOCK, 0o600, dir_fd=folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read(self, folder: int) -> bytes:
        file = os.open(self.path.name, _READ, dir_fd=folder)
        try:
            _check_regular(found := os.fstat(file))
            _check_alone(found, self.path)
            return _whole(file, self._limit)
        finally:
            os.close(file)

    def _read_if_there(self, folder: int) -> bytes | None:
        try:
            return self._read(folder)
        except FileNotFoundError:
            return None

    def _replace(self, folder: int, before: bytes | None, after: bytes, *, keep: bool) -> None:
        """Put the previous generation aside, then the new one in place: at every moment there is a whole file."""
        if before is not None and keep:
            self._put(folder, self.previous.name, before)
        self._put(folder, self.path.name, after)
        if not keep:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.previous.name, dir_fd=folder)
            os.fsync(folder)

    def _put(self, folder: int, name: str, data: bytes) -> None:
        # One name does: who writes holds the lock, and what lies there was left by somebody who died.
        beside = f"{self.path.name}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=folder)
        file = os.open(beside, _MAKE, 0o600, dir_fd=folder)
        try:
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(file, left) :]
                os.fsync(file)
            finally:
                os.close(file)
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(beside, dir_fd=folder)
            raise
        os.fsync(folder)


def read_private(path: pathlib.Path, limit: int) -> bytes:
    """Return a file that only its owner may open, as a passphrase's has to be; its folder does not count.

    Raises:
        errors.Stalled: ``FileRefused``.
    """
    with _told("cannot be read", Reason.FILE_REFUSED):
        # A link is fine here: what it leads to is looked at.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check_regular(found := os.fstat(file))
            _check_alone(found, path)
            return _whole(file, limit)
        finally:
            os.close(file)


def read_below(root: str, path: str, limit: int) -> bytes:
    """Return a regular file below a folder, following no link on the way.

    Args:
        root: the folder, as whoever runs the process has named it.
        path: relative to it, in canonical form.

    Raises:
        errors.Stalled: ``FileRefused``.
    """
    *folders, name = path.split("/")
    if any(each in ("", ".", "..") or "\0" in each for each in (*folders, name)):
        said = "is not below the root: its path is absolute, or not in canonical form"
        raise errors.Stalled(Reason.FILE_REFUSED, said, "Write it relative to the root, like team-a/keys.kw")
    with _told("cannot be read", Reason.FILE_REFUSED), contextlib.ExitStack() as opened:
        at = os.open(root, _FOLDER)
        opened.callback(os.close, at)
        for each in folders:
            at = os.open(each, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
            opened.callback(os.close, at)
        file = os.open(name, _READ, dir_fd=at)
        opened.callback(os.close, file)
        _check_regular(os.fstat(file))
        return _whole(file, limit)


def _whole(file: int, limit: int) -> bytes:
    """Read a file to its end, or to one byte more than the limit."""
    parts, left = [], limit + 1
    while left and (part := os.read(file, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _check_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise errors.Stalled(Reason.FILE_REFUSED, "is no regular file", "Name a regular file")


def _check_alone(found: os.stat_result, path: pathlib.Path) -> None:
    """Refuse a file or folder that somebody else owns, or that others may open."""
    folder = stat.S_ISDIR(found.st_mode)
    subject = f"is in {path}, which" if folder else "is a file that"
    if found.st_uid != os.geteuid():
        raise errors.Stalled(Reason.FILE_REFUSED, f"{subject} belongs to somebody else", "Use a file of your own")
    if found.st_mode & _OTHERS:
        # Not to close the folder: it may be everybody's, as /tmp is.
        own = "Put it into a folder of its own that nobody else may open (mode 0700)"
        hint = own if folder else f"Close it: chmod 600 {shlex.quote(str(path))}"
        raise errors.Stalled(Reason.FILE_REFUSED, f"{subject} others may open", hint)


@contextlib.contextmanager
def _told(what: str, reason: Reason) -> Iterator[None]:
    """Turn a refusal of the machine into ours; the file's absence is an answer, where somebody asks for it."""

    def translate(foreign: Exception) -> errors.Error:
        if isinstance(foreign, OSError) and foreign.errno == errno.ELOOP:
            return errors.Stalled(reason, f"{what}: it is a symbolic link", "Name the file that the link leads to")
        if isinstance(foreign, OSError) and foreign.errno:
            return errors.Stalled(reason, f"{what}: {os.strerror(foreign.errno)}", "Check the file and its folder")
        return errors.Retry(Reason.INTERNAL_ERROR, what)

    with errors.boundary(translate):
        yield
