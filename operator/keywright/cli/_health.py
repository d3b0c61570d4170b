"""How an object or a store is, as its conditions tell.

Does not belong here: how it is printed (``_output``), what conditions there are (``decide/report.py``).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ..decide import report

if TYPE_CHECKING:
    from ..cluster import Json


@dataclasses.dataclass(frozen=True, slots=True)
class Health:
    """How an object is.

    Attributes:
        ready: status of the condition `Ready`; ``Unknown`` where it is about another generation.
        reason: of that condition, or of `Suspended`; None where there is none.
        since: when that became so, RFC 3339.
    """

    ready: str
    reason: str | None = None
    message: str = ""
    since: str | None = None


def of(item: Json) -> Health:
    """Return how an object of ours is."""
    status = item.get("status") or {}
    conditions = status.get("conditions") or []
    suspended, ready = report.find(conditions, "Suspended"), report.find(conditions, "Ready")
    if status.get("observedGeneration") != item["metadata"].get("generation"):
        unseen = "The operator has not looked at it yet in its present form"
        off = "" if "namespace" in item["metadata"] else ", or does not serve ClusterKeyStores (clusterStores.enabled)"
        return Health("Unknown", message=f"{unseen}{off}.")
    told = suspended if suspended.get("status") == "True" else ready
    if not told:
        said = (
            "The operator has not said yet how it is."
            if "namespace" in item["metadata"]
            else "Who logs in depends on the namespace that asks: how it is shows at the ApiKeySecrets that use it."
        )
        return Health("Unknown", message=said)
    return Health(
        str(ready.get("status", "Unknown")),
        told.get("reason"),
        str(told.get("message", "")),
        told.get("lastTransitionTime"),
    )
