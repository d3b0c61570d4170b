"""Tells of rotations: in the status of their objects, where they are a projection of the journals, and by Events.

Does not belong here: the wording (``decide/rotate/told.py``), the rest of the status (``reporter``).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from ... import cluster, errors, events, pacing
from ...decide import history, report
from ...decide.rotate import fate, told
from ...decide.rotate.journal import Journal, Step, Why
from ...decide.rotate.told import Tale
from ...events import EventReason
from .. import standing
from ..queue import Key
from ..records import Record

log = logging.getLogger(__name__)


class Telling:
    """Tells."""

    def __init__(self, api: cluster.Cluster, recorder: events.Recorder) -> None:
        self._api, self._recorder = api, recorder
        self._tales: dict[Key, dict[str, Tale]] = {}

    async def tell(self, record: Record, tale: Tale) -> None:
        """Write how the rotation of a credential is, where the status does not say so already.

        Raises:
            errors.Error: it could not be written.
        """
        self._tales.setdefault(record.key, {})[tale.credential] = tale
        await self._write(record)

    def note(self, key: Key, tale: Tale) -> None:
        """Take note of how the rotation of a credential is whose object is gone: there is no status to tell it."""
        self._tales.setdefault(key, {})[tale.credential] = tale

    async def forget(self, key: Key, credential: str, record: Record | None) -> None:
        """Tell no more of a credential."""
        tales = self._tales.get(key, {})
        tales.pop(credential, None)
        if not tales:
            self._tales.pop(key, None)
        if record:
            await self._write(record, without=credential)

    def step(self, record: Record | None, tale: Tale, before: Journal | None) -> None:
        """Say by an Event that a rotation has come to another step."""
        journal = tale.journal
        if record is None or journal is None or (before and before.step is journal.step):
            return
        reason, note = _event(journal, before, tale.error, tested=tale.tested)
        if reason:
            said = f"Credential {tale.credential}: {note}"
            self._recorder.say(record.regarding, reason, "Rotate", said, about=f"{journal.id} {journal.step}")

    def asks(self, record: Record, tale: Tale) -> None:
        """Say by an Event that a person has to do something."""
        about = f"{tale.journal.id if tale.journal else ''} {tale.why or (tale.error and tale.error.reason)}"
        self._recorder.say(record.regarding, EventReason.ROTATION_WAITS, "Rotate", tale.sentence(), about=about)
        if tale.behind and tale.why is Why.NOT_WRITTEN:
            # Others' objects have no place in the status of this one.
            said = "%s: rotation of %s waits for the Secrets of %s"
            log.warning(said, record.key, tale.credential, tale.behind.names())

    def waiting(self) -> int:
        """Return how many rotations wait for a person, as was told last."""
        return sum(tale.asks for tales in self._tales.values() for tale in tales.values())

    async def _write(self, record: Record, without: str = "") -> None:
        def after(item: cluster.Json | None) -> dict[str, Any] | None:
            if item is None or item["metadata"]["uid"] != record.uid:
                return None
            # Others tell meanwhile of credentials of the same object.
            return _after(item, item.get("status") or {}, self._tales.get(record.key, {}), without)

        meta = {"uid": record.uid, "resourceVersion": record.resource_version, "generation": record.generation}
        await standing.revise(self._api, record.key, after, {"metadata": meta, "status": record.status_json()})


def _after(item: cluster.Json, status: Mapping[str, Any], tales: Mapping[str, Tale], without: str) -> dict[str, Any]:
    """Return the status with what there is to tell now; of others nothing is known yet, so theirs stay."""
    known = {each["credential"]: each for each in status.get("rotations") or []}
    ended = [act for name, each in tales.items() if (act := _ended(each, known.get(name) or {}))]
    known.pop(without, None)
    known |= {name: told.status(each) for name, each in tales.items()}
    nexts = sorted(each["next"] for each in known.values() if each.get("next"))
    before = status.get("conditions") or []
    others = [each for each in before if each.get("type") != told.ROTATING]
    condition = told.condition(list(tales.values()))
    now = pacing.rfc3339(time.time())
    mine = report.merged(before, [condition], int(item["metadata"].get("generation", 1)), now) if condition else []
    after = {name: value for name, value in status.items() if name not in ("rotations", "nextRotation")}
    after["conditions"] = others + mine
    if known:
        after["rotations"] = [known[name] for name in sorted(known)]
    if nexts:
        after["nextRotation"] = nexts[0]
    return after | ({"history": history.with_acts(status.get("history") or [], ended, None)} if ended else {})


def _ended(tale: Tale, before: Mapping[str, Any]) -> history.Item | None:
    """Return what the history tells of a rotation that has ended; None where none has since it was last told."""
    last = told.last(tale.journal) if tale.journal and not tale.runs else None
    if tale.journal is None or last is None or last["id"] == (before.get("last") or {}).get("id"):
        return None
    reason = str(tale.journal.why or tale.journal.cause)
    return history.act(last["outcome"], last["at"], reason=reason, credential=tale.credential)


#: What Events say of steps that are reached.
_REACHED = {
    Step.ISSUING: (EventReason.ROTATION_STARTED, "a rotation began"),
    Step.STORED: (EventReason.KEY_STORED, "a new key was made, passed its tests, and is in the store."),
    Step.GRACE: (EventReason.KEY_ADOPTED, "every Secret has the new key; the old one works for a while longer."),
    Step.ROLLING_BACK: (EventReason.ROLLING_BACK, "the rotation turns back."),
}
_ENDED = {
    "Tested": (EventReason.ROTATED, "a new key passed its tests; no more was asked for."),
    "RolledBack": (EventReason.ROLLED_BACK, "the rotation has turned back."),
    "Rotated": (EventReason.ROTATED, "the new key is in place."),
}


#: The same of a new key about which nobody can be asked.
_UNTESTED = "a new key was made, and is in the store; nobody can be asked whether it works."
#: Where nobody is waited for; where there was no key before.
_HURRIED = "the object's own Secret has the new key; nobody else is waited for to end the old one."
_FIRST = "every Secret has the new key."


def _event(
    journal: Journal, before: Journal | None, failed: errors.Error | None, *, tested: bool
) -> tuple[EventReason | None, str]:
    if journal.step is Step.IDLE:
        outcome = str((told.last(journal) or {}).get("outcome"))
        reason, note = _ENDED.get(outcome, (None, ""))
        note += f" {fate.of_old(journal, before).said}" if outcome == "Rotated" else ""
    else:
        reason, note = _REACHED.get(journal.step, (None, ""))
    if journal.step is Step.STORED and not tested:
        note = _UNTESTED
    if journal.step is Step.GRACE and (journal.urgent or journal.old is None):
        note = _HURRIED if journal.urgent else _FIRST
    if journal.step is Step.ISSUING:
        note += f" ({journal.cause})."
    if reason in (EventReason.ROLLING_BACK, EventReason.ROLLED_BACK):
        note = f"{note} {told.turned_back(journal, failed)}".strip()
    return reason, note
