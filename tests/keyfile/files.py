"""What the tests of the encrypted file share: a file at a place of its own, under a raw key, which costs no time."""

from __future__ import annotations

import hashlib
import pathlib
import textwrap

import pytest

from keywright import errors
from keywright.keyfile import keys, sealed
from keywright.keyfile.contents import Contents
from keywright.keyfile.edit import KeyFile
from keywright.keyfile.keys import Kdf, Master
from keywright.keyfile.place import Place
from keywright.secret import SecretValue

KEY = SecretValue(b"\x07" * 32)
CANARY = "kw-canary-6f1d2c9b4a"

#: Where a program of a test's own opens its file.
OPENING = textwrap.dedent(
    """
    import os, pathlib, signal, sys
    from keywright.keyfile.edit import KeyFile
    from keywright.keyfile.place import Place
    from keywright.secret import SecretValue
    from keywright.keyfile import sealed
    file = KeyFile(Place(pathlib.Path(sys.argv[1]), sealed.MAX_FILE), lambda _: SecretValue(bytes([7]) * 32))
    """
)


def master(kdf: Kdf) -> Master:
    return keys.derive(kdf, KEY)


def small(entries: int = 3) -> Contents:
    """Return contents with some entries of some versions."""
    kdf = Kdf.fresh("raw")
    made = Contents.new(kdf, master(kdf))
    for number in range(entries):
        made = made.put(f"llm/{number}", SecretValue(f"{CANARY}-{number}"), "text")
    return made


def opened(data: bytes) -> Contents:
    file = sealed.parse(data)
    return Contents.open(file, master(file.header.kdf))


def refused(data: bytes) -> errors.Error:
    """Return the error that opening a file raises, and whatever is in it."""
    with pytest.raises(errors.Stalled) as caught:
        opened(data)
    return caught.value


def summed(data: bytes) -> bytes:
    """Return a file with a checksum that fits."""
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


def at(path: pathlib.Path, secret: SecretValue = KEY) -> KeyFile:
    """Return the file at a place."""
    return KeyFile(Place(path, sealed.MAX_FILE), lambda _: secret)


def stored(file: KeyFile, path: str, value: str) -> Contents:
    """Store a text."""
    return file.update(lambda contents: contents.put(path, SecretValue(value), "text"))
