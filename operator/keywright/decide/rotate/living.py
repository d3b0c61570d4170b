"""What lives for a short while: when it is renewed or replaced, and what need not be waited for, as it ends by itself.

Does not belong here: what keys that live on want (``making``, ``spreading``, ``ending``, ``back``).
"""

from __future__ import annotations

import dataclasses
import math

from ...issuing.base import Way
from . import makers
from .any_time import condemned
from .journal import Half, Journal, Step, Why
from .moves import Do, Effect, Move, Situation
from .sight import Holds, Rules

#: Share of its life that is left when a minted key is replaced.
LEFT = 1 / 3
#: Share of a life by which a renewal has to prolong it, or the next one is not waited for.
GAIN = 1 / 3
#: Seconds until a renewal is asked for again that was not answered: first and longest.
FIRST_AGAIN, LONGEST_AGAIN = 5.0, 300.0


def worn(half: Half | None, before: float | None = None) -> float | None:
    """Return when a key is to be renewed or replaced (Unix time); None where it lives on.

    Args:
        before: seconds before its end, at most half its life; None: when a third of it is left.
    """
    if half is None or half.lives_from is None or half.lives_until is None:
        return None
    life = max(0.0, half.lives_until - half.lives_from)
    return half.lives_until - min(life * LEFT if before is None else before, life / 2)


def renews(rules: Rules, journal: Journal | None) -> bool:
    """Whether the key that the last rotation has left can be made to live longer, as far as is known."""
    left = journal.left if journal else None
    if not (journal and left and left.handle and left.lives_until is not None):
        return False
    return rules.renews and left.spent is None and makers.same(journal.issuer, rules.issuer)


def ended(at: Situation, half: Half | None) -> bool:
    """Whether a key has ended by itself."""
    return half is not None and half.lives_until is not None and half.lives_until <= at.now


def renewed(half: Half, until: float, now: float) -> Half:
    """Return a key that was made to live longer.

    Args:
        until: when it ends by now (Unix time).
        now: when that was said (Unix time).
    """
    life = (half.lives_until or now) - (half.lives_from or now)
    if until - (half.lives_until or now) < life * GAIN:
        return dataclasses.replace(half, lives_until=until, spent=now)
    return dataclasses.replace(half, lives_from=now, lives_until=until)


# Reasons.


def renew(at: Situation) -> Move | None:
    """Have the key that is in use live longer, once two thirds of its life are over."""
    left, held = at.journal.left, at.seen.held
    if not (left and held and held.fingerprint == left.fingerprint and renews(at.rules, at.journal)):
        return None
    due = worn(left, at.rules.before_end)
    if due is None or at.now < due or at.journal.again > at.now or ended(at, left):
        return None
    again = min(LONGEST_AGAIN, FIRST_AGAIN * 2 ** min(at.journal.tries, 16))
    first = at.journal.but(tries=at.journal.tries + 1, again=at.now + again)
    return Do(Effect.RENEW, left.handle or "", first)


def worn_before(at: Situation) -> Move | None:
    """Turn back with a key of which too little is left by now; another one is minted."""
    return at.back(Why.WORN_OUT) if _worn(at) else None


def worn_after(at: Situation) -> Move | None:
    """End where most of the new key's life is over, whoever is late: the next one has to be minted."""
    return at.go(Step.REVOKED) if _worn(at) else None


def worn_back(at: Situation) -> Move | None:
    """End where there is no old key that lives: what is in use stays, and another one is minted in time."""
    journal, new = at.journal, at.journal.new
    dead = journal.old is None or ended(at, journal.old) or _worn(at)
    if at.rules.way is not Way.MINTED or new is None or not dead or not journal.got(Step.TESTED):
        return None
    if at.seen.store is not Holds.NEW:
        return at.go(Step.ROLLED_BACK)
    if condemned(at.seen.new):
        return at.go(Step.ROLLED_BACK, old=dataclasses.replace(new, lives_until=at.now))
    return at.go(Step.REVOKED, why=None)


def old_ended(at: Situation) -> Move | None:
    """End where the old key has ended by itself, or where there was none: nobody is helped by waiting."""
    if at.rules.way is not Way.MINTED or not (at.journal.old is None or ended(at, at.journal.old)):
        return None
    return at.go(Step.REVOKED)


def ends_by_itself(at: Situation) -> Move | None:
    """End where the old key is left to its own end, as nobody can revoke it."""
    if at.rules.way is not Way.MINTED or (at.rules.ends(at.journal.old) and not at.journal.same_handle):
        return None
    return at.go(Step.REVOKED)


def long_late(at: Situation) -> float:
    """Return for how many seconds people may be late before a person is told: half of what the old key has left."""
    old = at.journal.old
    if old is None or old.lives_until is None:
        return math.inf
    return max(0.0, old.lives_until - at.journal.since) / 2


def renewal(at: Situation) -> float:
    """Return when the key that is in use is renewed next (Unix time)."""
    due = worn(at.journal.left, at.rules.before_end) if renews(at.rules, at.journal) else None
    return math.inf if due is None else max(due, at.journal.again)


def _worn(at: Situation) -> bool:
    due = worn(at.journal.new)
    return at.rules.way is Way.MINTED and due is not None and due <= at.now
