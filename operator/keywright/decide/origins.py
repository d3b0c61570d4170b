"""Of which keys a target was made: an annotation on it, where its entries do not tell that by themselves.

What came out of an extract, or went into a shape or template, would else be known to the status alone, which may be
lost; and then nobody would see that the stores have less than before. Names and marks, no values.

Does not belong here: what follows from it (``engine/assemble.py``), other metadata (``marks``).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping

from .. import schema

#: Longest text (bytes): annotations of an object have 256 KiB together.
MAX_TEXT = 128 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where an extract had a key from.

    Attributes:
        place: names the key of a store that was extracted.
        property: the property of it, before it was renamed.
    """

    place: str
    property: str


def place(store: str, path: str, version: str | None, of: str | None) -> str:
    """Name a key of a store that is extracted, whatever else an extract says of it.

    Args:
        of: the property that is extracted.
    """
    said = json.dumps([store, path, version, of])
    return hashlib.sha256(said.encode()).hexdigest()[:10]


def written(names: Iterable[str], extracted: Mapping[str, Origin]) -> str:
    """Return the annotation's text; empty if it were too long."""
    told = {name: [extracted[name].place, extracted[name].property] if name in extracted else [] for name in names}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return text if len(text) <= MAX_TEXT else ""


def read(text: str) -> dict[str, Origin | None]:
    """Return the keys that a text names, and where extracts had them from; nothing if somebody has broken it."""
    try:
        told = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    return {name: _origin(of) for name, of in told.items() if schema.is_data_key(name)}


def _origin(of: object) -> Origin | None:
    match of:
        case [str(place), str(property_)]:
            return Origin(place, property_)
    return None
