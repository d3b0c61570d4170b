"""What is recorded of restarts: an intent before each workload's template is changed, an outcome after.

Does not belong here: restarting (``rollouts``), keeping records (``audit/``).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from .. import cluster
from ..audit.record import Entry, Object, Type
from ..audit.trail import Trail
from ..decide.consumers import Workload
from ..kinds.rollout import RESTARTED
from . import record_keeping
from .consumers import WORKLOADS

#: Digits of a fingerprint by which an intent tells for which values it is.
DIGITS = 12


@dataclasses.dataclass(frozen=True, slots=True)
class Restart:
    """One restart of one workload.

    Attributes:
        secret: that has changed.
        mark: fingerprint of its values.
    """

    namespace: str
    workload: Workload
    secret: str
    mark: str


class RestartRecords:
    """Records restarts of one leader.

    Args:
        epoch: returns its term: what another leader has begun has another id.
    """

    def __init__(self, trail: Trail, epoch: Callable[[], int]) -> None:
        self._trail, self._epoch = trail, epoch

    async def begin(self, restart: Restart) -> None:
        """Record that a workload is about to be restarted, and return when that is kept.

        Raises:
            errors.Retry: ``AuditUnavailable``: it cannot be recorded, so it must not be done.
        """
        await self._trail.intent(self._entry(restart, Type.RESTART_INTENT, "Begun"))

    def end(self, restart: Restart, code: str) -> None:
        """Record what came of it."""
        self._trail.note(self._entry(restart, Type.RESTART_OUTCOME, code))

    def _entry(self, restart: Restart, kind: Type, code: str) -> Entry:
        ref = restart.workload.ref
        about = Object(kind=ref.kind, namespace=restart.namespace, name=ref.name, uid=restart.workload.uid)
        token = f"{begins(restart.workload.uid, restart.mark)}{self._epoch()}"
        return Entry(type=kind, code=code, who=self._trail.who, id=token, object=about, secret=restart.secret)


def begins(uid: str, mark: str) -> str:
    """Return how the ids of restarts of a workload for some values begin, whoever leads."""
    return f"{uid}-{mark.partition(':')[2][:DIGITS]}-"


async def settle(api: cluster.Cluster, trail: Trail) -> None:
    """End what the leader before has begun to record: its workload's template tells whether it was restarted."""
    came_of = functools.partial(_came_of, api)
    await record_keeping.settle(trail, Type.RESTART_INTENT, Type.RESTART_OUTCOME, came_of)


async def _came_of(api: cluster.Cluster, row: dict[str, Any]) -> str:
    about = row["object"]
    found = await api.get(WORKLOADS[about["kind"]], about["namespace"], about["name"])
    if found is None or found["metadata"]["uid"] != about["uid"]:
        return "Gone"
    template = found["spec"]["template"].get("metadata") or {}
    told = [each for name, each in (template.get("annotations") or {}).items() if name.startswith(RESTARTED)]
    return "Restarted" if any(row["id"].startswith(begins(about["uid"], mark)) for mark in told) else "NotBegun"
