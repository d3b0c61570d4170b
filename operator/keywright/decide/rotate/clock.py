"""A clock that was ahead, and was put right: what it has written lies in the future, and would be waited for till then.

Does not belong here: how long anything is waited for (``machine``), clocks of others (``issuing/base.py``), when a key
was asked for, which the issuer's list has its say on first (``lost.settling``).
"""

from __future__ import annotations

import dataclasses

from ...issuing.base import SKEW
from .journal import Journal, Step
from .outcomes import LONGEST_AGAIN, LONGEST_TRY
from .sight import Rules

#: Times at which something was, as a journal tells them.
_TIMES = ("since", "began", "stored", "placed", "reissued", "back_from")


def put_right(journal: Journal, rules: Rules, now: float) -> Journal:
    """Return a journal in which nothing was later than now, but for what clocks differ by.

    Args:
        now: Unix time.
    """
    ahead = now + SKEW
    # Between rotations nothing is waited for since the last one ended.
    names = [name for name in _TIMES if name != "since" or journal.step is not Step.IDLE]
    told: dict[str, object] = {name: now for name in names if (getattr(journal, name) or 0.0) > ahead}
    if journal.old and (journal.old.off_from or 0.0) > ahead:
        told["old"] = dataclasses.replace(journal.old, off_from=now)
    if journal.step is Step.GRACE and ("since" in told or "old" in told):
        is_off = journal.old is not None and journal.old.disabled
        told["until"] = min(journal.until, now + (rules.observe if is_off else rules.overlap))
    if "back_from" in told:
        told["until"] = min(journal.until, now + rules.overlap)
    if any(each.due > ahead + LONGEST_TRY for each in journal.debts):
        told["debts"] = tuple(dataclasses.replace(each, due=min(each.due, now)) for each in journal.debts)
    if journal.again > ahead + LONGEST_AGAIN:
        told["again"] = now
    return journal.but(**told)
