"""What a rotation asks of its issuer, and what the issuer's list says of its keys. Pure: whoever drives it calls.

Does not belong here: calling (``engine/rotate``, ``cli/_local``), what follows (``machine``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet

from ... import dates, errors, secret
from ...errors import Reason
from ...issuers.base import Issuer, Malformed
from ...issuing.base import Issued, Issuing, Listed, Order, by_value
from ...schema import same_server
from ...secret import SecretMap
from ...stores.base import Fetched
from . import lost
from .journal import Ask, Debt, Half, Journal, Step
from .recipe import Recipe, has_some
from .sight import Holds, Keys, Trial


def stored(journal: Journal, old: SecretMap, new: SecretMap, values: SecretMap, held: Half) -> tuple[Holds, Half]:
    """Return which key a store has, and that key as the journal knows it, with the issuer's name where that is known.

    Values are compared where there are some: once what makes fingerprints was made anew, all of them are others.

    Args:
        old: parts of the old key, as the journal has them; empty where it has none.
        new: the same of the new key.
        values: what the store has.
        held: the same as a key, with its fingerprint of now.
    """
    # The new one first: an issuer may give the same key twice, which is seen before it is written.
    for half, own, which in ((journal.new, new, Holds.NEW), (journal.old, old, Holds.OLD)):
        if half and (half.fingerprint == held.fingerprint or (own and own == values)):
            return which, half
    left = journal.left
    return Holds.OTHER, left if left and left.fingerprint == held.fingerprint else held


def lacks(recipe: Recipe, found: Fetched | None) -> Holds:
    """Return what a store has that has no whole credential: some parts of one are another key, and no empty place.

    Args:
        found: None where there is nothing.
    """
    return Holds.OTHER if found is not None and has_some(recipe, found) else Holds.NOTHING


def order(journal: Journal, old: SecretMap) -> Order:
    """Return what a rotation asks of its issuer: by that keys are made, and known again.

    Args:
        old: the parts of the key that is replaced.
    """
    handle = journal.old.handle if journal.old else None
    asked_at = journal.asked_at if lost.asked(journal) != journal.unanswered else None
    return Order(journal.id, old, handle, journal.before or frozenset(), asked_at, journal.unanswered)


def keys(
    listed: Sequence[Listed],
    journal: Journal,
    others: frozenset[str] = frozenset(),
    alike: frozenset[str] = frozenset(),
) -> Keys:
    """Return what a list says.

    Args:
        others: handles that other rotations know as theirs.
        alike: handles that they know of others who make keys the same way (``makers.alike``).
    """
    handles = frozenset(each.handle for each in listed)
    ours = {each.handle: dates.unix(each.created_at) for each in listed if each.ours and each.handle not in others}
    used_at = next((each.used_at for each in listed if each.is_old), None)
    return Keys(handles, frozenset(ours), used_at, _asks(ours, lost.asked(journal)), frozenset(alike & ours.keys()))


def _asks(made: Mapping[str, float | None], asks: Sequence[Ask]) -> dict[str, Ask]:
    """Return of each key what it was made for, as far as that can be told: what was asked for when it was made.

    Args:
        made: when each was made (Unix time); None where the issuer does not tell.
    """
    if len(asks) == 1:
        return dict.fromkeys(made, asks[0])
    known = {handle: at for handle, at in made.items() if at is not None}
    return {handle: min(asks, key=lambda each: abs(each.at - at)) for handle, at in known.items()} if asks else {}


def shows(listed: Sequence[Listed], ids: AbstractSet[str], *known: SecretMap) -> errors.Stalled | None:
    """Return why a list is of no use, as it names keys by their values, and handles are shown; None: it is of use.

    Args:
        ids: the parts that name a key.
        known: keys whose values are known.
    """
    if not any(secret.tells(each.handle, values, ids) for each in listed for values in known):
        return None
    return by_value("lists keys by their values")


def handle(listed: Sequence[Listed], issuing: Issuing, old: Trial | None, endpoint: str | None) -> str | None:
    """Return the issuer's name of the old key; None where the list does not show it, or it is not proven.

    Where a part of a key is enough to say which one it is, that counts once the issuer has accepted that very key: else
    whoever writes to the store could have another's key ended. A hint counts at the issuer's own server alone.

    Args:
        old: what tests of the old key have come to.
        endpoint: where these were made; None: where that is usual.
    """
    own = endpoint is None or not issuing.reads_hint or same_server(endpoint, issuing.address)
    if issuing.reads_handle and not (own and old and old.passes):
        return None
    return next((each.handle for each in listed if each.is_old), None)


def lacking(made: Collection[str], wanted: Collection[str], whose: str) -> errors.Stalled | None:
    """Return why what makes these parts makes no such key; None: it does.

    Args:
        wanted: the parts that the credential has.
        whose: names the credential.
    """
    missing = sorted(set(wanted) - set(made))
    if not missing:
        return None
    said = f"makes no part {missing[0]}, which {whose} has"
    return errors.Stalled(Reason.ROTATION_UNSUPPORTED, said, "Name its parts as the issuer makes them")


def unfit(
    issued: Issued, wanted: Collection[str], tester: Issuer | None, *, ids: AbstractSet[str], formed: bool, tests: bool
) -> errors.Stalled | None:
    """Return why a key that was made is of no use; None: it is of use.

    Args:
        wanted: the parts that the credential has.
        tester: who accepts such keys; None: that is not known.
        ids: the parts that name a key.
        formed: whether it has to be of their form.
        tests: whether it has to be tested.
    """
    if why := lacking(issued.parts, wanted, "the credential"):
        return why
    if _tells(issued, ids):
        return by_value("names a key by its value")
    own = {name: value for name, value in issued.parts.items() if name in wanted}
    found = tester.recognise(own) if tester and formed else None
    if isinstance(found, Malformed):
        said = f"makes a key whose {found.part} {found.said}"
        return errors.Stalled(Reason.KEY_MALFORMED, said, "Check which field of its answers is the key")
    if tester and tests and not tester.address_for(own):
        said, hint = f"makes a key of which {tester.title} cannot be asked", "Say in the credential where it is asked"
        return errors.Stalled(Reason.ROTATION_UNSUPPORTED, said, hint)
    return None


def named(half: Half, issued: Issued, ids: AbstractSet[str]) -> Half:
    """Return a key that was made with its issuer's name, unless that tells its value.

    Args:
        ids: the parts that name a key.
    """
    return dataclasses.replace(half, handle=None if _tells(issued, ids) else issued.handle)


def _tells(issued: Issued, ids: AbstractSet[str]) -> bool:
    """Whether the issuer's name of a key holds its value."""
    return secret.tells(issued.handle or "", issued.parts, ids)


def staying(journal: Journal, old: SecretMap, new: SecretMap, held: SecretMap) -> SecretMap:
    """Return the key that is in use while another one is revoked.

    Args:
        held: what the store has.
    """
    if journal.step is Step.IDLE:
        return held
    if journal.step is Step.ROLLING_BACK:
        # What somebody else has written to the store counts.
        return held if held and held != new else old
    return new or old


def settled(before: Sequence[Debt], after: Sequence[Debt]) -> tuple[tuple[Debt, ...], tuple[Debt, ...]]:
    """Return what is owed from now on, and what is no longer."""
    known, owed = ({_name(each) for each in debts} for debts in (before, after))
    fresh = tuple(each for each in after if _name(each) not in known)
    return fresh, tuple(each for each in before if _name(each) not in owed)


def _name(debt: Debt) -> tuple[str, str, str, float | None]:
    return debt.owed, debt.handle, debt.fingerprint, debt.made_from
