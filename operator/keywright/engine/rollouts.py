"""Rollouts of all objects: a task for each whose status says that there is something to do, whoever began it.

The status is the only memory. The reporter writes into it, with the Secret's new version, that a rollout is to be; here
it is taken up, by the watch of the object itself, and by the next leader. It is written again when a phase ends, or a
batch is followed by another.

Does not belong here: one rollout (``restarts``), whether one begins (``decide/rollout.py``), the rest of the status
(``reporter``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import random
import time
from typing import Any

from .. import cluster, errors, events, kinds, pacing
from ..decide import report, rollout
from ..decide.consumers import Census
from ..errors import Reason
from . import standing
from .bugs import bug
from .queue import Key
from .reporter import rfc3339
from .restart_records import RestartRecords
from .restarts import POD_LOOKS, Closed, Restarts, Work

log = logging.getLogger(__name__)

#: Rollouts in which the API server is asked who uses a Secret at the same time.
AT_ONCE = 4
#: Seconds between two looks at pods that lag behind, or after a denial: the first, and the longest.
LATER = (5.0, 300.0)

#: Longest time in seconds between two looks while a window is waited for: others may restart workloads meanwhile.
CLOSED = 300.0

#: What ends a rollout until a person, or the next change, begins another.
_ENDS = frozenset({Reason.ROLLOUT_FAILED, Reason.ROLLOUT_TIMED_OUT})
#: What holds it up until a person has changed something.
_BLOCKS = frozenset({Reason.RESTART_DENIED, Reason.INVALID_SPEC})


class _Superseded(Exception):
    """The object wants something else by now, or is gone."""


class Rollouts:
    """Carries out rollouts.

    Args:
        enabled: whether this install restarts workloads at all.
    """

    def __init__(
        self, api: cluster.Cluster, recorder: events.Recorder, records: RestartRecords, *, enabled: bool
    ) -> None:
        self._api, self._recorder, self._enabled = api, recorder, enabled
        self._restarts = Restarts(api, recorder, records)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[Key, tuple[str, asyncio.Task[None]]] = {}

    def observe(self, item: cluster.Json) -> None:
        """Take note of an ApiKeySecret as the API server has it; take up its rollout, unless that is done already."""
        key = Key(item["metadata"]["namespace"], item["metadata"]["name"])
        work = _work(item) if self._is_due(item) else None
        if work is None:
            self.forget(key)
            return
        wanted = _identity(item)
        if key in self._tasks and self._tasks[key][0] == wanted:
            return
        self.forget(key)
        task = asyncio.create_task(self._see_to(work, wanted))
        self._tasks[key] = (wanted, task)
        task.add_done_callback(lambda ended: self._ended(key, ended))

    def forget(self, key: Key) -> None:
        """Give a rollout up: its object is gone, or wants none."""
        if known := self._tasks.pop(key, None):
            known[1].cancel()

    def close(self) -> None:
        """Begin nothing more; the next leader goes on."""
        for key in list(self._tasks):
            self.forget(key)

    def _ended(self, key: Key, ended: asyncio.Task[None]) -> None:
        if key in self._tasks and self._tasks[key][1] is ended:
            del self._tasks[key]

    def _is_due(self, item: cluster.Json) -> bool:
        """Whether there is something to do for an object, as far as it tells by itself."""
        told = (item.get("status") or {}).get("rollout")
        if not told or not item["spec"].get("rollout") or item["spec"].get("suspend"):
            return False
        if item["metadata"].get("deletionTimestamp"):
            return False
        if not self._enabled:
            return told["phase"] in ("Running", "Waiting", "Lagging")
        return told["phase"] in rollout.OPEN or _condition(item).get("reason") == Reason.RESTARTS_DISABLED

    async def _see_to(self, work: Work, wanted: str) -> None:
        """Carry out one rollout, and try again until its end is told or nobody wants it."""
        failures = 0
        while True:
            try:
                opens = await self._carry_out(work, wanted)
                if opens is not None:
                    await asyncio.sleep(min(max(0.05, opens - time.time()), CLOSED))
                    work = dataclasses.replace(work, phase="Waiting")
                    continue
            except _Superseded:
                log.debug("%s: its rollout is another by now", work.key)
            except Exception as foreign:  # noqa: BLE001 - one rollout's bug must not stop the others
                error = foreign if isinstance(foreign, errors.Error) else bug(work.key, foreign)
                log.warning("%s: rollout: %s: %s", work.key, error.reason, error)
                failures += 1
                if not await self._failed(work, wanted, error, failures):
                    await asyncio.sleep(_pause(error, failures))
                    continue
            return

    async def _failed(self, work: Work, wanted: str, error: errors.Error, failures: int) -> bool:
        """Tell of an error, once it is sure to be one; whether that is the end."""
        ends, blocked = error.reason in _ENDS, error.reason in _BLOCKS
        if not (ends or blocked) and failures < 2:
            return False
        try:
            if ends or blocked:
                note = f"{error.reason}: {report.begun(error.message)}."
                token = f"{events.EventReason.RESTART_FAILED} {error.reason} {work.token}"
                reason = events.EventReason.RESTART_FAILED
                await self._recorder.once(work.regarding, reason, "Restart", note, token=token)
            phase = "Failed" if ends else "Blocked" if blocked else work.phase
            await self._tell(work, wanted, phase, rollout.stopped(error))
        except _Superseded:
            return True
        except errors.Error as untold:
            log.warning("%s: that could not be told: %s", work.key, untold)
            return False
        return ends

    async def _carry_out(self, work: Work, wanted: str) -> float | None:
        """Carry a rollout out; return at what time a window opens that it waits for, None when it is over."""
        if not self._enabled:
            await self._tell(work, wanted, "Blocked", rollout.disabled(work.secret))
            return None
        if work.phase == "Done":
            # All that was wrong is that nothing could have been done.
            await self._tell(work, wanted, "Done", None)
            return None
        if work.phase != "Lagging":
            found = await self._look(work)
            rolling = rollout.rolling(work.secret, work.spec)

            async def tell(total: int, ready: int) -> None:
                await self._tell(work, wanted, "Running", rolling, workloads=total, ready=ready)

            try:
                count = await self._restarts.run(work, found, tell)
            except Closed as closed:
                waiting, at = rollout.waiting(work.secret, closed.opens), pacing.rfc3339(closed.opens)
                await self._tell(work, wanted, "Waiting", waiting, opens=at)
                return closed.opens
            await self._finish(work, wanted, workloads=count, ready=count)
        else:
            await self._finish(work, wanted)
        return None

    async def _finish(self, work: Work, wanted: str, **counts: int) -> None:
        """Tell that nobody is left to restart, and wait for pods that have old values all the same."""
        clock = asyncio.get_running_loop().time
        ends, (pause, longest) = clock() + work.spec.timeout_seconds, POD_LOOKS
        while (found := await self._look(work)).unsettled:
            passing = all(pod.hold in rollout.PASSING for pod in found.unsettled)
            if not passing or clock() >= ends:
                if longest != LATER[1]:
                    pause, longest = LATER
                await self._tell_end(work, wanted, "Lagging", found, counts)
            await asyncio.sleep(pause)
            pause = min(longest, pause * 1.5)
        await self._tell_end(work, wanted, "Done", found, counts)

    async def _tell_end(self, work: Work, wanted: str, phase: str, found: Census, counts: dict[str, int]) -> None:
        told = counts | rollout.counts(found)
        await self._tell(work, wanted, phase, rollout.finished(work.secret, found), **told)

    async def _look(self, work: Work) -> Census:
        async with self._turns:
            return await self._restarts.look(work)

    async def _tell(self, work: Work, wanted: str, phase: str, condition: dict[str, Any] | None, **counts: Any) -> None:
        """Write how far a rollout is, at the version of the object that it was decided on.

        Raises:
            _Superseded: the object wants another one, or is gone.
            errors.Error: it could not be written.
        """

        def after(item: cluster.Json | None) -> dict[str, Any]:
            if item is None or _identity(item) != wanted:
                raise _Superseded
            return _after(item, phase, condition, counts)

        await standing.revise(self._api, work.key, after)


def _after(item: cluster.Json, phase: str, condition: dict[str, Any] | None, counts: dict[str, Any]) -> dict[str, Any]:
    """Return the status with a rollout as it is now."""
    status = item["status"]
    before, told = status.get("conditions") or [], status["rollout"]
    others = [each for each in before if each.get("type") != rollout.ROLLED_OUT]
    if condition:
        others += report.merged(before, [condition], int(item["metadata"].get("generation", 1)), rfc3339())
    gone = {"opens"} | ({"laggards"} if "pods" in counts else set())
    told = {name: each for name, each in told.items() if name not in gone}
    return {**status, "rollout": {**told, **counts, "phase": phase}, "conditions": others}


def _condition(item: cluster.Json) -> dict[str, Any]:
    return report.find((item.get("status") or {}).get("conditions") or [], rollout.ROLLED_OUT)


def _identity(item: cluster.Json) -> str:
    """Return what is to be done for an object, as text: what another one says is another rollout."""
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    told = status.get("rollout") or {}
    target = (status.get("target") or {}).get("name")
    parts = (meta["uid"], target, told.get("fingerprint"), told.get("since"), spec.get("suspend"), spec.get("rollout"))
    return json.dumps(parts, sort_keys=True)


def _work(item: cluster.Json) -> Work | None:
    """Return what there is to do; None if the object does not say it in a way that is understood."""
    meta, status = item["metadata"], item["status"]
    try:
        spec = kinds.ApiKeySecret.read_spec(item["spec"]).rollout
    except errors.Stalled:
        return None
    told, target = status["rollout"], (status.get("target") or {}).get("name")
    if spec is None or spec.restart == "None" or not target:
        return None
    key = Key(meta["namespace"], meta["name"])
    mark = rollout.mark(told) or ""
    return Work(key, meta["uid"], spec, target, mark, told.get("since") or "", told["phase"])


def _pause(error: errors.Error, failures: int) -> float:
    first = LATER[0] if error.reason is Reason.RESTART_DENIED else pacing.FIRST_PAUSE
    return pacing.backoff(failures, random.random(), first=first)  # noqa: S311
