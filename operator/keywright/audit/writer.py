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
from collections.abc import Mapping, Sequence

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


#: Records of one segment.
MOST = 10_000


class Foreign(errors.Error):
    """In the place of our segment is another one."""


class TooLarge(errors.Retry):
    """The API server takes no segment of this size."""


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
        self._longest = longest
        #: Of the newest log; None where one before does not tell its own.
        self._generation: int | None = 0
        self._chain: Chain | None = None
        self._previous: Head | None = None
        self._before, self._number, self._bytes, self._began = "", 0, 0, 0.0
        #: What a log begins with, until that is written.
        self._opening: list[Timed] = []
        #: What was sent and may be there or not.
        self._unsure: tuple[cluster.Json, Batch, int] | None = None
        self._most = MOST
        #: Ids of intents without an outcome, of this leader and those before.
        self._open_now: set[str] = set()
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
        """Write as many entries as go into one segment; return the place of each that is, ``<log>/<number>``.

        Until it returns it must be called with the same entries.

        Raises:
            errors.Error: they are not written, or may not be.
        """
        while True:
            chain = self._chain or await self._begin()
            try:
                if not self._unsure and self._is_over(chain):
                    chain = await self._next(chain)
                batch, count = await self._write(chain, entries)
            except Foreign:
                self._unsure = None
                if not chain.size and self._previous and self._generation:
                    # Nothing of it is there: what it was to follow is followed.
                    self._generation -= 1
                self._follow(chain.head() if chain.size else self._previous, "SegmentForeign")
            else:
                seq = batch.first + len(batch.lines) - count
                return [f"{chain.log}/{seq + number}" for number in range(count)]

    async def close(self) -> None:
        """End the log in order.

        Raises:
            errors.Error: it could not be written.
        """
        if self._chain and self._chain.size and not self._unsure:
            await self._end(self._chain, "Stopped")

    async def measure(self) -> None:
        """Look how much there is: others take old logs away."""
        self.total = sum([each.size for each in await self._listed()])

    # One segment.

    async def _write(self, chain: Chain, entries: Sequence[Timed]) -> tuple[Batch, int]:
        """Write a segment; return what it holds, and how many of the entries."""
        self._unsure = self._unsure or self._fitting(chain, entries)
        body, batch, count = self._unsure
        size = int(body["metadata"]["annotations"][segment.BYTES])
        if self.total + size > self.capacity:
            # Somebody may have archived meanwhile.
            await self.measure()
        if self.total + size > self.capacity:
            raise full(self.capacity)
        try:
            await self._create(body)
        except TooLarge:
            # It was not taken, so that it may be made anew, with less.
            self._unsure, self._most = None, max(1, count // 2)
            raise
        chain.commit(batch)
        self._keep_account([*self._opening, *entries[:count]])
        self._unsure, self._opening, self._most = None, [], MOST
        self._number += 1
        self._bytes += size
        self.total += size
        metrics.AUDIT_SEGMENTS.inc()
        metrics.AUDIT_RECORDS.inc(len(batch.lines))
        return batch, count

    def _fitting(self, chain: Chain, entries: Sequence[Timed]) -> tuple[cluster.Json, Batch, int]:
        """Build a segment of as many entries as it may hold."""
        count = min(len(entries), self._most)
        while True:
            batch = chain.build([*self._opening, *entries[:count]])
            if count < 2 or sum(map(len, batch.lines)) + len(batch.lines) <= segment.MAX_BYTES:
                return segment.body(self._namespace, batch, self._number, self._before), batch, count
            count //= 2

    def _keep_account(self, entries: Sequence[Timed]) -> None:
        """Take note which intents are open."""
        for entry, _ in entries:
            if entry.id and entry.type in INTENTS:
                self._open_now.add(entry.id)
            elif entry.id and entry.type in OUTCOMES:
                self._open_now.discard(entry.id)

    async def _create(self, body: cluster.Json) -> None:
        """Create a segment, or find that it is there already: the answer to an earlier try was lost."""
        try:
            await self._api.call("POST", segment.SEGMENTS, self._namespace, body=body, accept=cluster.METADATA)
        except cluster.Refused as refused:
            if refused.status == 413 or (refused.status == 422 and "spec.records" in refused.fields):
                raise TooLarge(
                    Reason.AUDIT_UNAVAILABLE, f"{refused.what} is larger than the API server takes"
                ) from None
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
        await self._end(chain, "Rotated")
        return self._follow(chain.head(), "Rotated")

    async def _end(self, chain: Chain, code: str) -> None:
        await self._write(chain, [self._own(Type.LOG_CLOSED, code, count=len(self._open_now))])

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
        closed = last.get("type") == Type.LOG_CLOSED
        if not closed or last.get("count"):
            self.open = await self._open_in(before, {each.log: each.previous for each in listed})
        self._open_now = {str(each["id"]) for each in self.open}
        self._generation = await self._generation_of(before)
        chain = self._follow(head, code)
        if not closed:
            self._opening.append(self._own(Type.LOG_RECOVERED, "NotClosed", count=len(self.open)))
        return chain

    def _follow(self, previous: Head | None, code: str) -> Chain:
        """Begin a log behind another one."""
        if previous and self._generation is not None:
            self._generation += 1
        # In a head, the name tells how many logs must be there.
        log = f"{self._epoch:06d}-{self._generation or 0:04d}-{os.urandom(6).hex()}"
        self._chain = Chain(log, self._epoch, self._key)
        self._previous, self._before = previous, previous.log if previous else ""
        self._number, self._bytes = 0, 0
        self._began = time.monotonic()
        opened = {"previous": previous, "public_key": self._key.public, "count": len(self._open_now)}
        opened["generation"] = self._generation
        self._opening = [self._own(Type.LOG_OPENED, code, **opened)]
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

    async def _end_of(self, name: str) -> tuple[Head | None, Row]:
        """Return the head of a segment and its last record, as far as they can be read."""
        found = await self._api.get(segment.SEGMENTS, self._namespace, name)
        head = None
        spec = (found or {}).get("spec") or {}
        with contextlib.suppress(pydantic.ValidationError):
            head = HeadPart.model_validate(spec.get("head"))
        return head, _row(str(spec.get("records", "")).rpartition("\n")[2].encode()) or {}

    async def _generation_of(self, log: str) -> int | None:
        """Return how many logs are before a log, as it says itself."""
        found = await self._api.get(segment.SEGMENTS, self._namespace, segment.name(log, 0))
        first = str(((found or {}).get("spec") or {}).get("records", "")).partition("\n")[0]
        told = (_row(first.encode()) or {}).get("generation")
        return told if type(told) is int and 0 <= told < 2**52 else None

    async def _open_in(self, log: str, before: Mapping[str, str]) -> list[Row]:
        """Return the intents that have no outcome in a log and in those before it.

        Args:
            before: the log that each log follows.
        """
        acts: list[Row] = []
        while log in before:
            own = await self._acts_in(log)
            acts = [*own, *acts]
            opened = next((each for each in own if each.get("type") == Type.LOG_OPENED), {})
            log = before.get(log, "") if opened.get("count") else ""
        open_: dict[str, Row] = {}
        for row in acts:
            if (act := row.get("id")) and row["type"] in INTENTS:
                open_[act] = row
            elif act:
                open_.pop(act, None)
        return list(open_.values())

    async def _acts_in(self, log: str) -> list[Row]:
        """Return how a log begins, and its intents and outcomes; what cannot be read is left out."""
        acts = []
        pages = self._api.pages(segment.SEGMENTS, self._namespace, selector=f"{segment.LOG}={log}", size=PAGE)
        async for page in pages:
            for item in page["items"]:
                # Most records are none of these, and need not be read.
                marked = (line for line in segment.lines_of(item) if any(mark in line for mark in _MARKS))
                acts += [row for row in map(_row, marked) if row]
        return acts


#: What lines have in them that are looked for.
_MARKS = (b'.intent"', b'.outcome"', b'"log.opened"')


def _row(line: bytes) -> Row | None:
    """Return a record; None if it is none. Anybody may have put it there who may create segments."""
    with contextlib.suppress(ValueError, RecursionError):
        row = json.loads(line)
        if isinstance(row, dict) and isinstance(row.get("type"), str) and isinstance(row.get("id"), str | None):
            return row
    return None


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
