"""The file itself: who may open it, how it is replaced, and files below a root that are only read.

A save leaves either the old file or the new one, whatever ends the process and whenever: the new one is written beside
it, synced, and renamed over it, and the folder is synced. The generation before stays beside it as ``<name>.previous``.

Does not belong here: what is in the file, whose a file is (``private``).
"""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

from .. import errors, private
from ..errors import Reason


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
        with private.told("cannot be read", Reason.FILE_REFUSED):
            try:
                with private.opened(self.path.parent) as folder:
                    return private.read(folder, self.path, self._limit)
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
        with private.told("cannot be written", Reason.STORE_READ_ONLY):
            if before is None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with private.opened(self.path.parent) as folder, private.locked(folder, f"{self.path.name}.lock"):
                if self._read_if_there(folder) != before:
                    return False
                self._replace(folder, before, after, keep=keep)
                return True

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep out whoever else wants to have keys of the file made anew; everything else goes on.

        Raises:
            errors.Retry: ``Conflict``: somebody else does that already.
            errors.Stalled: ``StoreReadOnly``, ``FileRefused``.
        """
        with contextlib.ExitStack() as held:
            with private.told("cannot be written", Reason.STORE_READ_ONLY):
                folder = held.enter_context(private.opened(self.path.parent))
                try:
                    held.enter_context(private.claimed(folder, f"{self.path.name}.rotation"))
                except BlockingIOError:
                    said = "has a key that is being rotated by another command just now"
                    raise errors.Retry(Reason.CONFLICT, said, "Wait until that has ended") from None
            yield

    @property
    def previous(self) -> pathlib.Path:
        """Where the generation before is."""
        return self.path.with_name(f"{self.path.name}.previous")

    def _read_if_there(self, folder: int) -> bytes | None:
        try:
            return private.read(folder, self.path, self._limit)
        except FileNotFoundError:
            return None

    def _replace(self, folder: int, before: bytes | None, after: bytes, *, keep: bool) -> None:
        """Put the previous generation aside, then the new one in place: at every moment there is a whole file."""
        beside = f"{self.path.name}.new"
        if before is not None and keep:
            private.put(folder, self.previous.name, before, beside)
        private.put(folder, self.path.name, after, beside)
        if not keep:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.previous.name, dir_fd=folder)
            os.fsync(folder)


def read_private(path: pathlib.Path, limit: int) -> bytes:
    """Return a file that only its owner may open, as a passphrase's has to be; its folder does not count.

    Raises:
        errors.Stalled: ``FileRefused``.
    """
    with private.told("cannot be read", Reason.FILE_REFUSED):
        # A link is fine here: what it leads to is looked at.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            private.check_regular(found := os.fstat(file))
            private.check_alone(found, path)
            return private.whole(file, limit)
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
    with private.told("cannot be read", Reason.FILE_REFUSED), _below(root, path) as (folder, name):
        return _regular(folder, name, limit)


def swap_below(root: str, path: str, before: bytes, after: bytes) -> bool:
    """Replace a regular file below a folder if it still is what it was, durably; False if somebody else was faster.

    The generation before stays beside it, as ``Place.swap`` leaves it.

    Args:
        root: the folder, as whoever runs the process has named it.
        path: relative to it, in canonical form.

    Raises:
        errors.Stalled: ``StoreReadOnly``: it cannot be written; ``FileRefused``.
    """
    with (
        private.told("cannot be written", Reason.STORE_READ_ONLY),
        _below(root, path) as (folder, name),
        private.locked(folder, f"{name}.lock"),
    ):
        if _regular(folder, name, len(before)) != before:
            return False
        private.put(folder, f"{name}.previous", before, f"{name}.new")
        private.put(folder, name, after, f"{name}.new")
        return True


@contextlib.contextmanager
def _below(root: str, path: str) -> Iterator[tuple[int, str]]:
    """Open the folder that a file below a root is in, following no link on the way; yield it and the file's name."""
    *folders, name = path.split("/")
    if any(each in ("", ".", "..") or "\0" in each for each in (*folders, name)):
        said = "is not below the root: its path is absolute, or not in canonical form"
        raise errors.Stalled(Reason.FILE_REFUSED, said, "Write it relative to the root, like team-a/keys.kw")
    with contextlib.ExitStack() as opened:
        at = os.open(root, private.FOLDER)
        opened.callback(os.close, at)
        for each in folders:
            at = os.open(each, private.FOLDER | os.O_NOFOLLOW, dir_fd=at)
            opened.callback(os.close, at)
        yield at, name


def _regular(folder: int, name: str, limit: int) -> bytes:
    """Return a regular file, or one byte more of it than the limit."""
    file = os.open(name, private.READ, dir_fd=folder)
    try:
        private.check_regular(os.fstat(file))
        return private.whole(file, limit)
    finally:
        os.close(file)
