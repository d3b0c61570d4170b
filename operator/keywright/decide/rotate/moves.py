"""What a rotation may do next: one effect outside, a word in the journal, or wait.

Does not belong here: why (``forward``, ``back``), doing it (``engine``).
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable, Sequence

from .journal import AnyWhy, Journal, Step, Why
from .sight import Rules, Seen


class Effect(enum.StrEnum):
    """What is done outside, one at a time. Each may be repeated: what was done already is done."""

    ISSUE = "issue"
    """Have the issuer make a key."""
    STORE_NEW = "storeNew"
    """Write the new key to the store, if it still has the old one."""
    STORE_OLD = "storeOld"
    """Write the old key to the store, if it still has the new one."""
    DISABLE = "disable"
    """Switch a key off."""
    ENABLE = "enable"
    """Switch a key on again."""
    REVOKE = "revoke"
    """Revoke a key."""
    RENEW = "renew"
    """Have the key that is in use live longer."""

    @property
    def code(self) -> str:
        """What records call it."""
        return f"{self[:1].upper()}{self[1:]}"


class Came(enum.StrEnum):
    """What came of an effect."""

    DONE = "done"
    REFUSED = "refused"
    """For good, and nothing was changed."""
    UNCLEAR = "unclear"
    """No answer, or none that tells: it may have been done."""
    NOT_BEGUN = "notBegun"
    """Nobody was asked."""


@dataclasses.dataclass(frozen=True, slots=True)
class Do:
    """Do something outside.

    Attributes:
        handle: the issuer's name of the key that it is about.
        first: what is written to the journal before.
    """

    effect: Effect
    handle: str = ""
    first: Journal | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Go:
    """Write this to the journal, and look again."""

    journal: Journal


@dataclasses.dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done now.

    Attributes:
        until: Unix time at which to look again at the latest.
        asks: whether a person has to do something.
    """

    until: float
    why: AnyWhy | None = None
    asks: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """The rotation is over and nothing is owed: forget the journal."""


Move = Do | Go | Wait | End


@dataclasses.dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision rests on.

    Attributes:
        now: Unix time.
        awake: seconds for which we have been looking: what was not done while nobody was there is not late.
    """

    rules: Rules
    journal: Journal
    seen: Seen
    now: float
    awake: float = math.inf

    def lasts(self) -> float:
        """Seconds for which the step lasts already; a clock that was put back makes it none."""
        return min(max(0.0, self.now - self.journal.since), self.awake)

    def go(self, step: Step, **changes: object) -> Go:
        """Go to a step."""
        return Go(self.journal.at(step, self.now, **changes))

    def back(self, why: Why) -> Go:
        """Turn back."""
        return self.go(Step.ROLLING_BACK, why=why)

    def wait(self, seconds: float, why: AnyWhy | None = None, *, asks: bool = False) -> Wait:
        """Wait, for so long at most."""
        return Wait(self.now + seconds, why, asks)


#: One reason to do something; None where it does not apply.
Check = Callable[[Situation], Move | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row of the list that is the specification of a step.

    Attributes:
        check: the reason.
        to: the steps that it may lead to; none where it waits or does something.
        does: what it may do.
    """

    check: Check
    to: tuple[Step, ...] = ()
    does: tuple[Effect, ...] = ()


def first(rows: Sequence[Row], at: Situation) -> Move | None:
    """Return what the first row says that applies."""
    for row in rows:
        move = row.check(at)
        if move is not None:
            return move
    return None
