"""What became of the key that a rotation was to end: nobody is told that one is dead which is not known to be. Pure.

Does not belong here: ending it (``ending``, ``back``), what else is told of rotations (``told``).
"""

from __future__ import annotations

import dataclasses

from ... import pacing
from ...errors import Reason
from . import makers
from .journal import Debt, Half, Journal, Owed

#: What is said of a key for which something is owed.
_OWED = {
    Owed.REVOKE: "is still to be revoked",
    Owed.DIE: "was revoked, and was not seen to be dead",
    Owed.KEEP: "was left alive",
}
_LIST = "`keywright debts list` says what to do."


@dataclasses.dataclass(frozen=True, slots=True)
class Fate:
    """What became of a key.

    Attributes:
        code: ``Done`` where nothing is left to do; else why the key is not dead, or not known to be.
        said: the same, as sentences.
    """

    code: Reason
    said: str


def of_old(after: Journal, seen: Journal | None) -> Fate:
    """Return what became of the key that was replaced.

    Args:
        after: the journal as it is, once that is over.
        seen: as it was under way; None where nobody who is alive has seen it.
    """
    old = seen.old if seen else None
    if seen and old is None:
        return Fate(Reason.DONE, "There was no key before.")
    if owed := _owed(after, seen, old):
        return Fate(Reason.ROTATION_WAITS, f"The old key {_OWED[owed.owed]}: {_LIST}")
    if old and not old.revoked and old.lives_until is not None and old.lives_until > after.since:
        ends = pacing.rfc3339(old.lives_until)
        return Fate(Reason.UNSUPPORTED, f"The old key was not revoked: it ends by itself at {ends}.")
    if old is None and after.left and after.left.lives_until is not None:
        return Fate(Reason.DONE, "The old key was revoked, or ends by itself.")
    return Fate(Reason.DONE, "The old key is dead.")


def of_new(after: Journal, seen: Journal | None) -> Fate:
    """Return what became of the key that a rotation turned back from."""
    new, key = (seen.new if seen else None), "The key that it turned back from"
    if new and (owed := _owed(after, seen, new)):
        return Fate(Reason.ROTATION_WAITS, f"{key} {_OWED[owed.owed]}: {_LIST}")
    if new and new.revoked:
        return Fate(Reason.DONE, f"{key} is revoked.")
    return Fate(Reason.ROLLED_BACK, "The rotation turned back.")


def of_tested(after: Journal, seen: Journal | None) -> str:
    """Return what became of a key that was made for a test alone, as sentences; empty where that is not known."""
    new = seen.new if seen else None
    if new and (owed := _owed(after, seen, new)):
        return f"It {_OWED[owed.owed]}: {_LIST}"
    return "It was revoked." if new and new.revoked else ""


def replaced(after: Journal, seen: Journal) -> bool:
    """Whether the store was seen to have neither key of a rotation that turned back."""
    owed = _owed(after, seen, seen.old) if seen.old else None
    return owed is not None and owed.owed is Owed.KEEP and owed.since >= seen.began


def stays(after: Journal, seen: Journal) -> bool:
    """Whether a first key has stayed although its rotation turned back, as there was none to put back."""
    left, new = after.left, seen.new
    return seen.old is None and left is not None and new is not None and left.fingerprint == new.fingerprint


def _owed(after: Journal, seen: Journal | None, half: Half | None) -> Debt | None:
    """Return what is owed for a key."""
    found = (each for each in after.debts if each.owed is not Owed.FIND)
    if seen is None or half is None:
        # Since the store had the new key, nothing else of which a value is known has come to be owed.
        return next((each for each in found if each.fingerprint and each.since >= after.placed), None)
    # What was left alive by an earlier rotation, and put back since, may be revoked by this one.
    words = (Owed.DIE,) if half.revoked else tuple(Owed)
    return next((each for each in found if each.owed in words and _is_of(each, half, seen.issuer)), None)


def _is_of(debt: Debt, half: Half, issuer: str) -> bool:
    if debt.fingerprint and debt.fingerprint == half.fingerprint:
        return True
    return bool(debt.handle) and debt.handle == half.handle and makers.same(debt.issuer, issuer)
