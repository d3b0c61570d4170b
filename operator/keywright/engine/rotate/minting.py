"""What is known of the key that is in use; of a minted one, how long it lives yet: its shelf tells, and its journal.

Its issuer is not asked: a refresh, a restart of the operator or a lost status mint nothing.

Does not belong here: what follows (``decide/due.py``, ``decide/rotate``), the shelf itself (``engine/shelf.py``).
"""

from __future__ import annotations

import dataclasses

from ... import pacing
from ...decide.due import Minted
from ...decide.rotate import living
from ...decide.rotate.journal import Half, Journal
from ...secret import SecretMap
from ...stores.base import Fetched
from .aim import Aim
from .looking import Looking


async def look(looking: Looking, aim: Aim, journal: Journal | None) -> Minted | None:
    """Return what is known of the key that is in use; None where it is none that is minted.

    Args:
        journal: of its last rotation, where something is remembered.

    Raises:
        errors.Error: the shelf does not answer.
    """
    if not aim.recipe.minted:
        return None
    found, values = await looking.stored(aim)
    if found is None or not values:
        return Minted(None)
    half = in_use(looking.half(aim.place.key, values), found, journal)
    left = journal.left if journal else None
    same = left is not None and left.fingerprint == half.fingerprint
    return Minted(half, renews=same and living.renews(aim.rules, journal))


async def held(looking: Looking, aim: Aim, journal: Journal | None) -> tuple[SecretMap, Half | None]:
    """Return the credential where it is kept, and how a journal knows it; nothing where there is none.

    Raises:
        errors.Error: it is not known what is there.
    """
    found, values = await looking.stored(aim)
    if found is None or not values:
        return {}, None
    half = looking.half(aim.place.key, values)
    return values, in_use(half, found, journal) if aim.recipe.minted else half


def in_use(half: Half, found: Fetched, journal: Journal | None) -> Half:
    """Return a key with what is known of its life: by its journal, or else by what lies beside it.

    Args:
        found: where it lies.
    """
    left = journal.left if journal else None
    if left and left.lives_until is not None and left.fingerprint == half.fingerprint:
        return dataclasses.replace(half, lives_from=left.lives_from, lives_until=left.lives_until)
    made, ends = pacing.unix(found.created_at), pacing.unix(found.expires_at)
    return dataclasses.replace(half, lives_from=made, lives_until=ends)
