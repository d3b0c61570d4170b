"""The way back: the old key is put back everywhere, then the new one is revoked.

The old key is put back only where it is known to work, and the new one ends only where nobody is known to hold it.

Does not belong here: why a rotation turns back (``making``, ``spreading``, ``ending``).
"""

from __future__ import annotations

import dataclasses

from ...issuers.base import Verdict
from ...issuing.base import Way
from .any_time import LATER, NOW_AND_THEN, SOON, alive, condemned, enable
from .journal import Journal, Owed, Step, Why
from .living import worn_back
from .lost import asked, finding, orphan, settling
from .moves import Do, Effect, Go, Move, Row, Situation
from .sight import Holds


def _pause(at: Situation) -> float:
    """Return when to look again: often at first, then as what is late is looked at."""
    return SOON if at.lasts() < LATER else LATER


def leave_to_people(at: Situation) -> Move | None:
    """Write nothing over what a person has written, unless somebody asks for that, or it does not work."""
    if at.rules.way is not Way.MANUAL or at.journal.why in (Why.ASKED, Why.NEW_INVALID):
        return None
    if at.seen.store is Holds.NEW and at.journal.old:
        # The one that they have written is in use by now.
        return Go(at.journal.owing(Owed.KEEP, at.journal.old, at.now).at(Step.ROLLED_BACK, at.now))
    if at.seen.store is Holds.OLD and at.journal.old and at.journal.old.ending:
        # They have written one that cannot be switched on again.
        return at.wait(LATER, Why.OLD_NOT_ALIVE, asks=True)
    return at.go(Step.ROLLED_BACK)


def store_unseen(at: Situation) -> Move | None:
    """Wait until it is known what the store has: a journal out of a backup does not know that the new key is there."""
    if at.seen.store is not None or at.journal.new is None:
        return None
    return at.wait(_pause(at), Why.STORE_SILENT, asks=at.lasts() > at.rules.write_within)


def first_one(at: Situation) -> Move | None:
    """Leave a first key where it is: there is nothing to put back."""
    return at.go(Step.ROLLED_BACK) if at.seen.store is Holds.NEW and at.journal.old is None else None


def in_use_already(at: Situation) -> Move | None:
    """Go on where the store has a new key that this journal never wrote: it is from a backup, and that is in use."""
    journal = at.journal
    if at.seen.store is not Holds.NEW or journal.got(Step.TESTED) or at.rules.way is Way.MANUAL or journal.same_key:
        return None
    return at.go(Step.STORED, why=None)


def put_back(at: Situation) -> Move | None:
    """Write the old key over the new one, if it works; else go on, or have a person see to it."""
    # One that was given twice is there already, and would be for ever.
    if at.seen.store is not Holds.NEW or at.journal.same_key:
        return None
    if at.journal.old_may_be_dead:
        return _no_way_back(at)
    if not at.rules.tests or alive(at, at.seen.old):
        return Do(Effect.STORE_OLD, first=_was_stored(at))
    if condemned(at.seen.old):
        return _no_way_back(at)
    return at.wait(LATER, Why.OLD_NOT_ALIVE, asks=at.lasts() > at.rules.test_within)


def _was_stored(at: Situation) -> Journal:
    """Return the journal that knows that others may have read the new key, which the store has."""
    journal = at.journal.but(back_from=0.0)
    return journal if journal.got(Step.STORED) else journal.but(reached=Step.STORED, stored=journal.stored or at.now)


def _no_way_back(at: Situation) -> Move:
    """Go on where that was, with a key that works; with two that do not, a person has to make one."""
    if alive(at, at.seen.new) or not at.rules.tests:
        return at.go(Step.STORED, why=None, one_way=True, back_from=0.0)
    return at.wait(LATER, Why.OLD_DEAD, asks=True)


def late_write(at: Situation) -> Move | None:
    """Let a write whose answer was lost arrive, so that it cannot do so after the new key is dead."""
    journal = at.journal
    if journal.new is None or not journal.got(Step.TESTED):
        return None
    # What was written once, and no more, was asked for before the store had it.
    asked_at = journal.stored if journal.stored and not journal.restored else journal.since
    left = min(asked_at + at.rules.store_within - at.now, at.rules.store_within)
    left = max(left, at.rules.settle - at.lasts())
    return at.wait(min(SOON, left)) if left > 0 else None


def nobody_looks(at: Situation) -> Move | None:
    """Keep the new key where its object is gone: what has it cannot be seen any more."""
    new = at.journal.new
    if new is None or not at.seen.wish.gone or at.rules.way is Way.LOCAL or _nowhere(at):
        return None
    if at.rules.way is Way.MINTED:
        return at.go(Step.ROLLED_BACK)
    return _keep_new(at)


def _keep_new(at: Situation) -> Go:
    """End, and leave the new key alive: people are told of it."""
    return Go(at.journal.owing(Owed.KEEP, at.journal.new, at.now).at(Step.ROLLED_BACK, at.now))


def _nowhere(at: Situation) -> bool:
    """Whether the new key is a candidate that nobody has: the store has what was to be replaced, and never another."""
    if at.journal.same_key or at.journal.got(Step.TESTED):
        return at.journal.same_key
    if at.journal.old:
        return at.seen.store is Holds.OLD
    # Nothing is there also where the first key was, and was taken out: Secrets have that still.
    unseen = at.seen.targets is None or at.seen.targets.may_be_new
    return at.seen.store is Holds.NOTHING and (condemned(at.seen.new) or not unseen)


def targets_hold_it(at: Situation) -> Move | None:
    """Wait until no Secret has the new key; nor may have it, where the store may have had it."""
    targets = at.seen.targets
    if at.journal.new is None or at.journal.same_key or (_nowhere(at) and not (targets and targets.new)):
        return None
    late = at.lasts() > at.rules.write_within
    if targets is None:
        return at.wait(_pause(at), Why.READERS_UNKNOWN, asks=late)
    if targets.may_be_new and not targets.new and late and _is_first_of_all(at):
        # No Secret will tell before a key is in the store, and none is as long as this is waited for.
        return _keep_new(at)
    return at.wait(_pause(at), Why.NOT_WRITTEN, asks=late) if targets.may_be_new else None


def _is_first_of_all(at: Situation) -> bool:
    """Whether the new key is a first one, and neither the store nor this journal knows that it was ever written."""
    return at.journal.old is None and at.seen.store is Holds.NOTHING and not at.journal.got(Step.TESTED)


def users_hold_it(at: Situation) -> Move | None:
    """Wait until nobody uses the new key."""
    if at.journal.new is None or _nowhere(at):
        return None
    if at.seen.users is None:
        return at.wait(_pause(at), Why.READERS_UNKNOWN, asks=at.lasts() > at.rules.write_within)
    late = at.lasts() > at.rules.adopt_within
    return at.wait(LATER, Why.NOT_ADOPTED, asks=late) if at.seen.users.late else None


def nothing_to_revoke(at: Situation) -> Move | None:
    """End: there is no new key at the issuer, or it is none of ours to end."""
    new = at.journal.new
    ours = at.rules.way is Way.ISSUE or (at.rules.way is Way.SLOTS and new is not None)
    # What was minted ends by itself, where we cannot end it.
    ours = ours or (at.rules.way is Way.MINTED and at.rules.ends(new))
    same = at.journal.same_key or at.journal.same_handle
    may_be = new is not None or bool(asked(at.journal))
    return None if ours and may_be and not same else at.go(Step.ROLLED_BACK)


def revoked(at: Situation) -> Move | None:
    """End: the issuer has said that the new key is revoked."""
    return at.go(Step.ROLLED_BACK) if at.journal.new and at.journal.new.revoked else None


def last_one(at: Situation) -> Move | None:
    """Keep the new key, which was in use or may have been, until another one is known to work."""
    if at.journal.new is None or at.rules.way is Way.MINTED:
        return None
    stored = at.journal.got(Step.STORED)
    if at.seen.store is Holds.OTHER and at.rules.tests:
        works = alive(at, at.seen.theirs) or (not stored and alive(at, at.seen.old))
        return None if works else at.wait(LATER, Why.THEIRS_UNKNOWN, asks=True)
    if not stored:
        return _emptied(at)
    if at.seen.store is Holds.OLD:
        return _old_unknown(at)
    if at.seen.store is Holds.NOTHING and alive(at, at.seen.old) and not at.journal.old_may_be_dead:
        return None
    return _keep_new(at)


def _emptied(at: Situation) -> Move | None:
    """Keep a new key that was never written as far as is known, where the store was emptied, until the old one is known
    to work: by a journal from a backup it may be the one in use.
    """
    old = at.journal.old
    if at.seen.store is not Holds.NOTHING or old is None or condemned(at.seen.new) or at.journal.same_key:
        return None
    if alive(at, at.seen.old) and not at.journal.old_may_be_dead:
        return None
    if at.rules.tests and at.seen.old is not None and not condemned(at.seen.old):
        return at.wait(LATER, Why.OLD_NOT_ALIVE, asks=at.lasts() > at.rules.test_within)
    return _keep_new(at)


def _old_unknown(at: Situation) -> Move | None:
    """Keep the new key until the old one is known to work, wherever the store has it from."""
    if at.journal.old_may_be_dead:
        # It was accepted before perhaps.
        return _no_way_back(at)
    if not at.rules.tests or alive(at, at.seen.old):
        return None
    if condemned(at.seen.old):
        return _no_way_back(at)
    return at.wait(LATER, Why.OLD_NOT_ALIVE, asks=at.lasts() > at.rules.test_within)


def new_in_overlap(at: Situation) -> Move | None:
    """Leave the new key alive for the overlap, where the store had it: who has read it there may be seen by nobody."""
    journal, rules = at.journal, at.rules
    if not _may_be_elsewhere(at):
        return None
    began, until = journal.back_from or at.now, journal.until
    if rules.anew or not journal.back_from:
        until = began + rules.overlap
    if until <= at.now:
        return None
    noted = journal.but(back_from=began, until=until)
    # What was refused once is looked at until it is known whether it is dead: then it need not be waited for.
    doubted = at.seen.new is not None and at.seen.new.last is Verdict.INVALID
    pause = min(until - at.now, _pause(at) if doubted else NOW_AND_THEN)
    return Go(noted) if noted != journal else at.wait(pause, Why.NEW_IN_OVERLAP)


def _may_be_elsewhere(at: Situation) -> bool:
    """Whether somebody who cannot be seen may use the new key, and can."""
    journal, new = at.journal, at.journal.new
    if new is None or new.ending or at.rules.way is Way.MINTED or not journal.got(Step.STORED):
        return False
    dead = condemned(at.seen.new) or journal.why is Why.NEW_INVALID
    return not (dead or journal.urgent or at.seen.wish.now)


def revoke_new(at: Situation) -> Move | None:
    """Revoke the new key; or owe it, where we cannot."""
    new = at.journal.new
    if new is None:
        return None
    if not new.handle or not at.rules.revokes:
        return Go(at.journal.owing(Owed.REVOKE, new, at.now).at(Step.ROLLED_BACK, at.now))
    return Do(Effect.REVOKE, new.handle, at.journal.but(new=dataclasses.replace(new, ending=True)))


def keys_unknown(at: Situation) -> Move | None:
    """Wait until it is known whether a key was made whose answer was lost; where that cannot be, it is owed."""
    if not at.rules.lists:
        return Go(finding(at.journal, asked(at.journal), at.now).at(Step.ROLLED_BACK, at.now))
    return at.wait(LATER, asks=at.lasts() > at.rules.write_within) if at.seen.keys is None else None


def answer_lost(at: Situation) -> Move | None:
    """See that a key which was asked for is found, if it was made; then end."""
    return settling(at) or at.go(Step.ROLLED_BACK)


_END = (Step.ROLLED_BACK,)

ROLLING_BACK = (
    Row(enable, does=(Effect.ENABLE,)),
    Row(store_unseen),
    Row(leave_to_people, _END),
    Row(worn_back, (*_END, Step.REVOKED)),
    Row(first_one, _END),
    Row(in_use_already, (Step.STORED,)),
    Row(put_back, (Step.STORED,), (Effect.STORE_OLD,)),
    Row(late_write),
    Row(nobody_looks, _END),
    Row(targets_hold_it),
    Row(users_hold_it),
    Row(nothing_to_revoke, _END),
    Row(orphan, does=(Effect.REVOKE,)),
    Row(revoked, _END),
    Row(last_one, (*_END, Step.STORED)),
    Row(new_in_overlap),
    Row(revoke_new, _END, (Effect.REVOKE,)),
    Row(keys_unknown, _END),
    Row(answer_lost, _END),
)
