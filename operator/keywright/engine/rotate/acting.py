"""What a rotation does outside, one effect at a time: recorded before, in this module's one way, and after.

Does not belong here: which effect is next (``decide/rotate``), the journal (``journals``).
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Awaitable, Callable

from ... import errors, metrics
from ...audit.record import Credential, Entry, Object, Type
from ...audit.trail import Trail
from ...decide.rotate import recipe as recipes
from ...decide.rotate.journal import Debt, Half, Journal, Step
from ...decide.rotate.moves import Came, Do, Effect
from ...issuing.base import Issued
from ...secret import SecretMap
from ...stores.base import Store
from .. import record_keeping
from ..journals import About, Kept
from .aiming import Aim
from .looking import Looking, Sight, order

#: By it the writes of a rotation are named.
_NAMES = uuid.UUID("6f7c3ae2-64ff-4b3e-9d0a-0c3b7f6b5a11")


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What came of an effect.

    Attributes:
        half: the new key, where one was made, and its values.
        error: why it was not done, or is not known to be.
    """

    came: Came
    half: Half | None = None
    values: SecretMap | None = None
    error: errors.Error | None = None


class Acting:
    """Acts, and records it.

    Args:
        fence: raises once this process must not do anything any more.
    """

    def __init__(self, trail: Trail, looking: Looking, fence: Callable[[], object]) -> None:
        self._trail, self._looking, self._fence = trail, looking, fence

    async def announce(self, aim: Aim, kept: Kept, do: Do) -> Entry:
        """Record that one thing is to be done, before the journal knows of it.

        Raises:
            errors.Retry: ``AuditUnavailable``: it must not be done.
        """
        token = f"{kept.journal.id[:44]}-{uuid.uuid4().hex[:12]}"
        word = f"{do.effect[:1].upper()}{do.effect[1:]}"
        entry = _entry(self._trail, kept.about, aim.recipe.credential.name, word, token)
        await self._trail.intent(entry)
        return entry

    def give_up(self, entry: Entry, error: errors.Error) -> None:
        """Record that it was not done, as the journal could not be written."""
        self._trail.note(entry.model_copy(update={"type": Type.ROTATION_OUTCOME, "code": str(error.reason)}))

    async def do(self, entry: Entry, aim: Aim, kept: Kept, sight: Sight, do: Do) -> Result:
        """Do one thing, which the trail and the journal know of already."""
        result = await self._done(aim, kept, sight, do)
        code = str(result.error.reason) if result.error else entry.code
        metrics.ROTATION_EFFECTS.labels(str(do.effect), str(result.came)).inc()
        self._trail.note(entry.model_copy(update={"type": Type.ROTATION_OUTCOME, "code": code}))
        return result

    def owed(self, about: About, credential: str, debts: tuple[Debt, ...], *, done: bool) -> None:
        """Record what is owed from now on, or no longer."""
        kind = Type.CLEANUP_DONE if done else Type.CLEANUP_OWED
        for each in debts:
            entry = _entry(self._trail, about, credential, str(each.owed), None)
            self._trail.note(entry.model_copy(update={"type": kind}))

    async def _done(self, aim: Aim, kept: Kept, sight: Sight, do: Do) -> Result:
        try:
            if do.effect is Effect.ISSUE:
                return await self._issue(aim, kept)
            await self._effect(aim, kept, sight, do)
        except errors.Stalled as error:
            return Result(Came.REFUSED, error=error)
        except errors.NotBegun as error:
            return Result(Came.NOT_BEGUN, error=error)
        except errors.Error as error:
            return Result(Came.UNCLEAR, error=error)
        return Result(Came.DONE)

    async def _issue(self, aim: Aim, kept: Kept) -> Result:
        issued: Issued = await aim.issuer.issue(order(kept))
        half = self._looking.half(kept.about.key, _own(aim, issued.parts))
        return Result(Came.DONE, dataclasses.replace(half, handle=issued.handle), issued.parts)

    def _effect(self, aim: Aim, kept: Kept, sight: Sight, do: Do) -> Awaitable[None]:
        match do.effect:
            case Effect.STORE_NEW:
                return self._store(aim, kept, sight, kept.new)
            case Effect.STORE_OLD:
                return self._store(aim, kept, sight, kept.old)
            case Effect.DISABLE:
                return aim.issuer.disable(do.handle)
            case Effect.ENABLE:
                return aim.issuer.enable(do.handle)
            case _:
                return aim.issuer.revoke(do.handle, _staying(kept.journal, kept, sight))

    async def _store(self, aim: Aim, kept: Kept, sight: Sight, values: SecretMap) -> None:
        use, found = aim.place.use, sight.store
        content, expected = recipes.content(aim.recipe, found, values), found.version if found else None
        # Another write from here on what is there now is another one.
        token = str(uuid.uuid5(_NAMES, f"{kept.journal.id} {kept.journal.step} {expected}"))

        def write(store: Store) -> str:
            assert store.write  # noqa: S101 - seen to when the place was found
            return store.write(use.ref, content, expected=expected, token=token)

        await aim.place.write(write, self._fence)

    async def release(self, aim: Aim) -> None:
        """Take our mark off the store's key."""
        use, owner = aim.place.use, self._looking.owner
        if use.opened.kind.release is None:
            return

        def release(store: Store) -> None:
            assert store.release  # noqa: S101 - asked of the kind above
            store.release(use.ref, owner)

        await aim.place.write(release, self._fence)


async def settle(trail: Trail) -> None:
    """End what the leader before has begun to record: what came of it, the next look at the rotation tells."""

    async def came_of(_: object) -> str:
        return "Unknown"

    await record_keeping.settle(trail, Type.ROTATION_INTENT, Type.ROTATION_OUTCOME, came_of)


def _own(aim: Aim, parts: SecretMap) -> SecretMap:
    """Return the parts that the object names: by these a key is known again in the store."""
    return {name: value for name, value in parts.items() if name in aim.recipe.properties}


def _staying(journal: Journal, kept: Kept, sight: Sight) -> SecretMap:
    """Return the key that is in use while another one is revoked."""
    if journal.step is Step.IDLE:
        return sight.values or {}
    return kept.old if journal.step is Step.ROLLING_BACK else kept.new or kept.old


def _entry(trail: Trail, about: About, credential: str, code: str, token: str | None) -> Entry:
    return Entry(
        type=Type.ROTATION_INTENT,
        code=code,
        who=trail.who,
        id=token,
        object=Object(kind="ApiKeySecret", namespace=about.namespace, name=about.name, uid=about.uid),
        credential=Credential(name=credential),
    )
