"""A Merkle tree over records, as RFC 6962 (2.1) has it: one hash vouches for all, a short proof for one of them.

Does not belong here: what the leaves are (``chain``), who signs the root (``heads``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The tree of what was added so far: the roots of its full subtrees, largest first."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def copy(self) -> Tree:
        """Return the same tree once more."""
        other = Tree()
        other.size, other._peaks = self.size, list(self._peaks)
        return other

    def add(self, hashed: bytes) -> None:
        """Add the hash of a leaf."""
        carry = self.size
        self.size += 1
        while carry & 1:
            hashed = _node(self._peaks.pop(), hashed)
            carry >>= 1
        self._peaks.append(hashed)

    def root(self) -> bytes:
        """Return the hash of the whole tree."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        *others, root = self._peaks
        for each in reversed(others):
            root = _node(each, root)
        return root


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from a leaf to the root, from the bottom up (RFC 6962, 2.1.1).

    Args:
        leaves: hashes of all leaves.
        index: of the leaf that is to be proved.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise ValueError("no such leaf")
    if len(leaves) == 1:
        return []
    half = _split(len(leaves))
    if index < half:
        return [*path(leaves[:half], index), _root(leaves[half:])]
    return [*path(leaves[half:], index - half), _root(leaves[:half])]


def root_from(hashed: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Return the root to which a proof leads from a leaf (RFC 9162, 2.1.3.2); None if it is no proof."""
    first, last = index, size - 1
    if not 0 <= index < size:
        return None
    for each in proof:
        if last == 0:
            return None
        if first & 1 or first == last:
            hashed = _node(each, hashed)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            hashed = _node(hashed, each)
        first, last = first >> 1, last >> 1
    return hashed if last == 0 else None


def _root(leaves: Sequence[bytes]) -> bytes:
    tree = Tree()
    for each in leaves:
        tree.add(each)
    return tree.root()


def _split(size: int) -> int:
    """Return the largest power of two that is smaller."""
    return 1 << (size - 1).bit_length() - 1
