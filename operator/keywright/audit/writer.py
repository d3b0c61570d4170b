"""Writing a log into a cluster: one segment after the other, each created once, whatever becomes of the answer.

A segment whose fate is unknown is sent again as it was, until it is known: its name is its own, so that it is there
once. A log ends in order when it is full or a day old, and the next one names its head, so that whole logs can be
archived. Whoever finds somebody else's segment in the place of his own begins another log.

Does not belong here: what waits to be written and who waits for it (``trail``), the object's form (``segment``).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence

import pydantic

from .. import cluster, errors, metrics
from ..errors import Reason
from . import segment
from .chain import Batch, Chain
from .heads import Head, SigningKey
from .record import INTENTS, OUTCOMES, Entry, HeadPart, Type, Who
from .verify import Row

#: Bytes of records, and seconds, after which a log ends and the next one begins.
MAX_LOG, MAX_AGE = 4 * 1024 * 1024, 86_400.0
#: Segments with their contents that are asked for at once.
PAGE = 20

Timed = tuple[Entry, float]


class Foreign(errors.Error):
    """In the place of our segment is another one."""


class Writer:
    """Writes the log of one leader.

    Args:
        namespace: where segments are.
        who: this operator.
        epoch: its term.
        capacity: bytes that all segments together may have.
        longest: bytes of one log.
    """

    def __init__(
        self,
        api: cluster.Cluster,
        namespace: str,
        key: SigningKey,
        *,
        who: Who,
        epoch: int,
        capacity: int,
        longest: int = MAX_LOG,
    ) -> None:
        self._api, self._namespace, self._key = api, namespace, key
        self._who, self._epoch = who, epoch
        #: Bytes that all segments together may have.
        self.capacity = capacity
        self._longest, self._logs = longest, 0
        self._chain: Chain | None = None
        self._previous: Head | None = None
        self._before, self._number, self._bytes, self._began = "", 0, 0, 0.0
        #: What a log begins with, until that is written.
        self._opening: list[Timed] = []
        #: What was sent and may be there or not.
        self._unsure: tuple[cluster.Json, Batch] | None = None
        #: Bytes of all segments, as far as we know.
        self.total = 0
        #: Intents of the log before that have no outcome.
        self.open: list[Row] = []

    @property
    def public(self) -> str:
        """Public half of the key that signs (hex)."""
        return self._key.public

    @property
    def head(self) -> Head | None:
        """What vouches for all that is written; None before anything is."""
        return self._chain.head() if self._chain and self._chain.size else None

    async def begin(self) -> None:
        """See what there is; where the log before did not end in order, say so at once.

        Raises:
            errors.Error: it cannot be seen, or nothing can be written.
        """
        if self._chain is None:
            await self._begin()
        if len(self._opening) > 1:
            await self.write([])

    async def write(self, entries: Sequence[Timed]) -> list[str]:
        """Write entries in one segment and return the place of each, ``<log>/<number>``.

        Until it returns it must be called with the same entries.

        Raises:
            errors.Error: they are not written, or may not be.
        """
        while True:
            chain = self._chain or await self._begin()
            try:
                if not self._unsure and self._is_over(chain):
                    chain = await self._next(chain)
                batch = await self._write(chain, entries)
            except Foreign:
                self._unsure = None
                # Where nothing of it is there yet, what it was to follow is followed.
                self._follow(chain.head() if chain.size else self._previous, "SegmentForeign")
            else:
                seq = batch.first + len(batch.lines) - len(entries)
                return [f"{chain.log}/{seq + number}" for number in range(len(entries))]

    async def close(self) -> None:
        """End the log in order.

        Raises:
            errors.Error: it could not be written.
        """
        if self._chain and self._chain.size and not self._unsure:
            await self._write(self._chain, [self._own(Type.LOG_CLOSED, "Stopped")])

    async def measure(self) -> None:
        """Look how much there is: others take old logs away."""
        self.total = sum([each.size for each in await self._listed()])

    # One segment.

    async def _write(self, chain: Chain, entries: Sequence[Timed]) -> Batch:
        if not self._unsure:
            batch = chain.build([*self._opening, *entries])
            self._unsure = segment.body(self._namespace, batch, self._number, self._before), batch
        body, batch = self._unsure
        size = int(body["metadata"]["annotations"][segment.BYTES])
        if self.total + size > self.capacity:
            # Somebody may have archived meanwhile.
            await self.measure()
        if self.total + size > self.capacity:
            raise full(self.capacity)
        await self._create(body)
        chain.commit(batch)
        self._unsure, self._opening = None, []
        self._number += 1
        self._bytes += size
        self.total += size
        metrics.AUDIT_SEGMENTS.inc()
        metrics.AUDIT_RECORDS.inc(len(batch.lines))
        return batch

    async def _create(self, body: cluster.Json) -> None:
        """Create a segment, or find that it is there already: the answer to an earlier try was lost."""
        try:
            await self._api.call("POST", segment.SEGMENTS, self._namespace, body=body, accept=cluster.METADATA)
        except cluster.Refused as refused:
            if refused.status != 409:
                raise unwritten(refused) from None
        else:
            return
        found = await self._api.get(segment.SEGMENTS, self._namespace, body["metadata"]["name"])
        if found is None or found.get("spec") != body["spec"]:
            raise Foreign(Reason.CONFLICT, f"AuditSegment {body['metadata']['name']} is there already, and not ours")

    # Logs.

    def _is_over(self, chain: Chain) -> bool:
        return chain.size > 0 and (self._bytes > self._longest or time.monotonic() - self._began > MAX_AGE)

    async def _next(self, chain: Chain) -> Chain:
        """End a log and begin the next one."""
        await self._write(chain, [self._own(Type.LOG_CLOSED, "Rotated")])
        return self._follow(chain.head(), "Rotated")

    async def _begin(self) -> Chain:
        """Begin this leader's first log, behind what there is."""
        listed = await self._listed()
        self.total = sum([each.size for each in listed])
        before = segment.newest(listed)
        if not before:
            return self._follow(None, "Started")
        head, last = await self._end_of(max((each.number, each.name) for each in listed if each.log == before)[1])
        code = "Started" if head else "PreviousUnreadable"
        if head and head.key != self._key.id:
            code = "KeyReplaced"
        closed = last == Type.LOG_CLOSED
        self.open = [] if closed else await self._open_in(before)
        chain = self._follow(head, code)
        if not closed:
            self._opening.append(self._own(Type.LOG_RECOVERED, "NotClosed", count=len(self.open)))
        return chain

    def _follow(self, previous: Head | None, code: str) -> Chain:
        """Begin a log behind another one."""
        # So that the names of logs are in their order.
        log = f"{self._epoch:06d}-{self._logs:04d}-{os.urandom(6).hex()}"
        self._logs += 1
        self._chain = Chain(log, self._epoch, self._key)
        self._previous, self._before = previous, previous.log if previous else ""
        self._number, self._bytes = 0, 0
        self._began = time.monotonic()
        self._opening = [self._own(Type.LOG_OPENED, code, previous=previous, public_key=self._key.public)]
        return self._chain

    def _own(self, what: Type, code: str, **more: object) -> Timed:
        return Entry(type=what, code=code, who=self._who, **more), time.time()

    # What is there already.

    async def _listed(self) -> list[segment.Listed]:
        try:
            return [
                segment.listed(item["metadata"])
                async for page in self._api.pages(segment.SEGMENTS, self._namespace, metadata_only=True)
                for item in page["items"]
            ]
        except cluster.Refused as refused:
            raise unwritten(refused) from None

    async def _end_of(self, name: str) -> tuple[Head | None, str]:
        """Return the head of a segment and the type of its last record, as far as they can be read."""
        found = await self._api.get(segment.SEGMENTS, self._namespace, name)
        head, last = None, ""
        spec = (found or {}).get("spec") or {}
        with contextlib.suppress(pydantic.ValidationError):
            head = HeadPart.model_validate(spec.get("head"))
        with contextlib.suppress(ValueError, AttributeError):
            last = str(json.loads(str(spec.get("records", "")).rpartition("\n")[2]).get("type"))
        return head, last

    async def _open_in(self, log: str) -> list[Row]:
        """Return the intents of a log that have no outcome in it."""
        open_: dict[str, Row] = {}
        pages = self._api.pages(segment.SEGMENTS, self._namespace, selector=f"{segment.LOG}={log}", size=PAGE)
        async for page in pages:
            for item in page["items"]:
                for line in segment.lines_of(item):
                    _account(open_, line)
        return list(open_.values())


def _account(open_: dict[str, Row], line: bytes) -> None:
    """Add an intent to those that are open, or take it out with its outcome."""
    # Most records are neither, and need not be read.
    if b'.intent"' not in line and b'.outcome"' not in line:
        return
    with contextlib.suppress(ValueError, AttributeError):
        row = json.loads(line)
        if row.get("type") in INTENTS:
            open_[str(row["id"])] = row
        elif row.get("type") in OUTCOMES:
            open_.pop(str(row.get("id")), None)


def full(capacity: int) -> errors.Retry:
    """Make the error for a trail that has no room left."""
    said = f"the audit trail has reached its {capacity // 1024 // 1024} MiB"
    hint = "Archive old logs: keywright audit archive; or raise --audit-capacity"
    return errors.Retry(Reason.AUDIT_UNAVAILABLE, said, hint)


def unwritten(refused: cluster.Refused) -> errors.Retry:
    """Say why the API server takes no segments."""
    said = f"the API server answered {refused.status} for {refused.what}"
    if refused.status == 404 and not refused.cause:
        said = "the cluster knows no AuditSegment"
        hint = "Install the CRDs of this version: keywright crds | kubectl apply --server-side -f -"
    elif refused.status == 403:
        hint = "Grant the operator's ServiceAccount the right to create, get and list auditsegments in its namespace"
    else:
        hint = "Check that the CRD auditsegments.keywright.dev is that of this version"
    return errors.Retry(Reason.AUDIT_UNAVAILABLE, said, hint)
