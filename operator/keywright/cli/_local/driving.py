"""One local rotation, driven: look, decide, write the journal, do one thing, until it is over or has to wait.

Does not belong here: what is decided (``decide/rotate``), what is printed (``telling``).
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable

from ... import errors
from ...decide.rotate import calls, machine, outcomes
from ...decide.rotate.journal import Cause, Journal, Step
from ...decide.rotate.moves import Do, End, Go, Situation, Wait
from ...decide.rotate.sight import Wish
from ...errors import Reason
from .acting import Acting
from .book import Book, Kept
from .looking import Looking, Sight
from .task import Task

#: Seconds of the overlap that are waited for in place; for more, people come again.
_PATIENCE = 30.0


@dataclasses.dataclass(frozen=True, slots=True)
class Left:
    """How a drive ended.

    Attributes:
        wait: what it waits for; None: it is over.
        trouble: what is in the way.
        forgotten: whether a debt was.
    """

    kept: Kept
    wait: Wait | None = None
    trouble: errors.Error | None = None
    forgotten: bool = False


class Driver:
    """Drives the rotation of one entry.

    Args:
        told: called with each journal that is written, and with what is in the way, if it is another than before.
    """

    def __init__(self, task: Task, book: Book, told: Callable[[Journal | None, errors.Error | None], None]) -> None:
        self._task, self._book, self._told = task, book, told
        self._looking = Looking(task)
        self._acting = Acting(task, self._looking)
        self._since, self._trouble = time.monotonic(), ""

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
            issuer=self._task.rules.issuer,
        )
        kept = Kept(journal, self._task.layout, values or {}, version=last.version if last else 0)
        return self._book.write(kept)

    def forget(self, kept: Kept | None, handle: str) -> Left:
        """Remember no more what is owed for a key: a person has seen to it.

        Raises:
            errors.Stalled: ``NotFound``: nothing is owed for it.
        """
        left = tuple(each for each in kept.journal.debts if each.handle != handle) if kept else ()
        if kept is None or len(left) == len(kept.journal.debts):
            raise errors.Stalled(Reason.NOT_FOUND, f"nothing is owed for such a key of {self._task.path}")
        return Left(self._reached(kept, kept.but(kept.journal.but(debts=left))), forgotten=True)

    def run(self, kept: Kept, wish: Wish) -> Left:
        """Go on until it is over, or waits for a person or for longer than anybody would sit there.

        Raises:
            errors.Error: the file, or the audit trail, cannot be read or written, or somebody else goes on with it.
        """
        if kept.act:
            self._acting.settle(kept)
            kept = dataclasses.replace(kept, act="")
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
                    return Left(kept)
                case Wait() as wait:
                    if not kept.runs:
                        return Left(kept)
                    if _too_long(wait, kept, sight):
                        return Left(kept, wait, sight.trouble)
                    self._tell_trouble(sight.trouble)
                    time.sleep(max(0.05, wait.until - time.time()))

    def _named(self, kept: Kept, handle: str | None) -> Kept:
        """Remember which key the old one is, so that it is not asked again."""
        journal = kept.journal.naming(handle)
        return kept if journal == kept.journal else self._reached(kept, kept.but(journal))

    def _act(self, kept: Kept, sight: Sight, at: Situation, do: Do) -> Kept:
        before = kept.journal
        kept = self._book.write(
            dataclasses.replace(kept.but(do.first or at.journal), act=self._acting.act_of(kept)),
        )
        result, entry = self._acting.do(kept, sight, do)
        at = dataclasses.replace(at, journal=kept.journal, now=time.time())
        after = outcomes.came(at, do, result.came, result.half, before, fits=result.error is None)
        # First of all what may be known from here alone.
        kept = self._reached(dataclasses.replace(kept, journal=before), kept.but(after, new=result.values or None))
        self._acting.ended(entry, result)
        self._tell_trouble(result.error)
        return dataclasses.replace(kept, act="")

    def _reached(self, before: Kept, after: Kept) -> Kept:
        """Write the journal; say and record what is new by that."""
        after = self._book.write(after)
        if before.journal.step is not after.journal.step:
            self._told(after.journal, None)
        fresh, over = calls.settled(before.journal.debts, after.journal.debts)
        self._acting.owed(fresh, done=False)
        self._acting.owed(over, done=True)
        return after

    def _tell_trouble(self, error: errors.Error | None) -> None:
        if error and error.message != self._trouble:
            self._trouble = error.message
            self._told(None, error)


def _too_long(wait: Wait, kept: Kept, sight: Sight) -> bool:
    grace = kept.journal.step is Step.GRACE and wait.until - time.time() > _PATIENCE
    return wait.asks or grace or isinstance(sight.trouble, errors.Stalled)
