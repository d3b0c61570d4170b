"""Whether every ApiKeySecret that there is has been heard of: before that it is not known who reads a key.

A watch tells of them one by one, of each namespace on its own, and one that cannot be listed tells of none.

Does not belong here: the watches (``handlers``), who reads what (``place``).
"""

from __future__ import annotations

import asyncio
import collections
import logging
import time
from collections.abc import Callable, Collection, Mapping

from ... import errors
from ...errors import Reason
from ..listing import Listing
from ..queue import Key
from ..records import Record

log = logging.getLogger(__name__)

#: Seconds between two looks whether they were heard of, and between two lists.
SOON, AGAIN = 0.1, 5.0
#: So many namespaces are named.
NAMED = 5


class Hearing:
    """Waits until everything that there was at the start was heard of.

    Args:
        records: what was heard of.
        heard: called then.
    """

    def __init__(self, listing: Listing, records: Mapping[Key, Record], heard: Callable[[], None]) -> None:
        self._listing, self._records, self._heard = listing, records, heard
        #: Why it is not known yet who reads a key; None once it is.
        self.trouble: errors.Error | None = _missing(())

    async def run(self) -> None:
        """Wait, listing what there is as often as it takes."""
        while self.trouble:
            try:
                named = await self._listing.staying("ApiKeySecret")
            except errors.Error as error:
                self._is(errors.Retry(error.reason, f"ApiKeySecrets cannot be listed: {error.message}", error.hint))
                await asyncio.sleep(AGAIN)
            else:
                await self._wait(named)
        self._heard()

    async def _wait(self, named: Collection[Key]) -> None:
        until = time.monotonic() + AGAIN
        while missing := [key for key in named if key not in self._records]:
            if time.monotonic() >= until:
                # One of them may be gone by now.
                self._is(_missing(missing))
                return
            await asyncio.sleep(SOON)
        self.trouble = None

    def _is(self, trouble: errors.Error) -> None:
        if str(trouble) != str(self.trouble):
            log.warning("rotations wait: %s", trouble)
        self.trouble = trouble


def _missing(keys: Collection[Key]) -> errors.Retry:
    """Say whom nothing was heard of; the namespaces alone, as others may read it."""
    counts = collections.Counter(key.namespace for key in keys)
    places = [f"{count} of namespace {name}" for name, count in sorted(counts.items())[:NAMED]]
    more = sum(count for _, count in sorted(counts.items())[NAMED:])
    places += [f"{more} more"] if more else []
    named = f": {', '.join(places)}" if places else ""
    said = f"not every ApiKeySecret that there is was heard of since the operator began{named}"
    return errors.Retry(Reason.KUBERNETES_UNAVAILABLE, said, "Check that the operator may list and watch them there")
