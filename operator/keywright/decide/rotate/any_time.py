"""What may turn up at any step on the way to a new key, and what is known of a key by its tests.

Does not belong here: what belongs to one step (``making``, ``spreading``, ``ending``), the way back (``back``).
"""

from __future__ import annotations

from ...issuers.base import Verdict
from ...issuing.base import Way
from .journal import Debt, Half, Owed, Step, Why
from .moves import Do, Effect, Go, Move, Situation
from .owed import by_hand, by_hand_once_gone
from .sight import Holds, Targets, Trial

#: How often the new key is written over an old one that somebody has put back.
RESTORED = 2
#: Seconds after which a look is worth while: at what answers in a moment, at what people or Pods do, at a key in grace.
SOON, LATER, NOW_AND_THEN = 5.0, 30.0, 900.0


def payable(at: Situation) -> list[Debt]:
    """Return what is owed and can be paid now: never a key that the store has, or may have, or that somebody uses."""
    users = at.seen.users
    return [
        each
        for each in at.journal.debts
        if each.owed is Owed.REVOKE
        and not by_hand(each, at.rules)
        and each.due <= at.now
        and not _may_be_held(at, each)
        and not (each.fingerprint and (users is None or users.late))
        and not (at.seen.wish.gone and by_hand_once_gone(each))
    ]


def _may_be_held(at: Situation, debt: Debt) -> bool:
    targets = at.seen.targets
    if at.seen.store is Holds.NOTHING:
        # Secrets keep what was there before.
        return targets is None or targets != Targets()
    if debt.fingerprint and (targets is None or targets.unknown):
        # One of them may have another key than the store has.
        return True
    held = at.seen.held
    if at.seen.store is None or held is None:
        return True
    same = held.fingerprint == debt.fingerprint or (held.handle is not None and held.handle == debt.handle)
    if debt.fingerprint:
        # Fingerprints of two keys of the install cannot be compared.
        return same or _key_id(held.fingerprint) != _key_id(debt.fingerprint)
    # Of a key whose value nobody has seen, only what the rotation has left in the store is known to be another one.
    left = at.journal.left if at.journal.step is Step.IDLE else at.journal.old
    return same or (held.handle is None and not (left and left.fingerprint == held.fingerprint))


def is_other(one: Half, other: Half) -> bool:
    """Whether two keys are known to be two: fingerprints of two keys of the install cannot be compared."""
    return one.fingerprint != other.fingerprint and _key_id(one.fingerprint) == _key_id(other.fingerprint)


def _key_id(fingerprint: str) -> str:
    return fingerprint.rpartition(":")[0]


def condemned(trial: Trial | None) -> bool:
    """Whether an issuer is known not to accept a key."""
    return trial is not None and trial.verdict is Verdict.INVALID


def alive(at: Situation, trial: Trial | None) -> bool:
    """Whether an issuer is known to accept a key: it did so the last time it said anything, a short while ago.

    What is dated later was tested while a clock was ahead.
    """
    if trial is None or abs(trial.at - at.now) > at.rules.fresh:
        return False
    return trial.verdict.is_alive and trial.last is not Verdict.INVALID


def enable(at: Situation) -> Move | None:
    """Switch the old key on again."""
    old = at.journal.old
    off = old and old.handle and old.disabled and not at.journal.old_may_be_dead
    return Do(Effect.ENABLE, old.handle or "") if old and off else None


def asked_back(at: Situation) -> Move | None:
    """Turn back because somebody asked, unless the old key is dead by now, or may be."""
    dead = at.journal.one_way or at.journal.old_may_be_dead
    return at.back(Why.ASKED) if at.seen.wish.back and not dead else None


def gone_early(at: Situation) -> Move | None:
    """Turn back because nobody wants a new key any more."""
    return at.back(Why.OBJECT_GONE) if at.seen.wish.gone else None


def gone_late(at: Situation) -> Move | None:
    """Leave both keys alive: the new one is in use, and a deletion revokes nothing."""
    old = at.journal.old
    if not at.seen.wish.gone or at.seen.store is None:
        return None
    if at.seen.store is not Holds.NEW or condemned(at.seen.new):
        return at.back(Why.OBJECT_GONE)
    if old is None or old.revoked or at.rules.way in (Way.LOCAL, Way.MINTED):
        return at.go(Step.REVOKED)
    owing, placed = at.journal.owing(Owed.KEEP, old, at.now), at.journal.stored or at.now
    return Go(owing.rest(at.now, left=at.journal.new, placed=placed))


def new_invalid(at: Situation) -> Move | None:
    """Turn back because the new key died on the way."""
    return at.back(Why.NEW_INVALID) if condemned(at.seen.new) else None


def store_changed(at: Situation) -> Move | None:
    """Turn back because somebody else has written to the store: theirs counts."""
    return at.back(Why.STORE_CHANGED) if at.seen.store in (Holds.OTHER, Holds.NOTHING) else None


def store_restored(at: Situation) -> Move | None:
    """Write the new key once more: the store has the old one again, from a backup perhaps. Where it comes again and
    again, or a person has put it back who makes the keys, that counts.
    """
    if at.seen.store is not Holds.OLD:
        return None
    if at.rules.way is Way.MANUAL:
        return at.back(Why.STORE_CHANGED)
    if at.journal.restored >= RESTORED:
        return at.wait(LATER, Why.STORE_CHANGED, asks=True)
    return at.go(Step.TESTED, restored=at.journal.restored + 1)
