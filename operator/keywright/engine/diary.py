"""When to look at which object again: its refreshes, and what is to be said of keys that end.

Does not belong here: what is done then (``loop``), how what is due is found (``schedule``).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence

from .. import pacing
from ..decide.checks import Checked
from .assemble import Gathered
from .catalog import DEFAULT_STORE, identifier
from .queue import Key
from .records import Record
from .schedule import Schedule

#: Seconds after which a store that was silent is asked again for what another one gave in its place.
FALLEN_BACK = 60.0
#: Share of the time until a probe is due by which it may wait for the next refresh.
LATE = 0.25
#: Seconds after a start over which it is looked at what there is to say of keys that end.
RECALLED = 10.0


class Diary:
    """Knows what is due when.

    Args:
        refresh: called with each object whose refresh has come.
        remind: called with each object of which there may be something to say.
        reads_all: whether one read of the store of an identifier gives all of its keys.
    """

    def __init__(
        self, refresh: Callable[[Key], None], remind: Callable[[Key], None], reads_all: Callable[[str], bool]
    ) -> None:
        self.refreshes, self.reminders = Schedule(refresh), Schedule(remind)
        self._reads_all = reads_all

    async def run(self) -> None:
        """Call back, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.refreshes.run())
            tasks.create_task(self.reminders.run())

    def forget(self, key: Key) -> None:
        """Make an object never due."""
        self.refreshes.discard(key)
        self.reminders.discard(key)

    def refresh(self, record: Record, after: float) -> None:
        """Make an object due at its first slot after a moment; slots that have passed meanwhile are spread."""
        spec = record.spec_model()
        if not (interval := spec.refresh_seconds):
            self.refreshes.discard(record.key)
            return
        # Objects on one key share their slots, so that one read serves them.
        own, path = spec.first
        path = path or str(record.key)
        ref = own or spec.store_ref
        store = identifier(ref.kind, record.key.namespace, ref.name) if ref else DEFAULT_STORE
        phase = pacing.fraction(store if self._reads_all(store) else f"{ref.kind}/{ref.name}/{path}" if ref else path)
        at, now = pacing.next_slot(after, interval, phase), time.time()
        if at < now:
            at = now + phase * min(60.0, interval)
        self.refreshes.set(record.key, at)

    def sooner(self, record: Record, gathered: Gathered) -> None:
        """Look at an object before its slot, where a store was silent or an issuer is to be asked again."""
        now, slot = time.time(), self.refreshes.at(record.key) or math.inf
        if gathered.fallbacks:
            slot = min(now + FALLEN_BACK, slot)
        again = min((each.again for each in gathered.checked if each.again), default=math.inf)
        refreshed = bool(record.spec_model().refresh_seconds)
        if again + LATE * (again - now) < slot and refreshed:
            slot = again
        record.next_check = None if refreshed or math.isinf(again) else again
        if math.isfinite(slot):
            self.refreshes.set(record.key, slot)

    def check(self, record: Record, checked: Sequence[Checked]) -> None:
        """Note when an issuer is to be asked again, of an object that is not refreshed."""
        record.next_check = min((each.again for each in checked if each.again), default=None)

    def remind(self, record: Record) -> None:
        """Look again when there is something to say of a key that ends, or an issuer to be asked."""
        coming = [at for at in (record.next_ending, record.next_check) if at is not None]
        if not record.endings_known and b'"expiresAt"' in record.status:
            # Its store was out when it was looked at first.
            self._soon(record)
        elif coming:
            self.reminders.set(record.key, min(coming))
        else:
            self.reminders.discard(record.key)

    def recall(self, record: Record) -> None:
        """Look soon whether there is something to say, or to ask, of an object that was just listed."""
        spec, share = record.spec_model(), pacing.fraction(str(record.key))
        asked = [each.check.every_seconds for each in spec.credentials if each.check.liveness != "Off"]
        if asked and min(asked) < spec.refresh_seconds:
            # When its issuers were asked last, nobody knows any more.
            at = time.time() + min(asked) * share
            self.refreshes.set(record.key, min(at, self.refreshes.at(record.key) or at))
        checked = b'"credentials"' in record.status and not spec.refresh_seconds
        if checked or b'"expiresAt"' in record.status:
            self._soon(record)

    def _soon(self, record: Record) -> None:
        self.reminders.after(record.key, RECALLED * pacing.fraction(str(record.key)))
