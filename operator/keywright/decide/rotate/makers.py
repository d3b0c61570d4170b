"""Who makes the keys of a rotation, as its journal names it: what a key is called there means nothing elsewhere. Pure.

A namespace decides at which address its own issuer is asked, so the object and the address belong to the name; and so
does the binding, where two of one object have accounts of the same name.

Does not belong here: which issuer an object may use (``engine``), what follows where it is another one (``machine``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from .journal import Debt, Journal, Step

#: The kinds of objects that say who makes keys: of one namespace, and of the cluster.
OWN, CLUSTER = "KeyIssuer/", "ClusterKeyIssuer/"
#: What stands where there is nothing, and where it is not known.
_NONE, _UNKNOWN = "-", "?"
_WORDS = 4
#: Between an object and its binding.
_BINDING = "#"


def name(way: str, label: str, address: str, account: str) -> str:
    """Name who makes keys.

    Args:
        way: to have them made: the field of its object.
        label: names the object in the cluster: ``KeyIssuer/team-a/openai``.
        address: where it is asked; empty where that is said by the account, or nobody is.
        account: at the issuer; empty where nobody is asked.
    """
    return f"{way} {label} {address or _NONE} {account or _NONE}"


def bound(label: str, binding: str) -> str:
    """Name an object in the cluster, and one of its bindings.

    Args:
        binding: empty where the account alone tells it from all others.
    """
    return f"{label}{_BINDING}{binding}" if binding else label


def same(named: str, present: str) -> bool:
    """Whether a journal names who makes keys now; an address that an earlier version did not note is not compared, nor
    is a binding that was the only one of its account when it was noted, or is by now.
    """
    was, now = (each.split(" ", _WORDS - 1) for each in (named, present))
    if len(was) == len(now) == _WORDS:
        if was[2] == _UNKNOWN:
            now[2] = _UNKNOWN
        if not (_BINDING in was[1] and _BINDING in now[1]):
            was[1], now[1] = (each[1].partition(_BINDING)[0] for each in (was, now))
    return was == now


def handles(journal: Journal, maker: str) -> set[str]:
    """Return what the keys are called that a journal knows of one who makes keys, or may be.

    Args:
        maker: as ``Rules`` names who that is.
    """
    return _handles(journal, lambda issuer: may_be_one(issuer, maker))


def alike(journal: Journal, maker: str) -> set[str]:
    """Return what the keys are called that a journal knows of others who make keys the same way: one account may be
    reached by two addresses, and be written in two ways.

    Args:
        maker: as for ``handles``.
    """
    way = maker.split(" ", 1)[0]
    return _handles(journal, lambda issuer: issuer.split(" ", 1)[0] == way and not may_be_one(issuer, maker))


def _handles(journal: Journal, theirs: Callable[[str], bool]) -> set[str]:
    halves = (journal.old, journal.new, journal.left) if theirs(journal.issuer) else ()
    debts = (each.handle for each in journal.debts if theirs(each.issuer))
    return {*debts, *(each.handle for each in halves if each and each.handle)} - {""}


def may_be_one(one: str, other: str) -> bool:
    """Whether two may have keys of one account, whichever objects say so."""
    first, second = (each.split(" ", _WORDS - 1) for each in (one, other))
    if first[0] != second[0] or not len(first) == len(second) == _WORDS:
        # An earlier version, or a laptop, says less.
        return first[0] == second[0]
    return all(a == b or _UNKNOWN in (a, b) for a, b in zip(first[2:], second[2:], strict=True))


def people(named: str) -> str:
    """Return who makes keys as people look for it: the object and the account; empty where that is not known."""
    words = named.split(" ", _WORDS - 1)
    if len(words) < _WORDS:
        return ""
    label = words[1].partition(_BINDING)[0]
    return f"{label} ({words[3]})" if words[3] != _NONE else label


def known(journal: Journal, label: str) -> Journal:
    """Return a journal that may be of an earlier version, which named the way and the account alone, as it is read now.

    Which object that was, what rotates says as it was last noted. While a rotation is under way that is sure. What is
    left of former ones may be of another object: at one of the cluster, whose right reaches further than a namespace's,
    it is not taken for its own. The old key is found anew then, and what is owed a person ends.

    Args:
        label: names that object in the cluster; empty where that is not known.
    """
    if not label:
        return journal
    ours = not label.startswith(CLUSTER)
    debts = tuple(_owed(each, label) for each in journal.debts) if ours else journal.debts
    sure = _is_former(journal.issuer) and (ours or journal.step is not Step.IDLE)
    return journal.but(issuer=_named(journal.issuer, label) if sure else journal.issuer, debts=debts)


def _owed(debt: Debt, label: str) -> Debt:
    return dataclasses.replace(debt, issuer=_named(debt.issuer, label)) if _is_former(debt.issuer) else debt


def _is_former(issuer: str) -> bool:
    words = issuer.split(" ", _WORDS - 1)
    return bool(issuer) and not (len(words) == _WORDS and words[1].startswith((OWN, CLUSTER)))


def _named(former: str, label: str) -> str:
    way, _, account = former.partition(" ")
    return name(way, label, _UNKNOWN, "" if account.startswith((OWN, CLUSTER)) else account)
