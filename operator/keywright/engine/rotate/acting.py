"""What a rotation does outside, one effect at a time: recorded before, in this module's one way, and after.

Does not belong here: which effect is next (``decide/rotate``), the journal (``journals``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import functools
import time
import uuid
from collections.abc import Awaitable, Sequence

from ... import errors, metrics, pacing
from ...audit.record import Credential, Entry, Object, Type
from ...audit.trail import Trail
from ...decide.rotate import calls
from ...decide.rotate import recipe as recipes
from ...decide.rotate.journal import Debt, Half
from ...decide.rotate.moves import Came, Do, Effect
from ...decide.rotate.recipe import Recipe
from ...errors import Reason
from ...issuers._table import Table
from ...issuing.base import Issued
from ...secret import SecretMap
from ...stores.base import Mark, Store
from .. import record_keeping, shelf
from ..cases import issuer_of
from ..journals import About, Kept, name_of
from .aim import Aim
from .looking import NOTHING, Looking, Sight
from .place import Place

#: By it the writes of a rotation are named.
_NAMES = uuid.UUID("6f7c3ae2-64ff-4b3e-9d0a-0c3b7f6b5a11")


class Aside(enum.StrEnum):
    """What a rotation changes outside beside the effects that the machine decides, as records call it."""

    MARK = "Mark"
    """Put our mark on the store's key."""
    TAKE_OVER = "TakeOver"
    """Put it there in place of another install's."""
    UNMARK = "Unmark"
    """Take it away."""
    EMPTY_SHELF = "EmptyShelf"
    """Take a minted key off the shelf."""


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What came of an effect.

    Attributes:
        half: the new key, where one was made, and its values; or the one in use, where that was made to live longer.
        error: why it was not done, or is not known to be; or why what was made is of no use.
    """

    came: Came
    half: Half | None = None
    values: SecretMap | None = None
    error: errors.Error | None = None


class Acting:
    """Acts, and records it.

    Args:
        table: the forms of all credentials.
    """

    def __init__(self, trail: Trail, looking: Looking, table: Table) -> None:
        self._trail, self._looking, self._table = trail, looking, table

    async def announce(self, aim: Aim, kept: Kept, do: Do) -> Entry:
        """Record that one thing is to be done, before the journal knows of it.

        Raises:
            errors.Retry: ``AuditUnavailable``: it must not be done.
        """
        return await self._intent(kept.about, aim.recipe, kept.journal.id, do.effect.code)

    async def _intent(self, about: About, recipe: Recipe, rotation: str, code: str) -> Entry:
        # What a person has pinned before any rotation has no id.
        token = f"{rotation[:44]}-{uuid.uuid4().hex[:12]}".lstrip("-")
        entry = _entry(self._trail, about, recipe.credential.name, code, token)
        await self._trail.intent(entry)
        return entry

    def give_up(self, entry: Entry, error: errors.Error) -> None:
        """Record why it was not done, or is not known to be."""
        self._ended(entry, str(error.reason))

    def _ended(self, entry: Entry, code: str) -> None:
        self._trail.note(entry.model_copy(update={"type": Type.ROTATION_OUTCOME, "code": code}))

    async def do(self, entry: Entry, aim: Aim, kept: Kept, sight: Sight, do: Do) -> Result:
        """Do one thing, which the trail and the journal know of already."""
        try:
            result = await self._done(aim, kept, sight, do)
        except Exception:
            # A bug of ours: what came of it, the next look tells.
            self._ended(entry, str(Reason.INTERNAL_ERROR))
            raise
        code = str(result.error.reason) if result.error else entry.code
        metrics.ROTATION_EFFECTS.labels(str(do.effect), str(result.came)).inc()
        self._ended(entry, code)
        return result

    def owed(self, about: About, credential: str, before: Sequence[Debt], after: Sequence[Debt]) -> None:
        """Record what is owed from now on, and no longer."""
        fresh, over = calls.settled(before, after)
        for each, kind in [
            *((each, Type.CLEANUP_OWED) for each in fresh),
            *((each, Type.CLEANUP_DONE) for each in over),
        ]:
            entry = _entry(self._trail, about, credential, str(each.owed), None)
            self._trail.note(entry.model_copy(update={"type": kind}))

    async def _done(self, aim: Aim, kept: Kept, sight: Sight, do: Do) -> Result:
        try:
            if do.effect is Effect.ISSUE:
                return await self._issue(aim, kept)
            if do.effect is Effect.RENEW:
                return await self._renew(aim, kept, sight, do.handle)
            await self._effect(aim, kept, sight, do)
        except errors.Stalled as error:
            return Result(Came.REFUSED, error=error)
        except errors.NotBegun as error:
            return Result(Came.NOT_BEGUN, error=error)
        except errors.Error as error:
            return Result(Came.UNCLEAR, error=error)
        return Result(Came.DONE)

    async def _issue(self, aim: Aim, kept: Kept) -> Result:
        credential, wanted = aim.recipe.credential, aim.recipe.properties
        # What is wrong with it is to be known before there is a key.
        tester = issuer_of(credential, self._table)
        issued: Issued = await aim.issuer.issue(calls.order(kept.journal, kept.old))
        ids = aim.issuer.issuing.ids
        half = calls.named(self._looking.half(kept.about.key, _own(aim, issued.parts)), issued, ids)
        formed = credential.check.format == "Enforce"
        # What an object declares of its form may take a while.
        judge = functools.partial(calls.unfit, issued, wanted, tester, ids=ids, formed=formed, tests=aim.rules.tests)
        if why := await asyncio.to_thread(judge):
            return Result(Came.DONE, half, issued.parts, why.about(aim.issuer.name))
        if aim.recipe.minted:
            half = dataclasses.replace(half, lives_from=time.time(), lives_until=_end(issued.expires_at))
        return Result(Came.DONE, half, issued.parts)

    async def _renew(self, aim: Aim, kept: Kept, sight: Sight, handle: str) -> Result:
        """Have the key in use live longer, and say so where it lies."""
        half = dataclasses.replace(kept.journal.left or Half(""), lives_until=_end(await aim.issuer.renew(handle)))
        made = pacing.unix(sight.store.created_at) if sight.store else None
        await self._store(aim, kept, sight, sight.values or {}, dataclasses.replace(half, lives_from=made))
        return Result(Came.DONE, half)

    def _effect(self, aim: Aim, kept: Kept, sight: Sight, do: Do) -> Awaitable[None]:
        match do.effect:
            case Effect.STORE_NEW:
                return self._store(aim, kept, sight, kept.new, kept.journal.new)
            case Effect.STORE_OLD:
                return self._store(aim, kept, sight, kept.old, kept.journal.old)
            case Effect.DISABLE:
                return aim.issuer.disable(do.handle)
            case Effect.ENABLE:
                return aim.issuer.enable(do.handle)
            case _:
                staying = calls.staying(kept.journal, kept.old, kept.new, sight.values or {})
                return aim.issuer.revoke(do.handle, staying)

    async def _store(self, aim: Aim, kept: Kept, sight: Sight, values: SecretMap, half: Half | None) -> None:
        use, found = aim.place.use, sight.store
        content, expected = recipes.content(aim.recipe, found, values), found.version if found else None
        if aim.recipe.minted and half:
            content = {**values, **shelf.times(half.lives_from, half.lives_until)}
        # Another write from here on what is there now is another one.
        token = str(uuid.uuid5(_NAMES, f"{kept.journal.id} {kept.journal.step} {expected}"))

        def write(store: Store) -> str:
            assert store.write  # noqa: S101 - seen to when the place was found
            return store.write(use.ref, content, expected=expected, token=token)

        await aim.place.write(write)

    async def mark(self, about: About, aim: Aim, rotation: str, mark: Mark, over: Mark) -> Mark:
        """Put our mark on the store's key; return the one that it has then.

        Args:
            rotation: id of the one that is to begin; empty where none is.
            over: what it has now.

        Raises:
            errors.Error: the store does not let us, or does not answer; ``AuditUnavailable``: nothing was done.
        """

        def claim(store: Store) -> Mark:
            assert store.claim  # noqa: S101 - who tells of marks takes them
            return store.claim(aim.place.use.ref, mark, over)

        code = Aside.MARK if over.owner in ("", mark.owner) else Aside.TAKE_OVER
        entry = await self._intent(about, aim.recipe, rotation, code)
        try:
            found = await aim.place.write(claim)
        except errors.Error as error:
            self.give_up(entry, error)
            raise
        self._ended(entry, entry.code if found.is_of(mark) else str(Reason.ROTATION_OWNED_ELSEWHERE))
        return found

    async def release(self, kept: Kept, place: Place, recipe: Recipe) -> None:
        """Take our mark off the store's key; what is minted goes itself.

        Raises:
            errors.Error: what is minted is still there; a mark that its store keeps hurts nobody.
                ``AuditUnavailable``: nothing was done.
        """
        use, mark = place.use, Mark(self._looking.owner, name_of(kept.about.key))
        if use.opened.kind.release is None or not await self._is_there(place, recipe, mark):
            return

        def release(store: Store) -> None:
            assert store.release  # noqa: S101 - asked of the kind above
            store.release(use.ref, mark)

        code = Aside.EMPTY_SHELF if recipe.minted else Aside.UNMARK
        entry = await self._intent(kept.about, recipe, kept.journal.id, code)
        try:
            await place.write(release)
        except errors.Error as error:
            self.give_up(entry, error)
            if recipe.minted:
                raise
        else:
            self._ended(entry, entry.code)

    async def _is_there(self, place: Place, recipe: Recipe, mark: Mark) -> bool:
        """Whether there is something to take away: what is minted, or our mark."""
        try:
            if recipe.minted:
                await place.write(lambda store: store.fetch(place.use.ref))
                return True
            found = await self._looking.mark(place)
            return found is not None and found.is_of(mark)
        except errors.Error as error:
            return recipe.minted and error.reason not in NOTHING


async def settle(trail: Trail) -> None:
    """End what the leader before has begun to record: what came of it, the next look at the rotation tells."""

    async def came_of(_: object) -> str:
        return "Unknown"

    await record_keeping.settle(trail, Type.ROTATION_INTENT, Type.ROTATION_OUTCOME, came_of)


def _end(told: str | None) -> float:
    """Return when a minted key ends (Unix time).

    Raises:
        errors.Stalled: ``IssuerAnswerInvalid``: it does not tell.
    """
    ends = pacing.unix(told)
    if ends is None:
        raise errors.Stalled(Reason.ISSUER_ANSWER_INVALID, "did not tell when the key ends")
    return ends


def _own(aim: Aim, parts: SecretMap) -> SecretMap:
    """Return the parts that the object names: by these a key is known again in the store."""
    return {name: value for name, value in parts.items() if name in aim.recipe.properties}


def _entry(trail: Trail, about: About, credential: str, code: str, token: str | None) -> Entry:
    return Entry(
        type=Type.ROTATION_INTENT,
        code=code,
        who=trail.who,
        id=token,
        object=Object(kind="ApiKeySecret", namespace=about.namespace, name=about.name, uid=about.uid),
        credential=Credential(name=credential),
    )
