"""One local rotation, driven: look, decide, write the journal, do one thing, until it is over or has to wait.

Does not belong here: what is decided (``decide/rotate``), what is printed (``telling``).
"""

from __future__ import annotations

import dataclasses
import math
import random
import time
from typing import Protocol

from ... import errors, pacing
from ...decide.rotate import calls, machine, outcomes, owed
from ...decide.rotate.journal import Cause, Journal, Step, Why
from ...decide.rotate.moves import Came, Do, End, Go, Situation, Wait
from ...decide.rotate.sight import Wish
from ...errors import Reason
from ...schema import NAMELESS
from .acting import Acting
from .book import Book, Kept
from .looking import Looking, Sight, sentences
from .task import Task

#: Seconds of the overlap that are waited for in place; for more, people come again.
_PATIENCE = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """How a drive ended.

    Attributes:
        wait: what it waits for; None: it is over.
        trouble: what is in the way, in sentences; empty: nothing.
        forgotten: whether a debt was.
    """

    kept: Kept
    wait: Wait | None = None
    trouble: str = ""
    forgotten: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """How long it goes on.

    Attributes:
        asked: whether people and times are waited for in place.
        seconds: after which it ends in any case.
    """

    asked: bool = False
    seconds: float = math.inf


class Hears(Protocol):
    """Who is told how it goes."""

    def reached(self, journal: Journal) -> None:
        """Hear that a step was reached."""

    def trouble(self, trouble: str, *, again: bool) -> None:
        """Hear that something that was done outside came to nothing.

        Args:
            again: whether it is tried again.
        """

    def waits(self, journal: Journal, wait: Wait, trouble: str, until: float) -> None:
        """Hear what is waited for.

        Args:
            trouble: what is in the way, in sentences; empty: nothing.
            until: Unix time up to which that is looked at again.
        """


class Driver:
    """Drives the rotation of one entry."""

    def __init__(self, task: Task, book: Book, telling: Hears, patience: Patience) -> None:
        self._task, self._book, self._telling, self._patience = task, book, telling, patience
        self._looking = Looking(task)
        self._acting = Acting(task, self._looking)
        self._since = time.monotonic()
        #: Why what was last done outside came to nothing.
        self._failed = ""
        #: Whether the file names an act that the trail has the outcome of.
        self._open = False

    def begin(self, last: Kept | None, *, test_only: bool) -> Kept:
        """Begin a rotation, which is written down, and nothing else.

        Raises:
            errors.Error: the file cannot be read or written.
        """
        _, values = self._looking.stored()
        old = self._looking.half(values) if values else None
        journal = machine.begin(
            last.journal if last else None,
            f"kw-{random.getrandbits(64):016x}",
            Cause.ASKED,
            old,
            time.time(),
            test_only=test_only,
            rules=self._task.rules,
        )
        kept = Kept(journal, self._task.layout, values or {}, version=last.version if last else 0)
        return self._book.write(kept)

    def forget(self, kept: Kept | None, handle: str, made_from: float | None) -> Left:
        """Remember no more what is owed for a key: a person has seen to it.

        Args:
            handle: of the key; ``NAMELESS`` where it has none.
            made_from: Unix time that tells which one of several without a handle; None: not said.

        Raises:
            errors.Stalled: ``NotFound``: nothing is owed for it, or it is not known for which one.
        """
        debts = kept.journal.debts if kept else ()
        nameless = handle in ("", NAMELESS)
        found = owed.meant(debts, "" if nameless else handle, made_from)
        if kept is None or not found:
            raise errors.Stalled(Reason.NOT_FOUND, f"nothing is owed for such a key of {self._task.path}")
        if nameless and len(found) > 1:
            said = f"{len(found)} keys of {self._task.path} without a handle are owed"
            times = ", ".join(pacing.rfc3339(owed.made(each)) for each in found)
            raise errors.Stalled(Reason.NOT_FOUND, said, f"Say which one with --made-from: {times}")
        left = tuple(each for each in debts if each not in found)
        return Left(self._reached(kept, kept.but(kept.journal.but(debts=left))), forgotten=True)

    def run(self, kept: Kept, wish: Wish) -> Left:
        """Go on until it is over, or waits for a person or for longer than anybody would sit there, unless it shall.

        Raises:
            errors.Error: the file, or the audit trail, cannot be read or written, or somebody else goes on with it.
        """
        if kept.act:
            self._acting.settle(kept)
            kept = self._recorded(kept)
        # Whoever calls may have put right what was in the way: it is tried at once. That the last answer is not known
        # is not forgotten.
        kept = dataclasses.replace(kept, journal=kept.journal.but(tries=min(1, kept.journal.tries), again=0.0))
        while True:
            sight = self._looking.look(kept, wish)
            kept = self._named(kept, sight.handle)
            at = Situation(self._task.rules, kept.journal, sight.seen, time.time(), time.monotonic() - self._since)
            match machine.decide(at):
                case Go(after):
                    kept = self._reached(kept, kept.but(after))
                case Do() as do:
                    kept = self._act(kept, sight, at, do)
                case End():
                    return Left(self._closed(kept))
                case Wait() as wait:
                    if not kept.runs:
                        return Left(self._closed(kept))
                    if self._leaves(wait, kept, sight):
                        return Left(self._closed(kept), wait, sight.said or self._failed)
                    until = min(at.now + max(0.0, _within(at) - at.lasts()), time.time() + self._left)
                    self._telling.waits(kept.journal, wait, sight.said, until)
                    time.sleep(max(0.05, min(wait.until - time.time(), self._left)))

    def _named(self, kept: Kept, handle: str | None) -> Kept:
        """Remember which key the old one is, so that it is not asked again."""
        journal = kept.journal.naming(handle)
        return kept if journal == kept.journal else self._reached(kept, kept.but(journal))

    def _act(self, kept: Kept, sight: Sight, at: Situation, do: Do) -> Kept:
        before = kept.journal
        kept = self._written(dataclasses.replace(kept.but(do.first or at.journal), act=self._acting.act_of(kept)))
        result, entry = self._acting.do(kept, sight, do)
        at = dataclasses.replace(at, journal=kept.journal, now=time.time())
        after = outcomes.came(at, do, result.came, result.half, before, fits=result.error is None)
        self._failed = ""
        came = str(result.error.reason) if result.error else entry.code
        known = dataclasses.replace(kept.but(after, new=result.values or None), came=came)
        if result.error:
            again = result.came is not Came.REFUSED and kept.runs
            self._telling.trouble(sentences(result.error), again=again)
            self._failed = sentences(result.error) if again else ""
        # First of all what may be known from here alone.
        kept = self._reached(dataclasses.replace(kept, journal=before), known)
        self._acting.ended(entry, came)
        return self._recorded(kept)

    def _recorded(self, kept: Kept) -> Kept:
        """Return it without what the trail says by now; that is written with what comes next."""
        self._open = True
        return dataclasses.replace(kept, act="", came="")

    def _written(self, kept: Kept) -> Kept:
        self._open = False
        return self._book.write(kept)

    def _closed(self, kept: Kept) -> Kept:
        """Write that, where nothing comes next, or the next command would record it once more."""
        return self._written(kept) if self._open else kept

    def _reached(self, before: Kept, after: Kept) -> Kept:
        """Write the journal; say and record what is new by that."""
        after = self._written(after)
        if before.journal.step is not after.journal.step:
            self._telling.reached(after.journal)
        fresh, over = calls.settled(before.journal.debts, after.journal.debts)
        self._acting.owed(fresh, done=False)
        self._acting.owed(over, done=True)
        return after

    @property
    def _left(self) -> float:
        """Seconds for which it goes on at most."""
        return self._since + self._patience.seconds - time.monotonic()

    def _leaves(self, wait: Wait, kept: Kept, sight: Sight) -> bool:
        """Whether what is waited for is left to another call."""
        overlaps = kept.journal.step is Step.GRACE or wait.why is Why.NEW_IN_OVERLAP
        lives = overlaps and wait.until - time.time() > _PATIENCE
        long = wait.asks or lives or isinstance(sight.trouble, errors.Stalled)
        return self._left <= 0 or (long and not self._patience.asked)


def _within(at: Situation) -> float:
    """Return the seconds for which a step is tried before it is given up, or left to a person."""
    rules, old = at.rules, at.journal.old
    match at.journal.step:
        case Step.ISSUING:
            return rules.issue_within
        case Step.HELD | Step.TESTED:
            return rules.test_within
        case Step.GRACE if old and old.revoked:
            return rules.die_within
    return rules.write_within
