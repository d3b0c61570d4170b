"""The mark in a store that says who rotates a key: our install, and which of its journals; and who else it may say.

A server may have two names, so two keys by name may be one, with a journal each: the mark beside the key is where they
meet. Of another install it is never taken over but by somebody who asks for that.

Does not belong here: journals (``journals``), how a store keeps a mark (``stores``), recording it (``acting``).
"""

from __future__ import annotations

import contextlib
import re
import time

from ... import dates, errors, pacing
from ...decide.rotate import recipe as recipes
from ...errors import Reason
from ...stores.base import Location, Mark
from ..journals import About, Elsewhere, Kept, elsewhere, is_of, name_of
from ..queue import Key
from ..records import Record
from .aim import Aim
from .aiming import rotated_at
from .means import Means

#: Installs, as their marks name them; what else stands there is not shown.
_INSTALL = re.compile("keywright-[0-9a-zA-Z]{1,32}")
_JOURNAL = re.compile("keywright-rotation-[0-9a-f]{32}")
_ACCOUNT = re.compile(" [0-9]{12}$")


class Marking:
    """Puts our marks, and finds out whose a key is by those of others."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def put(
        self, aim: Aim, kept: Kept, record: Record | None, *, found: Mark | None = None, take_over: bool = False
    ) -> None:
        """Have the store's key bear the mark of a journal.

        Args:
            kept: the journal; one without a version is about to be made.
            record: its object; None where it is gone.
            found: the mark that is there, where that is known.
            take_over: whether somebody vouches that the install is gone whose mark it bears.

        Raises:
            Elsewhere: another install rotates it, or another journal of ours.
            errors.Error: the store does not let us mark it, or does not answer; ``AuditUnavailable``: nothing was done.
        """
        looking, about = self._means.looking, kept.about
        found = found if found is not None else await looking.mark(aim.place)
        ours = Mark(looking.owner, name_of(about.key), pacing.rfc3339(time.time()))
        if found is None or (found.journal and found.is_of(ours)):
            return
        if found and found.owner != ours.owner and not take_over:
            raise _foreign(found, ours)
        if found.journal or (found and not kept.version):
            await self._see_that_it_is_over(found, about, record)
        now = await self._means.acting.mark(about, aim, kept.journal.id, ours, found)
        if now.owner != ours.owner:
            raise _foreign(now, ours)
        if not now.is_of(ours) or found.journal:
            # Its journal may have been made in between.
            await self._see_that_it_is_over(now if not now.is_of(ours) else found, about, record)

    async def see_that_it_is_free(self, aim: Aim, about: About, record: Record) -> None:
        """See that no journal of somebody else is about the same place, under a name that an earlier version gave it.

        Raises:
            Elsewhere: one is.
        """
        for each in self._alike(about):
            if self._where(each) == aim.place.where:
                await self._see_that_none_is(name_of(each.key), about, record)

    async def _see_that_it_is_over(self, mark: Mark, about: About, record: Record | None) -> None:
        """See that no journal of ours is there of which a mark of ours may tell, but one that is about to be left."""
        # Earlier versions did not say which: any at this path may be meant.
        names = [mark.journal] if mark.journal else [name_of(each.key) for each in self._alike(about)]
        for name in names:
            # Whoever may write there may have put anything there.
            if _JOURNAL.fullmatch(name):
                await self._see_that_none_is(name, about, record)

    async def _see_that_none_is(self, name: str, ours: About, record: Record | None) -> None:
        theirs = await self._means.journals.named(name)
        if theirs is None or theirs.about.key == ours.key:
            return
        others = rotated_at(self._means, record, theirs.about.key) if record else frozenset()
        if not is_of(theirs, ours, others):
            raise elsewhere(theirs.about, ours)

    def _alike(self, about: About) -> list[About]:
        """Return what journals are about that are called after the same path in a store of the same kind."""
        mine = _whoever(about.key)
        # By far the most are of another path.
        named = mine.where.rpartition("/")[2].rpartition(" ")[2]
        known = [each for each in self._means.journals.abouts() if named in each.key and each.key != about.key]
        return [each for each in known if _whoever(each.key).is_like(mine)]

    def _where(self, about: About) -> Location | None:
        """Return where the key of a journal lies; None where its object cannot use the store any more."""
        with contextlib.suppress(errors.Stalled):
            return self._means.places.find(Key(about.namespace, about.name), recipes.read(about.recipe)).where
        return None


def _whoever(key: str) -> Location:
    """Return where a key lies as it is called, whosever account that is."""
    return Location(_ACCOUNT.sub("", key))


def _foreign(theirs: Mark, ours: Mark) -> Elsewhere:
    """Return why a key of another install is not rotated. What stands in a store is shown only where it is no more than
    a mark.
    """
    who = f"install {theirs.owner}" if _INSTALL.fullmatch(theirs.owner) else "somebody else"
    since = f" since {told}" if (told := dates.moment(theirs.since)) else ""
    said = f"the store's metadata says that {who} rotates this key{since}; this is {ours.owner}"
    hint = (
        "Let one cluster rotate it; all others read it. If that install is gone for good, or was this one before it "
        "was made anew: `keywright rotate --take-over`"
    )
    return Elsewhere(Reason.ROTATION_OWNED_ELSEWHERE, said, hint)
