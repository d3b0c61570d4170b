"""Kubernetes Events (events.k8s.io/v1) for people, with series: a repeated Event is counted, not written again.

The record that a security team trusts is the audit trail; Events are its readable mirror, live an hour, and their loss
harms nobody. Rules of the fields: kubernetes ``pkg/apis/core/validation/events.go``; of series: client-go
``tools/events/event_broadcaster.go``.

Does not belong here: when to say something (``decide/report.py`` names the transitions).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import datetime
import enum
import hashlib
import time
from typing import Any, Literal

from . import cluster, errors, metrics

CONTROLLER = "keywright.dev/operator"

#: A series ends when nothing was added for so many seconds; its count is written so often at most.
SERIES_END, SERIES_REFRESH = 360.0, 1800.0
#: Series that are remembered; the oldest is forgotten first, and would start as a new Event.
SERIES_KEPT = 10_000
#: Events written at the same time, and tries of one.
WRITERS, TRIES = 4, 12
#: Tries of an Event that is waited for.
ONCE_TRIES = 3


class EventReason(enum.StrEnum):
    """What an Event says has happened. The list is closed."""

    CREATED = "Created"
    """The target Secret was created."""
    UPDATED = "Updated"
    """The target Secret was updated: a store or the object said something new."""
    REPAIRED = "Repaired"
    """Somebody had changed or deleted the target Secret; it is as it should be again."""
    DELETED = "Deleted"
    """The object, or a target Secret it no longer names, is gone."""
    REFUSED = "Refused"
    """A person must change something before the object, or one of its sources, can be in order."""
    FAILED = "Failed"
    """Something outside is in trouble; it is tried again."""
    RECOVERED = "Recovered"
    """What was refused or failed is in order again."""
    KEY_WARNING = "KeyWarning"
    """A check of a key that is written found something."""
    PREVIOUS_VERSION = "PreviousVersion"
    """An earlier version of a key is written than the store's newest, because that fails its check."""
    EXPIRING_SOON = "ExpiringSoon"
    """A key ends soon: said once for each time that `warnBeforeExpiry` names."""
    EXPIRED = "Expired"
    """A key has ended."""
    AUDIT_UNAVAILABLE = "AuditUnavailable"
    """Nothing can be recorded in the audit trail. On the operator's Lease."""
    AUDIT_NEARLY_FULL = "AuditNearlyFull"
    """The audit trail has little room left. On the operator's Lease."""
    AUDIT_RESTORED = "AuditRestored"
    """Records are written to the audit trail again. On the operator's Lease."""
    RESTART_STARTED = "RestartStarted"
    """The target Secret has changed: those who use it are being restarted; the note says whom."""
    RESTART_WAITS = "RestartWaits"
    """The target Secret has changed: those who use it are restarted when `rollout.window` opens; the note says when."""
    RESTARTED = "Restarted"
    """All of them are ready again."""
    RESTART_FAILED = "RestartFailed"
    """One of them is not ready, or may not be restarted: no other is restarted. The note says which, and why."""
    ROTATION_STARTED = "RotationStarted"
    """A credential gets a new key; the note says why."""
    KEY_STORED = "KeyStored"
    """The new key was made, has passed its tests where its issuer can be asked, and is in the store."""
    KEY_ADOPTED = "KeyAdopted"
    """Every Secret has the new key, and everybody uses it, or is not waited for; the old key works until the overlap is
    over."""
    ROTATED = "Rotated"
    """A rotation has ended: the old key is dead, or is owed to be."""
    ROLLING_BACK = "RollingBack"
    """A rotation turns back; the note says why."""
    ROLLED_BACK = "RolledBack"
    """A rotation has turned back: the old key is in place."""
    ROTATION_WAITS = "RotationWaits"
    """A rotation waits for a person; the note says for what."""
    ACTION_DONE = "ActionDone"
    """What a KeyAction asks for is done; the note says who asked, and why."""
    ACTION_FAILED = "ActionFailed"
    """What a KeyAction asks for is not done and will not be; the note says who asked, and what is in the way."""


@dataclasses.dataclass(frozen=True, slots=True)
class Regarding:
    """The object that an Event is about."""

    kind: str
    namespace: str | None
    name: str
    uid: str
    api_version: str = "keywright.dev/v1alpha1"


@dataclasses.dataclass(slots=True)
class _Series:
    event: str
    namespace: str
    count: int
    last: float
    written_at: float
    written_count: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Said:
    regarding: Regarding
    reason: EventReason
    kind: Literal["Normal", "Warning"]
    action: str
    note: str
    about: str
    at: datetime.datetime


class Recorder:
    """Writes Events in the background; what is said is never waited for.

    Args:
        api: connection to the cluster.
        instance: name of this replica.
    """

    def __init__(self, api: cluster.Cluster, instance: str) -> None:
        self._api, self._instance = api, instance[:128]
        self._said: asyncio.Queue[_Said] = asyncio.Queue()
        self._series: collections.OrderedDict[tuple[str, ...], _Series] = collections.OrderedDict()
        self._serial = time.time_ns()

    def say(self, regarding: Regarding, reason: EventReason, action: str, note: str, *, about: str = "") -> None:
        """Say that something happened to an object.

        Args:
            action: the machine's word for what was done: ``Sync``, ``Repair``, ``Delete``, ``Check``, ``Act``.
            note: one sentence for a person, without values.
            about: what tells this note from others of the same reason: they are no series.
        """
        self._said.put_nowait(_said(regarding, reason, action, note, about))

    async def once(self, regarding: Regarding, reason: EventReason, action: str, note: str, *, token: str) -> None:
        """Say that something happened, and return when that is written or given up; never twice for one token.

        Args:
            token: names what happened, for this process and for others: the Event is called after it.
        """
        said = _said(regarding, reason, action, note, token)
        mark = hashlib.sha256(f"{regarding.uid} {token}".encode()).hexdigest()[:16]
        await self._post(said, f"{_named(regarding)}.{mark}", regarding.namespace or "default", ONCE_TRIES)

    async def run(self) -> None:
        """Write what was said, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(WRITERS):
                tasks.create_task(self._write_all())
            tasks.create_task(self._finish_series())

    async def drain(self) -> None:
        """Return when everything said so far is written or given up."""
        await self._said.join()

    async def _write_all(self) -> None:
        while True:
            said = await self._said.get()
            try:
                await self._write(said)
            finally:
                self._said.task_done()

    async def _write(self, said: _Said) -> None:
        key = (
            said.kind,
            said.reason,
            said.action,
            said.about,
            said.regarding.uid,
            said.regarding.kind,
            said.regarding.name,
        )
        series = self._series.get(key)
        now = time.monotonic()
        if series and now - series.last < SERIES_END:
            series.count, series.last = series.count + 1, now
            self._series.move_to_end(key)
            if series.written_count == 1 or now - series.written_at > SERIES_REFRESH:
                await self._count(key, series)
            return
        name, namespace = self._name(said), said.regarding.namespace or "default"
        # Remembered before it is written, or a second one said meanwhile would not find it.
        self._series[key] = _Series(name, namespace, 1, now, now, 1)
        while len(self._series) > SERIES_KEPT:
            self._series.popitem(last=False)
        if not await self._post(said, name, namespace):
            self._series.pop(key, None)

    def _name(self, said: _Said) -> str:
        self._serial = max(self._serial + 1, time.time_ns())
        return f"{_named(said.regarding)}.{self._serial:x}"

    async def _post(self, said: _Said, name: str, namespace: str, tries: int = TRIES) -> bool:
        about = {"apiVersion": said.regarding.api_version, "kind": said.regarding.kind, "name": said.regarding.name}
        about |= {"uid": said.regarding.uid} if said.regarding.uid else {}
        about |= {"namespace": said.regarding.namespace} if said.regarding.namespace else {}
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": said.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": said.action,
            "reason": str(said.reason),
            "note": said.note,
            "type": said.kind,
            "regarding": about,
        }
        for attempt in range(tries):
            try:
                await self._api.call("POST", cluster.EVENTS, namespace, body=body, accept=cluster.METADATA)
            except cluster.Refused as refused:
                # 409: an earlier try arrived after all. Else no right, or a namespace that is going away: let it go.
                fate = "written" if refused.status == 409 else "refused"
                metrics.EVENTS.labels(said.reason, fate).inc()
                return refused.status == 409
            except errors.Error:
                await asyncio.sleep(min(30.0, 0.5 * 2**attempt))
            else:
                metrics.EVENTS.labels(said.reason, "written").inc()
                return True
        metrics.EVENTS.labels(said.reason, "lost").inc()
        return False

    async def _count(self, key: tuple[str, ...], series: _Series) -> None:
        """Write how often the Event of a series has happened."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body: dict[str, Any] = {"series": {"count": series.count, "lastObservedTime": now}}
        series.written_at, series.written_count = time.monotonic(), series.count
        try:
            await self._api.call(
                "PATCH", cluster.EVENTS, series.namespace, series.event, body=body, content_type=cluster.MERGE
            )
        except errors.Error:
            # Expired, or refused: the next one starts a new Event.
            self._series.pop(key, None)

    async def _finish_series(self) -> None:
        """Write the last count of series that have ended."""
        while True:
            await asyncio.sleep(SERIES_END / 6)
            now = time.monotonic()
            for key, series in list(self._series.items()):
                if now - series.last >= SERIES_END:
                    with contextlib.suppress(KeyError):
                        del self._series[key]
                    if series.count > series.written_count:
                        await self._count(key, series)


#: What an Event is that is not just news.
_WARNINGS = frozenset(
    {
        EventReason.REFUSED,
        EventReason.FAILED,
        EventReason.KEY_WARNING,
        EventReason.PREVIOUS_VERSION,
        EventReason.EXPIRING_SOON,
        EventReason.EXPIRED,
        EventReason.AUDIT_UNAVAILABLE,
        EventReason.AUDIT_NEARLY_FULL,
        EventReason.ACTION_FAILED,
        EventReason.RESTART_FAILED,
    }
)


def _said(regarding: Regarding, reason: EventReason, action: str, note: str, about: str) -> _Said:
    kind: Literal["Normal", "Warning"] = "Warning" if reason in _WARNINGS else "Normal"
    return _Said(regarding, reason, kind, action, _cut(note), about, datetime.datetime.now(datetime.UTC))


def _named(regarding: Regarding) -> str:
    """Return how the name of an Event about an object begins."""
    return regarding.name[:220].rstrip("-.")


def _cut(note: str) -> str:
    """Return a note as long as the API server takes it: 1 KiB in UTF-8."""
    return note.encode()[:1024].decode(errors="ignore")
