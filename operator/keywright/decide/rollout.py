"""Whom to restart for new values, how far a workload has come with that, and what is told of it. Pure.

A restart is a change of one annotation in the pod template: what ``kubectl rollout restart`` does. The annotation's
value is the keyed fingerprint of the values that it is for, and when they were found: one restart for one change,
whoever leads meanwhile. Values that come back are another change: who has begun meanwhile has what was between.

Does not belong here: who uses a Secret (``consumers``), doing it (``engine/rollouts.py``).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .. import errors, pacing
from ..errors import Reason
from ..kinds.rollout import RolloutSpec
from . import due as times
from . import report, uses
from .consumers import ROLLING, SETTLED, STALE, Census, Hold, Pod, Ref, Workload
from .uses import Json, Way

#: Type of the condition that tells of a rollout.
ROLLED_OUT = "RolledOut"
#: Workloads with pods that lag behind, that a status names.
LAGGARDS = 20
#: What passes by itself, soon.
PASSING = frozenset({Hold.ENDING, Hold.STARTING, Hold.COMING})
#: Phases in which there is something to do.
OPEN = frozenset({"Running", "Waiting", "Lagging", "Blocked"})

_WORST = (Hold.ENDING, Hold.STARTING, Hold.COMING, Hold.UNREAD, Hold.OLD)
_DONE = "Each pod that is known to use Secret {} has its present values."


def chosen(spec: RolloutSpec, census: Census) -> tuple[Workload, ...]:
    """Return the workloads that are to be restarted when the Secret changes, by us or by another tool."""
    rolling = [each for each in census.workloads if each.ref.kind in ROLLING and not each.by_hand]
    if spec.restart == "Listed":
        listed = refs(spec)
        return tuple(each for each in rolling if each.ref in listed)
    return tuple(each for each in rolling if _restarts(each))


def refs(spec: RolloutSpec) -> frozenset[Ref]:
    """Return the workloads that a spec lists."""
    return frozenset(Ref(each.kind, each.name) for each in spec.workloads or ())


def _restarts(workload: Workload) -> bool:
    """Whether a workload goes on with old values until it is restarted, or asks for it."""
    ways = {each.way for each in workload.uses}
    return workload.asks or not ways.isdisjoint(uses.FROZEN) or (Way.VOLUME in ways and not workload.reloads)


def mark(told: Mapping[str, Any]) -> str | None:
    """Return what templates bear that were restarted for the values that a status tells of; None: it tells of none.

    Args:
        told: what it tells of the rollout.
    """
    found = told.get("mark") or told.get("fingerprint")
    return str(found) if found else None


def _marked(fingerprint: str, now: str) -> str:
    """Return what templates bear that are restarted for a change, as the policy wants it."""
    return f"{fingerprint}{int(pacing.unix(now) or 0):x}"


def begun(workloads: Sequence[Workload], mark: str) -> tuple[Workload, ...]:
    """Return those that were restarted for these values already."""
    return tuple(each for each in workloads if each.mark == mark)


def due(workloads: Sequence[Workload], census: Census, mark: str) -> tuple[Workload, ...]:
    """Return those that have to be restarted for these values: pods of theirs may have others."""
    stale = {pod.owner for pod in census.pods if pod.hold in STALE}
    return tuple(sorted((each for each in workloads if each.mark != mark and each.ref in stale), key=_by_ref))


def opens(spec: RolloutSpec, now: float) -> float | None:
    """Return when restarts may begin; None: now.

    Args:
        now: Unix time.

    Raises:
        errors.Stalled: ``InvalidSpec``: nobody can tell.
    """
    if spec.window is None:
        return None
    window = times.window(spec.window)
    if window.open_at(now):
        return None
    at = window.opens(now)
    if at is None:
        raise errors.Stalled(
            Reason.INVALID_SPEC, f"rollout.window never opens: {spec.window.start}", "Correct its start"
        )
    return at


def _by_ref(workload: Workload) -> Ref:
    return workload.ref


# How far a workload is.


class State(enum.Enum):
    """How far a workload has come with its new template."""

    READY = enum.auto()
    ROLLING = enum.auto()
    STUCK = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a workload has come.

    Attributes:
        pods: how many it should have.
        ready: how many of the new ones are ready.
    """

    state: State
    ready: int = 0
    pods: int = 0


def progress(kind: str, item: Json) -> Progress:
    """Return how far a workload has come with its present template, as ``kubectl rollout status`` tells it."""
    meta, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int(meta.get("generation") or 1):
        return Progress(State.ROLLING, 0, int(spec.get("replicas", 1)))
    return {"Deployment": _deployment, "StatefulSet": _stateful, "DaemonSet": _daemons}[kind](spec, status)


def _deployment(spec: Json, status: Json) -> Progress:
    wanted, new, all_, ready = (
        int(spec.get("replicas", 1)),
        *(int(status.get(each) or 0) for each in ("updatedReplicas", "replicas", "availableReplicas")),
    )
    if new >= wanted and all_ <= new <= ready:
        return Progress(State.READY, ready, wanted)
    conditions = {each.get("type"): each.get("reason") for each in status.get("conditions") or ()}
    stuck = conditions.get("Progressing") == "ProgressDeadlineExceeded"
    return Progress(State.STUCK if stuck else State.ROLLING, min(new, ready), wanted)


def _stateful(spec: Json, status: Json) -> Progress:
    wanted = int(spec.get("replicas", 1))
    strategy = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    new, ready = (int(status.get(each) or 0) for each in ("updatedReplicas", "readyReplicas"))
    # Where no revision is left to roll to, the new ones are counted as current ones.
    same = status.get("updateRevision") == status.get("currentRevision")
    enough = new >= wanted - int(strategy.get("partition") or 0) or same
    return Progress(State.READY if enough and ready >= wanted else State.ROLLING, min(new, ready), wanted)


def _daemons(_: Json, status: Json) -> Progress:
    wanted, new, ready = (
        int(status.get(each) or 0) for each in ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
    )
    done = new >= wanted and ready >= wanted
    return Progress(State.READY if done else State.ROLLING, min(new, ready), wanted)


# What is told.


def told(
    spec: RolloutSpec | None,
    secret: str,
    status: Mapping[str, Any],
    fingerprint: str,
    *,
    enabled: bool,
    asked: bool,
    now: str,
) -> tuple[dict[str, Any] | None, report.Conditions]:
    """Return what the status says of the rollout when a Secret has been looked at, and the condition.

    What is seen for the first time is what is compared with later, whatever was there before: no restart follows from
    a first sync, nor from a status that was lost. So it is with fingerprints of another key: the install's was lost.

    Args:
        status: as it was.
        fingerprint: of the values that the Secret has.
        enabled: whether this install restarts workloads.
        asked: a person has asked for a refresh: what has failed is tried once more.
        now: RFC 3339.
    """
    if spec is None or spec.restart == "None":
        return None, []
    before: dict[str, Any] = dict(status.get("rollout") or {})
    known = str(before.get("fingerprint") or "")
    same_key = known.partition(":")[0] == fingerprint.partition(":")[0]
    changed = bool(known) and same_key and known != fingerprint
    mark = _marked(fingerprint, now) if changed else before.pop("mark", None)
    mine = {"mark": mark} if mark and (changed or known == fingerprint) else {}
    after: dict[str, Any] = {"phase": "Done", **before, **mine, "fingerprint": fingerprint}
    old = report.find(status.get("conditions") or [], ROLLED_OUT)
    condition = [old] if old and old.get("reason") != Reason.INVALID_SPEC else []
    if changed or (asked and before.get("phase") == "Failed"):
        after = {"phase": "Running" if enabled else "Blocked", "fingerprint": fingerprint, "since": now, **mine}
        condition = [rolling(secret, spec)]
    blocked = _unreadable(spec) if enabled else [disabled(secret)]
    return after, blocked or condition


def _unreadable(spec: RolloutSpec) -> report.Conditions:
    """Return why it cannot be told when restarts may begin, which is better known before there are any."""
    try:
        opens(spec, 0.0)
    except errors.Stalled as error:
        return [stopped(error)]
    return []


def rolling(secret: str, spec: RolloutSpec) -> dict[str, Any]:
    """Return the condition while workloads are restarted."""
    if spec.restart == "Observe":
        what = f"Secret {secret} has changed: it is waited until another tool has restarted those who use it."
    else:
        what = f"Secret {secret} has changed: those who use it are being restarted, {spec.batch} at a time."
    return condition("False", Reason.ROLLING_OUT, what)


def waiting(secret: str, at: float) -> dict[str, Any]:
    """Return the condition while it is waited for the window in which workloads may be restarted.

    Args:
        at: Unix time at which it opens.
    """
    what = f"Secret {secret} has changed: those who use it are restarted when rollout.window opens"
    return condition(
        "False", Reason.WAITS_FOR_WINDOW, f"{what}, at {pacing.rfc3339(at)}; until then they keep what they have."
    )


def disabled(secret: str) -> dict[str, Any]:
    """Return the condition where this install restarts nothing."""
    said = f"Nobody who uses Secret {secret} is restarted, as this install may not restart workloads."
    return condition("False", Reason.RESTARTS_DISABLED, f"{said} Set the chart's rollout.enabled, or restart: None.")


def stopped(error: errors.Error) -> dict[str, Any]:
    """Return the condition of a rollout that an error has ended."""
    hint = f" {error.hint}." if error.hint else ""
    return condition("False", error.reason, f"{report.begun(error.message)}.{hint}")


def finished(secret: str, census: Census) -> dict[str, Any]:
    """Return the condition when there is nobody left to restart."""
    if census.adopted:
        return condition("True", Reason.ROLLED_OUT, _DONE.format(secret))
    late = census.unsettled
    named = report.few([f"{each['kind']}/{each['name']}" for each in laggards(census)])
    what = f"{len(late)} of {len(census.pods)} pods that use Secret {secret} may have older values: {named}."
    hint = "keywright consumers shows them. What Keywright does not restart has to end, or to be restarted by you."
    return condition("False", Reason.OLD_VALUE_IN_USE, f"{what} {hint}")


def condition(status: str, reason: Reason, message: str) -> dict[str, Any]:
    """Return the condition that tells of a rollout."""
    return {"type": ROLLED_OUT, "status": status, "reason": str(reason), "message": message[:2048]}


def counts(census: Census, *, named: bool = True) -> dict[str, Any]:
    """Return what a status tells of the pods that use a Secret.

    Args:
        named: whether it tells who is late.
    """
    current = len([pod for pod in census.pods if pod.hold in SETTLED])
    late = laggards(census) if named else []
    return {"pods": len(census.pods), "current": current} | ({"laggards": late[:LAGGARDS]} if late else {})


def together(counted: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a status tells of the pods that use several Secrets."""
    late = [each for counts in counted for each in counts.get("laggards", ())]
    sums: dict[str, Any] = {name: sum(counts[name] for counts in counted) for name in ("pods", "current")}
    return sums | ({"laggards": late[:LAGGARDS]} if late else {})


def laggards(census: Census) -> list[dict[str, Any]]:
    """Return the pods that do not have the present values, by workload, the worst first."""
    groups: dict[Ref, list[Pod]] = {}
    for pod in census.unsettled:
        groups.setdefault(pod.owner, []).append(pod)
    return [
        {"kind": ref.kind, "name": ref.name, "pods": len(pods), "holds": str(_worst(pods))}
        for ref, pods in sorted(groups.items(), key=lambda each: (-_WORST.index(_worst(each[1])), each[0]))
    ]


def _worst(pods: Collection[Pod]) -> Hold:
    return max((pod.hold for pod in pods), key=_WORST.index)
