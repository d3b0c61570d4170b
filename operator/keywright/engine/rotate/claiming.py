"""Whose a key is: its journal, and the mark in its store; and what becomes of a journal whose place is left.

Does not belong here: the journals themselves (``journals``), what a rotation does (``post``).
"""

from __future__ import annotations

import dataclasses
import logging
import time

from ... import errors
from ...decide.rotate import outcomes
from ...decide.rotate import recipe as recipes
from ...decide.rotate.journal import Journal
from ...decide.rotate.sight import Wish
from ...errors import Reason
from ...issuing import ISSUING
from ...issuing.base import Way
from ...secret import SecretMap
from ..journals import About, Elsewhere, Kept
from ..queue import Key
from ..records import Record, is_gone
from .aim import Aim
from .aiming import rotated_at
from .looking import NOTHING, Sight
from .marking import Marking
from .means import Means
from .trials import Trials

log = logging.getLogger(__name__)


class Claiming:
    """Claims the key of one credential.

    Args:
        key: its object.
    """

    def __init__(self, means: Means, key: Key) -> None:
        self._means, self._key, self._marking = means, key, Marking(means)

    def about(self, aim: Aim, record: Record) -> About:
        """Return what a journal says of its key and object."""
        return About(aim.place.key, self._key.namespace, self._key.name, record.uid, aim.recipe.text())

    async def _gone(self, about: About) -> bool:
        return await is_gone(self._means.api, Key(about.namespace, about.name))

    async def found(self, aim: Aim, record: Record) -> Kept | None:
        """Return the journal that there is of the key.

        Raises:
            Elsewhere: somebody else rotates it.
            errors.Stalled: ``RotationUnsupported``: there is none, and nobody has let this namespace make one.
        """
        about = self.about(aim, record)
        await self._marking.see_that_it_is_free(aim, about, record)
        others = rotated_at(self._means, record, aim.place.key)
        found = await self._means.journals.owned(about, others, self._gone)
        if found is None:
            self._means.places.see_that_it_may_begin(aim.place, self._key.namespace)
        return found

    async def made(
        self, aim: Aim, record: Record, journal: Journal, values: SecretMap, *, take_over: bool = False
    ) -> Kept:
        """Claim the key with a journal that is made; one that is there already is taken up as it is.

        Only who may write the key may claim it: the mark in the store comes first, where there is a key.

        Args:
            take_over: as for ``Marking.put``.

        Raises:
            Elsewhere: somebody else rotates it.
            errors.Error: the store does not let us mark it, or that cannot be recorded.
        """
        kept = Kept(self.about(aim, record), journal, values, {})
        await self._marking.see_that_it_is_free(aim, kept.about, record)
        await self._marked(aim, kept, record, take_over=take_over)
        return await self._means.journals.claim(kept, rotated_at(self._means, record, aim.place.key), self._gone)

    async def begun(
        self, aim: Aim, record: Record, kept: Kept, journal: Journal, values: SecretMap, *, take_over: bool
    ) -> Kept:
        """Have a journal that is there tell of a rotation that begins; as ``made``."""
        changed = dataclasses.replace(kept, journal=journal, old=values, new={}, later={})
        await self._marked(aim, changed, record, take_over=take_over)
        return await self._means.journals.write(changed)

    async def _marked(self, aim: Aim, kept: Kept, record: Record, *, take_over: bool) -> None:
        """Have the store's key bear our mark, where there is a key, and we may."""
        self._means.places.see_that_it_may_begin(aim.place, self._key.namespace)
        try:
            await self._marking.put(aim, kept, record, take_over=take_over)
        except errors.Stalled as error:
            # What was deleted and takes no mark takes no key either.
            if error.reason not in NOTHING or error.reason is Reason.VERSION_DELETED:
                raise

    async def look(self, aim: Aim, kept: Kept, trials: Trials, wish: Wish, *, alone: bool) -> Sight:
        """Look; where a rotation begins, its key has our mark or is told to be another's.

        Args:
            alone: as ``Looking.look`` has it.

        Raises:
            errors.Retry: ``AuditUnavailable``: it has none as long as that cannot be recorded.
        """
        sight = await self._means.looking.look(aim, kept, trials, wish, alone=alone)
        if sight.mark is not None:
            try:
                await self._marking.put(aim, kept, self._means.records.get(self._key), found=sight.mark)
            except errors.Error as error:
                if error.reason is Reason.AUDIT_UNAVAILABLE:
                    raise
                sight.trouble = error
                sight.seen = dataclasses.replace(sight.seen, ours=not isinstance(error, Elsewhere))
        return sight

    async def known_again(self, aim: Aim, record: Record, kept: Kept) -> Kept:
        """Have a journal say what its object says by now."""
        about, journal = self.about(aim, record).over(kept.about), kept.journal
        if kept.about == about:
            return kept
        if recipes.read(kept.about.recipe).properties != aim.recipe.properties:
            # Of other parts a key has another fingerprint: it would not be known again.
            journal = journal.but(debts=outcomes.carried(journal.debts))
        return await self._means.journals.write(dataclasses.replace(kept, about=about, journal=journal))

    async def reread(self, kept: Kept, record: Record | None) -> Kept | None:
        """Return a journal as it lies there: somebody else has written it. None: it is somebody else's, or gone."""
        try:
            others = rotated_at(self._means, record, kept.about.key) if record else frozenset()
            return await self._means.journals.owned(kept.about, others)
        except Elsewhere:
            return None
        except errors.Retry:
            return kept

    async def moved(self, former: Aim | None, kept: Kept, aim: Aim, record: Record) -> Kept:
        """Have what is remembered told by the journal of the place at which the key is now; the former one is over.

        Args:
            former: at the place that is left; None where that is not there any more.
        """
        left = kept.journal.rest(kept.journal.since, debts=outcomes.carried(kept.journal.debts), left=None)
        there = await self.made(aim, record, left, {})
        journal = outcomes.joined(there.journal, left)
        if journal != there.journal:
            there = await self._means.journals.write(there.but(journal))
        await self.ended(former, kept)
        return there

    async def ended(self, aim: Aim | None, kept: Kept) -> None:
        """Give a key up: nothing is owed for it, or another journal tells of that.

        Args:
            aim: at the place where it is; None where that is not there any more.
        """
        if aim:
            await self._means.acting.release(kept, aim.place, aim.recipe)
        await self._means.journals.forget(kept)

    async def lost(self, kept: Kept, trouble: errors.Error) -> Kept:
        """Keep of a rotation whose object is gone, and with it its store or its issuer, what is owed, and no values."""
        makes = ISSUING.get(kept.journal.issuer.partition(" ")[0])
        # What was minted ends by itself.
        local = makes is not None and makes.way in (Way.LOCAL, Way.MINTED)
        about, journal = kept.about, outcomes.lost(kept.journal, time.time(), local=local)
        given_up = await self._means.journals.write(kept.but(journal))
        said = "%s/%s: its rotation of %s was given up: %s: %s; %d keys may live on, `keywright debts list` names them"
        log.warning(said, about.namespace, about.name, about.credential, trouble.reason, trouble, len(journal.debts))
        return given_up
