"""What a rotation looks at before each step: the issuer, the store, the Secrets, who uses them, and tests of the keys.

Whatever does not answer was not seen, and the error is kept for people. Nothing is changed here.

Does not belong here: which of these are looked at, and what follows (``decide/rotate``).
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from ... import cluster, errors
from ...decide import rollout
from ...decide.rotate import calls, lost
from ...decide.rotate import recipe as recipes
from ...decide.rotate.ending import TESTED_AGAIN
from ...decide.rotate.journal import Half, Journal, Step
from ...decide.rotate.sight import Has, Holds, Keys, Seen, Targets, Trial, Users, Wish, doubtful, looks
from ...decide.rotate.sight import Place as Spot
from ...decide.rotate.told import Behind
from ...errors import Reason
from ...issuing.base import Listed
from ...secret import FingerprintKey, SecretMap
from ...stores.base import Fetched, Mark, Store
from ..consumers import census, written
from ..fetch import Fetcher, Question
from ..journals import Kept
from ..queue import Key
from .aim import Aim
from .holding import Held, Holding
from .place import Place, Reader
from .trials import Trials

T = TypeVar("T")

#: What says that nothing is there.
NOTHING = frozenset({Reason.NOT_FOUND, Reason.VERSION_DELETED, Reason.KEY_NOT_MINTED})
#: Steps at which it matters to what is owed alone what Secrets have.
BETWEEN = frozenset({Step.IDLE, Step.ISSUING})
#: Seconds between two tests of a key: while it is tested, revoked, or a person waits for it to be seen; and otherwise,
#: which is a little less than between two looks in grace: each of these asks.
OFTEN, NOW_AND_THEN = TESTED_AGAIN, 110.0


@dataclasses.dataclass(slots=True)
class Sight:
    """What was seen.

    Attributes:
        store: what is in the store, as it answered; None where it did not, or has nothing.
        values: the credential in it.
        handle: the issuer's name of the old key, where it was found.
        trouble: why something was not seen.
        pods: what the status tells of those who use the Secrets; None where that was not looked at.
        held: what those have who read the key, as far as is known who that is.
        mark: that of the store's key, where a rotation begins; None where it has room for none, or did not tell.
    """

    seen: Seen = dataclasses.field(default_factory=Seen)
    store: Fetched | None = None
    values: SecretMap | None = None
    handle: str | None = None
    trouble: errors.Error | None = None
    pods: Mapping[str, Any] | None = None
    held: Sequence[Held] = ()
    mark: Mark | None = None

    def lags(self, step: Step) -> bool:
        """Whether a Secret has another key than the one that it should have at a step, or may have it."""
        targets = self.seen.targets
        if targets is None:
            return False
        if step is Step.ROLLING_BACK:
            return bool(targets.may_be_new)
        return step in (Step.STORED, Step.GRACE) and bool(targets.may_be_old)

    def behind(self, kept: Kept) -> Behind:
        """Return who has another key than the one that they should have, or may have it."""
        right = Has.OLD if kept.journal.step is Step.ROLLING_BACK else Has.NEW
        late = (each for each in self.held if each.which not in (right, Has.NOTHING))
        return Behind(kept.about.namespace, tuple((*each.owner, each.secret) for each in late))


class Looking:
    """Looks.

    Args:
        keys: make fingerprints.
        owner: the mark by which stores tell who rotates a key: this install.
        holding: finds out what readers have.
        unheard: why it is not known who they are; None where it is.
        others: what is known of other rotations' keys (``Journals.handles``).
    """

    def __init__(
        self,
        api: cluster.Cluster,
        keys: FingerprintKey,
        fetcher: Fetcher,
        *,
        holding: Holding,
        unheard: Callable[[], errors.Error | None],
        others: Callable[[str, str], tuple[frozenset[str], frozenset[str]]],
    ) -> None:
        self._api, self._keys, self._fetcher, self._others = api, keys, fetcher, others
        self._holding, self._unheard = holding, unheard
        self.owner = f"keywright-{keys.key_id}"

    async def look(self, aim: Aim, kept: Kept, trials: Trials, wish: Wish, *, alone: bool) -> Sight:
        """Look at what matters at this step.

        Args:
            alone: whether nobody else of us has keys made at that place meanwhile.
        """
        journal, sight = kept.journal, Sight()
        wanted = looks(aim.rules, journal, time.time())
        if Spot.STORE in wanted:
            await self._store(aim, kept, sight)
        keys = await self._try(sight, self._listed(aim, kept)) if Spot.KEYS in wanted and aim.rules.lists else None
        if wanted & {Spot.TARGETS, Spot.USERS}:
            await self._readers(aim, kept, sight, wanted)
        often, halves = wish.now or _tests_often(journal), _halves(kept, sight)

        async def trial(spot: Spot) -> Trial | None:
            half, values = halves[spot]
            if not (spot in wanted and half and values and aim.rules.tests):
                return None
            # One that was tested a moment ago, as it was the new one of the rotation before, may be revoked by now.
            every = OFTEN if often or half.revoked else NOW_AND_THEN
            return await self._try(sight, trials.test(aim.recipe.credential, values, half.fingerprint, every=every))

        new, old, theirs = await asyncio.gather(trial(Spot.NEW), trial(Spot.OLD), trial(Spot.THEIRS))
        if journal.step is Step.HELD and doubtful(new):
            wanted |= {Spot.OLD}
            old = await trial(Spot.OLD)
        if keys:
            sight.handle = calls.handle(keys, aim.issuer.issuing, old, aim.recipe.credential.endpoint)
        sight.seen = dataclasses.replace(
            sight.seen,
            keys=self._told_apart(aim, kept, keys, alone=alone),
            new=new,
            old=old,
            theirs=theirs,
            wish=dataclasses.replace(wish, gone=aim.gone),
        )
        return sight

    def _told_apart(self, aim: Aim, kept: Kept, listed: Sequence[Listed] | None, *, alone: bool) -> Keys | None:
        """Return what a list says. Without names, what others of us make meanwhile would look like what was lost."""
        if listed is None:
            return None
        # A name tells a key from all others, also where two servers give two keys one handle.
        others = () if aim.rules.names else self._others(kept.about.key, aim.rules.issuer)
        keys = calls.keys(listed, kept.journal, *others)
        if alone or aim.rules.names or not lost.asked(kept.journal):
            return keys
        return dataclasses.replace(keys, ours=frozenset()) if kept.journal.step is Step.GRACE else None

    async def stored(self, aim: Aim) -> tuple[Fetched | None, SecretMap | None]:
        """Return what the store has now, and the credential in it; nothing where nothing is there.

        Raises:
            errors.Error: it does not say.
        """
        use, namespace = aim.place.use, aim.place.credentials().namespace
        question = Question(use.opened, use.identity, use.ref)
        try:
            found = await self._fetcher.read(question, time.monotonic(), namespace, aim.place.credentials)
        except errors.Error as error:
            if error.reason in NOTHING:
                return None, None
            raise
        return found, recipes.parts(aim.recipe, found)

    def half(self, key: str, values: SecretMap) -> Half:
        """Return a key as a journal knows it.

        Args:
            key: which key it is, the same whoever asks.
        """
        return Half(self._keys.of_entries(f"rotation {key}", values))

    # One look each.

    async def _try(self, sight: Sight, looking: Awaitable[T]) -> T | None:
        try:
            return await looking
        except errors.Error as error:
            sight.trouble = error
            return None

    async def _store(self, aim: Aim, kept: Kept, sight: Sight) -> None:
        """Look what the store has, and whose mark is there."""
        found = await self._try(sight, self.stored(aim))
        if found is None:
            return
        sight.store, sight.values = found
        store, held = Holds.NOTHING, None
        if sight.values is None:
            store = calls.lacks(aim.recipe, sight.store)
        elif sight.values:
            half = self.half(kept.about.key, sight.values)
            store, held = calls.stored(kept.journal, kept.old, kept.new, sight.values, half)
        if kept.journal.step is Step.ISSUING and sight.store:
            sight.mark = await self._try(sight, self.mark(aim.place))
        sight.seen = dataclasses.replace(sight.seen, store=store, held=held)

    async def mark(self, place: Place) -> Mark | None:
        """Return the mark that the store's key has, nobody's where it has none; None where there is no room for any.

        Raises:
            errors.Error: the store does not let us, or does not answer.
        """
        use = place.use
        if use.opened.kind.mark is None:
            return None

        def mark(store: Store) -> Mark:
            assert store.mark  # noqa: S101 - asked of the kind above
            return store.mark(use.ref)

        # Who may not write is not to find out only when it marks.
        return await place.write(mark)

    def readers(self, place: Place, kept: Kept | None) -> set[Key]:
        """Return who reads a key, and who else has it, now or when that was looked at last."""
        return self._holding.readers(place.where, kept)

    async def _listed(self, aim: Aim, kept: Kept) -> Any:
        listed = await aim.issuer.keys(calls.order(kept.journal, kept.old))
        if why := calls.shows(listed, aim.issuer.issuing.ids, kept.old, kept.new):
            raise why.about(aim.issuer.name)
        return listed

    async def _readers(self, aim: Aim, kept: Kept, sight: Sight, wanted: frozenset[Spot]) -> None:
        """Look which key the Secrets of all readers have, and who uses them; not before all readers are known."""
        version = sight.store.version if sight.store else None
        sight.held = await self._holding.of(aim.place.where, kept, sight.seen.store, version)
        mine = (kept.about.namespace, kept.about.name)
        own = next((each.which for each in sight.held if each.reader and each.owner == mine), None)
        targets, users = None, None
        if trouble := self._unheard():
            sight.trouble = trouble
        else:
            counts = collections.Counter(each.which for each in sight.held)
            targets = Targets(counts[Has.OLD], counts[Has.NEW], counts[Has.UNKNOWN])
            if kept.journal.step in BETWEEN and sight.values:
                targets = await self._holding.beside(aim.place.where, kept, sight.values, version)
            readers = [each.reader for each in sight.held if each.reader]
            users = await self._try(sight, self._users(readers, kept, sight)) if Spot.USERS in wanted else None
        targets = targets if Spot.TARGETS in wanted else None
        sight.seen = dataclasses.replace(sight.seen, targets=targets, own=own, users=users)

    async def _users(self, readers: Sequence[Reader], kept: Kept, sight: Sight) -> Users | None:
        """Count who uses the Secrets, and who has another key than these have now."""
        own, found = (kept.about.namespace, kept.about.name), []
        for reader in readers:
            mark = rollout.mark(reader.record.status_json().get("rollout") or {})
            known = await written(self._api, reader.record.key, reader.secret, mark)
            if known is None and not reader.record.told_target:
                # What was never written is used by nobody.
                continue
            if known is None:
                return None
            # Whoever is listed uses it although that does not show.
            wanted = reader.rollout
            listed = rollout.refs(wanted) if wanted else frozenset()
            seen = await census(self._api, reader.record.key.namespace, known, listed)
            # Who is late in another namespace is no business of those who read this object.
            found.append(rollout.counts(seen, named=reader.record.key == own))
        pods = sight.pods = rollout.together(found)
        return Users(pods["pods"], pods["pods"] - pods["current"])


def _tests_often(journal: Journal) -> bool:
    """Whether something waits for the tests: the new key, or the name of the old one, which is proven by its test."""
    unproven = journal.step is Step.GRACE and journal.old is not None and journal.old.handle is None
    return unproven or journal.step in (Step.HELD, Step.TESTED)


def _halves(kept: Kept, sight: Sight) -> dict[Spot, tuple[Half | None, SecretMap]]:
    """Return the keys that may be tested."""
    theirs = sight.seen.held if sight.seen.store is Holds.OTHER else None
    return {
        Spot.NEW: (kept.journal.new, kept.new),
        Spot.OLD: (kept.journal.old, kept.old),
        Spot.THEIRS: (theirs, sight.values or {}),
    }
