"""Who uses a Secret, and which pods still have what was in it before it was last written. Pure.

A container takes variables, and files by ``subPath``, when it starts, and keeps them; files of volumes are replaced by
the kubelet a while later, which a program may notice or not. Time stamps of Kubernetes have no fractions of a second:
where they leave it open which was first, the pod counts as older.

Does not belong here: asking the API server (``engine/consumers.py``), how specs name Secrets (``uses``), whom to
restart (``rollout``).
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .. import pacing
from ..kinds.rollout import RESTARTED
from . import marks, uses
from .uses import Json, Use, Way

#: Seconds after which every kubelet has a Secret's new values: its period of a minute, and what it keeps as long.
LAG = 120.0
#: Seconds by which the operator's clock may be behind that of the API server.
SKEW = 60.0
#: Kinds whose pods are replaced one after the other when the template changes.
ROLLING = ("Deployment", "StatefulSet", "DaemonSet")

#: A workload, or a template, whose program reads its files again when they change says so by this annotation.
RELOADS = "keywright.dev/reloads"
#: What Stakater Reloader goes by: restart for all that is used; for these Secrets, used or not.
RELOADER_AUTO = ("reloader.stakater.com/auto", "secret.reloader.stakater.com/auto")
RELOADER_NAMES = "secret.reloader.stakater.com/reload"


class Hold(enum.StrEnum):
    """What a pod has of a Secret. The list is closed."""

    CURRENT = "Current"
    """It began after the Secret was written, or reads the file again, which has been replaced."""
    STARTING = "Starting"
    """A container is not running yet; it gets the present values, or is just being started with older ones."""
    COMING = "Coming"
    """Its files are being replaced by the kubelet at this time."""
    UNREAD = "Unread"
    """Its files have been replaced; whether the program has read them again is not known."""
    OLD = "Old"
    """It began before the Secret was written, and has what was there then."""
    ENDING = "Ending"
    """It is being deleted, and has what was there before until it has ended."""
    ENDED = "Ended"
    """It has ended."""


#: From the best to the worst; a pod is as its worst use is.
_ORDER = (Hold.CURRENT, Hold.STARTING, Hold.COMING, Hold.UNREAD, Hold.OLD)
#: What needs no restart, and no patience.
SETTLED = frozenset({Hold.CURRENT, Hold.ENDED})
#: What a restart of its workload puts right.
STALE = frozenset({Hold.STARTING, Hold.COMING, Hold.UNREAD, Hold.OLD})


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Ref:
    """A workload, in the namespace of the Secret."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Workload:
    """Something that makes pods which use the Secret.

    Attributes:
        uses: of its template.
        reloads: its program reads files again when they change, as it says.
        asks: Stakater Reloader's annotations ask for a restart.
        mark: for which values its pods were last restarted by us; None: never.
        by_hand: a new template alone replaces no pod of it: it is paused, or waits until somebody deletes them.
        parent: what has made it.
    """

    ref: Ref
    uid: str
    uses: tuple[Use, ...]
    reloads: bool = False
    asks: bool = False
    mark: str | None = None
    by_hand: bool = False
    parent: Ref | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Pod:
    """A pod that uses the Secret, and what it has of it.

    Attributes:
        owner: the workload that it is of; itself where it is of none.
        started: when it was made, RFC 3339.
    """

    name: str
    owner: Ref
    uses: tuple[Use, ...]
    hold: Hold
    started: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Census:
    """Everything in a namespace that uses a Secret."""

    workloads: tuple[Workload, ...] = ()
    pods: tuple[Pod, ...] = ()

    @property
    def unsettled(self) -> tuple[Pod, ...]:
        """The pods that have, or may have, what was there before."""
        return tuple(pod for pod in self.pods if pod.hold not in SETTLED)

    @property
    def adopted(self) -> bool:
        """Whether nobody who is known has anything but the present values."""
        return not self.unsettled


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A Secret as it was last written.

    Attributes:
        at: Unix time, whole seconds.
        mark: what our annotation says of templates that were restarted for these values; None: nothing was.
        version: its resourceVersion.
    """

    secret: str
    at: float
    annotation: str
    mark: str | None = None
    version: str = ""


def annotation(owner: str) -> str:
    """Return the annotation of pod templates by which workloads are restarted for one ApiKeySecret.

    Args:
        owner: its namespace/name.
    """
    return RESTARTED + marks.field_manager(owner)


def written_at(meta: Json, owner: str) -> float | None:
    """Return when an ApiKeySecret last changed its Secret, as the API server noted it; None if it never did.

    Args:
        meta: the Secret's metadata.
        owner: namespace/name of the ApiKeySecret.
    """
    manager = marks.field_manager(owner)
    ours = (each for each in meta.get("managedFields") or () if each.get("manager") == manager)
    times = [pacing.unix(each.get("time")) for each in ours]
    return max((each for each in times if each is not None), default=None)


def since(written: Written, told: str | None) -> Written:
    """Return a Secret as of when its values changed, which may be before it was last written.

    Args:
        told: when they were found to have changed, RFC 3339: after they had; None if that is not known.
    """
    changed = pacing.unix(told)
    return written if changed is None else dataclasses.replace(written, at=min(written.at, changed + SKEW))


def workload(kind: str, item: Json, written: Written, named: Collection[Ref] = ()) -> Workload | None:
    """Return a workload as a user of a Secret; None if it uses it in no way.

    Args:
        kind: its kind, which items of lists do not tell.
        item: as the API server has it.
        named: what is said to use it although that does not show.
    """
    meta, template = item["metadata"], _template(kind, item)
    notes = {**(_notes(template.get("metadata") or {})), **_notes(meta)}
    found, ref = uses.of(template.get("spec") or {}, written.secret), Ref(kind, meta["name"])
    by_name = written.secret in [each.strip() for each in notes.get(RELOADER_NAMES, "").split(",")]
    if by_name or ref in named:
        found += (Use(Way.NAMED),)
    if not found:
        return None
    return Workload(
        ref=ref,
        uid=meta["uid"],
        uses=found,
        reloads=notes.get(RELOADS) == "true",
        asks=by_name or any(notes.get(each) == "true" for each in RELOADER_AUTO),
        mark=_notes(template.get("metadata") or {}).get(written.annotation),
        by_hand=_waits(item.get("spec") or {}),
        parent=_controller(meta),
    )


def _template(kind: str, item: Json) -> Json:
    spec = item.get("spec") or {}
    if kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return spec.get("template") or {}


def _waits(spec: Json) -> bool:
    return bool(spec.get("paused")) or (spec.get("updateStrategy") or {}).get("type") == "OnDelete"


def pod(item: Json, written: Written, known: Mapping[Ref, Workload], now: float) -> Pod | None:
    """Return a pod as a user of a Secret; None if it uses it in no way.

    Args:
        known: the workloads that use it.
        now: Unix time.
    """
    meta = item["metadata"]
    owner = owner_of(meta)
    of = known.get(owner)
    found = uses.of(item.get("spec") or {}, written.secret)
    found += tuple(each for each in (of.uses if of else ()) if each.way is Way.NAMED)
    if not found:
        return None
    reloads = _notes(meta).get(RELOADS) == "true" or bool(of and of.reloads)
    hold = held(item, found, written, reloads=reloads, now=now)
    return Pod(meta["name"], owner, found, hold, str(meta.get("creationTimestamp") or ""))


def owner_of(meta: Json) -> Ref:
    """Return the workload that a pod is of, by its metadata: itself where it is of none."""
    owner, suffix = _controller(meta), (meta.get("labels") or {}).get("pod-template-hash")
    if owner is None:
        return Ref("Pod", meta["name"])
    if owner.kind == "ReplicaSet" and suffix and owner.name.endswith(f"-{suffix}"):
        # Deployments name their ReplicaSets so; else it would take a look at each.
        return Ref("Deployment", owner.name.removesuffix(f"-{suffix}"))
    return owner


def held(item: Json, found: Iterable[Use], written: Written, *, reloads: bool, now: float) -> Hold:
    """Return what a pod has of a Secret.

    Args:
        found: how it uses it.
        reloads: its program reads files again when they change.
        now: Unix time.
    """
    meta, status = item["metadata"], item.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return Hold.ENDED
    created = pacing.unix(meta.get("creationTimestamp")) or 0.0
    marked = bool(written.mark) and _notes(meta).get(written.annotation) == written.mark
    if marked or created > written.at:
        return Hold.CURRENT
    started = _started(status)
    holds = (_use(each, started, created, written, reloads=reloads, now=now) for each in found)
    worst = max(holds, key=_ORDER.index, default=Hold.CURRENT)
    gone = bool(meta.get("deletionTimestamp")) and worst is not Hold.CURRENT
    return Hold.ENDING if gone else worst


def _use(
    use: Use, started: Mapping[str, float], created: float, written: Written, *, reloads: bool, now: float
) -> Hold:
    """Return what a pod that was there before the Secret was written has by one use."""
    if use.way is Way.IMAGE_PULL:
        return Hold.CURRENT
    since = started.get(use.container) if use.container else created
    # A pod's Secrets are fetched anew when the kubelet learns of it; for a container that restarts, they may be older.
    fresh = written.at + (LAG if created < written.at else 0.0)
    if since is not None and since > fresh:
        return Hold.CURRENT
    if use.way in uses.FROZEN:
        return Hold.STARTING if since is None else Hold.OLD
    if now < written.at + LAG:
        return Hold.COMING
    return Hold.CURRENT if reloads else Hold.UNREAD


def _started(status: Json) -> dict[str, float]:
    """Return when each container has last started, Unix time; one that has not is left out."""
    parts = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    found = {}
    for each in (container for part in parts for container in status.get(part) or ()):
        state = each.get("state") or {}
        told = state.get("running") or state.get("terminated") or {}
        if (at := pacing.unix(told.get("startedAt"))) is not None:
            found[str(each.get("name"))] = at
    return found


def _notes(meta: Json) -> Mapping[str, str]:
    return meta.get("annotations") or {}


def _controller(meta: Json) -> Ref | None:
    owners: Sequence[Any] = meta.get("ownerReferences") or ()
    return next((Ref(str(each["kind"]), str(each["name"])) for each in owners if each.get("controller")), None)
