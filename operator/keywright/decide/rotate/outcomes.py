"""What is remembered of an effect, once it has come to something.

Does not belong here: what is done next (``machine``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from ...issuing.base import Way
from . import living
from .journal import Ask, Debt, Half, Journal, Owed, Step, Why
from .lost import asked, finding, found
from .moves import Came, Do, Effect, Situation
from .sight import Holds, Rules

#: Seconds to the next try of what is owed: first and longest.
FIRST_TRY, LONGEST_TRY = 60.0, 21600.0
#: Seconds until something outside is done again that came to nothing: first and longest.
FIRST_AGAIN, LONGEST_AGAIN = 5.0, 900.0


def came(
    at: Situation,
    done: Do,
    outcome: Came,
    issued: Half | None = None,
    before: Journal | None = None,
    *,
    fits: bool = True,
) -> Journal:
    """Return what is remembered once an effect has come to something.

    Args:
        at: the situation in which it was done, with the journal as it was written before.
        issued: the new key, where one was made; the one that is in use, where that was made to live longer.
        before: the journal as it was before that.
        fits: whether the new key is of use; else it is given up at once.
    """
    if outcome is Came.NOT_BEGUN and before:
        # It is tried again later, as what came to nothing; that it was asked for is not so.
        return before.but(tries=at.journal.tries, again=at.journal.again)
    if outcome in (Came.UNCLEAR, Came.NOT_BEGUN):
        # Looked at again.
        return at.journal
    outcomes = _DONE if outcome is Came.DONE else _REFUSED
    ask = at.seen.keys.asks.get(done.handle) if at.seen.keys else None
    came_to = outcomes[done.effect](_After(at.rules, at.journal, done.handle, at.now, issued, fits, ask))
    came_to = turned_back(at, came_to)
    return came_to.but(tries=0, again=0.0) if outcome is Came.DONE else came_to


def turned_back(at: Situation, after: Journal) -> Journal:
    """Return a journal that, where a rotation has turned back, tells of an old key that lives on and nobody has."""
    old = at.journal.old
    if (at.journal.step, after.step) != (Step.ROLLING_BACK, Step.ROLLED_BACK):
        return after
    if at.seen.store is Holds.OLD:
        # It was replaced before, perhaps.
        return after.using(old)
    lives = old and not old.revoked and at.rules.way in (Way.ISSUE, Way.SLOTS, Way.MANUAL)
    gone = at.seen.store in (Holds.OTHER, Holds.NOTHING)
    return after.owing(Owed.KEEP, old, at.now) if lives and gone else after


@dataclasses.dataclass(frozen=True, slots=True)
class _After:
    rules: Rules
    journal: Journal
    handle: str
    now: float
    issued: Half | None
    fits: bool = True
    ask: Ask | None = None

    @property
    def is_old(self) -> bool:
        return bool(self.journal.old and self.journal.old.handle == self.handle)

    @property
    def is_new(self) -> bool:
        return bool(self.journal.new and self.journal.new.handle == self.handle)

    def old(self, **changes: bool | float | None) -> Half | None:
        old = self.journal.old
        return dataclasses.replace(old, **changes) if old else None  # type: ignore[arg-type]


def _issued(after: _After) -> Journal:
    journal, new = after.journal, after.issued
    # A place that is filled anew is what was owed for it before.
    debts = tuple(each for each in journal.debts if not new or each.handle != new.handle)
    if not after.fits:
        return journal.at(Step.ROLLING_BACK, after.now, new=new, debts=debts, why=Why.ISSUE_REFUSED)
    return journal.at(Step.HELD, after.now, new=new, debts=debts)


def _not_issued(after: _After) -> Journal:
    # Nothing was made now; what an earlier answer did not tell is looked for still. An earlier version noted the last
    # time alone.
    journal = after.journal
    asked_at = journal.asked_at if journal.asks > 1 and not journal.unanswered else None
    return journal.at(Step.ROLLING_BACK, after.now, why=Why.ISSUE_REFUSED, asked_at=asked_at)


def _disabled(after: _After) -> Journal:
    until = after.now + after.rules.observe
    return after.journal.but(old=after.old(disabled=True, off_from=after.now), until=until)


def _revoked(after: _After) -> Journal:
    journal = after.journal
    if journal.step is Step.GRACE and after.is_old:
        return journal.at(Step.GRACE, after.now, old=after.old(revoked=True))
    if journal.step is Step.ROLLING_BACK and after.is_new and journal.new:
        return journal.but(new=dataclasses.replace(journal.new, revoked=True))
    left = tuple(each for each in journal.debts if each.handle != after.handle)
    # What was owed was found before.
    return found(journal, after.ask) if left == journal.debts else journal.but(debts=left)


def _not_revoked(after: _After) -> Journal:
    journal, now = after.journal, after.now
    if journal.step is Step.GRACE and after.is_old:
        kept = journal.but(old=after.old(ending=False))
        return kept.owing(Owed.REVOKE, journal.old, now).at(Step.REVOKED, now)
    if journal.step is Step.ROLLING_BACK and after.is_new:
        return journal.owing(Owed.REVOKE, journal.new, now).at(Step.ROLLED_BACK, now)
    if journal.step is Step.IDLE:
        # That it was tried was written before.
        return journal
    if any(each.handle == after.handle for each in journal.debts):
        return tried(journal, after.handle, now)
    return found(journal, after.ask).owing(Owed.REVOKE, Half("", after.handle), now)


def _renewed(after: _After) -> Journal:
    left, now = after.journal.left, after.issued
    if left is None or now is None or now.lives_until is None:
        return after.journal
    return after.journal.but(left=living.renewed(left, now.lives_until, after.now))


def _not_renewed(after: _After) -> Journal:
    left = after.journal.left
    return after.journal.but(left=dataclasses.replace(left, spent=after.now) if left else None, tries=0, again=0.0)


def tried(journal: Journal, handle: str, now: float) -> Journal:
    """Return it with one try more of what is owed for a key; the next one is later each time."""

    def again(debt: Debt) -> Debt:
        pause = min(LONGEST_TRY, FIRST_TRY * 2 ** min(debt.tries, 16))
        return dataclasses.replace(debt, tries=debt.tries + 1, due=now + pause) if debt.handle == handle else debt

    return journal.but(debts=tuple(map(again, journal.debts)))


def carried(debts: Sequence[Debt]) -> tuple[Debt, ...]:
    """Return what is owed when a key is kept at another place from now on. Whether that place holds a key which is to
    be revoked cannot be seen by its fingerprint, so those that somebody may have are left alive, and told to people.
    """
    return tuple(
        dataclasses.replace(each, owed=Owed.KEEP) if each.owed is Owed.REVOKE and each.fingerprint else each
        for each in debts
    )


def joined(there: Journal, left: Journal) -> Journal:
    """Return the journal of a place with what that of another says, where the key was before: that one goes."""
    debts = tuple(each for each in left.debts if each not in there.debts)
    asks = tuple(each for each in left.unanswered if each not in there.unanswered)
    pinned = there.pinned or left.pinned
    return there.but(debts=(*there.debts, *debts), unanswered=(*there.unanswered, *asks), pinned=pinned)


def lost(journal: Journal, now: float, *, local: bool) -> Journal:
    """Return what is remembered of a rotation that can never go on, as its object is gone and its store or its issuer
    too: which keys live on, and which may.

    Args:
        local: whether nobody but its readers accepts the key, or it ends by itself.
    """
    if local:
        return journal.but(why=Why.OBJECT_GONE).rest(now, left=None)
    halves = (each for each in (journal.old, journal.new) if each and not each.revoked)
    for half in halves:
        journal = journal.owing(Owed.KEEP, half, now)
    journal = finding(journal, asked(journal), now)
    return journal.but(why=Why.OBJECT_GONE).rest(now, left=None)


#: The steps that an effect leads to, from the step at which it is done; elsewhere the step stays.
AFTER: Mapping[tuple[Effect, Step], tuple[Step, ...]] = {
    (Effect.ISSUE, Step.ISSUING): (Step.HELD, Step.ROLLING_BACK),
    (Effect.STORE_NEW, Step.TESTED): (Step.STORED, Step.ROLLING_BACK),
    (Effect.REVOKE, Step.GRACE): (Step.REVOKED,),
    (Effect.REVOKE, Step.ROLLING_BACK): (Step.ROLLED_BACK,),
}

_DONE: Mapping[Effect, Callable[[_After], Journal]] = {
    Effect.ISSUE: _issued,
    Effect.STORE_NEW: lambda after: after.journal.at(Step.STORED, after.now),
    Effect.STORE_OLD: lambda after: after.journal,
    Effect.DISABLE: _disabled,
    Effect.ENABLE: lambda after: after.journal.but(old=after.old(disabled=False, off_from=None)),
    Effect.REVOKE: _revoked,
    Effect.RENEW: _renewed,
}
_REFUSED: Mapping[Effect, Callable[[_After], Journal]] = {
    Effect.ISSUE: _not_issued,
    Effect.STORE_NEW: lambda after: after.journal.at(Step.ROLLING_BACK, after.now, why=Why.STORE_REFUSED),
    # Somebody else was faster: the next look tells.
    Effect.STORE_OLD: lambda after: after.journal,
    # Tried before, without an answer, it may be off.
    Effect.DISABLE: lambda after: after.journal.but(straight=True, old=after.old(disabled=after.journal.tries > 1)),
    # There is no way back to a key that stays switched off.
    Effect.ENABLE: lambda after: after.journal.but(old=after.old(ending=True)),
    Effect.REVOKE: _not_revoked,
    Effect.RENEW: _not_renewed,
}
