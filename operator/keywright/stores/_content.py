"""What is written to a store as a whole, as each kind of store wants it: a map, a text, bytes.

Does not belong here: sending it (each store's file).
"""

from __future__ import annotations

import json
from typing import Any

from .. import canonical, errors
from ..errors import Reason
from ..secret import SecretValue
from .base import Content, Fetched


def as_map(content: Content, path: str) -> dict[str, Any]:
    """Return the map that it is.

    Raises:
        errors.Stalled: ``DecodeFailed``: it is none, or holds bytes that are no text.
    """
    if not isinstance(content, SecretValue):
        with errors.boundary(lambda _: _unfit(path, "holds bytes that are no text")):
            return {name: value.reveal().decode() for name, value in content.items()}
    found = None
    with errors.boundary(lambda _: _unfit(path, "is no JSON map")):
        found = json.loads(content.reveal())
    if not isinstance(found, dict):
        raise _unfit(path, "is no JSON map")
    return found


def as_value(content: Content, path: str) -> SecretValue:
    """Return it as one value, a map as JSON text; the same for the same content.

    Raises:
        errors.Stalled: ``DecodeFailed``: a map holds bytes that are no text.
    """
    if isinstance(content, SecretValue):
        return content
    return SecretValue(canonical.text(as_map(content, path)))


def is_map(content: Content) -> bool:
    """Whether it can be taken for a map."""
    try:
        as_map(content, "")
    except errors.Stalled:
        return False
    return True


def is_same(content: Content, held: Fetched, path: str) -> bool:
    """Whether a store holds it already. In a map, order and white space do not count."""
    if isinstance(content, SecretValue) and content == held.value:
        return True
    if not (held.is_map and is_map(content)):
        return as_value(content, path) == held.value
    return SecretValue(canonical.text(as_map(content, path))) == SecretValue(canonical.text(as_map(held.value, path)))


def _unfit(path: str, why: str) -> errors.Stalled:
    said = f"cannot be given what is meant for {path}: it {why}"
    return errors.Stalled(Reason.DECODE_FAILED, said, "Keep bytes as Base64 text, and text as a property of a map")
