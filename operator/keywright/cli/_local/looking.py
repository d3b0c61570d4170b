"""What a local rotation looks at before each step: the issuer's list, the encrypted file, tests of the keys.

Nobody is seen to use a file, so users never hold anything up: ``--overlap`` is their time.

Does not belong here: what follows (``decide/rotate``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterator, Sequence

from ... import errors
from ...decide import checks
from ...decide.checks import History
from ...decide.rotate import calls, lost, makers
from ...decide.rotate import recipe as recipes
from ...decide.rotate.journal import Half, Journal, Step
from ...decide.rotate.sight import HAS, Has, Holds, Keys, Place, Seen, Targets, Trial, Users, Wish, doubtful, looks
from ...engine import egress
from ...engine.rotate.trials import Row, count
from ...errors import Reason
from ...issuers.base import Verdict
from ...issuing.base import Listed
from ...secret import SecretMap
from ...stores.base import Fetched
from ...stores.encrypted_file import current
from .. import _probing
from .book import Book, Kept
from .task import Task

log = logging.getLogger(__name__)

#: Seconds over which an issuer must refuse a key until that is believed.
_OVER = 600.0


@dataclasses.dataclass(slots=True)
class Sight:
    """What was seen.

    Attributes:
        store: the entry as it is; None where there is none.
        values: the credential in it.
        handle: the issuer's name of the old key, where it was found.
        trouble: why the issuer does not list its keys.
        doubt: what a test said of a key that should be accepted and is not, or should not be and is; as a sentence.
    """

    seen: Seen = dataclasses.field(default_factory=Seen)
    store: Fetched | None = None
    values: SecretMap | None = None
    handle: str | None = None
    trouble: errors.Error | None = None
    doubt: str = ""

    @property
    def said(self) -> str:
        """What is in the way, in sentences; empty: nothing."""
        return sentences(self.trouble) if self.trouble else self.doubt


class Looking:
    """Looks; what it knows of tests begins with it."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._known: dict[str, tuple[History, Row]] = {}

    def look(self, kept: Kept, wish: Wish) -> Sight:
        """Look at what matters at this step.

        Raises:
            errors.Error: the file cannot be read.
        """
        task, journal, sight = self._task, kept.journal, Sight()
        wanted = looks(task.rules, journal, time.time())
        sight.store, sight.values = self.stored()
        holds, held = self._holds(kept, sight)
        old = self._trial(sight, "the old key", journal.old, kept.old) if Place.OLD in wanted else None
        listed = self._listed(kept, sight, old) if Place.KEYS in wanted and task.rules.lists else None
        sight.seen = Seen(
            keys=listed,
            store=holds,
            held=held,
            # What reads the file has what is in it.
            targets=Targets(holds is Holds.OLD, holds is Holds.NEW),
            own=HAS.get(holds, Has.NOTHING),
            users=Users(0, 0),
            old=old,
            wish=wish,
        )
        if Place.NEW in wanted:
            new = self._trial(sight, "the new key", journal.new, kept.new)
            if journal.step is Step.HELD and doubtful(new):
                old = self._trial(sight, "the old key", journal.old, kept.old)
            sight.seen = dataclasses.replace(sight.seen, new=new, old=old)
        if Place.THEIRS in wanted and holds is Holds.OTHER:
            theirs = self._trial(sight, "the key in the file", held, sight.values or {})
            sight.seen = dataclasses.replace(sight.seen, theirs=theirs)
        return sight

    def stored(self) -> tuple[Fetched | None, SecretMap | None]:
        """Return the entry as it is now, and the credential in it; nothing where nothing is there."""
        found = current(self._task.keys.open(), self._task.path)
        return found, recipes.parts(self._task.recipe, found) if found else None

    def half(self, values: SecretMap) -> Half:
        """Return a key as a journal knows it."""
        return Half(self._task.keys.open().fingerprint_of(self._task.path, values))

    def _holds(self, kept: Kept, sight: Sight) -> tuple[Holds, Half | None]:
        """Say what the entry has. Its fingerprint is another one once the file is sealed anew."""
        if sight.values is None:
            return calls.lacks(self._task.recipe, sight.store), None
        return calls.stored(kept.journal, kept.old, kept.new, sight.values, self.half(sight.values))

    def _listed(self, kept: Kept, sight: Sight, old: Trial | None) -> Keys | None:
        call = self._task.issuing.keys
        assert call  # noqa: S101 - the rules say that it lists
        try:
            with asking(self._task):
                listed = call(calls.order(kept.journal, kept.old))
                if why := calls.shows(listed, self._task.issuing.ids, kept.old, kept.new):
                    raise why
        except errors.Error as error:
            sight.trouble = error
            return None
        # Where it is tested, says the same person who says where it is made.
        sight.handle = calls.handle(listed, self._task.issuing, old, None)
        return self._told_apart(listed, kept.journal, sight)

    def _told_apart(self, listed: Sequence[Listed], journal: Journal, sight: Sight) -> Keys | None:
        """Return what a list says. Without names, what another entry's rotation had made looks like what was lost."""
        who = self._task.rules.issuer
        if self._task.rules.names or not lost.asked(journal):
            return calls.keys(listed, journal)
        neighbours = Book(self._task.keys, self._task.path).neighbours()
        known = (makers.handles(each, who) for each in neighbours.values())
        keys = calls.keys(listed, journal, frozenset().union(*known))
        # What one that was given up has asked for is listed by now, or was not made.
        since = time.time() - self._task.rules.sure
        asks = [path for path, each in neighbours.items() if _asks(each, who, since)]
        if not asks:
            return keys
        # What is not known is not "none": else what was lost would be forgotten.
        said = f"another rotation of this file, that of {asks[0]}, asks for a key at the same account"
        sight.trouble = errors.Retry(Reason.CONFLICT, said, "Bring that one to its end first")
        return dataclasses.replace(keys, ours=frozenset()) if journal.step is Step.GRACE else None

    def _trial(self, sight: Sight, what: str, half: Half | None, values: SecretMap) -> Trial | None:
        tester = self._task.tester
        if not (half and values and tester and self._task.rules.tests):
            return None
        before, row = self._known.get(half.fingerprint, (None, Row()))
        finding = _probing.asked(tester, values, self._task.endpoint)
        history = checks.noted(before, finding, time.monotonic())
        count(row, history)
        self._known[half.fingerprint] = history, row
        sight.doubt = sight.doubt or _doubt(what, f"{tester.title} {finding.said}", row.last, dead=half.revoked)
        return Trial(history.verdict(_OVER), row.passes, row.over, row.last, row.tries, row.told)


def _asks(journal: Journal, who: str, since: float) -> bool:
    """Whether a neighbour may be given a key at the same account, which then looks like one that was lost."""
    asked = journal.step is Step.ISSUING and (journal.asked_at or 0.0) > since
    return asked and makers.may_be_one(journal.issuer, who)


def sentences(error: errors.Error) -> str:
    """Return what an error says, and what to do."""
    return f"{error.message}. {error.hint}." if error.hint else f"{error.message}."


def _doubt(what: str, said: str, last: Verdict, *, dead: bool) -> str:
    """Return what is in doubt of a key after a test; empty: nothing.

    Args:
        said: by its issuer.
        dead: whether it was revoked.
    """
    if dead and last.is_alive:
        return f"{what} is revoked, and still accepted."
    as_it_should_be = last is Verdict.INVALID if dead else last.is_alive
    return "" if as_it_should_be else f"asked about {what}, {said}."


@contextlib.contextmanager
def asking(task: Task) -> Iterator[None]:
    """Ask who makes keys, at an address that the person has named or the issuer's own; errors name it.

    Raises:
        errors.Error: what goes wrong.
    """
    try:
        with egress.confined(egress.Scope(private=True, loopback=True)), errors.boundary(_bug):
            yield
        return
    except errors.Error as error:
        named = error.about(task.name)
    raise named


def _bug(foreign: Exception) -> errors.Error:
    log.error("an issuer failed in an unforeseen way: %s at %s", type(foreign).__name__, errors.place_of(foreign))
    return errors.Retry(Reason.INTERNAL_ERROR, "failed in a way that Keywright does not know")
