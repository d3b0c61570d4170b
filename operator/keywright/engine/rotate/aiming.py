"""What a rotation aims at: the credential as its object wants it, or as the journal knows it once nobody does.

Does not belong here: what is done about it (``post``).
"""

from __future__ import annotations

import contextlib

from ... import errors
from ...decide.rotate import makers
from ...decide.rotate import recipe as recipes
from ...decide.rotate.journal import Step
from ...decide.rotate.recipe import Recipe
from ...errors import Reason
from ...kinds import CredentialSpec
from ..journals import Kept
from ..opened_issuer import OpenedIssuer
from ..queue import Key
from ..records import Record, is_gone
from . import policies
from .aim import Aim
from .means import Means
from .place import Place
from .trials import Trials


class Over(Exception):
    """Nobody wants it to be rotated, and nothing is remembered of it."""


class Lost(Exception):
    """Nobody wants it to be rotated, and what a journal remembers cannot go on: its store or issuer is not there.

    Args:
        trouble: what is in the way.
    """

    def __init__(self, trouble: errors.Stalled) -> None:
        super().__init__()
        self.trouble = trouble


class Aiming:
    """Finds what one rotation aims at.

    Args:
        key: its object.
        name: of the credential.
    """

    def __init__(self, means: Means, key: Key, name: str, trials: Trials) -> None:
        self._means, self._key, self._name, self._trials = means, key, name, trials

    async def at(self, record: Record | None, kept: Kept | None) -> tuple[Aim, CredentialSpec | None]:
        """Return what is to be rotated, and the credential as its object wants it; None where it does not, any more.

        Args:
            record: the object; None where it is gone, or not known yet.
            kept: the journal; None if there is none.

        Raises:
            Over: nobody wants anything, and nothing is remembered.
            Lost: nobody wants anything, and what is remembered cannot go on.
            errors.Error: it cannot be rotated.
        """
        wanted, recipe = self._wanted(record)
        if wanted and recipe:
            place = self._placed(recipe)
            place = place.journaled(kept.about.key) if kept else place
            if kept is None or (kept.about.key == place.key and not _moved(kept, recipe)):
                return self._aimed(recipe, place, kept, gone=False), wanted
        if kept is None or (record and kept.journal.step is Step.IDLE and self._has_heir(record, kept)):
            raise Over
        if record is None and not await is_gone(self._means.api, self._key):
            said = "the object is there, and was not heard of yet"
            raise errors.Retry(Reason.CONFLICT, said)
        try:
            former = recipes.read(kept.about.recipe)
            place = self._means.places.find(self._key, former).journaled(kept.about.key)
            if former.minted:
                return await self._left(former, place, kept), None
            aim = self._aimed(former, place, kept, gone=True)
            if kept.journal.step is not Step.IDLE and not makers.same(kept.journal.issuer, aim.rules.issuer):
                said = f"{aim.issuer.name} is not what made the keys any more"
                raise errors.Stalled(Reason.ISSUER_NOT_FOUND, said, "Name the former account there until it has ended")
            return aim, None
        except errors.Stalled as trouble:
            raise Lost(trouble) from None

    async def _left(self, former: Recipe, place: Place, kept: Kept) -> Aim:
        """Return what is left of a minted key; where nobody can be asked any more to end it, it leaves the shelf."""
        try:
            return self._aimed(former, place, kept, gone=True)
        except errors.Stalled:
            await self._means.acting.release(kept, place, former)
            raise

    def elsewhere(self, record: Record) -> Aim | None:
        """Return what is to be rotated as the object wants it, at another place than that of the journal; None where
        it does not.

        Raises:
            errors.Error: it cannot be rotated.
        """
        wanted, recipe = self._wanted(record)
        if not (wanted and recipe):
            return None
        return self._aimed(recipe, self._means.places.find(self._key, recipe), None, gone=False)

    def _has_heir(self, record: Record, kept: Kept) -> bool:
        """Whether the journal's key is rotated under another name by now, which takes it up."""
        return bool(rotated_at(self._means, record, kept.about.key) - {self._name})

    def _wanted(self, record: Record | None) -> tuple[CredentialSpec | None, Recipe | None]:
        if record is None:
            return None, None
        spec = record.newest_spec()
        found = next((each for each in spec.credentials if each.name == self._name and each.rotation), None)
        return (found, recipes.of(spec, found)) if found else (None, None)

    def _placed(self, recipe: Recipe) -> Place:
        try:
            return self._means.places.find(self._key, recipe)
        except errors.Stalled as error:
            trouble = error.with_traceback(None)
        # What its issuer never puts there is told first.
        self._issuer(recipe)
        raise trouble

    def _issuer(self, recipe: Recipe) -> OpenedIssuer:
        ref = recipe.credential.issuer_ref
        assert ref  # noqa: S101 - the CRD wants it beside rotation
        issuer = self._means.issuers.opened(ref.kind, ref.name, self._key.namespace)
        policies.fits(recipe, issuer)
        return issuer

    def _aimed(self, recipe: Recipe, place: Place, kept: Kept | None, *, gone: bool) -> Aim:
        credential, issuer = recipe.credential, self._issuer(recipe)
        values = kept.new or kept.old if kept else {}
        tests = self._trials.possible(credential, values or policies.example(credential))
        takes = place.use.record.spec.limits.timeout_seconds
        rules = policies.rules(credential, issuer, store_within=takes, tests=tests)
        return Aim(recipe, place, issuer, rules, gone)


def rotated_at(means: Means, record: Record, key: str) -> frozenset[str]:
    """Return the names of the credentials that an object has rotated where a key lies."""
    spec, found = record.newest_spec(), set()
    for each in spec.credentials:
        with contextlib.suppress(errors.Stalled):
            if each.rotation and means.places.find(record.key, recipes.of(spec, each)).journaled(key).key == key:
                found.add(each.name)
    return frozenset(found)


def _moved(kept: Kept, recipe: Recipe) -> bool:
    """Whether the object says by now that the parts are elsewhere at their path than where a rotation has put them."""
    return kept.journal.step is not Step.IDLE and recipes.read(kept.about.recipe).properties != recipe.properties
