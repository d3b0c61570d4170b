"""Secrets looked into where nothing else tells what they have; and those that no status tells of.

A Secret is read once for each version of it, as long as the same keys are looked for.

Does not belong here: which those are, and what follows (``holding``).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet

from ... import cluster
from ...decide import marks, sync
from ...decide.rotate import held
from ...secret import FingerprintKey, SecretMap
from .. import target
from ..queue import Key
from ..records import Record

#: UID and version of a Secret.
Version = tuple[str, str]
#: Secrets that are read at the same time.
AT_ONCE = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Sought:
    """What is looked for.

    Attributes:
        key: which key rotates.
        old: what only the old key has, by part; empty where it is not known.
        new: the same of the new key.
        turn: names the rotation and how far it is: what was found before is looked for anew.
    """

    key: str
    old: SecretMap
    new: SecretMap
    turn: str

    def __bool__(self) -> bool:
        """Whether anything is looked for."""
        return bool(self.old or self.new)


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """What a Secret has.

    Attributes:
        found: None where there is no Secret.
        fingerprint: of the entries that are the object's.
    """

    found: held.Found | None
    fingerprint: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    turn: str
    version: Version | None
    read: Read


class Secrets:
    """Reads them.

    Args:
        get: reads a Secret by namespace and name; None if there is none.
        seen: the metadata of our Secrets.
        owned: names of the Secrets that say to belong to an object, or to have entries of one.
        records: all ApiKeySecrets.
    """

    def __init__(
        self,
        get: Callable[[str, str], Awaitable[cluster.Json | None]],
        keys: FingerprintKey,
        seen: Mapping[Key, sync.Seen],
        owned: Mapping[Key, AbstractSet[str]],
        records: Mapping[Key, Record],
    ) -> None:
        self._get, self._keys, self._seen, self._owned, self._records = get, keys, seen, owned, records
        #: By the key that rotates, and the Secret and whose it is.
        self._kept: dict[str, dict[tuple[Key, str], _Kept]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    def version(self, namespace: str, name: str) -> Version | None:
        """Return which Secret is there now, in which version; None if there is none of ours."""
        seen = self._seen.get(Key(namespace, name))
        return (seen.uid, seen.resource_version) if seen else None

    def names(self, owner: Key) -> AbstractSet[str]:
        """Return the Secrets that say to be an object's."""
        return self._owned.get(owner, frozenset())

    def left(self) -> list[tuple[Key, str]]:
        """Return the Secrets that say to be of an object, and that its status does not tell of: it is gone, or has
        another one by now; with whose they say to be.
        """
        found = []
        for owner, names in self._owned.items():
            record = self._records.get(owner)
            applied = record.applied if record and not record.leaving else None
            if applied and record and len(names) == 1 and record.ready and record.refreshed:
                # By far the most: it is the one that its status tells of.
                continue
            for name in names:
                seen = self._seen.get(Key(owner.namespace, name))
                if seen and not (applied and applied.uid == seen.uid):
                    found.append((owner, name))
        return found

    async def read(self, owner: Key, name: str, sought: Sought) -> Read:
        """Look for two keys in a Secret of an object.

        Raises:
            errors.Error: it cannot be read.
        """
        version, kept = self.version(owner.namespace, name), self._kept.setdefault(sought.key, {})
        known = kept.get((owner, name))
        if known is None or (known.turn, known.version) != (sought.turn, version):
            async with self._room:
                known = kept[owner, name] = _Kept(sought.turn, version, await self._look(owner, name, sought))
        return known.read

    def forget(self, sought: Sought) -> None:
        """Forget what was read for a key before."""
        kept = self._kept.get(sought.key, {})
        for each in [each for each, known in kept.items() if known.turn != sought.turn]:
            del kept[each]

    async def _look(self, owner: Key, name: str, sought: Sought) -> Read:
        secret = await self._get(owner.namespace, name)
        if secret is None:
            return Read(None)
        meta, manager = secret["metadata"], marks.field_manager(str(owner))
        entries, mine = target.entries_of(secret), marks.own_entries(meta.get("managedFields") or [], manager)
        says = target.seen(meta)
        if not mine and says.is_of(str(owner)):
            # Somebody else has made it anew, as from a backup.
            mine = entries.keys()
        own = {name: value for name, value in entries.items() if name in mine}
        old, new = held.are_in(sought.old, sought.new, entries)
        made_of = dict(says.made_of).get(manager)
        return Read(held.Found(old, new, bool(own)), target.fingerprint(self._keys, str(owner), own, made_of))
