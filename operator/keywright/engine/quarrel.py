"""Quarrels: what somebody keeps changing back is put right a few times, then told, and left alone for a while.

Does not belong here: what is to be put right (``decide/sync.py``), doing it (``target``).
"""

from __future__ import annotations

import time

from .. import errors
from ..decide import sync
from ..errors import Reason
from .records import Record
from .target import Found, Target

#: So many repairs within so many seconds mean that somebody keeps changing the target back.
REPAIRS, REPAIR_SECONDS = 3, 600.0


def check(record: Record, plan: sync.Plan, target: Target, found: Found | None) -> None:
    """Stop repairing for a while what somebody else keeps changing.

    Raises:
        errors.Retry: with ``DriftContested``, names who does.
    """
    now = time.monotonic()
    record.repairs = tuple(each for each in record.repairs if now - each[0] < REPAIR_SECONDS)
    # Counted apart: a Secret that is quarrelled about is still missed by its pods when it is deleted.
    alike = [each for each in record.repairs if each[1] == (plan.act == "create")]
    if plan.repair and len(alike) >= REPAIRS:
        record.contested = now + REPAIR_SECONDS / 2
        again = f"changed again by {target.contenders(found)}" if found else "is gone again"
        raise errors.Retry(
            Reason.DRIFT_CONTESTED,
            f"Secret {target.name} had to be put right {REPAIRS} times within {REPAIR_SECONDS / 60:g} minutes"
            f" and {again}",
            "Find out who writes it and make it stop, or choose another target.name",
            after=REPAIR_SECONDS / 2,
        )


def note(record: Record, plan: sync.Plan) -> None:
    """Count a repair: one that was made, or one that came too late each time.

    Who is always faster quarrels too, else the two would write as fast as they can.
    """
    if plan.repair:
        record.repairs += ((time.monotonic(), plan.act == "create"),)
