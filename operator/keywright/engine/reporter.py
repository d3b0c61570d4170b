"""What is told: the status of objects and stores, one Event for each transition, and nothing that says nothing new.

Does not belong here: the wording (``decide/report.py``), how Events are written (``events``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import cluster, errors, pacing
from ..decide import checks, report, rollout
from ..decide.rotate.told import ROTATING
from ..errors import Reason
from ..events import EventReason, Recorder, Regarding
from . import standing, statuses
from .assemble import Gathered
from .catalog import StoreRecord
from .checker import Refused, refused_as_dead
from .chronicle import Chronicle
from .endings import ENDING, ENDS, Endings, fields
from .queue import Key
from .reconcile import Emptied, Outcome
from .records import API_KEY_SECRETS, Record

#: Trouble of which the store's own Events tell, and that it is over: not one for each of its objects.
SAID_BY_STORE = frozenset({*errors.STORE_TROUBLE, Reason.STALE, Reason.SECRET_MISSING})
_ALL_KEPT = "Secrets keep what they hold."


class Reporter:
    """Tells people.

    Args:
        changed: called with an object as the API server has it now, when it turned out to be another than we knew;
            None and its record when it is gone.
        again: called with the name of one that is to be looked at again.
        restarts: whether this install restarts workloads.
    """

    def __init__(
        self,
        api: cluster.Cluster,
        recorder: Recorder,
        chronicle: Chronicle,
        changed: Callable[[Record, cluster.Json | None], None],
        again: Callable[[Key], None],
        *,
        restarts: bool,
    ) -> None:
        self._api, self._recorder, self._chronicle, self._changed = api, recorder, chronicle, changed
        self._again = again
        self._endings, self._restarts = Endings(recorder), restarts

    async def in_order(self, record: Record, outcome: Outcome) -> None:
        """Report that an object is in order."""
        before = record.status_json()
        spec = record.spec_model()
        if outcome.suspended:
            await self._suspended(record, before)
            return
        assert outcome.gathered  # noqa: S101 - only a suspended outcome has none
        assert record.applied  # noqa: S101 - set by whatever brought the target into order
        name, store, now = spec.target_name(record.key.name), record.stores, rfc3339()
        changed = now if outcome.acts else before.get("lastChanged", now)
        written = statuses.written(record, name, outcome.gathered, outcome.fingerprints) | {"lastChanged": changed}
        # What was written is known, and told one day, whatever becomes of this report.
        record.untold = {each: told for each, told in written.items() if told != before.get(each)}
        old = report.find(before.get("conditions") or [], "Ready")
        dead = next((refused_as_dead(each) for each in outcome.gathered.checked if each.dead), None)
        state = statuses.dead(record, old, dead, now) if dead else statuses.in_order(name, store, outcome.gathered)
        message = str(state[0]["message"])
        credentials = checks.told(before.get("credentials") or [], outcome.gathered.checked, now)
        endings = await self._endings.told(record, credentials)
        rolling, rolled = self._rollout(record, name, before, outcome.holds)
        state += endings.conditions + rolled + _rotating(before)
        history = await self._chronicle.in_order(record, outcome, before, credentials)
        after = self._base(record, before) | {
            "conditions": report.merged(before.get("conditions") or [], state, record.working, now),
            **fields(endings),
            **written,
            **rolling,
            **history,
        }
        said = SAID_BY_STORE | errors.LOGIN_TROUBLE if outcome.gathered.shared else SAID_BY_STORE
        recovered = old.get("status") == "False" and old.get("reason") not in said and not dead
        try:
            recovered = await self._write(record, before, after) and recovered
        except errors.Error:
            self._say_acts(record, outcome, message, recovered=False)
            raise
        # What was done for an object that went meanwhile goes with it.
        if not record.leaving:
            self._say_in_order(record, outcome, old, dead, recovered=recovered, message=message)

    def _rollout(
        self, record: Record, secret: str, before: Mapping[str, Any], holds: str
    ) -> tuple[dict[str, Any], report.Conditions]:
        """Return what an object's status says of its rollout, and the condition; ``Rollouts`` does what follows."""
        asked = record.is_wished
        spec, now = record.spec_model().rollout, rfc3339()
        told, conditions = rollout.told(spec, secret, before, holds, enabled=self._restarts, asked=asked, now=now)
        return ({"rollout": told} if told else {}), conditions

    async def troubled(self, record: Record, error: errors.Error, *, quiet: bool, missing: bool) -> None:
        """Report that an object is not in order.

        Args:
            quiet: without an Event: the store has said it for all its objects.
            missing: the target was there and no longer is.
        """
        before = record.status_json()
        conditions = before.get("conditions") or []
        old = report.find(conditions, "Ready")
        now = rfc3339()
        emptied = isinstance(error, Emptied)
        silent = emptied or error.reason is Reason.SECRET_MISSING
        kept = "" if silent else statuses.kept(record, error.reason, missing=missing)
        gone = {"target", "versions", "keys", "rollout", *ENDS} if emptied else ENDS
        before_it = {name: value for name, value in before.items() if name not in gone}
        endings = await self._endings.told(record, [] if emptied else before.get("credentials") or [])
        state = report.troubled(error, kept, report.since_when(old, error, now)) + endings.conditions
        rolled = report.find(conditions, rollout.ROLLED_OUT)
        state += ([rolled] if rolled and not emptied else []) + _rotating(before)
        news = old.get("status") != "False" or old.get("reason") != str(error.reason) or _given_up(conditions, error)
        # Also what was removed just before a crash is told.
        removed = isinstance(error, Emptied) and (error.removed or bool(before.get("target")))
        base = self._base(record, before)
        # Another wish that is refused for the same reason is no news to people, but is recorded.
        tell = removed or ((news or before.get("observedGeneration") != record.working) and not quiet)
        history = await self._chronicle.refused(record, error, before, removed=removed) if tell else {}
        after = (
            before_it
            | base
            | statuses.expected(record, before_it | base)
            | {"conditions": report.merged(conditions, state, record.working, now), **fields(endings), **history}
        )
        # Said when it is written: what was decided on an old version is decided, and said, once more.
        if await self._write(record, before, after) and news and not quiet:
            note = f"{error.reason}: {report.explain(error, kept)}"
            said = EventReason.DELETED if removed else _said_of(error)
            self._recorder.say(record.regarding, said, "Sync", note, about=error.reason)

    async def remind(self, record: Record, checked: Sequence[checks.Checked]) -> None:
        """Say that keys end, and what their issuers say by now, of an object of which there is nothing else to say."""
        before = record.status_json()
        known, now = before.get("credentials") or [], rfc3339()
        news = {each["name"]: each for each in checks.told(known, checked, now)}
        credentials = [news.get(each.get("name"), each) for each in known]
        await self._chronicle.checked(record, before, credentials)
        endings = await self._endings.told(record, credentials)
        conditions = before.get("conditions") or []
        others = [each for each in conditions if each.get("type") not in ENDING]
        if (said := report.warned([each.warning for each in checked if each.warning])) and (
            said not in str(report.find(others, "Ready").get("message"))
        ):
            others = report.doubted(others, said)
            self._recorder.say(record.regarding, EventReason.KEY_WARNING, "Check", said, about=Reason.KEY_WARNING)
        generation = int(before.get("observedGeneration") or record.generation)
        told = report.merged(conditions, endings.conditions, generation, now)
        kept = {name: value for name, value in before.items() if name not in ENDS}
        await self._write(record, before, kept | {"conditions": others + told} | fields(endings))

    def gone(self, record: Record, secret: str) -> None:
        """Say that an object was deleted."""
        kept = record.spec_model().target.on_delete == "Retain"
        fate = "stays" if kept else "goes with it"
        note = f"ApiKeySecret {record.key} was deleted; its Secret {secret} {fate}."
        self._recorder.say(record.regarding, EventReason.DELETED, "Delete", note)
        self._chronicle.gone(record, secret, kept=kept)

    async def store(self, record: StoreRecord, error: errors.Error | None, files: Mapping[str, int]) -> None:
        """Report how a store is, and which files it has read, if that is news.

        Args:
            files: their generations by id.

        Raises:
            errors.Error: it could not be written.
        """
        now = rfc3339()
        old = report.find(record.conditions, "Ready")
        if error is None:
            conditions = [_ready("True", Reason.VALID, _answers(record))]
        else:
            conditions = report.troubled(error, _ALL_KEPT, report.since_when(old, error, now))
        if (old.get("status"), old.get("reason")) == (conditions[0]["status"], conditions[0]["reason"]) and (
            (record.observed, record.files) == (record.generation, files)
        ):
            return
        after = report.merged(record.conditions, conditions, record.generation, now)
        if error is not None and (old.get("status"), old.get("reason")) != ("False", str(error.reason)):
            await self._chronicle.store(record, error)
        if await self._write_store(record, after, files):
            self._say_store(record, old, error)

    async def acknowledge(self, record: StoreRecord) -> None:
        """Say of a store whose login depends on who asks that it was seen: how it is shows when it is used."""
        if record.observed != record.generation:
            await self._write_store(record, record.conditions, record.files)

    async def _write_store(
        self, record: StoreRecord, conditions: list[dict[str, Any]], files: Mapping[str, int]
    ) -> bool:
        """Patch a store's status at the version that is known; False if the store is another by now, or is gone."""
        status: dict[str, Any] = {"observedGeneration": record.generation, "conditions": conditions}
        if record.observed != record.generation:
            status["observedAt"] = rfc3339()
        if files != record.files:
            status["files"] = [{"id": each, "generation": number} for each, number in files.items()]
        written = await standing.write(self._api, record, status)
        if written:
            record.conditions, record.observed, record.files = conditions, record.generation, files
        return written

    def _say_store(self, record: StoreRecord, old: dict[str, Any], error: errors.Error | None) -> None:
        regarding = Regarding(record.kind, record.namespace or None, record.name, record.uid)
        if error is not None:
            if (old.get("status"), old.get("reason")) != ("False", str(error.reason)):
                note = report.explain(error, _ALL_KEPT)
                self._recorder.say(regarding, _said_of(error), "Check", note, about=error.reason)
        elif old.get("status") == "False":
            self._recorder.say(regarding, EventReason.RECOVERED, "Check", _answers(record))

    async def _suspended(self, record: Record, before: dict[str, Any]) -> None:
        """Report that an object is left alone; what was known of it stays."""
        conditions = [each for each in before.get("conditions") or [] if each.get("type") != "Suspended"]
        told = {
            "type": "Suspended",
            "status": "True",
            "reason": str(Reason.SUSPENDED),
            "message": "spec.suspend is true: nothing is read or written.",
        }
        merged = report.merged(before.get("conditions") or [], [told], record.working, rfc3339())
        await self._write(
            record, before, dict(before) | self._base(record, before) | {"conditions": conditions + merged}
        )

    @staticmethod
    def _base(record: Record, before: dict[str, Any]) -> dict[str, Any]:
        """Return what every report says."""
        base: dict[str, Any] = {"observedGeneration": record.working}
        base |= record.known_untold
        # Of rotations others tell.
        base |= {name: before[name] for name in ("rotations", "nextRotation") if name in before}
        if record.working_refresh:
            base["lastHandledRefresh"] = record.working_refresh[:256]
        return base

    def _say_acts(self, record: Record, outcome: Outcome, message: str, *, recovered: bool) -> None:
        """Say what was done: one Event for the target, which also says that trouble is over."""
        for act, said in outcome.acts:
            if act is EventReason.DELETED:
                self._recorder.say(record.regarding, act, "Sync", f"{said}.")
        done = [each for each in outcome.acts if each[0] is not EventReason.DELETED]
        if recovered:
            self._recorder.say(record.regarding, EventReason.RECOVERED, "Sync", message)
        elif done:
            act, said = done[0]
            # What somebody deleted and what somebody edited are no series.
            self._recorder.say(record.regarding, act, "Sync", f"{said}. {message}", about=said)

    def _say_in_order(
        self,
        record: Record,
        outcome: Outcome,
        old: dict[str, Any],
        dead: Refused | None,
        *,
        recovered: bool,
        message: str,
    ) -> None:
        assert outcome.gathered  # noqa: S101 - see in_order
        self._say_acts(record, outcome, message, recovered=recovered)
        self._say_doubts(record, outcome.gathered, str(old.get("message")))
        if dead and old.get("reason") != str(dead.reason):
            self._say_dead(record, dead)

    def _say_dead(self, record: Record, dead: Refused) -> None:
        """Say that a key has died that the target holds."""
        note = f"{dead.reason}: {report.explain(dead, statuses.kept(record, dead.reason, missing=False))}"
        self._recorder.say(record.regarding, EventReason.REFUSED, "Check", note, about=dead.reason)

    def _say_doubts(self, record: Record, gathered: Gathered, told: str) -> None:
        """Say what is not as it should be although all is written, unless the condition has told that already."""
        for event, reason, action, said in (
            (EventReason.REFUSED, Reason.SOURCE_UNUSABLE, "Sync", report.cannot_stand_in(gathered.unusable)),
            (EventReason.KEY_WARNING, Reason.KEY_WARNING, "Check", report.warned(statuses.warnings(gathered))),
            (EventReason.PREVIOUS_VERSION, Reason.PREVIOUS_VERSION, "Check", report.stepped_back(gathered.previous)),
        ):
            if said and said not in told:
                note = said if str(event) == str(reason) else f"{reason}: {said}"
                self._recorder.say(record.regarding, event, action, note, about=reason)

    async def _write(self, record: Record, before: dict[str, Any], after: dict[str, Any]) -> bool:
        """Patch the status at the version it was decided on; False if it is another by now and does not say this."""
        patch = report.needs_write(before, after)
        if not patch:
            return True
        if (known := record.status_json()) != before:
            # Another part of it was told since, whose words this would take back: the version that is known is not the
            # one that this was decided on.
            self._again(record.key)
            return not report.needs_write(known, after)
        namespace, name = record.key
        try:
            version = await standing.patch(
                self._api, API_KEY_SECRETS, namespace, name, version=record.resource_version, status=patch
            )
        except cluster.Refused as refused:
            if refused.status not in (404, 409):
                raise
            found = await self._api.get(API_KEY_SECRETS, namespace, name)
            self._changed(record, found)
            # It may stand there already: the answer to a first try was lost.
            return bool(found and not report.needs_write(found.get("status") or {}, after))
        record.took_status(after, version)
        return True


def rfc3339() -> str:
    """Return the time as objects carry it."""
    return pacing.rfc3339(time.time())


def _rotating(before: Mapping[str, Any]) -> report.Conditions:
    """Return what is told of rotations, as it is."""
    found = report.find(before.get("conditions") or [], ROTATING)
    return [found] if found else []


def _given_up(conditions: report.Conditions, error: errors.Error) -> bool:
    """Whether a key that was held back is condemned by now."""
    waited = report.find(conditions, "Reconciling").get("reason") == Reason.KEY_INVALID
    return waited and isinstance(error, Refused)


def _said_of(error: errors.Error) -> EventReason:
    return EventReason.REFUSED if isinstance(error, errors.Stalled) else EventReason.FAILED


def _answers(record: StoreRecord) -> str:
    return f"{record.title} answers and accepts the login."


def _ready(status: str, reason: Reason, message: str) -> dict[str, Any]:
    return {"type": "Ready", "status": status, "reason": str(reason), "message": message}
