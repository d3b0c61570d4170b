"""Which entries of an object's Secret are made of a key in a store, as far as its spec and its status tell.

Does not belong here: where a key lies (``place``), what the entries hold of it (``holding``).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Mapping
from typing import Any

from ... import errors, kinds
from ...kinds import DataEntry, RemoteRef, StoreRef
from ...kinds.shapes import Shapes
from ...stores.base import Location
from ..records import Record
from .place import Places


class Made(enum.Enum):
    """What an entry is made of."""

    ELSE = enum.auto()
    """Nothing of the key."""
    PART = enum.auto()
    """Just a part of it, as it is."""
    SOMEHOW = enum.auto()
    """Something of it, or perhaps."""


@dataclasses.dataclass(frozen=True, slots=True)
class Making:
    """How an object makes its entries of one key.

    Attributes:
        spec: what it says; None where it says nothing that is valid.
        as_said: whether its Secret was last made to fit that.
        where: where the key lies.
        names: properties there that are its parts, None for all that is there; empty where it is not known.
        astray: whether it is not known where it read what it has: any place of that name may have been this one.
    """

    places: Places
    record: Record
    spec: kinds.ApiKeySecretSpec | None
    as_said: bool
    where: Location
    names: Collection[str | None]
    astray: bool = False

    @property
    def plain(self) -> bool:
        """Whether what is in its Secret, is in it as it came from the store."""
        if self.spec is None or not self.as_said:
            return False
        target = self.spec.target
        shaped = target.template or any(getattr(target, name) for name in Shapes.model_fields)
        chosen = any(each.decode != "None" or _expression(each) for each in self.spec.data)
        return not shaped and not chosen

    def of(self, told: Mapping[str, Any]) -> Made:
        """Return what an entry is made of that the status tells of."""
        if told.get("fromDefault"):
            return Made.ELSE
        if self.spec is None:
            return Made.SOMEHOW if self.astray else Made.ELSE
        if not self.as_said:
            return Made.SOMEHOW
        spec, name = self.spec, str(told["key"])
        entry = next((each for each in spec.data if each.key == name), None)
        if entry is None:
            # Which names an extract gives is not known.
            extracts = any(self._is_there(each.store_ref, each.extract.path) for each in spec.data_from)
            return Made.SOMEHOW if extracts else Made.ELSE
        if entry.remote_ref is None:
            return self._minted(spec, entry)
        # The status names the store of what did not come from the first place.
        places = [(each.store_ref, each.remote_ref or entry.remote_ref) for each in entry.sources]
        asked = places if told.get("store") else [(entry.store_ref, entry.remote_ref)]
        made = {self._part(spec, entry, remote) for ref, remote in asked if self._is_there(ref, remote.path)}
        return max(made, key=lambda each: each.value, default=Made.ELSE)

    def _is_there(self, ref: StoreRef | None, path: str) -> bool:
        if self.astray:
            return self.where.name in path
        default = self.spec.store_ref if self.spec else None
        found = self.places.leads(self.record, ref or default, path)
        return found is not None and found.may_be(self.where)

    def _minted(self, spec: kinds.ApiKeySecretSpec, entry: DataEntry) -> Made:
        credential, part = spec.minted.get(entry.key, ("", ""))
        if not credential or self.places.minted(self.record, credential) != self.where:
            return Made.ELSE
        return Made.PART if part in self.names and not _trimmed(spec, entry) else Made.SOMEHOW

    def _part(self, spec: kinds.ApiKeySecretSpec, entry: DataEntry, remote: RemoteRef) -> Made:
        """Return what one makes of the key who reads it there."""
        name = remote.property
        if remote.jmes_path or not self.names:
            return Made.SOMEHOW
        if name in self.names:
            return Made.PART if entry.decode == "None" and not _trimmed(spec, entry) else Made.SOMEHOW
        if name is None or None in self.names:
            return Made.SOMEHOW
        # A map may hold a part, or a part be a map.
        near = (f"{each}." for each in self.names)
        return Made.SOMEHOW if any(name.startswith(each) or each.startswith(f"{name}.") for each in near) else Made.ELSE


def making(places: Places, record: Record, where: Location, names: Collection[str | None]) -> Making:
    """Return how an object makes its entries of a key.

    Args:
        names: see ``Making``.
    """
    try:
        spec = record.newest_spec()
    except errors.Stalled:
        spec = None
    return Making(places, record, spec, _is_as_said(record), where, names)


def astray(places: Places, record: Record, where: Location, names: Collection[str | None]) -> Making | None:
    """Return how an object made its entries that may have read the key; None where it has read nothing of that name.

    Args:
        names: see ``Making``.
    """
    # There may be thousands: few of them need to be parsed.
    if _is_as_said(record) and where.name not in record.reads:
        return None
    return dataclasses.replace(making(places, record, where, names), astray=True)


def _is_as_said(record: Record) -> bool:
    return bool(record.told_target.get("generation") == record.generation)


def _expression(entry: DataEntry) -> bool:
    refs = (entry.remote_ref, *(each.remote_ref for each in entry.sources))
    return any(each is not None and each.jmes_path for each in refs)


def _trimmed(spec: kinds.ApiKeySecretSpec, entry: DataEntry) -> bool:
    """Whether white space is taken off an entry."""
    return any(each.check.trim and entry.key in each.parts.values() for each in spec.credentials)
