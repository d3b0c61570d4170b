"""Which debts a person has to see to, and which one is meant that is said to be settled. Pure.

Does not belong here: what is owed and why (``journal``), how that is told (``told``).
"""

from __future__ import annotations

from collections.abc import Sequence

from . import makers
from .journal import Debt, Half, Journal, Owed
from .sight import Rules


def by_hand(debt: Debt, rules: Rules) -> bool:
    """Whether nobody tries to revoke a key that is to be revoked, so that a person has to: its issuer has no call for
    that, or is another one by now, or what it calls the key is not known.
    """
    ends = rules.ends(Half(debt.fingerprint, debt.handle)) and makers.same(debt.issuer, rules.issuer)
    return debt.owed is Owed.REVOKE and not ends


def keeps(journal: Journal, half: Half | None) -> list[Debt]:
    """Return the debts that say of a key that it was left alive."""
    alive = (each for each in journal.debts if each.owed is Owed.KEEP)
    return [each for each in alive if half and each.fingerprint == half.fingerprint]


def by_hand_once_gone(debt: Debt) -> bool:
    """Whether nobody tries it once its object is gone: who uses a key that somebody may have cannot be seen then."""
    return debt.owed is Owed.REVOKE and bool(debt.fingerprint or not debt.handle)


def made(debt: Debt) -> float:
    """Return the Unix time by which a debt is told from others without a handle."""
    return debt.since if debt.made_from is None else debt.made_from


def meant(debts: Sequence[Debt], handle: str, made_from: float | None) -> list[Debt]:
    """Return the debts that are meant: one, where it is known which.

    Args:
        handle: of the key; empty where it has none.
        made_from: Unix time, as ``made`` tells it; None: not said.
    """
    found = [each for each in debts if each.handle == handle]
    if made_from is None:
        return found
    # Times of objects have no fractions of a second. One of two of the same second is settled as well as the other.
    return [each for each in found if int(made(each)) == int(made_from)][:1]
