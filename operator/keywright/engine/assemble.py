"""What a Secret should hold, out of what the stores answered: entries, then shapes, then templates. No I/O.

Does not belong here: asking the stores (``gather``), taking one value out of an answer (``decide/render.py``).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .. import errors, kinds
from ..decide import origins, render, report, rewrite, shapes
from ..decide.checks import Checked
from ..decide.origins import Origin
from ..errors import Reason
from ..secret import SecretMap, SecretValue
from . import templates
from .catalog import Use
from .wants import ABSENT, Answered, read, unusable

#: Keys of one object.
MAX_KEYS = 500
#: Answers that are larger together (bytes), and expressions, are worked through beside the event loop; for so many
#: seconds at most, to make entries of so many bytes.
LARGE, LONGEST, MAX_TAKEN = 64 * 1024, 5.0, 8 * render.MAX_SECRET


class AllGone(errors.Stalled):
    """The stores say that every key of an object is gone, and it wants its Secret to go then."""


@dataclasses.dataclass(frozen=True, slots=True)
class Before:
    """What is known of the target as it was written last.

    Attributes:
        present: its keys, and whether their value came from a store.
        extracted: where an extract had keys from.
        may_go: it may go at the stores' word: the object says what it said then, or there is no target.
    """

    present: Mapping[str, bool]
    extracted: Mapping[str, Origin]
    may_go: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Gathered:
    """What an object's Secret should hold.

    Attributes:
        inputs: the keys as the stores say.
        entries: what is made of them, and written.
        type: of the Secret, where a shape decides it.
        versions: the store's version of each key.
        created: when that version was made (RFC 3339), where the store tells.
        ends: when it ends (RFC 3339), where the store tells.
        places: where each key was, or should have been.
        absent: optional keys that the stores say are gone and that the target is not known to hold: left out, or given
            their default. Each with what the store said.
        fallbacks: keys whose value came from another store than the one to ask first, and from which.
        made_of: of which keys the entries are made, where they do not tell that by themselves (``decide/origins.py``).
        lacking: optional extracts whose key is not there, as messages name them.
        wanted: how many keys there should be.
        shared: every login that was used is one that all objects of its store share.
        unusable: keys that have sources which cannot be asked, and why not the first of them.
        trimmed: keys that white space was taken off.
        checked: its credentials, as they were found.
        previous: keys that hold an earlier version than the store's newest, and why.
    """

    inputs: SecretMap
    entries: SecretMap
    type: str | None
    versions: Mapping[str, str]
    created: Mapping[str, str]
    ends: Mapping[str, str]
    places: Mapping[str, Use]
    absent: Mapping[str, errors.Stalled]
    fallbacks: Mapping[str, str]
    made_of: str
    lacking: Sequence[str]
    wanted: int
    shared: bool
    unusable: Mapping[str, errors.Stalled]
    trimmed: Sequence[str] = ()
    checked: Sequence[Checked] = ()
    previous: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def missing(self) -> list[str]:
        """What is optional and not there: keys, and extracts."""
        return [*sorted(self.absent.keys() - self.inputs.keys()), *self.lacking]

    @property
    def dropped(self) -> list[str]:
        """Keys that do not become entries of their own."""
        return sorted(self.inputs.keys() - self.entries.keys())


def held_by_target(entries: SecretMap) -> Gathered:
    """Return what a target holds as if it had been gathered; where it came from is not known."""
    nothing: Mapping[str, Any] = {}
    return Gathered(
        entries,
        entries,
        None,
        *(nothing,) * 6,
        "",
        ["what is not there"],
        wanted=len(entries),
        shared=False,
        unusable={},
    )


class Assembly:
    """Makes the entries of an object out of what its stores answered.

    Args:
        answers: to each want, in the order of the object.
        before: the target as it was written last.
        templating: its templates, if it has some.
    """

    def __init__(
        self,
        spec: kinds.ApiKeySecretSpec,
        answers: Sequence[Answered],
        before: Before,
        templating: templates.Templating | None = None,
    ) -> None:
        self._spec, self._answers, self._before, self._templating = spec, answers, before, templating
        self._inputs: dict[str, SecretValue] = {}
        self._versions: dict[str, str] = {}
        self._created: dict[str, str] = {}
        self._ends_at: dict[str, str] = {}
        self._places: dict[str, Use] = {}
        self._absent: dict[str, errors.Stalled] = {}
        self._fallbacks: dict[str, str] = {}
        self._extracted: dict[str, Origin] = {}
        #: What the extracts that there are have been given: properties by the place that they were read from.
        self._given: dict[str, set[str]] = {}
        self._lacking: list[str] = []
        self._trimmed: list[str] = []
        self._budget = rewrite.Budget()
        self._ends, self._taken = 0.0, 0

    @property
    def large(self) -> bool:
        """Whether this may take so long that others should not have to wait."""
        if any(each.place.jmes_path for each in self._answers) or self._templating:
            return True
        rules = [each.rewrite for each in self._spec.data_from]
        if any(step.regexp for steps in rules for step in steps):
            return True
        read = (each.answer.fetched.value for each in self._answers if isinstance(each.answer, render.Parsed))
        # Each step looks at all names again.
        return sum(map(render.size, read)) * (1 + max(map(len, rules), default=0)) > LARGE

    def run(self) -> Gathered:
        """Return what the Secret should hold.

        Raises:
            errors.Stalled: of the first that is not to be had.
        """
        self._ends = time.monotonic() + LONGEST
        self._not_all_gone()
        self._take_everything()
        self._trim()
        self._not_too_many()
        self._not_fewer()
        shaped = shapes.shape(self._spec.target, self._inputs, self._absent.keys())
        entries = {name: value for name, value in self._inputs.items() if name not in shaped.consumed}
        if self._templating:
            entries = self._templating.run(self._inputs, entries, shaped.entries)
        entries |= shaped.entries
        render.check_size(entries, self._extracted)
        told = (self._versions, self._created, self._ends_at)
        return Gathered(
            self._inputs,
            entries,
            shaped.type,
            *told,
            self._places,
            self._absent,
            self._fallbacks,
            self._made_of(entries),
            self._lacking,
            wanted=len(self._inputs.keys() | self._absent.keys()),
            shared=not any(each.place.use.identity for each in self._answers),
            unusable=unusable([each.want for each in self._answers]),
            trimmed=self._trimmed,
        )

    def _take_everything(self) -> None:
        """Take what is extracted, and then what `data` names."""
        for each in self._answers:
            if each.want.extract:
                self._take_all(each, each.want.extract)
                self._in_bounds()
        for each in self._answers:
            if each.want.entry:
                self._take(each, each.want.entry)
            self._in_bounds()

    def _trim(self) -> None:
        """Take white space off what credentials consist of, where they say so."""
        for key in dict.fromkeys(
            key for each in self._spec.credentials if each.check.trim for key in each.parts.values()
        ):
            if key in self._inputs and (trimmed := render.trimmed(self._inputs[key])):
                self._inputs[key] = trimmed
                self._trimmed.append(key)

    def _made_of(self, entries: SecretMap) -> str:
        """Return what the target is to tell of its keys; nothing where its entries are the keys of `data`."""
        if not self._extracted and self._inputs.keys() <= entries.keys():
            return ""
        given = (name for name in self._inputs if name not in self._absent)
        return origins.written(given, self._extracted)

    def _take(self, answered: Answered, entry: kinds.DataEntry) -> None:
        """Take the value of one entry."""
        self._forget(entry.key)
        try:
            value = render.entry_value(
                read(answered),
                property=answered.place.name,
                jmes_path=answered.place.jmes_path,
                decode=entry.decode,
                allow_empty=entry.allow_empty,
                where=answered.where,
            )
        except errors.Stalled as error:
            if answered.outage:
                raise answered.outage from None
            if not self._may_lack(entry, error):
                raise
            self._absent[entry.key] = error
            self._places[entry.key] = answered.place.use
            if entry.default is not None:
                self._inputs[entry.key] = SecretValue(entry.default)
            return
        self._inputs[entry.key] = value
        self._note(entry.key, answered)

    def _take_all(self, answered: Answered, extract: kinds.DataFrom) -> None:
        """Take all properties of a key as entries."""
        at = answered.origin
        given = self._given.setdefault(at, set())
        try:
            values = rewrite.extracted(read(answered), extract.extract.property, answered.where)
        except errors.Stalled as error:
            if not extract.optional or error.reason not in ABSENT:
                raise
            self._lacking.append(answered.where)
            return
        given |= values.keys()
        names = rewrite.renamed(values, extract.rewrite, self._budget, where=answered.where)
        # What `data` names wins over what is extracted.
        over = {entry.key for entry in self._spec.data}
        if not extract.allow_empty:
            rewrite.check_empty(values, {old for old, new in names.items() if new in over}, answered.where)
        for old, new in names.items():
            if new in self._inputs and new not in over:
                said = f"{answered.where} gives with {rewrite.hinted(old, values)} what an extract before it gives too"
                hint = "Tell them apart with rewrite, or name the entry in data"
                raise errors.Stalled(Reason.CONFLICTING_ENTRIES, said, hint)
            self._inputs[new] = values[old]
            self._note(new, answered)
            self._extracted[new] = Origin(at, old)

    def _note(self, key: str, answered: Answered) -> None:
        self._taken += render.size(self._inputs[key])
        self._places[key] = answered.place.use
        if isinstance(answered.answer, render.Parsed):
            fetched = answered.answer.fetched
            for known, told in (
                (self._versions, fetched.version),
                (self._created, fetched.created_at),
                (self._ends_at, fetched.expires_at),
            ):
                if told:
                    known[key] = told
        if answered.place is not answered.want.places[0]:
            self._fallbacks[key] = answered.place.use.record.title

    def _forget(self, key: str) -> None:
        """Forget what an extract gave for an entry that `data` names."""
        for known in (self._inputs, self._versions, self._created, self._ends_at, self._fallbacks, self._extracted):
            known.pop(key, None)

    def _in_bounds(self) -> None:
        """See that this takes neither the memory nor the time of others."""
        if self._taken > MAX_TAKEN:
            said = f"its entries together are larger than {MAX_TAKEN >> 20} MiB before anything is made of them"
            raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Use fewer entries, or choose less with property")
        if time.monotonic() > self._ends:
            said = f"its entries take longer than {LONGEST:g} s to make out of what the stores answered"
            raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Use fewer entries, smaller keys or plain properties")

    def _may_lack(self, entry: kinds.DataEntry, error: errors.Stalled) -> bool:
        """Whether an entry may be left out or get its default: what the target holds is not taken away."""
        if error.reason not in ABSENT or not entry.is_optional:
            return False
        if self._spec.target.allow_shrink:
            return True
        # A default that was written may be written again.
        present = self._before.present
        return not (present.get(entry.key, False) if entry.default is not None else entry.key in present)

    def _not_too_many(self) -> None:
        if len(self._inputs) > MAX_KEYS:
            said = f"there are {len(self._inputs)} entries, and a Secret takes {MAX_KEYS}"
            raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Spread them over several ApiKeySecrets")

    def _not_fewer(self) -> None:
        """See that no entry leaves because a store has less than before, whatever an edit has made of its name."""
        if self._spec.target.allow_shrink:
            return
        lost = sorted(
            name
            for name, origin in self._before.extracted.items()
            if name not in self._inputs and origin.property not in self._given.get(origin.place, {origin.property})
        )
        if lost:
            said = f"the stores no longer have what the Secret holds as {report.few(lost)}"
            hint = "Put it back into the store, or set target.allowShrink: true"
            raise errors.Stalled(Reason.FEWER_ENTRIES, said, hint)

    def _not_all_gone(self) -> None:
        """Raise ``AllGone`` if that is so, and is to be the end of the Secret."""
        if self._spec.target.deletion_policy == "Retain" or any(entry.default is not None for entry in self._spec.data):
            return
        if not self._before.may_go:
            # A slip of the pen in an edit is not the store's word that what was there is gone.
            return
        gone = [each.answer for each in self._answers if each.is_gone]
        if len(gone) == len(self._answers):
            first = gone[0]
            assert isinstance(first, errors.Error)  # noqa: S101 - as all are
            raise AllGone(first.reason, first.message, first.hint)
