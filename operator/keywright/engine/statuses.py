"""Parts of an object's status, out of what was found and done. Pure.

Does not belong here: when a status is written, and Events (``reporter``); the wording (``decide/report.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..decide import report, sync
from ..errors import Reason
from .assemble import Gathered
from .checker import Refused
from .records import Record

#: Why a target holds what somebody else says.
NOT_OURS = frozenset(
    {
        Reason.DRIFT_CONTESTED,
        Reason.KEY_OWNED_ELSEWHERE,
        Reason.TARGET_EXISTS,
        Reason.TARGET_MISSING,
        Reason.TARGET_OWNED_ELSEWHERE,
    }
)


def dead(record: Record, old: dict[str, Any], dead: Refused, now: str) -> report.Conditions:
    """Return the conditions of an object whose target is as the stores say, with a dead key in it."""
    return report.troubled(dead, kept(record, dead.reason, missing=False), report.since_when(old, dead, now))


def in_order(name: str, store: str, gathered: Gathered) -> report.Conditions:
    """Return the conditions of an object whose target holds what the stores say."""
    holds = "is made of" if gathered.dropped else "holds"
    message = f"Secret {name} {holds} {len(gathered.inputs)} of {gathered.wanted} keys from {store}."
    if gathered.trimmed:
        message += f" White space around {report.few(sorted(gathered.trimmed))} was left out."
    return report.in_order(
        message,
        missing=gathered.missing,
        fallbacks=gathered.fallbacks,
        unused=gathered.unusable,
        warnings=warnings(gathered),
        previous=gathered.previous,
    )


def warnings(gathered: Gathered) -> list[str]:
    """Return what checks have found of keys that are written."""
    return [each.warning for each in gathered.checked if each.warning]


def written(record: Record, name: str, gathered: Gathered, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """Return what a status says of a target that is as it should be, by field.

    Args:
        name: of the Secret.
        fingerprints: of each key.
    """
    assert record.applied  # noqa: S101 - set by whatever brought the target into order
    return {
        "store": record.stores[:2048],
        "keys": f"{len(gathered.inputs)}/{gathered.wanted}",
        "target": target(name, record.applied, record.working),
        "versions": versions(gathered, fingerprints),
    }


def target(name: str, applied: sync.Applied, generation: int) -> dict[str, Any]:
    """Return the target as it was written last."""
    return {
        "name": name,
        "uid": applied.uid,
        "resourceVersion": applied.resource_version,
        "generation": generation,
        "fingerprint": applied.fingerprint,
    }


def versions(gathered: Gathered, fingerprints: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the keys as they were written last."""
    return [{"key": key, "fingerprint": mark} | _source(key, gathered) for key, mark in fingerprints.items()]


def _source(key: str, gathered: Gathered) -> dict[str, Any]:
    """Say where the value of an entry comes from: which version of the store's, or its own default."""
    if key in gathered.absent:
        return {"fromDefault": True}
    version, store = gathered.versions.get(key), gathered.fallbacks.get(key)
    told = {"version": (version or "")[:128], "store": store}
    return {name: value for name, value in told.items() if value}


def kept(record: Record, reason: Reason, *, missing: bool) -> str:
    """Say what the target holds meanwhile."""
    target = record.told_target
    if reason in NOT_OURS:
        return ""
    if missing:
        return f"Secret {target.get('name')} was deleted and is written again when this is mended."
    if not target:
        return "Its Secret is not written yet."
    versions = sorted({each.get("version", "") for each in record.status_json().get("versions", [])} - {""})
    held = f"version {versions[0]}" if len(versions) == 1 else "what it holds"
    return f"Secret {target.get('name')} keeps {held}."


def expected(record: Record, before: dict[str, Any]) -> dict[str, Any]:
    """Return what an object that was never in order can say of itself: its stores, and that nothing is written."""
    told: dict[str, Any] = {"store": record.stores[:2048]} if record.stores else {}
    if "target" not in before:
        spec = json.loads(record.spec)
        # How many entries a whole key has is known when it is read.
        told["keys"] = "0/?" if spec.get("dataFrom") else f"0/{len(spec.get('data') or [])}"
    return told
