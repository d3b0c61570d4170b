"""Which key the Secrets have of everybody who reads it, and of whoever did so when it was last known.

Does not belong here: who reads it (``place``), what pods have (``engine/consumers.py``), what follows.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from ...decide.rotate.sight import Holds
from ...secret import FingerprintKey, SecretMap
from ...stores.base import Location
from ..journals import Kept
from ..queue import Key
from ..records import Record
from .place import Places, Reader

#: So many objects are looked at before others have their turn.
AT_ONCE = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """What one reader has."""

    reader: Reader
    which: Holds


@dataclasses.dataclass(frozen=True, slots=True)
class _Last:
    """What was last known of a reader: of what fingerprints its Secret was, and which key that meant to a rotation."""

    prints: frozenset[str]
    rotation: str
    which: Holds


class Holding:
    """Finds out.

    Args:
        as_written: whether an object's target is as it was written, as far as is known.
        is_bare: whether an object has no Secret, whatever its status tells.
    """

    def __init__(
        self,
        keys: FingerprintKey,
        places: Places,
        as_written: Callable[[Record], bool],
        is_bare: Callable[[Record], bool],
    ) -> None:
        self._keys, self._places, self._as_written, self._is_bare = keys, places, as_written, is_bare
        #: By the place, and the reader.
        self._last: dict[Location, dict[Key, _Last]] = {}

    def readers(self, where: Location, kept: Kept | None) -> set[Key]:
        """Return who reads a key, and who else has it, now or when that was looked at last."""
        sure, alike = self._places.reading(where)
        have = [each for each in alike if kept and self._by_value(each.record, kept)]
        return {each.record.key for each in (*sure, *have)} | self._last.get(where, {}).keys()

    async def of(self, where: Location, kept: Kept, store: Holds | None, version: str | None) -> list[Held]:
        """Return what all readers of a place have.

        Args:
            store: which key the store has there, and in which version.
        """
        # Who sleeps and has no Secret gets none before it reads anew.
        sure, alike = self._places.reading(where)
        readers = [each for each in sure if not (each.suspended and self._is_bare(each.record))]
        found = [Held(each, self._held(each.record, where, kept, store, version)) for each in readers]
        here = {each.record.key for each in readers}
        unsure = {each.record.key: each.record for each in alike} | {each.key: each for each in self._places.astray()}
        found += await self._unsure([each for key, each in unsure.items() if key not in here], where, kept)
        self._last[where] = {
            each.reader.record.key: _Last(_prints(_told(each.reader.record)), kept.journal.id, each.which)
            for each in found
        }
        return found

    async def _unsure(self, records: Sequence[Record], where: Location, kept: Kept) -> list[Held]:
        """Return what those have of which it is not known whether they read it; who has neither key, does not count."""
        found = []
        for number, record in enumerate(records, 1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            if which := self._astray(record, where, kept):
                found.append(Held(Reader(record, str(record.told_target.get("name"))), which))
            else:
                # There may be thousands.
                record.read_status = None
        return found

    def _held(self, record: Record, where: Location, kept: Kept, store: Holds | None, version: str | None) -> Holds:
        if not self._as_written(record):
            return Holds.OTHER
        if which := self._by_value(record, kept):
            return which
        # An expression or an encoding is between: what the store calls the version tells.
        named = self._places.entries(record, where)
        own = [each for each in _told(record) if named(each["key"]) and not each.get("fromDefault")]
        same = version is not None and {each.get("version") for each in own} == {version}
        return store if same and store else Holds.OTHER

    def _astray(self, record: Record, where: Location, kept: Kept) -> Holds | None:
        """Return which key a Secret has of which it is not known where its object reads; None where that is neither.

        Its value tells, or that nothing was written since it was known to have been read here.
        """
        if which := self._by_value(record, kept):
            return which
        last = self._last.get(where, {}).get(record.key)
        if last is None or last.prints != _prints(_told(record)):
            return None
        return last.which if last.rotation == kept.journal.id else Holds.OTHER

    def _by_value(self, record: Record, kept: Kept) -> Holds | None:
        told = _told(record)
        prints = _prints(told)
        for values, which in ((_without(kept.old, kept.new), Holds.OLD), (_without(kept.new, kept.old), Holds.NEW)):
            for each in told:
                owner = f"{record.key}/{each['key']}"
                if any(self._keys.fingerprint(owner, value) in prints for value in values.values()):
                    return which
        return None


def _told(record: Record) -> Sequence[dict[str, Any]]:
    """Return what a status tells of the entries that were written last."""
    return record.status_json().get("versions") or ()


def _prints(told: Sequence[dict[str, Any]]) -> frozenset[str]:
    return frozenset(each["fingerprint"] for each in told)


def _without(values: SecretMap, others: SecretMap) -> SecretMap:
    """Return the parts that differ."""
    return {part: value for part, value in values.items() if part not in others or others[part] != value}
