"""What an object wants of the stores, and what they answered to it.

Does not belong here: asking (``gather``), what is made of the answers (``assemble``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from .. import errors, kinds
from ..decide import origins, render
from ..errors import Reason
from ..stores.base import Fetched
from .catalog import Use
from .fetch import Question

#: What a store says of a key that is not there, of its own accord.
GONE = frozenset({Reason.NOT_FOUND, Reason.VERSION_DELETED})
#: What an optional entry may do without.
ABSENT = GONE | {Reason.PROPERTY_NOT_FOUND}


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a value is: a key of a store that the object may read, and which property of it is meant."""

    use: Use
    name: str | None = None
    jmes_path: str | None = None

    @property
    def question(self) -> Question:
        """The question to the store."""
        return Question(self.use.opened, self.use.identity, self.use.ref)


@dataclasses.dataclass(frozen=True, slots=True)
class Want:
    """What an object wants of the stores: one entry, or all properties of a key.

    Attributes:
        what: how messages begin.
        places: where it is; others than the first are asked while those before do not answer.
        unusable: why its other places are not among them.
    """

    what: str
    places: tuple[Place, ...]
    entry: kinds.DataEntry | None = None
    extract: kinds.DataFrom | None = None
    unusable: tuple[errors.Stalled, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
    """What was answered to a want, and by which of its stores."""

    want: Want
    place: Place
    answer: render.Parsed | errors.Error
    outage: errors.Error | None = None
    """Why the first of its stores did not answer; what another one lacks is no news then."""

    @property
    def is_gone(self) -> bool:
        """Whether the store to ask says that nothing is there."""
        return not self.outage and isinstance(self.answer, errors.Error) and self.answer.reason in GONE

    @property
    def origin(self) -> str:
        """Names the key that is extracted, whatever else the extract says."""
        use, extract = self.place.use, self.want.extract
        return origins.place(
            use.record.identifier, use.ref.path, use.ref.version, extract.extract.property if extract else None
        )

    @property
    def where(self) -> str:
        """The want and its key, as messages begin."""
        return f"{self.want.what} ({self.place.use.ref.path} of {self.place.use.record.title})"


def unusable(wants: Sequence[Want]) -> dict[str, errors.Stalled]:
    """Return the entries that have sources which cannot be asked, and why not the first of them."""
    return {each.entry.key: each.unusable[0] for each in wants if each.entry and each.unusable}


def read(answered: Answered) -> render.Parsed:
    """Return what was read, or raise why it was not."""
    if isinstance(answered.answer, errors.Error):
        raise answered.answer.with_traceback(None)
    return answered.answer


def parsed(answers: Mapping[Question, Fetched | errors.Error]) -> dict[Question, render.Parsed | errors.Error]:
    """Return answers ready to be chosen from, each parsed at most once for all that choose from it."""
    return {
        question: answer if isinstance(answer, errors.Error) else render.Parsed(answer)
        for question, answer in answers.items()
    }
