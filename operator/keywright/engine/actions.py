"""KeyActions, carried out: each is taken up once, recorded, done, and told of in its status and by an Event.

Two writes each: that it has begun, and how it ended; one where it does not begin. Whatever another leader began is
looked at again and brought to an end, so an act must be one that may be begun twice.

Does not belong here: what follows from what is seen (``decide/act.py``), the refresh itself (``loop``), what is asked
of rotations (``act_on``), who may ask (``admission``), the audit trail, which is told through ``ActionJournal``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from .. import cluster, errors, kinds, pacing, schema
from ..decide import act
from ..errors import Reason
from ..events import EventReason, Recorder, Regarding
from .act_on import Asked, Rotating
from .bugs import bug
from .queue import Key
from .records import API_KEY_SECRETS
from .reporter import rfc3339
from .requesters import Requesters

log = logging.getLogger(__name__)

KEY_ACTIONS = cluster.Resource(kinds.GROUP, kinds.VERSION, kinds.KeyAction.plural)
#: KeyActions for which the API server is asked at the same time; any number may wait for their objects.
AT_ONCE = 16
_REFRESH = "Refresh"
#: Acts that go on where nothing can be recorded: they change nothing outside, as syncs do not.
UNRECORDED_TOO = frozenset({_REFRESH})


@dataclasses.dataclass(frozen=True, slots=True)
class ActionRecord:
    """What is recorded of a KeyAction. Its ``uid`` is the token by which an act is one and the same.

    Attributes:
        api_key_secret_uid: and generation, of the object as it was when the act was taken up; empty and 0 if it was
            not there.
        requested_by: who asked, as the KeyAction says; empty if it does not.
        verified: whether that is proven.
        credential: which one it is about; empty if it does not say.
    """

    uid: str
    namespace: str
    name: str
    action: str
    api_key_secret: str
    api_key_secret_uid: str
    generation: int
    reason: str
    reference: str
    requested_by: str
    verified: bool
    credential: str = ""


class ActionJournal(Protocol):
    """Where acts are recorded. Both may be called again for a uid, by the next leader, after a crash.

    ``errors.Retry`` says that nothing can be recorded now: an act with consequences waits for it, a refresh does not.
    """

    async def begin(self, action: ActionRecord) -> None:
        """Record that an act is about to begin, and return when that is safe."""

    async def end(self, action: ActionRecord, code: str) -> None:
        """Record how an act ended, or why it does not begin: then there was no ``begin``.

        Args:
            code: a ``Reason``.
        """


class Unrecorded:
    """Records nothing."""

    async def begin(self, action: ActionRecord) -> None:
        """Record nothing."""

    async def end(self, action: ActionRecord, code: str) -> None:
        """Record nothing."""


class _Gone(Exception):
    """The KeyAction was deleted: nobody is left to be told."""


class Actions:
    """Carries out KeyActions.

    Args:
        refresh: has the stores of an ApiKeySecret, as the API server has it now, asked anew; tells what came of it.
        rotating: carries out all acts but that.
    """

    def __init__(
        self,
        api: cluster.Cluster,
        recorder: Recorder,
        refresh: Callable[[cluster.Json], Awaitable[act.Ended]],
        rotating: Rotating,
        journal: ActionJournal | None = None,
    ) -> None:
        self._api, self._recorder, self._refresh, self._rotating = api, recorder, refresh, rotating
        self._journal: ActionJournal = journal or Unrecorded()
        self._requesters = Requesters(api)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        #: Those that were taken up, until the watch tells of their end: what it tells before that is old.
        self._taken: set[str] = set()

    def observe(self, item: cluster.Json, *, gone: bool) -> None:
        """Take note of a KeyAction as the API server has it, or had it; carry it out, unless somebody does already."""
        uid = item["metadata"]["uid"]
        if gone or _phase(item) in act.OVER:
            self._taken.discard(uid)
            if gone:
                self._rotating.withdraw(uid)
        elif uid not in self._taken:
            self._taken.add(uid)
            task = asyncio.create_task(self._see_to(item))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Begin nothing more; what has begun is brought to an end by the next leader."""
        for task in self._tasks:
            task.cancel()

    async def _see_to(self, item: cluster.Json) -> None:
        """Carry out one KeyAction, and try again until its end is written or it is gone."""
        meta, failures = item["metadata"], 0
        while True:
            try:
                await self._carry_out(item if not failures else await self._again(meta))
            except _Gone:
                log.info("KeyAction %s/%s was deleted before its end", meta["namespace"], meta["name"])
            except Exception as foreign:  # noqa: BLE001 - one action's bug must not stop the others
                about = f"KeyAction {meta['namespace']}/{meta['name']}"
                error = foreign if isinstance(foreign, errors.Error) else bug(about, foreign)
                log.warning("%s: %s: %s; it is tried again", about, error.reason, error)
                failures += 1
                await asyncio.sleep(pacing.backoff(failures, random.random()))  # noqa: S311
                continue
            return

    async def _again(self, meta: cluster.Json) -> cluster.Json:
        found = await self._api.get(KEY_ACTIONS, meta["namespace"], meta["name"])
        if found is None or found["metadata"]["uid"] != meta["uid"]:
            raise _Gone
        return found

    async def _carry_out(self, item: cluster.Json) -> None:
        since = time.monotonic()
        async with self._turns:
            try:
                spec = kinds.KeyAction.read_spec(item["spec"])
            except errors.Stalled as error:
                # One of a later version: what it says is not known to be fit for a record.
                await self._tell(item, act.failed(error))
                return
            found = await self._api.get(API_KEY_SECRETS, item["metadata"]["namespace"], spec.api_key_secret)
            step = act.decide(_seen(item, spec, found))
            if step.act == "nothing":
                return
            # Decided once, when it is taken up.
            begun = _phase(item) == "Running"
            doubt = _doubt_then(item) if begun else await self._requesters.doubt(item, since)
            record = _record(item, spec, found, verified=not doubt)
            if step.act == "begin":
                item = await self._begin(record, item, doubt)
        # Without a turn: it may take as long as a store does.
        ended = step.ended or await self._act(record.uid, spec, found or {}, _created(item))
        async with self._turns:
            await self._end(record, item, ended, doubt)

    async def _act(self, uid: str, spec: kinds.KeyActionSpec, found: cluster.Json, at: float) -> act.Ended:
        """Do what is asked for, at a Unix time, and return what came of it.

        Raises:
            errors.Retry: not now.
        """
        if spec.action == _REFRESH:
            return await self._refresh(found)
        debt = "" if spec.debt in (None, schema.NAMELESS) else spec.debt
        made = pacing.unix(spec.made_from)
        asked = Asked(uid, spec.action, spec.credential or "", spec.test_only, debt, at, spec.take_over, made)
        try:
            return await self._rotating.carry_out(asked, found)
        except errors.Stalled as error:
            return act.failed(error)

    async def _begin(self, record: ActionRecord, item: cluster.Json, doubt: str) -> cluster.Json:
        """Record and tell that an act begins; return the KeyAction as it is then."""
        await self._recorded(record, self._journal.begin(record))
        status = act.running(int(item["metadata"].get("generation", 1)), rfc3339(), doubt)
        try:
            return await self._write(item, status)
        except _Gone:
            await self._recorded(record, self._journal.end(record, "Gone"))
            raise

    async def _end(self, record: ActionRecord, item: cluster.Json, ended: act.Ended, doubt: str) -> None:
        """Record and tell how an act ended."""
        await self._recorded(record, self._journal.end(record, str(ended.code)))
        await self._tell(item, act.doubted(ended, doubt), verified=record.verified)
        regarding = _regarding(record)
        done = ended.code is Reason.DONE
        event = EventReason.ACTION_DONE if done else EventReason.ACTION_FAILED
        note = f"{_asked(record)}: {ended.code}. {ended.message}"
        self._recorder.say(regarding, event, "Act", note, about=record.uid)

    @staticmethod
    async def _recorded(record: ActionRecord, recording: Awaitable[None]) -> None:
        """Wait for a record, where the act must not go on without one.

        Raises:
            errors.Retry: it must not, and nothing can be recorded now.
        """
        try:
            await recording
        except errors.Retry as error:
            if record.action not in UNRECORDED_TOO:
                raise
            log.warning("KeyAction %s/%s goes on unrecorded: %s", record.namespace, record.name, error)

    async def _tell(self, item: cluster.Json, ended: act.Ended, *, verified: bool = False) -> None:
        before = {**(item.get("status") or {}), "verified": verified}
        await self._write(item, act.ended(before, ended, int(item["metadata"].get("generation", 1)), rfc3339()))

    async def _write(self, item: cluster.Json, status: cluster.Json) -> cluster.Json:
        """Patch the status at the version that it was decided on; return the KeyAction as it is then.

        Raises:
            _Gone: the KeyAction was deleted.
            errors.Retry: somebody else has written the status, or keeps changing the object.
        """
        meta = item["metadata"]
        for _ in range(2):
            body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": status}
            where = (KEY_ACTIONS, meta["namespace"], meta["name"], "status")
            try:
                return await self._api.call("PATCH", *where, body=body, content_type=cluster.MERGE)
            except cluster.Refused as refused:
                if refused.status not in (404, 409):
                    raise
            # A label was added, say; or the answer to an earlier try was lost.
            found = await self._again(meta)
            if _phase(found) == status["phase"]:
                return found
            if _phase(found) != _phase(item):
                break
            meta = found["metadata"]
        raise errors.Retry(Reason.CONFLICT, "its status keeps being changed while it is written")


def _phase(item: cluster.Json) -> str:
    return str((item.get("status") or {}).get("phase", ""))


def _doubt_then(item: cluster.Json) -> str:
    """Return what there was to doubt when another leader began."""
    return "" if item["status"].get("verified") else "it was not when it began"


def _created(item: cluster.Json) -> float:
    return pacing.unix(item["metadata"]["creationTimestamp"]) or 0.0


def _seen(item: cluster.Json, spec: kinds.KeyActionSpec, found: cluster.Json | None) -> act.Seen:
    now = time.time()
    return act.Seen(
        phase=_phase(item),
        name=spec.api_key_secret,
        created=_created(item) or now,
        expires_after=spec.expires_seconds,
        now=now,
        there=found is not None and "deletionTimestamp" not in found["metadata"],
        suspended=bool(found and found["spec"].get("suspend")),
    )


def _record(
    item: cluster.Json, spec: kinds.KeyActionSpec, found: cluster.Json | None, *, verified: bool
) -> ActionRecord:
    key, meta = Key(item["metadata"]["namespace"], item["metadata"]["name"]), found["metadata"] if found else {}
    return ActionRecord(
        uid=item["metadata"]["uid"],
        namespace=key.namespace,
        name=key.name,
        action=spec.action,
        api_key_secret=spec.api_key_secret,
        api_key_secret_uid=meta.get("uid", ""),
        generation=int(meta.get("generation", 0)),
        reason=spec.reason,
        reference=spec.reference or "",
        requested_by=spec.requested_by or "",
        verified=verified,
        credential=spec.credential or "",
    )


def _regarding(record: ActionRecord) -> Regarding:
    """Return what an Event is about: the ApiKeySecret, or the KeyAction where there is none."""
    if record.api_key_secret_uid:
        return Regarding("ApiKeySecret", record.namespace, record.api_key_secret, record.api_key_secret_uid)
    return Regarding("KeyAction", record.namespace, record.name, record.uid)


def _asked(record: ActionRecord) -> str:
    """Say what was asked for, by whom and why, for people."""
    who = f"by {record.requested_by}" if record.requested_by else "by nobody who is named"
    unproven = "" if record.verified or not record.requested_by else " (unverified)"
    why = ", ".join(each for each in (record.reason, record.reference, f"KeyAction {record.name}") if each)
    what = f"{record.action} of {record.credential}" if record.credential else record.action
    return f"{what}, asked for {who}{unproven} ({why})"
