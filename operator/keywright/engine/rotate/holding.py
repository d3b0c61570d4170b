"""Which key the Secrets have of everybody who reads it, of whoever did so when it was last known, and of who is gone.

Does not belong here: who reads it (``place``), which answer follows from what is known (``decide/rotate/held.py``),
what pods have (``engine/consumers.py``), what follows.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ... import errors
from ...decide.rotate import held, recipe
from ...decide.rotate.held import Entry, Evidence
from ...decide.rotate.journal import Step
from ...decide.rotate.sight import Has, Holds, Targets
from ...secret import FingerprintKey, SecretMap
from ...stores.base import Location
from .. import records
from ..journals import Kept
from ..queue import Key
from ..records import Record
from .made import Made, Making, astray, making
from .place import Places, Reader
from .secrets import Read, Secrets, Sought, Version

#: So many objects are looked at before others have their turn.
AT_ONCE = 100
#: Of so many places it is remembered who has neither key: there may be thousands of each.
REMEMBERED = 8
#: By what a Secret was seen to have neither key: the status that tells of it, its name and its version.
_State = tuple[bytes, str, Version | None]
#: When a key is about to end, so that it matters that no Secret at all has it, be its object gone.
ENDING = frozenset({Step.GRACE, Step.ROLLING_BACK})


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """What one Secret has.

    Attributes:
        owner: whose it is.
        reader: the same as it is now; None where it is gone, or has another Secret by now.
    """

    owner: Key
    secret: str
    which: Has
    reader: Reader | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Last:
    """What was last known of a Secret: of what fingerprints it was, and which key that meant to a rotation."""

    prints: frozenset[str]
    rotation: str
    which: Has


@dataclasses.dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of each Secret.

    Attributes:
        store: which key the store has, and in which version.
        names: properties that are parts of the key, as ``Making`` wants them.
        whole: whether all values of both keys are known.
        about: names the rotation, and what is known of the keys.
    """

    where: Location
    rotation: str
    store: Holds | None
    version: str | None
    sought: Sought
    names: frozenset[str | None]
    whole: bool
    about: str


@dataclasses.dataclass(slots=True)
class _Case:
    """One Secret that is asked about, and what its status tells now: that may be another one when it was looked into.

    Attributes:
        prints: fingerprints of its entries.
        whole: the fingerprint of all of them.
        last: what it was, where its status has told the same then.
        was: what it was looked at by, of one of which it is not known where it reads.
        read: what is in it; None where it was not looked into.
    """

    reader: Reader
    seen: Evidence
    prints: frozenset[str]
    whole: str | None
    last: _Last | None
    was: _State | None = None
    read: Read | None = None

    @property
    def which(self) -> Has:
        """Which key it has."""
        if self.read is None:
            return held.has(self.seen)
        if self.read.found is None:
            return Has.NOTHING
        return held.has(dataclasses.replace(self.seen, found=self.read.found, told=self.is_told))

    @property
    def is_told(self) -> bool:
        """Whether its status tells what is in it."""
        return self.seen.told or (self.read is not None and self.read.fingerprint == self.whole)

    @property
    def matters(self) -> bool:
        """Whether it has a key, or those who use it may have one."""
        if self.which is not Has.NOTHING:
            return True
        if self.was and not any(each.made for each in self.seen.entries):
            # It reads something else.
            return False
        if self.read is not None and self.read.found is None:
            # Who sleeps gets none before it reads anew.
            return not self.reader.suspended
        had = self.last is not None and self.last.which is not Has.NOTHING
        return self.seen.written and (had or not self.is_told)


class Holding:
    """Finds out.

    Args:
        as_written: whether an object's target is as it was written, as far as is known.
    """

    def __init__(
        self, keys: FingerprintKey, places: Places, secrets: Secrets, as_written: Callable[[Record], bool]
    ) -> None:
        self._keys, self._places, self._secrets, self._as_written = keys, places, secrets, as_written
        #: By the place, and the reader.
        self._last: dict[Location, dict[Key, _Last]] = {}
        #: Who was seen to have neither key of a rotation, and by what.
        self._without: dict[Location, tuple[str, dict[Key, _State]]] = {}

    def readers(self, where: Location, kept: Kept | None) -> set[Key]:
        """Return who reads a key, and who else has it, now or when that was looked at last."""
        sure, alike = self._places.reading(where)
        have = [each for each in alike if kept and self._has(each.record, kept)]
        return {each.record.key for each in (*sure, *have)} | self._last.get(where, {}).keys()

    def _has(self, record: Record, kept: Kept) -> bool:
        """Whether a status tells of one of the keys of a rotation, by its value."""
        keys = (_without(kept.old, kept.new), _without(kept.new, kept.old))
        return any(self._is(record, told, values) for told in _told(record) for values in keys)

    def _is(self, record: Record, told: Mapping[str, Any], values: SecretMap) -> bool:
        """Whether an entry that the status tells of is a part of a key."""
        owner = f"{record.key}/{told['key']}"
        return any(self._keys.fingerprint(owner, value) == told["fingerprint"] for value in values.values())

    async def of(self, where: Location, kept: Kept, store: Holds | None, version: str | None) -> list[Held]:
        """Return what the Secrets have of all readers of a place, and of all others that may have the key.

        Args:
            store: which key the store has there, and in which version.
        """
        asked = _question(where, kept, store, version)
        readers, alike = self._places.reading(where)
        here = {each.record.key for each in readers}
        cases = [self._reads(each, asked) for each in readers]
        unsure = {each.record.key: each.record for each in alike} | {each.key: each for each in self._places.astray()}
        cases += await self._astray([each for key, each in unsure.items() if key not in here], asked)
        if kept.old or kept.new:
            await asyncio.gather(*(self._look(each, asked.sought) for each in cases if each.which is Has.UNKNOWN))
        self._remember(cases, asked)
        cases = [each for each in cases if each.matters]
        found = [Held(each.reader.record.key, each.reader.secret, each.which, each.reader) for each in cases]
        if kept.journal.step in ENDING and not kept.journal.urgent:
            found += await self._left({(each.owner, each.secret) for each in found}, asked)
        self._secrets.forget(asked.sought)
        return found

    async def beside(self, where: Location, kept: Kept, stored: SecretMap, version: str | None) -> Targets:
        """Return how many Secrets of those who read a key have what the store has, and how many may have another one.

        It matters to a key that is owed, whose values nobody remembers: it is in no Secret of which each entry that is
        made of the store's key is told to be a part of what the store has now, or made of that version. So it is for
        what templates and expressions make of one, too.

        Args:
            stored: what the store has, and in which version.
        """
        nothing = Sought(f"{kept.about.key} owed", {}, {}, kept.journal.id)
        sought = dataclasses.replace(nothing, new=stored)
        asked = _Question(where, "", Holds.NEW, version, sought, _names(kept), whole=False, about="")
        cases = [self._reads(each, asked) for each in self._places.reading(where)[0]]
        # Whether its status tells what is in it now.
        await asyncio.gather(*(self._look(each, nothing) for each in cases if each.which is Has.UNKNOWN))
        self._secrets.forget(nothing)
        have = collections.Counter(each.which for each in cases)
        return Targets(new=have[Has.NEW], unknown=have[Has.UNKNOWN])

    def _remember(self, cases: Iterable[_Case], asked: _Question) -> None:
        """Remember what a Secret was when its status told of it."""
        before, last = self._last.get(asked.where, {}), dict[Key, _Last]()
        _, without = self._without.get(asked.where, ("", {}))
        for each in cases:
            record = each.reader.record
            if not each.matters:
                if each.was:
                    without[record.key], record.read_status = each.was, None
            elif each.is_told:
                last[record.key] = _Last(each.prints, asked.rotation, each.which)
            elif record.key in before:
                last[record.key] = before[record.key]
        self._last[asked.where] = last
        for key in last.keys() & without.keys():
            del without[key]

    def _reads(self, reader: Reader, asked: _Question) -> _Case:
        """Return what is known of an object that reads the key, or may."""
        record, told = reader.record, _told(reader.record)
        if record.told_target:
            reader = Reader(record, str(record.told_target.get("name")))
        made, last = making(self._places, record, asked.where, asked.names), self._was(record, asked)
        written = bool(record.told_target or record.applied or record.parsed or self._secrets.names(record.key))
        seen = Evidence(
            written=written,
            told=self._is_told(record),
            entries=tuple(self._entry(record, each, asked, made) for each in told),
            store=asked.store,
            before=_before(last, asked),
            plain=made.plain and asked.whole,
        )
        return _Case(reader, seen, _prints(record), record.told_target.get("fingerprint"), last)

    async def _astray(self, records: Iterable[Record], asked: _Question) -> list[_Case]:
        """Return what is known of those of which it is not known where they read; without those that have neither key.

        Its value tells, or that nothing was written since it was known to have been read here. What has the key within
        it, as all of a map has, no value tells: it is looked into.
        """
        found, (before, without) = [], self._without.get(asked.where, ("", {}))
        without = without if before == asked.about else {}
        self._without.pop(asked.where, None)
        self._without[asked.where] = asked.about, without
        if len(self._without) > REMEMBERED:
            del self._without[next(iter(self._without))]
        # There may be thousands.
        for number, record in enumerate([each for each in records if not self._is_as_it_was(each, without)], 1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            last, target = self._was(record, asked), record.told_target
            made = last or (astray(self._places, record, asked.where, asked.names) if asked.sought else None)
            secret = str(target.get("name") or next(iter(self._secrets.names(record.key)), ""))
            seen = Evidence(
                written=bool(secret),
                told=self._is_told(record),
                entries=tuple(self._entry(record, each, asked, made) for each in _told(record)),
                before=_before(last, asked),
                # Nothing else says that anything in it is made of the key.
                plain=last is None,
            )
            state = record.status, secret, self._secrets.version(record.key.namespace, secret)
            case = _Case(Reader(record, secret), seen, _prints(record), target.get("fingerprint"), last, state)
            if case.which is Has.NOTHING:
                without[record.key] = state
                record.read_status = None
            else:
                without.pop(record.key, None)
                found.append(case)
        return found

    def _is_as_it_was(self, record: Record, without: Mapping[Key, _State]) -> bool:
        """Whether nothing is new of one that had neither key."""
        status, secret, version = without.get(record.key, (b"", "", None))
        return status is record.status and version == self._secrets.version(record.key.namespace, secret)

    async def _look(self, case: _Case, sought: Sought) -> None:
        """Look into a Secret, if that can be done; of one that is worked on, its status tells in a moment."""
        if case.reader.record.parsed:
            return
        with contextlib.suppress(errors.Error):
            case.read = await self._secrets.read(case.reader.record.key, case.reader.secret, sought)

    async def _left(self, known: Collection[tuple[Key, str]], asked: _Question) -> list[Held]:
        """Return what those Secrets have that were kept when their objects went, or took another."""

        async def one(owner: Key, secret: str) -> Held | None:
            try:
                read = await self._secrets.read(owner, secret, asked.sought)
            except errors.Error:
                return Held(owner, secret, Has.UNKNOWN)
            if read.found is None:
                return None
            which = held.has(Evidence(found=read.found, plain=True))
            return Held(owner, secret, which) if which is not Has.NOTHING else None

        left = (each for each in self._secrets.left() if each not in known)
        return [each for each in await asyncio.gather(*(one(*each) for each in left)) if each]

    def _is_told(self, record: Record) -> bool:
        """Whether the status is about what the Secret has now, as far as its metadata tells."""
        told, known = records.applied(record.status_json()), record.applied
        # The Secret may be newer than the status, or be touched without another value.
        return bool(told and known and told.fingerprint == known.fingerprint) and self._as_written(record)

    def _was(self, record: Record, asked: _Question) -> _Last | None:
        """Return what a Secret was, if its status has told the same then."""
        last = self._last.get(asked.where, {}).get(record.key)
        return last if last and last.prints == _prints(record) else None

    def _entry(self, record: Record, told: Mapping[str, Any], asked: _Question, made: Making | _Last | None) -> Entry:
        """Return one entry as the status tells of it."""
        sought = asked.sought
        for values, which in ((sought.old, Has.OLD), (sought.new, Has.NEW)):
            if self._is(record, told, values):
                return Entry(which, made=True)
        how = made.of(told) if isinstance(made, Making) else Made.SOMEHOW if made else Made.ELSE
        comparable = asked.whole and told["fingerprint"].startswith(f"{self._keys.key_id}:")
        value = Has.NOTHING if how is Made.PART and comparable else Has.UNKNOWN
        current = asked.version is not None and told.get("version") == asked.version
        return Entry(value, made=how is not Made.ELSE, current=current and isinstance(made, Making) and not made.astray)


def _question(where: Location, kept: Kept, store: Holds | None, version: str | None) -> _Question:
    journal = kept.journal
    old, new = _without(kept.old, kept.new), _without(kept.new, kept.old)
    known = (bool(old) or journal.old is None) and (bool(new) or journal.new is None)
    about = f"{journal.id} {bool(old)} {bool(new)}"
    sought = Sought(kept.about.key, old, new, f"{about} {journal.step}")
    return _Question(where, journal.id, store, version, sought, _names(kept), bool(old or new) and known, about)


def _names(kept: Kept) -> frozenset[str | None]:
    """Return the properties that are parts of the key."""
    with contextlib.suppress(errors.Stalled):
        return frozenset(recipe.read(kept.about.recipe).properties.values())
    return frozenset()


def _before(last: _Last | None, asked: _Question) -> Has | None:
    """Return which key a Secret had; to another rotation it is one that it does not know."""
    return last.which if last and last.rotation == asked.rotation and last.which is not Has.UNKNOWN else None


def _told(record: Record) -> Sequence[dict[str, Any]]:
    """Return what a status tells of the entries that were written last."""
    return record.status_json().get("versions") or ()


def _prints(record: Record) -> frozenset[str]:
    return frozenset(each["fingerprint"] for each in _told(record))


def _without(values: SecretMap, others: SecretMap) -> SecretMap:
    """Return the parts that differ."""
    return {part: value for part, value in values.items() if part not in others or others[part] != value}
