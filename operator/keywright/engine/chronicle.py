"""What is recorded in the audit trail of what the engine does, and what of it the object's own status tells.

A record is kept before the status tells of the act: after a crash in between, the status still tells the old, and
versions that the Secret holds by then are found and recorded. Where nothing can be recorded, the status tells the act
without the place of a record, and the next leader records it. What no version tells of is not found again: a repair, or
a former Secret's removal, in the moment of a crash. The API server's own audit log has these.

Does not belong here: keeping records (``audit/``), status and Events (``reporter``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .. import errors, pacing
from ..audit.chain import stamp
from ..audit.record import FINGERPRINT, Credential, Entry, KeyChange, Object, Type, Version, Who, fitting
from ..audit.trail import Trail
from ..decide import history
from ..decide.history import Item
from ..errors import Reason
from ..events import EventReason
from .assemble import Gathered
from .catalog import StoreRecord
from .queue import Key
from .reconcile import Outcome
from .records import Record

#: A store, an issuer or the API server said no.
DENIED = frozenset({Reason.ACCESS_DENIED, Reason.AUTH_FAILED, Reason.KEY_INVALID, Reason.TARGET_DENIED})
#: A rule of this install said no.
AGAINST_RULES = frozenset(
    {
        Reason.ENDPOINT_FORBIDDEN,
        Reason.FORBIDDEN_NAMESPACE,
        Reason.FORBIDDEN_TYPE,
        Reason.NAMESPACE_NOT_SELECTED,
        Reason.PATH_OUTSIDE_PREFIX,
    }
)
#: Seconds in which repairs of one object are told as one.
TOGETHER = 60.0

#: Keys of an object that are named where it is refused.
ASKED = 20

#: What acts of a status are records of.
_LATE = {
    str(EventReason.REPAIRED): Type.SYNC_REPAIRED,
    str(EventReason.REFUSED): Type.SYNC_REFUSED,
    str(EventReason.DELETED): Type.SYNC_DELETED,
}
_WRITTEN = (EventReason.CREATED, EventReason.UPDATED)

Status = Mapping[str, Any]


class Chronicle:
    """Records what the engine does."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        #: What was told before this, another process has told.
        self._began = time.time()
        #: Repairs of the last minute, by the object's UID: since when, how many are not recorded yet, and of what.
        self._repairs: dict[str, tuple[float, int, Entry]] = {}

    @property
    def who(self) -> Who:
        """Whose acts these are: the operator's own."""
        return self._trail.who

    async def in_order(self, record: Record, outcome: Outcome, before: Status, credentials: Sequence[Status]) -> Item:
        """Record what was done for an object, and return what its status tells of that.

        Args:
            before: its status until now.
            credentials: its credentials, as the status is going to tell of them.
        """
        assert outcome.gathered  # noqa: S101 - only a suspended outcome has none
        done = {act for act, _ in outcome.acts}
        secret = record.spec_model().target_name(record.key.name)
        changes = _changes(outcome.gathered, outcome.fingerprints, before)
        entries, told = [], []
        if changes or done & set(_WRITTEN):
            code = next((each for each in _WRITTEN if each in done), None)
            keys = [each.key for each in changes]
            entries.append(self._about(record, Type.SYNC_WRITTEN, code or "Confirmed", secret=secret, keys=changes))
            told += [history.act(code, _now(), secret=secret, keys=keys)] if code else []
        if EventReason.REPAIRED in done and (repaired := self._repaired(record, secret)):
            entries.append(repaired)
            told.append(history.act(EventReason.REPAIRED, _now(), secret=secret))
        for former in outcome.removed:
            entries.append(self._about(record, Type.SYNC_DELETED, "Renamed", secret=former))
            told.append(history.act(EventReason.DELETED, _now(), secret=former))
        entries += self._verdicts(record, before.get("credentials") or [], credentials)
        return await self._kept(record, entries, told, before)

    async def refused(self, record: Record, error: errors.Error, before: Status, *, removed: bool) -> Item:
        """Record that what an object asks for is not done, and return what its status tells of that.

        Args:
            removed: its Secret was removed, as it wants it.
        """
        secret = str((before.get("target") or {}).get("name") or "")
        if removed:
            entry = self._about(record, Type.SYNC_DELETED, str(error.reason), secret=secret or None)
            told = history.act(EventReason.DELETED, _now(), reason=error.reason, secret=secret)
            return await self._kept(record, [entry], [told], before)
        if not is_told(error):
            return {"history": before["history"]} if before.get("history") else {}
        told = history.act(EventReason.REFUSED, _now(), reason=error.reason)
        asked = [] if error.reason is Reason.INVALID_SPEC else _asked(record)
        entry = self._about(record, _kind(error.reason), str(error.reason), keys=asked)
        return await self._kept(record, [entry], [told], before)

    async def checked(self, record: Record, before: Status, credentials: Sequence[Status]) -> None:
        """Record what checks say of an object's credentials of which there is nothing else to tell."""
        await self._trail.record(*self._verdicts(record, before.get("credentials") or [], credentials))

    def gone(self, record: Record, secret: str, *, kept: bool) -> None:
        """Record that an object was deleted."""
        code = "ObjectDeletedSecretKept" if kept else "ObjectDeleted"
        self._trail.note(self._about(record, Type.SYNC_DELETED, code, secret=secret))

    def withdrawn(self, owner: Key, secret: str) -> None:
        """Record that entries were taken out of a Secret, because the object that had them there is gone."""
        about = Object(kind="ApiKeySecret", namespace=owner.namespace, name=owner.name)
        entry = Entry(type=Type.SYNC_DELETED, code="Withdrawn", who=self.who, object=about, secret=secret)
        self._trail.note(entry)

    async def store(self, store: StoreRecord, error: errors.Error | None) -> None:
        """Record that a store denies access, or that a rule forbids it."""
        if error is not None and is_told(error):
            about = Object(
                kind=store.kind, namespace=store.namespace or None, name=store.name, uid=store.uid,
                generation=store.generation,
            )  # fmt: skip
            kind = _kind(error.reason)
            await self._trail.record(Entry(type=kind, code=str(error.reason), who=self.who, object=about))

    def is_behind(self, status: Status) -> bool:
        """Whether a status tells acts of another process, of which no record is known."""
        return self._trail.keeps and bool(self._unrecorded(status.get("history") or []))

    def _unrecorded(self, told: Sequence[Status]) -> list[Item]:
        since = pacing.rfc3339(self._began)
        return [each for each in history.unrecorded(told) if str(each.get("time")) < since]

    def sweep(self, *, everything: bool = False) -> None:
        """Record the repairs of a minute that is over, or of this one, too."""
        now = time.time()
        for uid, (since, count, entry) in list(self._repairs.items()):
            if everything or now - since >= TOGETHER:
                del self._repairs[uid]
                if count:
                    self._trail.note(entry.model_copy(update={"count": count, "since": stamp(since)}))

    # Parts.

    async def _kept(self, record: Record, entries: list[Entry], told: list[Item], before: Status) -> Item:
        """Record, and return the status's history."""
        past = list(before.get("history") or [])
        late = self._unrecorded(past) if self._trail.keeps and not self._trail.trouble else []
        entries += [self._late(record, each) for each in late]
        place = await self._trail.record(*entries)
        if late and place:
            past = [each | {"record": place} if each in late else each for each in past]
        told = history.with_acts(past, told, place)
        return {"history": told} if told else {}

    def _late(self, record: Record, item: Item) -> Entry:
        """Return the record of an act that was told and not recorded."""
        told = str(item.get("act"))
        kind = _LATE.get(told, Type.SYNC_WRITTEN)
        reason = next((each for each in Reason if each == item.get("reason")), None)
        if told == EventReason.REFUSED and reason:
            kind = _kind(reason)
        at = pacing.unix(str(item.get("time"))) or time.time()
        keys = [KeyChange(key=str(each)) for each in item.get("keys") or ()]
        secret = fitting(item.get("secret"), 253)
        return self._about(record, kind, str(reason or "Late"), secret=secret, since=stamp(at), keys=keys)

    def _repaired(self, record: Record, secret: str) -> Entry | None:
        """Return the record of a repair; None if it is told with others of this minute."""
        now = time.time()
        since, count, _ = self._repairs.get(record.uid, (0.0, 0, None))
        entry = self._about(record, Type.SYNC_REPAIRED, str(EventReason.REPAIRED), secret=secret)
        if now - since < TOGETHER:
            self._repairs[record.uid] = since, count + 1, entry
            return None
        self._repairs[record.uid] = now, 0, entry
        return entry.model_copy(update={"count": 1})

    def _verdicts(self, record: Record, before: Sequence[Status], after: Sequence[Status]) -> list[Entry]:
        """Return the records of verdicts that are news."""
        known = {each.get("name"): str(each.get("verdict")) for each in before}
        entries = []
        for each in after:
            old, new = known.get(each.get("name")), str(each.get("verdict"))
            if new not in (old, "NotChecked" if old is None else None):
                credential = Credential(name=str(each["name"]), issuer=each.get("issuer"), old=old, new=new)
                entries.append(self._about(record, Type.CHECK_VERDICT, new, credential=credential))
        return entries

    def _about(self, record: Record, kind: Type, code: str, **more: Any) -> Entry:
        about = Object(
            kind="ApiKeySecret",
            namespace=record.key.namespace,
            name=record.key.name,
            uid=record.uid,
            generation=record.working or record.generation,
        )
        keys = tuple(more.pop("keys", ())) or None
        return Entry(type=kind, code=code, who=self.who, object=about, keys=keys, **more)


def is_told(error: errors.Error) -> bool:
    """Whether an error is a refusal, which is recorded, or trouble that passes."""
    return isinstance(error, errors.Stalled) or error.reason in DENIED


def _kind(reason: Reason) -> Type:
    if reason in DENIED:
        return Type.ACCESS_DENIED
    return Type.POLICY_DENIED if reason in AGAINST_RULES else Type.SYNC_REFUSED


def _asked(record: Record) -> list[KeyChange]:
    """Return what an object asks for that is refused: its keys, and where they should come from."""
    spec = record.spec_model()
    entries = [(each.key, each.store_ref or spec.store_ref, each.remote_ref) for each in spec.data]
    # What is minted is in no store.
    named = [(key, ref if remote else None, remote.path if remote else None) for key, ref, remote in entries]
    named += [("*", each.store_ref or spec.store_ref, each.extract.path) for each in spec.data_from]
    return [
        KeyChange(key=key, store=fitting(f"{ref.kind}/{ref.name}" if ref else None), path=fitting(path))
        for key, ref, path in named[:ASKED]
    ]


def _changes(gathered: Gathered, fingerprints: Mapping[str, str], before: Status) -> tuple[KeyChange, ...]:
    """Return which keys the target holds in another version than the status told until now."""
    old = {each["key"]: each for each in before.get("versions") or []}
    changes = []
    for key, fingerprint in fingerprints.items():
        version = fitting(gathered.versions.get(key), 128)
        was = old.get(key) or {}
        if (was.get("version"), was.get("fingerprint")) != (version, fingerprint):
            use = gathered.places.get(key)
            store = gathered.fallbacks.get(key) or (use.record.title if use else None)
            path = use.ref.path if use and key not in gathered.fallbacks else None
            new = Version(version=version, fingerprint=fingerprint)
            told = {"store": fitting(store), "path": fitting(path)}
            changes.append(KeyChange(key=key, old=_version(was), new=new, **told))
    changes += [KeyChange(key=key, old=_version(old[key])) for key in old.keys() - fingerprints.keys()]
    return tuple(sorted(changes, key=lambda each: each.key))


def _version(told: Status) -> Version | None:
    """Return a version as a status tells it; anybody may have written that."""
    if not told:
        return None
    fingerprint = str(told.get("fingerprint"))
    known = fingerprint if re.fullmatch(FINGERPRINT.strip("^$"), fingerprint) else None
    return Version(version=fitting(told.get("version"), 128), fingerprint=known)


def _now() -> str:
    return pacing.rfc3339(time.time())
