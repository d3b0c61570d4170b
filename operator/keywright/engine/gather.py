"""What the stores say that an object's entries are: all of them, or the error of the first that is not to be had.

Does not belong here: what is written (``target``), how a value is taken out of what was read (``decide/render.py``).
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping

from .. import errors, kinds
from ..decide import render
from ..errors import Reason
from ..secret import SecretValue
from ..stores.base import Credentials, Fetched
from .catalog import DEFAULT_STORE, Catalog, StoreRecord, Use, identifier
from .fetch import Fetcher, Question
from .records import Record

#: What an optional entry may do without.
ABSENT = frozenset({Reason.NOT_FOUND, Reason.VERSION_DELETED, Reason.PROPERTY_NOT_FOUND})


@dataclasses.dataclass(frozen=True, slots=True)
class Gathered:
    """The entries of an object as the stores say.

    Attributes:
        versions: the store's version of each.
        shared: every login that was used is one that all objects of its store share.
    """

    entries: Mapping[str, SecretValue]
    versions: Mapping[str, str]
    shared: bool


class Gatherer:
    """Reads what objects need.

    Args:
        credentials: makes the credentials for a store and a namespace.
    """

    def __init__(
        self, catalog: Catalog, fetcher: Fetcher, credentials: Callable[[StoreRecord, str], Credentials]
    ) -> None:
        self._catalog, self._fetcher, self._credentials = catalog, fetcher, credentials

    async def gather(self, record: Record, spec: kinds.ApiKeySecretSpec) -> Gathered:
        """Return all entries of an object.

        Raises:
            errors.Error: of the first entry, in the order of the object, that is not to be had.
        """
        uses = self._uses(record, spec)
        questions = {Question(use.opened, use.identity, use.ref): use for use in uses.values()}
        answers = await self._read(record, questions)
        present = {each["key"]: "version" in each for each in record.status_json().get("versions", [])}
        entries: dict[str, SecretValue] = {}
        versions: dict[str, str] = {}
        for entry in spec.data:
            use = uses[entry.key]
            answer = answers[Question(use.opened, use.identity, use.ref)]
            # A default that was written has no version: it may be written again.
            keep = present.get(entry.key, False) if entry.default is not None else entry.key in present
            value = _value(entry, use, answer, keep=keep)
            if isinstance(value, Absent):
                if entry.default is not None:
                    entries[entry.key] = SecretValue(entry.default)
                continue
            entries[entry.key] = value
            if isinstance(answer, Fetched) and answer.version:
                versions[entry.key] = answer.version
        render.check_size(entries)
        return Gathered(entries, versions, shared=not any(use.identity for use in uses.values()))

    def _uses(self, record: Record, spec: kinds.ApiKeySecretSpec) -> dict[str, Use]:
        """Resolve the store of each entry; remember which, so that a change of a store finds its users."""
        refs = [entry.store_ref or spec.store_ref for entry in spec.data]
        namespace = record.key.namespace
        record.uses = frozenset(identifier(ref.kind, namespace, ref.name) if ref else DEFAULT_STORE for ref in refs)
        uses = {
            entry.key: self._catalog.use(namespace, ref, entry.remote_ref.path, entry.remote_ref.version)
            for entry, ref in zip(spec.data, refs, strict=True)
        }
        record.stores = ", ".join(sorted({use.record.title for use in uses.values()}))
        return uses

    async def _read(self, record: Record, questions: Mapping[Question, Use]) -> dict[Question, Fetched | errors.Error]:
        """Ask all questions; an outage of one is an outage of all, other errors are the entries' own."""
        namespace = record.key.namespace

        async def ask(question: Question, use: Use) -> Fetched | errors.Error:
            try:
                return await self._fetcher.read(
                    question, record.since, namespace, lambda: self._credentials(use.record, namespace)
                )
            except errors.Stalled as error:
                return error

        if len(questions) == 1:
            ((question, use),) = questions.items()
            return {question: await ask(question, use)}
        results = await asyncio.gather(*(ask(*each) for each in questions.items()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, errors.Stalled):
                raise result
        return dict(zip(questions, results, strict=True))  # type: ignore[arg-type]


class Absent:
    """An optional entry is not to be had."""


def _value(entry: kinds.DataEntry, use: Use, answer: Fetched | errors.Error, *, keep: bool) -> SecretValue | Absent:
    """Return an entry's value, or say that it is optional and absent.

    Args:
        keep: the target holds this entry already: nothing is taken away because a store says that it is gone.
    """
    try:
        if isinstance(answer, errors.Error):
            raise answer
        return render.entry_value(
            answer,
            property=entry.remote_ref.property,
            jmes_path=entry.remote_ref.jmes_path,
            decode=entry.decode,
            allow_empty=entry.allow_empty,
            where=f"entry {entry.key} ({use.ref.path} of {use.record.title})",
        )
    except errors.Stalled as error:
        if error.reason not in ABSENT or not entry.is_optional:
            raise
        if keep:
            raise
        return Absent()
