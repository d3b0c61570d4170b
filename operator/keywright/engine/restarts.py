"""One rollout: workloads are restarted, a batch at a time, and each batch is waited for until it is ready.

Whatever has been done shows in the workloads themselves, so that a rollout may be begun again at any point: what
carries the mark of these values is waited for, and not restarted once more.

Does not belong here: which objects have a rollout, and their status (``rollouts``); whom to restart (``decide/``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Sequence

from .. import cluster, errors, events, metrics, pacing
from ..decide import consumers, report, rollout
from ..decide.consumers import Census, Ref, Workload
from ..decide.rollout import Progress, State
from ..errors import Reason
from ..kinds.rollout import RolloutSpec
from .consumers import WORKLOADS, census, written
from .queue import Key
from .restart_records import Restart, RestartRecords

#: Who changes templates, as the API server notes it.
MANAGER = "keywright-rollout"
#: Seconds between two looks at a workload, and at all pods: the first, and the longest.
WORKLOAD_LOOKS, POD_LOOKS = (0.25, 3.0), (1.0, 15.0)
#: Seconds for which it is believed who has old values: others may restart workloads meanwhile.
KNOWN_FOR = 60.0
#: Times that a workload may be changed by others while it is restarted.
ROUNDS = 4

_GRANT = "Set the chart's rollout.enabled, or see which policy says no"


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What there is to do for one object.

    Attributes:
        secret: name of the target.
        mark: what templates bear that were restarted for its values.
        since: when these were found, as the status tells it; empty if they never changed.
        phase: of the rollout, as the status told it.
    """

    key: Key
    uid: str
    spec: RolloutSpec
    secret: str
    mark: str
    since: str
    phase: str

    @property
    def regarding(self) -> events.Regarding:
        """The object as Events name it."""
        return events.Regarding("ApiKeySecret", self.key.namespace, self.key.name, self.uid)

    @property
    def token(self) -> str:
        """Names this rollout, for whoever leads."""
        return f"{self.mark} {self.since}"


class Closed(Exception):
    """Nobody else is restarted before a window opens.

    Attributes:
        opens: Unix time at which it does.
    """

    def __init__(self, opens: float) -> None:
        super().__init__()
        self.opens = opens


class Restarts:
    """Restarts workloads."""

    def __init__(self, api: cluster.Cluster, recorder: events.Recorder, records: RestartRecords) -> None:
        self._api, self._recorder, self._records = api, recorder, records

    async def look(self, work: Work) -> Census:
        """Return who uses the Secret now.

        Raises:
            errors.Stalled: ``RestartDenied``.
            errors.Retry: the Secret is not there, or the API server does not answer.
        """
        try:
            known = await written(self._api, work.key, work.secret, work.mark)
            if known is None:
                raise errors.Retry(Reason.SECRET_MISSING, f"Secret {work.secret} is not there as it was written")
            known = consumers.since(known, work.since)
            return await census(self._api, work.key.namespace, known, rollout.refs(work.spec))
        except cluster.Refused as refused:
            raise _denied(refused) from None

    async def run(self, work: Work, found: Census, tell: Callable[[int, int], Awaitable[None]]) -> int:
        """Restart whom the object wants to be restarted, or see that somebody else does; return how many.

        Args:
            found: who uses the Secret.
            tell: called after each batch but the last, with how many there are and how many are ready; and before the
                first, where the status tells that nobody is restarted.

        Raises:
            errors.Stalled: ``RolloutFailed``, ``RolloutTimedOut``, ``RestartDenied``: nothing more is restarted.
            errors.Retry: it is to be begun again, later.
            Closed: it is to be begun again when a window opens.
        """
        picked = rollout.chosen(work.spec, found)
        if work.spec.restart == "Observe":
            return await self._observe(work, found, picked)
        begun = rollout.begun(picked, work.mark)
        due = rollout.due(picked, found, work.mark)
        total, size, ready = len(begun) + len(due), work.spec.batch, 0
        if not total:
            return 0
        await self._begin(work, begun, due, tell)
        batches = [*([begun] if begun else []), *(due[at : at + size] for at in range(0, len(due), size))]
        clock = asyncio.get_running_loop().time
        looked = clock()
        for number, batch in enumerate(batches):
            if number:
                await tell(total, ready)
                await asyncio.sleep(work.spec.pause_seconds)
                await self._may_begin(work, batch)
            if clock() - looked > KNOWN_FOR:
                found, looked = await self.look(work), clock()
            for each in rollout.due(batch, found, work.mark):
                await self._restart(work, each)
            await self._are_ready(work, batch)
            ready += len(batch)
        await self._say(work, events.EventReason.RESTARTED, f"{_named([*begun, *due])}: restarted, and ready")
        return total

    async def _begin(
        self,
        work: Work,
        begun: Sequence[Workload],
        due: Sequence[Workload],
        tell: Callable[[int, int], Awaitable[None]],
    ) -> None:
        """Tell that workloads are restarted, if that may be now."""
        if not begun:
            await self._may_begin(work, due)
        if work.phase != "Running":
            await tell(len(begun) + len(due), 0)
        await self._say(work, events.EventReason.RESTART_STARTED, f"{_named([*begun, *due])}: being restarted")

    async def _may_begin(self, work: Work, due: Sequence[Workload]) -> None:
        """See that the window is open in which workloads are restarted.

        Raises:
            Closed: it is not.
            errors.Stalled: ``InvalidSpec``: nobody can tell.
        """
        at = rollout.opens(work.spec, time.time())
        if at is not None:
            what = f"{_named(due)}: restarted when rollout.window opens, at {pacing.rfc3339(at)}"
            await self._say(work, events.EventReason.RESTART_WAITS, what)
            raise Closed(at)

    async def _say(self, work: Work, reason: events.EventReason, what: str) -> None:
        note = f"{what}, as Secret {work.secret} has changed."
        await self._recorder.once(work.regarding, reason, "Restart", note, token=f"{reason} {work.token}")

    # One workload.

    async def _restart(self, work: Work, workload: Workload) -> None:
        """Record, and change the one annotation."""
        restart = Restart(work.key.namespace, workload, work.secret, work.mark)
        await self._records.begin(restart)
        try:
            code = await self._annotate(work, workload)
        except errors.Error as error:
            self._ended(restart, str(error.reason))
            raise
        self._ended(restart, code)

    def _ended(self, restart: Restart, code: str) -> None:
        metrics.RESTARTS.labels(code).inc()
        self._records.end(restart, code)

    async def _annotate(self, work: Work, workload: Workload) -> str:
        """Change a workload's template at the version that is known; return what came of it."""
        kind, name = workload.ref.kind, workload.ref.name
        where = (WORKLOADS[kind], work.key.namespace, name)
        note = {consumers.annotation(str(work.key)): work.mark}
        for _ in range(ROUNDS):
            found = await self._api.get(*where)
            if found is None or found["metadata"]["uid"] != workload.uid:
                return "Gone"
            if note.items() <= (found["spec"]["template"]["metadata"].get("annotations") or {}).items():
                # The answer to an earlier try was lost.
                return "Restarted"
            body = {
                "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
                "spec": {"template": {"metadata": {"annotations": note}}},
            }
            query = {"fieldManager": MANAGER}
            try:
                await self._api.call(
                    "PATCH", *where, body=body, content_type=cluster.MERGE, query=query, accept=cluster.METADATA
                )
            except cluster.Refused as refused:
                if refused.status not in (404, 409):
                    raise _denied(refused) from None
            else:
                return "Restarted"
        raise errors.Retry(Reason.CONFLICT, f"{workload.ref} keeps being changed while it is restarted")

    async def _are_ready(self, work: Work, batch: Sequence[Workload]) -> None:
        """Wait until all of a batch are ready.

        Raises:
            errors.Stalled: one is not, and says so, or takes too long.
        """
        clock, timeout = asyncio.get_running_loop().time, work.spec.timeout_seconds
        ends, late = clock() + timeout, {each.ref: each for each in batch}
        pause, longest = WORKLOAD_LOOKS
        while late:
            for each in list(late.values()):
                seen = await self._progress(work, each)
                if seen.state is State.STUCK:
                    raise _stuck(each.ref, seen)
                if seen.state is State.READY:
                    del late[each.ref]
                elif clock() >= ends:
                    raise _late(each.ref, seen, work.spec.timeout)
            if late:
                await asyncio.sleep(pause)
                pause = min(longest, pause * 1.5)

    async def _progress(self, work: Work, workload: Workload) -> Progress:
        try:
            found = await self._api.get(WORKLOADS[workload.ref.kind], work.key.namespace, workload.ref.name)
        except cluster.Refused as refused:
            raise _denied(refused) from None
        if found is None or found["metadata"]["uid"] != workload.uid:
            return Progress(State.READY)
        return rollout.progress(workload.ref.kind, found)

    # Another tool.

    async def _observe(self, work: Work, found: Census, picked: Sequence[Workload]) -> int:
        """Wait until another tool has restarted those who have old values."""
        refs = {each.ref for each in rollout.due(picked, found, work.mark)}
        restarted = [each for each in picked if each.ref in refs]
        clock, timeout = asyncio.get_running_loop().time, work.spec.timeout_seconds
        ends, (pause, longest) = clock() + timeout, POD_LOOKS
        while left := sorted({pod.owner for pod in found.unsettled} & refs):
            if clock() >= ends:
                named = report.few([str(each) for each in left])
                said = f"{named} was not restarted within {work.spec.timeout} by another tool"
                raise errors.Stalled(Reason.ROLLOUT_TIMED_OUT, said, "See why it did not, or restart it yourself")
            await asyncio.sleep(pause)
            pause = min(longest, pause * 1.5)
            found = await self.look(work)
        await self._are_ready(work, restarted)
        if restarted:
            what = f"{_named(restarted)}: restarted by another tool, and ready"
            await self._say(work, events.EventReason.RESTARTED, what)
        return len(restarted)


def _named(workloads: Sequence[Workload]) -> str:
    return report.few([str(each.ref) for each in workloads])


def _stuck(ref: Ref, seen: Progress) -> errors.Stalled:
    said = f"{ref} does not get ready, as it reports itself: {seen.ready} of {seen.pods} pods are"
    return errors.Stalled(Reason.ROLLOUT_FAILED, said, _hint(ref))


def _late(ref: Ref, seen: Progress, timeout: str) -> errors.Stalled:
    said = f"{ref} was not ready within {timeout}: {seen.ready} of {seen.pods} pods are"
    return errors.Stalled(Reason.ROLLOUT_TIMED_OUT, said, _hint(ref))


def _hint(ref: Ref) -> str:
    return (
        f"No other workload is restarted. See kubectl rollout status {ref.kind.lower()}/{ref.name};"
        " keywright refresh tries the rollout again"
    )


def _denied(refused: cluster.Refused) -> errors.Error:
    """Say what it means that the API server refuses a look, or a restart."""
    said = f"the API server answered {refused.status} for {refused.what}"
    if refused.status == 403:
        return errors.Stalled(Reason.RESTART_DENIED, said, _GRANT)
    return errors.Stalled(Reason.ROLLOUT_FAILED, said, "See whether an admission policy or webhook of yours says no")
