"""When the next rotation of a credential begins by itself, and why. Pure.

A key's age counts from the day that its store or its issuer tells, so that a cluster which is made anew begins no
rotation. Where neither tells one, it counts from first sight.

Does not belong here: how a rotation goes (``rotate``), what a schedule's text says (``timetable``), how many go on at
the same time (``engine``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from ..issuing.base import SKEW
from ..kinds import rotation
from ..timetable import Timetable
from .rotate import living
from .rotate.journal import Cause, Half, Journal, Step, Why

#: Share of ``every`` by which keys of the same age are spread, and the longest time for that (seconds).
SPREAD, LONGEST_SPREAD = 0.1, 86400.0
#: Longest time for which a failure holds up the next rotation (seconds).
LONGEST_REST = 86400.0
#: Seconds between two rotations that begin because an issuer does not accept a key.
BETWEEN_REISSUES = 6 * 3600.0


class Times(Protocol):
    """Times that come again and again; ``timetable.Timetable`` is one."""

    def after(self, moment: float) -> float | None:
        """Return the first one after a moment."""

    def before(self, moment: float) -> float | None:
        """Return the last one before a moment."""


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """When rotations may begin: from each of these times on, for so many seconds."""

    starts: Times
    lasts: float

    def open_at(self, moment: float) -> bool:
        """Whether it is open at a moment."""
        start = self.starts.before(moment + 1.0)
        return start is not None and start <= moment < start + self.lasts

    def opens(self, moment: float) -> float | None:
        """Return when it opens next."""
        return self.starts.after(moment)


def window(said: rotation.Window) -> Window:
    """Return a window as an object says it.

    Raises:
        errors.Stalled: ``InvalidSpec``: when it opens is no schedule, or it never does.
    """
    return Window(Timetable(said.start, said.time_zone), said.seconds)


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """When a key is to be rotated, as its object says. Times are seconds.

    Attributes:
        every: age that it reaches at most; None: no matter.
        schedule: times at which it is rotated.
        before_expiry: how long before its end it is rotated.
        windows: when rotations may begin; none: at any time.
        reissue: whether it is rotated when its issuer does not accept it any more.
    """

    every: float | None = None
    schedule: Times | None = None
    before_expiry: float | None = None
    windows: Sequence[Window] = ()
    reissue: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Minted:
    """What is known of a key that lives for a short while.

    Attributes:
        half: the key that is in use; None where there is none.
        renews: whether it is made to live longer before another one is minted.
    """

    half: Half | None
    renews: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What is known of the key. Times are Unix times.

    Attributes:
        born: when it was made, as the issuer or else the store tells.
        seen: when it was first seen by us.
        expires: when it ends, where that is known.
        condemned: whether its issuer does not accept it any more.
        phase: of this key among all, from 0 up to 1; never changes.
        journal: of the rotation before, where something is remembered of it.
        minted: what is known of its life, where it is minted.
    """

    seen: float
    born: float | None = None
    expires: float | None = None
    condemned: bool = False
    phase: float = 0.0
    journal: Journal | None = None
    minted: Minted | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Next:
    """When the next rotation begins by itself. ``at`` is Unix time, and may be past: then it begins now.

    Attributes:
        cause: why then.
        held: whether it would have begun before, and waits for a window or after a failure.
    """

    at: float
    cause: Cause
    held: bool = False


#: One reason for a rotation; None where it does not apply.
Reason = Callable[[Policy, Known, float], Next | None]


def by_age(policy: Policy, known: Known, now: float) -> Next | None:
    """Begin when it has the age that it may have, spread over keys of one age and those too old at first sight."""
    if policy.every is None:
        return None
    spread = known.phase * min(policy.every * SPREAD, LONGEST_SPREAD)
    born = known.seen if known.born is None else min(known.born, known.seen)
    old_at_first_sight = born + policy.every <= known.seen
    return Next(known.seen + spread if old_at_first_sight else born + policy.every - spread, Cause.DUE)


def by_schedule(policy: Policy, known: Known, now: float) -> Next | None:
    """Begin at the first of the times that its object names after it was made."""
    if policy.schedule is None:
        return None
    # What it had missed before it was first seen is over.
    at = policy.schedule.after(max(known.born or known.seen, known.seen))
    return None if at is None else Next(at, Cause.DUE)


def by_expiry(policy: Policy, known: Known, now: float) -> Next | None:
    """Begin a while before it ends."""
    if policy.before_expiry is None or known.expires is None or known.expires <= known.seen or known.minted:
        # An end before it was there is that of another one.
        return None
    at = known.expires - policy.before_expiry
    # One that lives for less than that is not rotated as soon as it is made.
    begun = known.born if known.born is not None or at > known.seen else known.seen
    half = (known.expires + begun) / 2 if begun is not None else at
    return Next(max(at, half), Cause.EXPIRING)


def by_refusal(policy: Policy, known: Known, now: float) -> Next | None:
    """Begin when its issuer does not accept it any more; but not again and again."""
    if not policy.reissue or not known.condemned:
        return None
    last = known.journal.reissued if known.journal else None
    return Next(now if last is None else max(now, last + BETWEEN_REISSUES), Cause.INVALID)


def by_life(policy: Policy, known: Known, now: float) -> Next | None:
    """Begin when a third of a minted key's life is left; or at once, where there is none."""
    if known.minted is None:
        return None
    half = known.minted.half
    if half is None:
        return Next(now, Cause.DUE)
    at = living.worn(half, policy.before_expiry)
    if at is None or half.lives_until is None:
        return None
    # A renewal has half of what is left then to come to something.
    return Next((at + half.lives_until) / 2 if known.minted.renews else at, Cause.EXPIRING)


REASONS: tuple[Reason, ...] = (by_refusal, by_life, by_expiry, by_schedule, by_age)


def due(policy: Policy, known: Known, now: float) -> Next | None:
    """Return when the next rotation begins by itself; None: never, or one is under way.

    Args:
        now: Unix time.
    """
    journal = known.journal
    if journal and (journal.pinned or journal.step is not Step.IDLE):
        return None
    found = [each for reason in REASONS if (each := reason(policy, known, now))]
    allowed = [_in_window(policy, known, _rested(each, journal, now), now) for each in found]
    # Of two that are due, the one that waits for nobody.
    return min(allowed, key=lambda each: (max(each.at, now), each.cause is not Cause.INVALID), default=None)


def _rested(first: Next, journal: Journal | None, now: float) -> Next:
    """Wait after a failure; a key that is dead does not wait because somebody has turned a rotation back."""
    if journal is None or (first.cause is Cause.INVALID and journal.why is Why.ASKED):
        return first
    # Nobody rests for so long: a clock was ahead that said it.
    rested = journal.not_before if journal.not_before <= now + LONGEST_REST + SKEW else first.at
    return first if rested <= first.at else Next(rested, first.cause, held=True)


def _in_window(policy: Policy, known: Known, first: Next, now: float) -> Next:
    """Wait for a window, unless the key would end before that."""
    if first.cause is Cause.INVALID or (known.minted and known.minted.half is None):
        return first
    moment = max(first.at, now)
    if not policy.windows or any(each.open_at(moment) for each in policy.windows):
        return first
    opens = [at for each in policy.windows if (at := each.opens(moment)) is not None]
    if known.expires is not None and (not opens or known.expires <= min(opens)):
        return dataclasses.replace(first, cause=Cause.EXPIRING)
    # Windows that never open were refused when they were read.
    return Next(min(opens), first.cause, held=True) if opens else first
