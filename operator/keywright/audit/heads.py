"""Heads: the signed line that vouches for all records of a log so far, and the key that signs it.

What is signed is the body of a C2SP checkpoint (https://c2sp.org/tlog-checkpoint): origin, size and root of the tree,
a line each. Kept outside the cluster, a head is a witness: who edits a record or cuts the log off cannot make one that
fits it.

Does not belong here: where heads go (``trail``), where the key is kept (``engine/installkeys.py``, ``local``).
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..secret import SecretValue
from .record import HeadPart

#: How a head begins where it is printed, and how a key does.
HEAD, KEY = "keywright-audit-head", "keywright-audit-key"
_HEAD_LINE = re.compile(
    rf"{HEAD} (?P<log>[a-z0-9][-a-z0-9]{{0,60}}[a-z0-9]) (?P<size>[0-9]{{1,15}}) (?P<root>[0-9a-f]{{64}})"
    r" (?P<key>[0-9a-f]{16}) (?P<signature>[A-Za-z0-9+/]{86}==)"
)
#: The same as the line of a file, see ``lines``.
_HEAD_JSON = re.compile(
    r'\{"head":\{"key":"(?P<key>[0-9a-f]{16})","log":"(?P<log>[a-z0-9][-a-z0-9]{0,60}[a-z0-9])",'
    r'"root":"(?P<root>[0-9a-f]{64})","signature":"(?P<signature>[A-Za-z0-9+/]{86}==)","size":(?P<size>[0-9]{1,15})\}\}'
)
_KEY_LINE = re.compile(rf"{KEY} (?P<id>[0-9a-f]{{16}}) (?P<public>[0-9a-f]{{64}})")
#: How one of the operator's own log records begins, and the last line of a trace: what is behind it may be anybody's.
_OWN_RECORD = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3} [A-Z]+ +\S+: |  [A-Z]\w*: ")
#: What each record of a trail has, also where a log pipeline has wrapped it up: names in it are anybody's too.
_OF_A_RECORD = re.compile(r'\\*"prev\\*":\\*"[0-9a-f]{64}\\*"')

Head = HeadPart


class SigningKey:
    """What signs the heads of a log.

    Args:
        seed: 32 random bytes.
    """

    __slots__ = ("_key", "id", "public")

    def __init__(self, seed: SecretValue) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed.reveal())
        #: The public key (hex), and its name.
        self.public = self._key.public_key().public_bytes_raw().hex()
        self.id = key_id(self.public)

    def sign(self, log: str, size: int, root: bytes) -> Head:
        """Return the head of a log of so many records."""
        signature = self._key.sign(_body(log, size, root.hex()))
        told = base64.b64encode(signature).decode()
        return Head(log=log, size=size, root=root.hex(), key=self.id, signature=told)


def key_id(public: str) -> str:
    """Return the name of a public key (hex); of what is none, a name that no key has."""
    try:
        return hashlib.sha256(bytes.fromhex(public)).hexdigest()[:16]
    except ValueError:
        return ""


@functools.lru_cache(maxsize=4096)
def is_signed(head: Head, public: str) -> bool:
    """Whether a head was signed with the private half of a key (hex)."""
    with contextlib.suppress(InvalidSignature, ValueError):
        signature = base64.b64decode(head.signature)
        _public_key(public).verify(signature, _body(head.log, head.size, head.root))
        # Base64 has several ways to write the same; only one of them was written.
        return base64.b64encode(signature).decode() == head.signature
    return False


@functools.lru_cache(maxsize=16)
def _public_key(public: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))


def _body(log: str, size: int, root: str) -> bytes:
    return f"keywright.dev/audit/{log}\n{size}\n{base64.b64encode(bytes.fromhex(root)).decode()}\n".encode()


def printed(head: Head) -> str:
    """Return a head as it is printed: one line."""
    return f"{HEAD} {head.log} {head.size} {head.root} {head.key} {head.signature}"


def printed_key(public: str) -> str:
    """Return a public key as it is printed: one line."""
    return f"{KEY} {key_id(public)} {public}"


def found_in(lines: Iterable[str]) -> Iterator[Head]:
    """Yield the heads in a text: what a cluster keeps of the operator's output, or lines of a file or an export.

    Nobody has looked yet who signed them: see ``signed``.
    """
    for line in lines:
        for match in (*_HEAD_LINE.finditer(line), *_HEAD_JSON.finditer(line)):
            if _is_printed(match):
                fields = {name: match[name] for name in ("log", "root", "key", "signature")}
                yield Head(size=int(match["size"]), **fields)


def keys_in(lines: Iterable[str]) -> Iterator[str]:
    """Yield the public keys in a text."""
    for line in lines:
        for match in _KEY_LINE.finditer(line):
            if key_id(match["public"]) == match["id"] and _is_printed(match):
                yield match["public"]


def signed(found: Iterable[Head], publics: Iterable[str]) -> list[Head]:
    """Return the heads that one of these public keys (hex) has signed: anybody can write what looks like one."""
    named = {key_id(public): public for public in publics}
    return [each for each in found if each.key in named and is_signed(each, named[each.key])]


def _is_printed(match: re.Match[str]) -> bool:
    """Whether something stands in a line of its own, at most behind what a log pipeline puts before each line."""
    line = match.string
    return not _OWN_RECORD.search(line, 0, match.start()) and not _OF_A_RECORD.search(line)
