"""Answers that were lost: a key that was asked for may have been made, and be listed late. What is not known for sure
is remembered until it is: such a key is ended once it is proven to be ours; where that cannot be, a person has to look.

A key that bears the name of its rotation is ours. Where keys have no names, ours was not there before, was made while
we asked, and no more turn up than were asked for; and nobody else of us asked meanwhile (``engine`` sees to that).

Does not belong here: reasons that do not rest on a lost answer, proof by an issuer's list (``issuing/base.py``).
"""

from __future__ import annotations

from collections.abc import Collection

from ...issuing.base import SKEW, Way
from . import makers
from .any_time import LATER, SOON
from .journal import Ask, Debt, Half, Journal, Owed, Step, Why
from .moves import Do, Effect, Go, Move, Situation
from .sight import Holds, Keys, Rules, Targets


def asked(journal: Journal) -> tuple[Ask, ...]:
    """Return what was asked for and not answered, the last included."""
    answered = journal.new is not None and journal.new.handle is not None
    if journal.asked_at is None or answered or journal.step is Step.IDLE:
        return journal.unanswered
    last = Ask(journal.asked_at, journal.before or frozenset(), journal.id, journal.issuer)
    return (*journal.unanswered, last)


def owes(journal: Journal) -> bool:
    """Whether something is owed, or may be."""
    return bool(journal.debts or journal.unanswered)


def found(journal: Journal, ask: Ask | None) -> Journal:
    """Return a journal once it is known what came of something that was asked for."""
    if ask in journal.unanswered:
        return journal.but(unanswered=tuple(each for each in journal.unanswered if each != ask))
    return journal.but(asked_at=None) if ask and ask.at == journal.asked_at else journal


def finding(journal: Journal, asks: Collection[Ask], now: float) -> Journal:
    """Return a journal by which a person has to look for what was asked for and not answered."""
    debts = list(journal.debts)
    for issuer in sorted({each.issuer for each in asks}):
        times = [each.at for each in asks if each.issuer == issuer]
        # A call takes a while, and clocks differ.
        since, until = min(times) - SKEW, max(times) + 2 * SKEW
        debts.append(Debt(Owed.FIND, "", "", now, issuer=issuer, made_from=since, made_until=until))
    return journal.but(debts=tuple(debts), unanswered=tuple(each for each in journal.unanswered if each not in asks))


def remembered(rules: Rules, journal: Journal) -> Journal:
    """Return a journal of a rotation that ends, with what was asked for last, if that was not answered."""
    # What is minted ends by itself; a place is filled anew; what is not listed is owed by now.
    looked_for = rules.way is Way.ISSUE and rules.lists
    return journal.but(unanswered=asked(journal)) if looked_for else journal


def _suspects(at: Situation) -> frozenset[str]:
    """Return the keys that were made for us, of which nothing is known."""
    journal, keys = at.journal, at.seen.keys
    if keys is None or at.rules.way is not Way.ISSUE:
        return frozenset()
    known = {half.handle for half in (journal.old, journal.new, journal.left) if half}
    known |= {each.handle for each in journal.debts}
    return keys.ours - known.union(*(each.before for each in journal.unanswered))


def _candidates(at: Situation) -> list[str]:
    """Return the keys that may have been made for us and whose values nobody has."""
    journal, keys = at.journal, at.seen.keys
    if keys is None:
        return []
    used = {Step.GRACE: journal.new, Step.ROLLING_BACK: journal.new, Step.IDLE: journal.left}.get(journal.step)
    nameless = used and used.handle is None and journal.step is not Step.ROLLING_BACK
    if nameless or (used and not _placed(used, keys)):
        # Each may be the one that is in use, by another name perhaps.
        return []
    # So may each that there was before, for as long as it is not seen which of them the old one is.
    old = journal.old
    sure = old is None or (old.handle is not None and _placed(old, keys))
    return sorted(_suspects(at) - (frozenset() if sure else journal.before or frozenset()))


def _placed(half: Half, keys: Keys) -> bool:
    """Whether it is no wonder that a list has a key, or has not: it is there by its name, or need not be there."""
    return not half.handle or half.handle in keys.handles or half.revoked


def _mixed(at: Situation) -> bool:
    """Whether more keys have turned up than were asked for, or one that may be another rotation's, or that a person was
    told to find: which are ours and nobody has cannot be told then.
    """
    found, claimed = _candidates(at), at.seen.keys.claimed if at.seen.keys else frozenset()
    if found and any(_is_sought(at, each) for each in at.journal.debts):
        return True
    return not at.rules.names and (len(found) > len(asked(at.journal)) or not claimed.isdisjoint(found))


def _is_sought(at: Situation, debt: Debt) -> bool:
    """Whether a person is to find a key that was asked for by the last rotation."""
    sought = debt.owed is Owed.FIND and (debt.made_until or 0.0) > at.journal.began
    return sought and makers.same(debt.issuer, at.rules.issuer)


def orphans(at: Situation) -> list[str]:
    """Return the keys that were made for us and whose values nobody has: their answers were lost."""
    return [] if _mixed(at) else _candidates(at)


# Reasons.


def settling(at: Situation) -> Move | None:
    """Wait until a key that was asked for is listed, if it was made."""
    if (at.journal.asked_at or 0.0) > at.now:
        # The clock was put back. Not before that was compared with the list (``clock`` puts right the rest): where the
        # clock is wrong only now, the key was made when the journal says so.
        return Go(at.journal.but(asked_at=at.now))
    # Of one that a clock has dated that was ahead it is told later that it cannot be looked for.
    asks = (each.at for each in asked(at.journal) if each.at <= at.now + SKEW)
    settled = max(asks, default=0.0) + at.rules.settle
    return at.wait(min(SOON, settled - at.now)) if at.now < settled else None


def orphan(at: Situation) -> Move | None:
    """Revoke a key that was made for us and whose value nobody has: its answer was lost.

    A journal from a backup does not know that this key has become the one in use: where the store has a key of which
    nothing is known, or has been emptied, a person has to look.
    """
    lost = orphans(at)
    if not lost:
        return None
    late = at.lasts() > at.rules.write_within
    if at.seen.store is None and not at.journal.new:
        return at.wait(LATER, Why.STORE_SILENT, asks=late)
    first = at.seen.store is Holds.NOTHING and at.journal.old is None
    nobody = at.seen.targets == Targets()
    # Of an object that is worked on just now it is not known for a moment.
    soon = at.seen.targets is None or at.lasts() <= at.rules.settle + LATER
    if first and not nobody and soon and not at.journal.new:
        return at.wait(LATER, Why.READERS_UNKNOWN, asks=late)
    if at.journal.new or at.seen.store is Holds.OLD or (first and nobody):
        return Do(Effect.REVOKE, lost[0])
    asks = asked(at.journal)
    return Go(finding(at.journal, asks, at.now).but(asked_at=None)) if asks else None


def not_looked_for(at: Situation) -> Move | None:
    """Have a person find a key whose answer was lost, where it cannot be looked for, or cannot be told from others."""
    asks, rules, keys = at.journal.unanswered, at.rules, at.seen.keys
    blind = rules.way is not Way.ISSUE or not rules.lists
    elsewhere = [each for each in asks if blind or not makers.same(each.issuer, rules.issuer)]
    # Not by a clock that was wrong, nor where the issuer does not answer for long.
    lost = [each for each in asks if each.at > at.now + SKEW or (keys is None and each.at < at.now - rules.sure)]
    unclear = asks if asks and _mixed(at) else [each for each in asks if each in elsewhere or each in lost]
    return Go(finding(at.journal, unclear, at.now)) if unclear else None


def turned_up(at: Situation) -> Move | None:
    """Owe the end of a key that was listed late: its answer was lost, and it is ours."""
    lost, keys = orphans(at), at.seen.keys
    if not (lost and keys and at.journal.unanswered):
        return None
    known = found(at.journal, keys.asks.get(lost[0]))
    return Go(known.owing(Owed.REVOKE, Half("", lost[0]), at.now))


def surely_none(at: Situation) -> Move | None:
    """Forget what was asked for so long ago that a key would be listed by now; what is listed, a person looks at."""
    over = tuple(each for each in at.journal.unanswered if each.at < at.now - at.rules.sure)
    if at.seen.keys is None or not over:
        return None
    if _suspects(at):
        return Go(finding(at.journal, over, at.now))
    return Go(at.journal.but(unanswered=tuple(each for each in at.journal.unanswered if each not in over)))
