"""One log while it is written: each record names the hash of the one before, and the head vouches for all.

The hash of a record is that of its leaf in the tree: SHA-256 of a zero byte and its canonical JSON.

Does not belong here: where records are kept (``writer``, ``local``).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from .. import canonical
from .heads import Head, SigningKey
from .merkle import Tree, leaf
from .record import NOTHING, Entry, dump


class Chain:
    """A log that grows. What is appended counts once it is ``commit``ted: until then it may be built again.

    Args:
        log: its name.
        epoch: the leader's term.
    """

    def __init__(self, log: str, epoch: int, key: SigningKey) -> None:
        self.log, self.epoch, self.key = log, epoch, key
        self._tree, self._prev = Tree(), NOTHING

    @classmethod
    def going_on(cls, log: str, epoch: int, key: SigningKey, lines: Sequence[bytes]) -> Chain:
        """Return a log that has these records already."""
        chain = cls(log, epoch, key)
        for line in lines:
            chain._take(line)
        return chain

    @property
    def size(self) -> int:
        """How many records it has."""
        return self._tree.size

    def head(self) -> Head:
        """Return the head over what is committed."""
        return self.key.sign(self.log, self._tree.size, self._tree.root())

    def build(self, entries: Sequence[tuple[Entry, float]]) -> Batch:
        """Return records made of entries, each with the Unix time at which it happened."""
        tree, prev, lines = self._tree.copy(), self._prev, []
        for entry, at in entries:
            place = {"v": 1, "log": self.log, "seq": tree.size, "time": stamp(at), "epoch": self.epoch, "prev": prev}
            line = canonical.data({**dump(entry), **place})
            hashed = leaf(line)
            tree.add(hashed)
            prev = hashed.hex()
            lines.append(line)
        return Batch(self._tree.size, lines, self.key.sign(self.log, tree.size, tree.root()), tree, prev)

    def commit(self, batch: Batch) -> None:
        """Take over what was built."""
        assert batch.first == self._tree.size  # noqa: S101 - one is built and committed at a time
        self._tree, self._prev = batch.tree, batch.prev

    def _take(self, line: bytes) -> None:
        hashed = leaf(line)
        self._tree.add(hashed)
        self._prev = hashed.hex()


class Batch:
    """Records that were built and are not committed yet.

    Attributes:
        first: number of the first one.
        lines: each as canonical JSON.
        head: the head with them.
    """

    __slots__ = ("first", "head", "lines", "prev", "tree")

    def __init__(self, first: int, lines: list[bytes], head: Head, tree: Tree, prev: str) -> None:
        self.first, self.lines, self.head, self.tree, self.prev = first, lines, head, tree, prev


def stamp(at: float) -> str:
    """Return a Unix time as records have it."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
