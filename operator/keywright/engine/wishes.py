"""Who waits for what comes of an object's next refresh.

Does not belong here: the refresh (``reconcile``), when it is that object's turn (``loop``), who wished (``actions``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .. import errors
from ..decide import act, report
from ..errors import Reason
from .fetch import Parked
from .opened import Changed
from .queue import Key, Priority
from .reconcile import Leaving, Outcome
from .records import Record

#: The cluster's own trouble: the loop tries again by itself, and nobody could be told anyway.
_NOT_YET = frozenset({Reason.CONFLICT, Reason.INTERNAL_ERROR, Reason.KUBERNETES_UNAVAILABLE, Reason.NOT_LEADER})


class _Wish(NamedTuple):
    since: float
    told: asyncio.Future[act.Ended]


class Wishes:
    """The wishes that are not fulfilled yet.

    Args:
        records: all objects that are known.
        enqueue: has an object's stores asked anew, and sets ``since`` of its record.
    """

    def __init__(self, records: Mapping[Key, Record], enqueue: Callable[[Record, Priority], None]) -> None:
        self._records, self._enqueue = records, enqueue
        self._waiting: dict[Key, list[_Wish]] = {}

    def refresh(self, key: Key) -> asyncio.Future[act.Ended]:
        """Have an object's stores asked anew, as its annotation does: never from memory, and a quarrel begins anew.

        The future tells what came of the first refresh that began after this.
        """
        told: asyncio.Future[act.Ended] = asyncio.get_running_loop().create_future()
        record = self._records.get(key)
        if record is None or record.leaving:
            told.set_result(act.gone(key.name))
            return told
        record.wished, record.repairs, record.contested = True, (), 0.0
        self._enqueue(record, Priority.CHANGE)
        self._waiting.setdefault(key, []).append(_Wish(record.since, told))
        return told

    def settle(self, record: Record, result: Outcome | errors.Error | None, since: float) -> None:
        """Tell those who wished before a reconcile began what came of it, if it came to an end.

        Args:
            since: of the record, when the reconcile began.
        """
        waiting = self._waiting.get(record.key)
        if not waiting or not (ended := _came_of(record, result)):
            return
        self._tell(record.key, [each for each in waiting if each.since <= since], ended)
        record.wished = record.key in self._waiting

    def gone(self, key: Key) -> None:
        """Tell those who wait for an object that it is gone."""
        self._tell(key, list(self._waiting.get(key, ())), act.gone(key.name))

    def _tell(self, key: Key, wishes: list[_Wish], ended: act.Ended) -> None:
        left = [each for each in self._waiting.get(key, ()) if each not in wishes]
        for each in wishes:
            if not each.told.done():
                each.told.set_result(ended)
        if left:
            self._waiting[key] = left
        else:
            self._waiting.pop(key, None)


def _came_of(record: Record, result: Outcome | errors.Error | None) -> act.Ended | None:
    """Return what a reconcile means to who wished for it; None if it was none yet."""
    if isinstance(result, Leaving | Changed):
        return None
    if isinstance(result, Parked):
        return act.failed(result) if result.cause else None
    if isinstance(result, errors.Error):
        return None if result.reason in _NOT_YET else act.failed(result)
    if result and result.suspended:
        return act.suspended(record.key.name)
    ready = report.find(record.status_json().get("conditions") or [], "Ready")
    if ready.get("status") == "True":
        return act.Ended(Reason.DONE, str(ready.get("message")))
    # A dead key is written all the same, where its object says so; a report that was lost is written again.
    code = next((each for each in Reason if each == ready.get("reason")), None)
    return act.Ended(code, str(ready.get("message"))) if code else None
