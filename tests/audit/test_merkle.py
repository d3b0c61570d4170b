"""The tree is that of RFC 6962, and so are its proofs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.audit import merkle

#: Leaves and roots that Certificate Transparency's own tests have.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def hashes(count: int) -> list[bytes]:
    return [merkle.leaf(str(number).encode()) for number in range(count)]


def root(leaves: list[bytes]) -> bytes:
    tree = merkle.Tree()
    for each in leaves:
        tree.add(each)
    return tree.root()


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.Tree().root() == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaves = [merkle.leaf(bytes.fromhex(each)) for each in LEAVES[:size]]

    assert root(leaves).hex() == ROOTS[size - 1]


@given(st.integers(1, 70), st.data())
def test_a_path_leads_from_its_leaf_to_the_root_and_from_no_other(size: int, data: st.DataObject) -> None:
    leaves = hashes(size)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.path(leaves, index)

    assert merkle.root_from(leaves[index], index, size, path) == root(leaves)
    for other in {index - 1, index + 1} & {*range(size)}:
        assert merkle.root_from(leaves[other], index, size, path) != root(leaves)
        assert merkle.root_from(leaves[index], other, size, path) != root(leaves)
    assert merkle.root_from(leaves[index], index, size, [*path, b"\0" * 32]) is None
    if path:
        assert merkle.root_from(leaves[index], index, size, path[:-1]) is None
        at = data.draw(st.integers(0, len(path) - 1))
        wrong = [each if number != at else hashlib.sha256(each).digest() for number, each in enumerate(path)]
        assert merkle.root_from(leaves[index], index, size, wrong) != root(leaves)


@pytest.mark.parametrize(("size", "index"), [(0, 0), (1, 1), (3, -1), (3, 3)])
def test_there_is_no_path_from_a_leaf_that_is_not_there(size: int, index: int) -> None:
    with pytest.raises(ValueError, match="no such leaf"):
        merkle.path(hashes(size), index)
    assert merkle.root_from(merkle.leaf(b""), index, size, []) is None


def test_a_copy_grows_apart() -> None:
    tree = merkle.Tree()
    tree.add(merkle.leaf(b"a"))
    other = tree.copy()
    other.add(merkle.leaf(b"b"))

    assert tree.size == 1
    assert tree.root() == merkle.leaf(b"a")
    assert other.root() == root([merkle.leaf(b"a"), merkle.leaf(b"b")])
