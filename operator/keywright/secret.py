"""``SecretValue``: a value that does not get out by accident, and its keyed fingerprint.

Above ``stores`` and ``issuers`` no signature carries a secret as ``str`` or ``bytes``. ``reveal()`` is for the few
places that must hand the bytes on: stores, issuers, the Secret writer, the renderer. A test counts them.

Limits: Python does not wipe memory. Who can read the memory of the process, or poke at closures, has the values.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, NoReturn, final


def _refuse(what: str) -> Callable[..., NoReturn]:
    def method(*_: object, **__: object) -> NoReturn:
        raise TypeError(f"a SecretValue cannot be {what}")

    return method


@final
class SecretValue:
    """A secret: opaque bytes that cannot be printed, logged, pickled, hashed, measured, iterated or JSON-dumped.

    Equality is in constant time. Two values that come from outside are compared by ``==`` or by fingerprint only.
    """

    __slots__ = ("_read",)

    def __init__(self, value: bytes | str) -> None:
        data = _encoded(value) if isinstance(value, str) else bytes(value)
        self._read: Final[Callable[[], bytes]] = lambda: data

    def reveal(self) -> bytes:
        """Return the bytes. Keep them in as few lines as possible; never put them into an exception or a log."""
        return self._read()

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self._read())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretValue) and hmac.compare_digest(self._read(), other._read())

    def __repr__(self) -> str:
        return "<SecretValue>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<SecretValue>"

    __hash__ = None  # type: ignore[assignment]
    __bytes__ = _refuse("turned into bytes; use reveal()")
    __len__ = _refuse("measured")
    __iter__ = _refuse("iterated")
    __getitem__ = _refuse("indexed")
    __reduce_ex__ = _refuse("pickled or copied")
    __getstate__ = _refuse("pickled or copied")
    __copy__ = _refuse("copied")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        raise TypeError("a SecretValue cannot be copied")


def _encoded(text: str) -> bytes:
    """Encode text; half a character, as JSON can hold one, is refused without the error that would carry the text."""
    with contextlib.suppress(UnicodeEncodeError):
        return text.encode()
    raise ValueError("a secret holds half a character: it is not text")


#: A credential's parts, or a Secret's entries, by name.
SecretMap = Mapping[str, SecretValue]


#: Bytes of a value that it has at least if it tells anything where it stands within a text.
LONG = 8


def tells(text: str, values: SecretMap, ids: AbstractSet[str] = frozenset()) -> bool:
    """Whether a text holds a secret of a credential: any of its values that is long enough, or else the longest.

    Args:
        ids: the parts that are said to name it, and are no secrets. One that is half as long again as all others is
            none: whoever says so has taken the secret for it.
    """
    held = {part: each.reveal() for part, each in values.items()}
    others = [each for part, each in held.items() if part not in ids]
    longest = max(map(len, others), default=0)
    others += [each for part, each in held.items() if part in ids and 2 * len(each) > 3 * longest]
    return any(len(each) >= min(LONG, longest or LONG) and each in text.encode() for each in others)


@final
class FingerprintKey:
    """The install's HMAC key: makes fingerprints that mean something only inside one install.

    Args:
        key_id: names the key in every fingerprint, so that a lost key is noticed instead of looking like drift.
        key: 32 random bytes.
    """

    __slots__ = ("_key", "key_id")

    def __init__(self, key_id: str, key: SecretValue) -> None:
        self.key_id = key_id
        self._key = key

    def fingerprint(self, owner: str, value: SecretValue) -> str:
        """Return ``<key id>:<20 hex digits>``, equal for equal values of one owner only.

        Args:
            owner: what the value belongs to (namespace/name and entry): equal values of two owners do not match.
        """
        digest = hmac.new(self._key.reveal(), _framed(owner.encode(), value.reveal()), hashlib.sha256)
        return f"{self.key_id}:{digest.hexdigest()[:20]}"

    def salt(self, owner: str, value: bytes) -> bytes:
        """Return 16 bytes that belong to a value of one owner: what is made with them is the same each time.

        Args:
            owner: what the value belongs to (namespace/name).
        """
        return hmac.new(self._key.reveal(), _framed(b"salt", owner.encode(), value), hashlib.sha256).digest()[:16]

    def of_entries(self, owner: str, entries: SecretMap) -> str:
        """Return one fingerprint over all entries of an object, independent of their order."""
        digest = hmac.new(self._key.reveal(), _framed(owner.encode()), hashlib.sha256)
        for name in sorted(entries):
            digest.update(_framed(name.encode(), entries[name].reveal()))
        return f"{self.key_id}:{digest.hexdigest()[:32]}"


def _framed(*parts: bytes) -> bytes:
    """Join the parts so that no two different lists give the same bytes: each is preceded by its length."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)
