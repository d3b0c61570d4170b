"""What becomes of those who use the Secret when its values change, as a part of an ApiKeySecret's spec and status.

Does not belong here: whom that is and whom to restart (``decide/``), restarting (``engine/rollouts.py``).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import pydantic

from .. import schema
from ..schema import Cel, Duration, ObjectName, Renamed, Spec, Time
from .pods import PodsStatus
from .rotation import Window

#: Begins the annotation of pod templates by which workloads are restarted for an object; its field manager ends it.
RESTARTED: Final = "restarted.keywright.dev/"


class WorkloadRef(Spec):
    """A workload of the object's namespace."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    """Its kind."""
    name: ObjectName
    """Its name."""


class RolloutSpec(Spec):
    """Whether workloads are restarted when the values of the Secret change, and how."""

    cel = (
        Cel("has(self.workloads) == (self.restart == 'Listed')", "workloads goes with restart: Listed, and only so"),
        Cel(
            "!has(self.window) || self.restart in ['Auto', 'Listed']",
            "window goes with restart: Auto or Listed, as Keywright restarts nobody else",
        ),
    )
    renamed = (Renamed("refs", "workloads"), Renamed("windows", "window"))

    restart: Literal["None", "Auto", "Observe", "Listed"]
    """Who is restarted. `None`: nobody; `Auto`: each Deployment, StatefulSet and DaemonSet that has old values until it
    is; `Listed`: those in `workloads`; `Observe`: nobody, as another tool does it, and it is waited for and told."""
    workloads: Annotated[list[WorkloadRef], pydantic.Field(min_length=1, max_length=50)] | None = None
    """Who is restarted, with `restart: Listed`; whether it shows that they use the Secret or not."""
    batch: Annotated[int, pydantic.Field(ge=1, le=100)] = 1
    """How many workloads are restarted at the same time. The next follow when these are ready."""
    pause: Duration = "0"
    """How long is waited between two batches: `30s`, `10m`."""
    window: Window | None = None
    """When restarts may begin. Without one: always. What has begun goes on after it closes; the workloads that are left
    wait for the next time that it opens."""
    timeout: Annotated[Duration, Cel("self >= duration('1s')", "must be at least 1s")] = "10m"
    """How long a workload may take until it is ready again. One that takes longer ends the rollout; the others stay as
    they are."""

    @property
    def pause_seconds(self) -> float:
        """Seconds between two batches."""
        return schema.seconds(self.pause)

    @property
    def timeout_seconds(self) -> float:
        """Seconds that a workload may take until it is ready."""
        return schema.seconds(self.timeout)


class RolloutStatus(PodsStatus):
    """How far the present values of the Secret have come."""

    phase: Literal["Done", "Running", "Waiting", "Lagging", "Failed", "Blocked"]
    """`Running`: workloads are restarted, or waited for; `Waiting`: for the window in which they may be; `Done`: that
    is over, or nothing has changed yet; `Lagging`: it is over, and there are pods with old values that no restart by
    Keywright reaches; `Failed`: a workload did not become ready, and no other is restarted; `Blocked`: Keywright may
    not restart anything, or cannot read the window."""
    fingerprint: Annotated[str, pydantic.StringConstraints(max_length=64)]
    """Keyed fingerprint of the values that this is about; means nothing outside this install."""
    mark: Annotated[str, pydantic.StringConstraints(max_length=128)] | None = None
    """What pod templates bear that are restarted for them: the fingerprint, and when that changed."""
    since: Time | None = None
    """When they were found to have changed; absent where they never have since the object asks for restarts."""
    opens: Time | None = None
    """When the window opens that is waited for."""
    workloads: int | None = None
    """How many workloads were to be restarted."""
    ready: int | None = None
    """How many of these are ready again."""
