"""What the stores say that an object's entries are: all of them, or the error of the first that is not to be had.

Does not belong here: what is written (``target``), how a value is taken out of what was read (``decide/render.py``).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet

from .. import errors, kinds
from ..decide import render
from ..errors import Reason
from ..secret import SecretValue
from ..stores.base import Credentials, Fetched
from .catalog import Catalog, StoreRecord, Use
from .fetch import Fetcher, Question
from .opened import OpenedStore
from .records import Record

#: What a store says of a key that is not there, of its own accord.
GONE = frozenset({Reason.NOT_FOUND, Reason.VERSION_DELETED})
#: What an optional entry may do without.
ABSENT = GONE | {Reason.PROPERTY_NOT_FOUND}
#: Keys that one object reads at the same time.
AT_ONCE = 8
#: Answers that are larger together (bytes), and expressions, are worked through beside the event loop; for so many
#: seconds at most.
LARGE, LONGEST = 64 * 1024, 10.0

_Ask = Callable[[Question, Use], Awaitable[Fetched | errors.Error]]


@dataclasses.dataclass(frozen=True, slots=True)
class Gathered:
    """The entries of an object as the stores say.

    Attributes:
        versions: the store's version of each.
        absent: optional entries that the stores say are gone and that the target is not known to hold: left out, or
            given their default. Each with what the store said.
        shared: every login that was used is one that all objects of its store share.
    """

    entries: Mapping[str, SecretValue]
    versions: Mapping[str, str]
    absent: Mapping[str, errors.Stalled]
    shared: bool


class AllGone(errors.Stalled):
    """The stores say that every key of an object is gone, and it wants its Secret to go then."""


class Gatherer:
    """Reads what objects need.

    Args:
        credentials: makes the credentials for a store and a namespace.
    """

    def __init__(
        self, catalog: Catalog, fetcher: Fetcher, credentials: Callable[[StoreRecord, str], Credentials]
    ) -> None:
        self._catalog, self._fetcher, self._credentials = catalog, fetcher, credentials
        self._beside = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="render")

    async def gather(
        self,
        record: Record,
        spec: kinds.ApiKeySecretSpec,
        waiting: Callable[[], contextlib.AbstractAsyncContextManager[None]] = contextlib.nullcontext,
    ) -> Gathered:
        """Return all entries of an object.

        Args:
            waiting: entered while stores are waited for.

        Raises:
            errors.Error: of the first entry, in the order of the object, that is not to be had.
        """
        uses = self._uses(record, spec)
        if record.working_refresh[:256] != record.status_json().get("lastHandledRefresh", ""):
            for use in uses.values():
                use.opened.wish(use.identity)
        questions = {Question(use.opened, use.identity, use.ref): use for use in uses.values()}
        present = {each["key"]: not each.get("fromDefault") for each in record.status_json().get("versions", [])}
        async with waiting():
            rendering = _Rendering(spec, uses, await self._read(record, questions), present)
            if rendering.large:
                return await asyncio.get_running_loop().run_in_executor(self._beside, rendering.run)
        return rendering.run()

    def _uses(self, record: Record, spec: kinds.ApiKeySecretSpec) -> dict[str, Use]:
        """Resolve the store of each entry."""
        uses = {
            entry.key: self._catalog.use(
                record.key.namespace,
                entry.store_ref or spec.store_ref,
                entry.remote_ref.path,
                entry.remote_ref.version,
            )
            for entry in spec.data
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

        waits = {question.store for question in questions if not self._fetcher.kept(question, record.since)}
        if len(questions) == 1:
            ((question, use),) = questions.items()
            with self._fetcher.waiting(waits):
                return {question: await ask(question, use)}
        self._fetcher.admit(waits)
        results = await self._read_stores(questions, waits, ask)
        for result in results.values():
            if isinstance(result, BaseException) and not isinstance(result, errors.Stalled):
                raise result
        return results  # type: ignore[return-value]

    async def _read_stores(
        self, questions: Mapping[Question, Use], waits: AbstractSet[OpenedStore], ask: _Ask
    ) -> dict[Question, Fetched | errors.Error | BaseException]:
        """Ask each store by itself: one that has answered has room for others, whatever the rest takes."""
        parts: dict[OpenedStore, dict[Question, Use]] = {}
        for question, use in questions.items():
            parts.setdefault(question.store, {})[question] = use

        async def of_store(store: OpenedStore) -> dict[Question, Fetched | errors.Error | BaseException]:
            with self._fetcher.waiting(waits & {store}):
                return dict(zip(parts[store], await _some_at_once(ask, parts[store]), strict=True))

        results: dict[Question, Fetched | errors.Error | BaseException] = {}
        for part in await asyncio.gather(*map(of_store, parts), return_exceptions=True):
            if isinstance(part, BaseException):
                raise part
            results |= part
        return results


async def _some_at_once(ask: _Ask, questions: Mapping[Question, Use]) -> list[Fetched | errors.Error | BaseException]:
    """Ask all questions, a few at the same time: one object with many keys must not hold a store alone."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(question: Question, use: Use) -> Fetched | errors.Error:
        async with places:
            return await ask(question, use)

    return list(await asyncio.gather(*(one(*each) for each in questions.items()), return_exceptions=True))


class _Rendering:
    """Makes the entries of an object out of what its stores answered.

    Args:
        present: entries that the target is known to hold, and whether their value came from a store.
    """

    def __init__(
        self,
        spec: kinds.ApiKeySecretSpec,
        uses: Mapping[str, Use],
        answers: Mapping[Question, Fetched | errors.Error],
        present: Mapping[str, bool],
    ) -> None:
        self._spec, self._uses, self._present = spec, uses, present
        self._parsed = {
            question: answer if isinstance(answer, errors.Error) else render.Parsed(answer)
            for question, answer in answers.items()
        }

    @property
    def large(self) -> bool:
        """Whether this may take so long that others should not have to wait."""
        if any(entry.remote_ref.jmes_path for entry in self._spec.data):
            return True
        read = (each.fetched.value for each in self._parsed.values() if isinstance(each, render.Parsed))
        return sum(map(render.size, read)) > LARGE

    def run(self) -> Gathered:
        """Return the entries.

        Raises:
            errors.Stalled: of the first that is not to be had.
        """
        self._not_all_gone()
        ends = time.monotonic() + LONGEST
        entries: dict[str, SecretValue] = {}
        versions: dict[str, str] = {}
        absent: dict[str, errors.Stalled] = {}
        for entry in self._spec.data:
            use = self._uses[entry.key]
            answer = self._parsed[Question(use.opened, use.identity, use.ref)]
            try:
                entries[entry.key] = _value(entry, use, answer)
            except errors.Stalled as error:
                if not self._may_lack(entry, error):
                    raise
                absent[entry.key] = error
                if entry.default is not None:
                    entries[entry.key] = SecretValue(entry.default)
            else:
                if isinstance(answer, render.Parsed) and answer.fetched.version:
                    versions[entry.key] = answer.fetched.version
            if time.monotonic() > ends:
                said = f"its entries take longer than {LONGEST:g} s to make out of what the stores answered"
                raise errors.Stalled(
                    Reason.VALUE_TOO_LARGE, said, "Use fewer entries, smaller keys or plain properties"
                )
        render.check_size(entries)
        return Gathered(entries, versions, absent, shared=not any(use.identity for use in self._uses.values()))

    def _not_all_gone(self) -> None:
        """Raise ``AllGone`` if that is so, and is to be the end of the Secret."""
        answers = list(self._parsed.values())
        if self._spec.target.deletion_policy == "Retain" or any(entry.default is not None for entry in self._spec.data):
            return
        if all(isinstance(each, errors.Error) and each.reason in GONE for each in answers):
            first = answers[0]
            assert isinstance(first, errors.Error)  # noqa: S101 - as all are
            raise AllGone(first.reason, first.message, first.hint)

    def _may_lack(self, entry: kinds.DataEntry, error: errors.Stalled) -> bool:
        """Whether an entry may be left out or get its default: what the target holds is not taken away."""
        if error.reason not in ABSENT or not entry.is_optional:
            return False
        # A default that was written may be written again.
        return not (self._present.get(entry.key, False) if entry.default is not None else entry.key in self._present)


def _value(entry: kinds.DataEntry, use: Use, answer: render.Parsed | errors.Error) -> SecretValue:
    """Return an entry's value."""
    if isinstance(answer, errors.Error):
        raise answer.with_traceback(None)
    return render.entry_value(
        answer,
        property=entry.remote_ref.property,
        jmes_path=entry.remote_ref.jmes_path,
        decode=entry.decode,
        allow_empty=entry.allow_empty,
        where=f"entry {entry.key} ({use.ref.path} of {use.record.title})",
    )
