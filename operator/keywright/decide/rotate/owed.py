"""Which debt is meant of which a person says that it is settled. Pure.

Does not belong here: what is owed and why (``journal``), how that is told (``told``).
"""

from __future__ import annotations

from collections.abc import Sequence

from .journal import Debt


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
