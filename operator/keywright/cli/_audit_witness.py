"""What is known of an audit trail from elsewhere: the heads that the operator printed, and the keys to trust.

Does not belong here: what follows from it (``_audit_verify``, ``_audit_prove``).
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from .. import errors
from ..errors import Reason
from . import _audit_sources

if TYPE_CHECKING:
    from ..audit.heads import Head

_HEX = re.compile(r"[0-9a-f]{64}")
#: Bytes of a line of a witness that are looked at together.
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Witness:
    """What is known from elsewhere.

    Attributes:
        keys: that were told of beside heads.
        pinned: the only keys that may be trusted, if there are any.
    """

    heads: tuple[Head, ...]
    keys: frozenset[str]
    pinned: frozenset[str]


def witness(texts: tuple[str, ...], keys: tuple[str, ...]) -> Witness:
    """Pick heads and keys out of texts.

    Raises:
        errors.Stalled: one cannot be read, or holds neither.
    """
    found: dict[Head, None] = {}
    told: set[str] = set()
    for name in texts:
        heads, named = _picked(name)
        if not heads and not named:
            hint = "Give what the operator prints: kubectl logs, or what your log pipeline has kept of it"
            raise errors.Stalled(Reason.NOT_FOUND, f"{name} has no line keywright-audit-head in it", hint)
        found |= dict.fromkeys(heads)
        told |= named
    return Witness(tuple(found), frozenset(told), frozenset(map(_key, keys)))


def _picked(name: str) -> tuple[list[Head], set[str]]:
    from ..audit import heads

    found: list[Head] = []
    keys: set[str] = set()
    with _audit_sources.opened(name) as file:
        try:
            while line := file.readline(_CHUNK).decode(errors="replace"):
                found += heads.found_in([line])
                keys |= set(heads.keys_in([line]))
        except OSError as refused:
            raise _audit_sources.unreadable(name, refused) from None
    return found, keys


def _key(given: str) -> str:
    """Return a public key that is given, or is in a file: in hex, or as the operator prints it."""
    if _HEX.fullmatch(given):
        return given
    with _audit_sources.opened(given) as file:
        text = file.read(_CHUNK).decode(errors="replace").strip()
    from ..audit import heads

    keys = {text} if _HEX.fullmatch(text) else set(heads.keys_in(text.splitlines()))
    if len(keys) != 1:
        said = f"{given} holds {'several public keys' if keys else 'no public key'}"
        raise errors.Stalled(Reason.NOT_FOUND, said, "One is 64 hex digits, or a line keywright-audit-key")
    return keys.pop()
