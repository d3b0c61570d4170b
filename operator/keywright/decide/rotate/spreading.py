"""The way to a new key, second part: it is written to the store and the Secrets, and its users take it up.

Only a key that was tested is written, and only over the key that was to be replaced.

Does not belong here: the end of the old key (``ending``).
"""

from __future__ import annotations

from ...issuers.base import Verdict
from .any_time import (
    LATER,
    SOON,
    alive,
    asked_back,
    condemned,
    gone_early,
    gone_late,
    new_invalid,
    store_changed,
    store_restored,
)
from .journal import Step, Why
from .living import long_late, old_ended, worn_after, worn_before
from .moves import Do, Effect, Move, Row, Situation
from .sight import Has, Holds


def died_before(at: Situation) -> Move | None:
    """Test a key anew that is refused after it had passed."""
    refused = at.seen.new is not None and at.seen.new.last is Verdict.INVALID
    return at.go(Step.HELD) if refused or condemned(at.seen.new) else None


def untested(at: Situation) -> Move | None:
    """Write only what is known to work now, whenever it passed."""
    if not at.rules.tests or alive(at, at.seen.new):
        return None
    return at.back(Why.TEST_UNCLEAR) if at.lasts() > at.rules.test_within else at.wait(SOON)


def is_stored(at: Situation) -> Move | None:
    """Go on: the store has the new key."""
    return at.go(Step.STORED) if at.seen.store is Holds.NEW else None


def store_new(at: Situation) -> Move | None:
    """Write the new key over the old one, or where there is none yet."""
    wanted = Holds.OLD if at.journal.old else Holds.NOTHING
    return Do(Effect.STORE_NEW) if at.seen.store is wanted else None


def not_taken(at: Situation) -> Move | None:
    """Turn back because the store has not taken the new key in time, though it has what is to be replaced."""
    wanted = Holds.OLD if at.journal.old else Holds.NOTHING
    late = at.journal.tries and at.lasts() > at.rules.write_within
    return at.back(Why.STORE_REFUSED) if late and at.seen.store is wanted else None


def store_silent(at: Situation) -> Move | None:
    """Wait for the store, or turn back."""
    if at.seen.store is not None:
        return None
    return at.back(Why.STORE_SILENT) if at.lasts() > at.rules.write_within else at.wait(SOON)


def all_written(at: Situation) -> Move | None:
    """Go on: every Secret has the new key, but those that have neither."""
    targets = at.seen.targets
    return at.go(Step.WRITTEN) if targets and targets.new and not targets.may_be_old else None


def own_written(at: Situation) -> Move | None:
    """Wait for nobody else, where the old key is to end at once: the object that asks for it has the new one."""
    urgent = at.journal.urgent or at.seen.wish.now
    return at.go(Step.WRITTEN) if urgent and at.seen.own is Has.NEW else None


def not_written(at: Situation) -> Move | None:
    """Turn back if no Secret could be written; if some were, a person has to see why the others were not."""
    targets = at.seen.targets
    if at.lasts() <= at.rules.write_within:
        return at.wait(SOON, None if targets else Why.READERS_UNKNOWN)
    if targets and not targets.new and not at.journal.one_way:
        return at.back(Why.NOT_WRITTEN)
    return at.wait(LATER, Why.NOT_WRITTEN if targets else Why.READERS_UNKNOWN, asks=True)


# Adoption.


def hurry(at: Situation) -> Move | None:
    """Wait for nobody."""
    urgent = at.journal.urgent or at.seen.wish.now
    return at.go(Step.GRACE, until=at.now, urgent=True) if urgent else None


def adopted(at: Situation) -> Move | None:
    """Go on: everybody uses the new key."""
    users = at.seen.users
    if users is None or users.late or (not users.found and at.rules.needs_users):
        return None
    return at.go(Step.ADOPTED)


def not_adopted(at: Situation) -> Move | None:
    """Wait; after a while, a person has to see why."""
    nobody = at.seen.users is not None and not at.seen.users.found
    if at.lasts() > long_late(at):
        return at.wait(LATER, Why.OLD_ENDS, asks=True)
    asks = at.lasts() > at.rules.adopt_within
    return at.wait(LATER, Why.NO_USERS if nobody else Why.NOT_ADOPTED, asks=asks)


_BACK = (Step.ROLLING_BACK,)

TESTED = (
    Row(is_stored, (Step.STORED,)),
    Row(gone_early, _BACK),
    Row(asked_back, _BACK),
    Row(worn_before, _BACK),
    Row(died_before, (Step.HELD,)),
    Row(store_silent, _BACK),
    Row(untested, _BACK),
    Row(not_taken, _BACK),
    Row(store_new, does=(Effect.STORE_NEW,)),
    Row(store_changed, _BACK),
)
STORED = (
    Row(gone_late, (Step.IDLE, Step.REVOKED)),
    Row(asked_back, _BACK),
    Row(store_changed, _BACK),
    Row(store_restored, (Step.TESTED,)),
    Row(new_invalid, _BACK),
    Row(all_written, (Step.WRITTEN,)),
    Row(own_written, (Step.WRITTEN,)),
    Row(worn_after, (Step.REVOKED,)),
    Row(not_written, _BACK),
)
WRITTEN = (
    Row(gone_late, (Step.IDLE, Step.REVOKED)),
    Row(old_ended, (Step.REVOKED,)),
    Row(asked_back, _BACK),
    Row(store_changed, _BACK),
    Row(store_restored, (Step.TESTED,)),
    Row(new_invalid, _BACK),
    Row(hurry, (Step.GRACE,)),
    Row(adopted, (Step.ADOPTED,)),
    Row(worn_after, (Step.REVOKED,)),
    Row(not_adopted),
)
