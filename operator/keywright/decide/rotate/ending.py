"""The way to a new key, last part: the old key is left alive for a while, then ended.

It does not end before the new one is known to work, to be in the store and in every Secret, and to be used.

Does not belong here: writing anything to the store (``spreading``, ``back``).
"""

from __future__ import annotations

import dataclasses

from ...issuers.base import Verdict
from ...issuing.base import Way
from .any_time import (
    LATER,
    NOW_AND_THEN,
    SOON,
    alive,
    asked_back,
    condemned,
    enable,
    gone_late,
    new_invalid,
    store_changed,
    store_restored,
)
from .journal import Owed, Step, Why
from .living import ends_by_itself, old_ended, worn_after
from .lost import orphan
from .moves import Do, Effect, Go, Move, Row, Situation
from .sight import Has, Holds

#: Seconds after which a key is tested once more that was revoked a moment ago.
TESTED_AGAIN = 2.0
#: Seconds between two looks whether the new key still lives, while the old one could be put back.
WATCHED = 120.0


def begin_grace(at: Situation) -> Move | None:
    """Leave the old key alive for a while."""
    old, until = at.journal.old, at.now + at.rules.overlap
    # What ends by itself before that is not waited for.
    ends = old.lives_until if old and old.lives_until is not None else until
    return at.go(Step.GRACE, until=min(until, ends))


def nothing_old(at: Situation) -> Move | None:
    """End: there was no key before."""
    return at.go(Step.REVOKED) if at.journal.old is None else None


def is_revoked(at: Situation) -> Move | None:
    """See that a revoked key is dead; where that is not seen in time, it is owed."""
    old = at.journal.old
    if old is None or not old.revoked:
        return None
    trial = at.seen.old
    if not at.rules.tests or (trial and trial.last is Verdict.INVALID and trial.at >= at.journal.since):
        return at.go(Step.REVOKED)
    if at.lasts() > at.rules.die_within:
        if at.rules.way is Way.MINTED:
            return at.go(Step.REVOKED)
        return Go(at.journal.owing(Owed.DIE, old, at.now).at(Step.REVOKED, at.now))
    if at.lasts() < SOON:
        # Most issuers have heard of it by now; it is tested no more often.
        return at.wait(TESTED_AGAIN)
    return at.wait(SOON if at.lasts() < LATER else LATER)


def wished_now(at: Situation) -> Move | None:
    """Wait for nobody any more."""
    if not at.seen.wish.now or (at.journal.urgent and at.journal.until <= at.now):
        return None
    return Go(at.journal.but(urgent=True, until=at.now))


def told_anew(at: Situation) -> Move | None:
    """Wait for as long as is wanted by now: that may be more or less than when the wait began."""
    journal, old = at.journal, at.journal.old
    if not (at.rules.anew and journal.until and old) or journal.urgent or old.ending:
        return None
    # Where its answer was lost it is switched off once more first.
    is_off = old.disabled and not journal.tries
    since = old.off_from if is_off else journal.since
    if since is None:
        # It was switched off by an earlier version.
        return None
    until = since + (at.rules.observe if is_off else at.rules.overlap)
    until = until if old.lives_until is None else min(until, old.lives_until)
    return Go(journal.but(until=until)) if until != journal.until else None


def in_grace(at: Situation) -> Move | None:
    """Wait for the end of the grace."""
    # A clock that was wrong when it began must not make it longer.
    left = min(at.journal.until - at.now, max(at.rules.overlap, at.rules.observe))
    # What was refused once is looked at until it is known whether it is dead.
    doubted = at.seen.new is not None and at.seen.new.last is Verdict.INVALID
    return at.wait(min(left, LATER if doubted else WATCHED if at.rules.tests else NOW_AND_THEN)) if left > 0 else None


def new_unconfirmed(at: Situation) -> Move | None:
    """Keep the old key until the new one is known to work, to be in the store, and no Secret may have the old one any
    more; where nobody is waited for, until the Secret of the object itself has the new one.
    """
    targets = at.seen.targets
    if at.rules.tests and not alive(at, at.seen.new):
        return at.wait(LATER, Why.NOT_ALIVE, asks=True)
    late = at.lasts() > at.rules.write_within
    if at.seen.store is not Holds.NEW:
        return at.wait(LATER, Why.STORE_SILENT, asks=late)
    if at.journal.urgent:
        return None if at.seen.own is Has.NEW else at.wait(LATER, Why.NOT_WRITTEN, asks=True)
    if targets is None:
        return at.wait(LATER, Why.READERS_UNKNOWN, asks=late)
    return at.wait(LATER, Why.NOT_WRITTEN, asks=True) if targets.may_be_old else None


def still_late(at: Situation) -> Move | None:
    """Keep the old key as long as somebody uses it."""
    if at.journal.urgent:
        return None
    if at.seen.users is None:
        return at.wait(LATER, Why.READERS_UNKNOWN, asks=at.lasts() > at.rules.write_within)
    if at.seen.users.late:
        return at.wait(LATER, Why.NOT_ADOPTED, asks=True)
    if at.seen.keys is None:
        return at.wait(LATER, Why.ISSUE_UNCLEAR, asks=at.lasts() > at.rules.write_within) if at.rules.lists else None
    # One that a person has to end is tested by us, which is a use as well; of one name for both, the new key is used.
    tested = at.seen.old is not None and not at.rules.ends(at.journal.old)
    used = None if tested or at.journal.same_handle else at.seen.keys.used_at
    late = used is not None and used > max(at.journal.since, at.now - at.rules.quiet)
    return at.wait(LATER, Why.STILL_USED, asks=True) if late else None


def nothing_to_revoke(at: Situation) -> Move | None:
    """End: nobody but its readers accepts such a key."""
    return at.go(Step.REVOKED) if at.rules.way is Way.LOCAL else None


def person_revokes(at: Situation) -> Move | None:
    """Have a person revoke a key that we cannot, and see that it is dead. So it is where both have one name: the
    issuer has changed the key in its place.
    """
    old, same = at.journal.old, at.journal.same_handle
    if at.rules.ends(old) and not same:
        return None
    trial, off = at.seen.old, bool(old and old.disabled and not same)
    if condemned(trial) and not off:
        return at.go(Step.REVOKED)
    doubted = trial is not None and trial.last is Verdict.INVALID
    unseen = not at.rules.tests or (same and not doubted)
    if off or (at.seen.wish.now and unseen):
        # What we have switched off ourselves is not accepted, and lives.
        # Perhaps nobody will ever see that it is dead, as nobody is asked, or nobody can end it by its name: whoever
        # says that it is has that told until they vouch for it.
        return Go(at.journal.owing(Owed.REVOKE, old, at.now).at(Step.REVOKED, at.now))
    # Whoever has revoked it waits for that to be seen.
    soon = at.seen.wish.now or doubted
    return at.wait(SOON if soon else LATER, Why.TO_REVOKE, asks=True)


def disable(at: Situation) -> Move | None:
    """Switch the old key off first, which can be undone."""
    old = at.journal.old
    wanted = at.rules.disables and not at.journal.straight
    if not (wanted and old and old.handle) or old.ending:
        return None
    # Where the answer was lost it is done once more: only a key that is known to be off is watched.
    if old.disabled and (not at.journal.tries or at.seen.wish.now):
        return None
    # Known before it is done: what was switched off without an answer has to be switched on on the way back.
    return Do(Effect.DISABLE, old.handle, at.journal.but(old=dataclasses.replace(old, disabled=True)))


def wanted_again(at: Situation) -> Move | None:
    """Switch the old key on again where the store has it, as whoever reads it has to be able to use it; or where its
    object is gone, as that ends no key.
    """
    return enable(at) if at.seen.store is Holds.OLD or at.seen.wish.gone else None


def revoke(at: Situation) -> Move | None:
    """Revoke the old key; from the moment that this is asked for there is no way back."""
    old = at.journal.old
    if not (old and old.handle):
        return None
    return Do(Effect.REVOKE, old.handle, at.journal.but(old=dataclasses.replace(old, ending=True)))


_BACK = (Step.ROLLING_BACK,)

ADOPTED = (Row(begin_grace, (Step.GRACE,)),)
GRACE = (
    Row(wanted_again, does=(Effect.ENABLE,)),
    Row(gone_late, (Step.IDLE, Step.REVOKED, *_BACK)),
    Row(old_ended, (Step.REVOKED,)),
    Row(store_changed, _BACK),
    Row(store_restored, (Step.TESTED, *_BACK)),
    Row(nothing_old, (Step.REVOKED,)),
    Row(is_revoked, (Step.REVOKED,)),
    Row(asked_back, _BACK),
    Row(new_invalid, _BACK),
    Row(orphan, does=(Effect.REVOKE,)),
    Row(wished_now),
    Row(told_anew),
    Row(in_grace),
    Row(ends_by_itself, (Step.REVOKED,)),
    Row(worn_after, (Step.REVOKED,)),
    Row(new_unconfirmed),
    Row(still_late),
    Row(nothing_to_revoke, (Step.REVOKED,)),
    Row(person_revokes, (Step.REVOKED,)),
    Row(disable, does=(Effect.DISABLE,)),
    Row(revoke, does=(Effect.REVOKE,)),
)
