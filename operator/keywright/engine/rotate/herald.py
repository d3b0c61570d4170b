"""What one rotation says to others: to people, by status, Events and metrics; to who reads the key, that it changed.

Does not belong here: what is said of all rotations in one way (``telling``), when there is something to say (``post``).
"""

from __future__ import annotations

import dataclasses
import logging
import random
import time

from ... import errors, metrics, pacing
from ...decide.rotate.journal import Journal
from ...decide.rotate.sight import Rules
from ...decide.rotate.told import Tale
from ..journals import Kept
from ..queue import Key
from ..records import Record
from .aim import Aim
from .means import Means

log = logging.getLogger(__name__)

#: Seconds until readers whose Secrets lag are called again.
CALLED = 60.0


class Herald:
    """Says it, for one credential.

    Args:
        key: its object.
        name: of the credential.
    """

    def __init__(self, means: Means, key: Key, name: str) -> None:
        self._means, self._key, self._name = means, key, name
        self._told: Tale | None = None
        #: How often in a row the status could not be written.
        self._untold = 0
        #: When the readers were called last (monotonic clock).
        self._called = -CALLED

    def again(self, pause: float) -> float:
        """Return a pause after which to go on; shorter where what could not be told is to be told soon."""
        return min(pause, pacing.backoff(self._untold, random.random())) if self._untold else pause  # noqa: S311

    async def tell(self, record: Record | None, tale: Tale) -> None:
        """Tell how far it is, in the status of its object; where that waits for a person, once by an Event or a log.

        Args:
            record: the object; None where it is gone.
        """
        if record is None:
            self._means.telling.note(self._key, tale)
            if tale.asks and self._told != tale:
                log.warning("%s is gone, and a rotation of it waits: %s", self._key, tale.sentence())
                self._told = tale
            return
        told = self._told
        if tale.pods is None and told and told.journal and tale.journal and told.journal.id == tale.journal.id:
            # Who uses it is not counted at each look.
            tale = dataclasses.replace(tale, pods=told.pods)
        asked = self._told and (self._told.asks, self._told.why) == (tale.asks, tale.why)
        try:
            await self._means.telling.tell(record, tale)
        except errors.Error:
            self._untold += 1
            return
        if tale.asks and not asked:
            self._means.telling.asks(record, tale)
        self._told, self._untold = tale, 0

    def reached(
        self,
        kept: Kept | None,
        before: Journal | None,
        record: Record | None,
        *,
        rules: Rules | None,
        failed: errors.Error | None,
    ) -> None:
        """Say that a step was reached, and record what is owed since, or no longer.

        Args:
            kept: the journal as it is; None where there is none any more.
            rules: what its issuer can do; None where that is not known now.
            failed: why no key was made, or none written to the store; None: it was.
        """
        if kept is None:
            return
        after = kept.journal
        if before is None or before.step is not after.step:
            metrics.ROTATION_STEPS.labels(str(after.step)).inc()
        self._means.telling.step(record, Tale(self._name, after, error=failed, rules=rules), before)
        self._means.acting.owed(kept.about, self._name, before.debts if before else (), after.debts)

    def call(self, aim: Aim, kept: Kept | None, *, late: bool = False) -> None:
        """Have everybody who reads the key read it anew: it is another one.

        Args:
            kept: the journal, whose keys tell who reads it by another name; None where there is none.
            late: whether they were called before, and may have read the old key again, or have died since.
        """
        if late and time.monotonic() - self._called < CALLED:
            return
        self._called = time.monotonic()
        for key in self._means.looking.readers(aim.place, kept):
            self._means.again(key)
