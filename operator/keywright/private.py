"""Files of one person: mode 0600, in a folder of mode 0700, both theirs; nobody else's is taken for one.

Folders are opened first, and files by their names in them, so that nothing is swapped on the way.

Does not belong here: what is in the files (``keyfile/``, ``audit/local.py``).
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

from . import errors
from .errors import Reason

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
#: Rights of group and others, of which neither a file nor its folder may give any.
_OTHERS = 0o077


@contextlib.contextmanager
def opened(path: pathlib.Path, *, itself: bool = False) -> Iterator[int]:
    """Open a folder; it has to be its owner's alone, or anybody could put another file in place.

    Args:
        itself: whether errors are about the folder, and not about a file in it.

    Raises:
        errors.Stalled: ``FileRefused``.
        OSError: it cannot be opened.
    """
    folder = os.open(path, FOLDER)
    try:
        check_alone(os.fstat(folder), path, itself=itself)
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def locked(folder: int, name: str) -> Iterator[None]:
    """Keep other writers out. The lock is a file of its own, because files are replaced."""
    lock = os.open(name, _LOCK, 0o600, dir_fd=folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


@contextlib.contextmanager
def claimed(folder: int, name: str) -> Iterator[None]:
    """Keep others out for longer than anybody would wait.

    Raises:
        BlockingIOError: somebody else does.
    """
    lock = os.open(name, _LOCK, 0o600, dir_fd=folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def read(folder: int, path: pathlib.Path, limit: int) -> bytes:
    """Return a file in a folder that is open, or one byte more of it than the limit.

    Raises:
        errors.Stalled: ``FileRefused``: it is no regular file, or not its owner's alone.
        OSError: it cannot be opened.
    """
    file = os.open(path.name, READ, dir_fd=folder)
    try:
        check_regular(found := os.fstat(file))
        check_alone(found, path)
        return whole(file, limit)
    finally:
        os.close(file)


def put(folder: int, name: str, data: bytes, beside: str) -> None:
    """Put a file in place, durably and in one step: whatever ends it, the old one is there, or the new one.

    Args:
        beside: name under which it is written first. One name does: who writes holds the lock, and what lies there was
            left by somebody who died.

    Raises:
        OSError: it cannot be written.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside, dir_fd=folder)
    file = os.open(beside, _MAKE, 0o600, dir_fd=folder)
    try:
        try:
            write(file, data)
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        raise
    os.fsync(folder)


def write(file: int, data: bytes) -> None:
    """Write all of it, in one call if the machine takes it.

    Raises:
        OSError: it does not.
    """
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def whole(file: int, limit: int) -> bytes:
    """Read a file to its end, or to one byte more than the limit."""
    parts, left = [], limit + 1
    while left and (part := os.read(file, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def check_regular(found: os.stat_result) -> None:
    """Refuse what is no file.

    Raises:
        errors.Stalled: ``FileRefused``.
    """
    if not stat.S_ISREG(found.st_mode):
        raise errors.Stalled(Reason.FILE_REFUSED, "is no regular file", "Name a regular file")


def check_alone(found: os.stat_result, path: pathlib.Path, *, itself: bool = True) -> None:
    """Refuse a file or folder that somebody else owns, or that others may open.

    Args:
        itself: whether the error is about it; of a folder it may be about a file in it.

    Raises:
        errors.Stalled: ``FileRefused``.
    """
    folder = stat.S_ISDIR(found.st_mode)
    what = "folder" if folder and itself else "file"
    subject = f"is a {what} that" if itself else f"is in {path}, which"
    if found.st_uid != os.geteuid():
        raise errors.Stalled(Reason.FILE_REFUSED, f"{subject} belongs to somebody else", f"Use a {what} of your own")
    if found.st_mode & _OTHERS:
        # Not to close the folder that a file is in: it may be everybody's, as /tmp is.
        own = "Put it into a folder of its own that nobody else may open (mode 0700)"
        hint = f"Close it: chmod {700 if folder else 600} {shlex.quote(str(path))}" if itself else own
        raise errors.Stalled(Reason.FILE_REFUSED, f"{subject} others may open", hint)


@contextlib.contextmanager
def told(what: str, reason: Reason) -> Iterator[None]:
    """Turn a refusal of the machine into ours.

    Args:
        what: what cannot be done, as a clause.
    """

    def translate(foreign: Exception) -> errors.Error:
        if isinstance(foreign, OSError) and foreign.errno == errno.ELOOP:
            return errors.Stalled(reason, f"{what}: it is a symbolic link", "Name the file that the link leads to")
        if isinstance(foreign, OSError) and foreign.errno:
            return errors.Stalled(reason, f"{what}: {os.strerror(foreign.errno)}", "Check the file and its folder")
        return errors.Retry(Reason.INTERNAL_ERROR, what)

    with errors.boundary(translate):
        yield
