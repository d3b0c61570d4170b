"""What the stores say that an object's entries are: all of them, or the error of the first that is not to be had.

Does not belong here: what is made of the answers (``assemble``), what is written (``target``).
"""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import functools
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from .. import errors, kinds
from ..decide import origins, render, report
from ..errors import Reason
from ..kinds.target import Template as TemplateSpec
from ..secret import FingerprintKey
from ..stores.base import Credentials, Fetched
from . import templates
from .assemble import Assembly, Before, Gathered
from .catalog import Catalog, StoreRecord, Use
from .fetch import Fetcher, Parked, Question
from .opened import OpenedStore
from .records import Record
from .wants import Answered, Place, Want, parsed, unusable

#: Threads that work through what is large, beside the event loop; and for how long one of them keeps it waiting
#: (seconds). Whatever the loop reads or writes waits for that: Python's own 5 ms make it a hundred times slower.
BESIDE, GIVE_WAY = 4, 0.0005
#: Keys that one object reads at the same time.
AT_ONCE = 8
#: Who asks for patience works: no reason to ask elsewhere.
PATIENCE = frozenset({Reason.STORE_RATE_LIMITED, Reason.STORE_BUSY})
_Ask = Callable[[Question, Use], Awaitable[Fetched | errors.Error]]


class Gatherer:
    """Reads what objects need.

    Args:
        credentials: makes the credentials for a store and a namespace.
        config_map: reads a ConfigMap by namespace and name; None if there is none.
    """

    def __init__(
        self,
        catalog: Catalog,
        fetcher: Fetcher,
        keys: FingerprintKey,
        *,
        credentials: Callable[[StoreRecord, str], Credentials],
        config_map: Callable[[str, str], Awaitable[dict[str, Any] | None]],
    ) -> None:
        self._catalog, self._fetcher, self._keys = catalog, fetcher, keys
        self._credentials, self._config_map = credentials, config_map
        sys.setswitchinterval(GIVE_WAY)
        self._beside = concurrent.futures.ThreadPoolExecutor(BESIDE, thread_name_prefix="render")
        self._turns: dict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)

    async def gather(
        self,
        record: Record,
        spec: kinds.ApiKeySecretSpec,
        made_of: str | None,
        waiting: Callable[[], contextlib.AbstractAsyncContextManager[None]] = contextlib.nullcontext,
        earlier: Mapping[str, str] | None = None,
    ) -> Gathered:
        """Return all entries of an object.

        Args:
            made_of: what the target tells of the keys that it was made of; None if there is no target.
            waiting: entered while stores are waited for.
            earlier: versions to read instead of the newest, by entry of `data`.

        Raises:
            errors.Error: of the first entry, in the order of the object, that is not to be had.
        """
        wants = self._wants(record, spec, earlier or {})
        if record.is_wished:
            for place in (each for want in wants for each in want.places):
                place.use.opened.wish(place.use.identity)
        async with waiting():
            templating = await self._templating(record, spec.target.template)
            assembly = Assembly(spec, await self._answered(record, wants), _before(record, made_of), templating)
            if assembly.large:
                # One of a namespace at a time, so that none takes all threads.
                async with self._turns[record.key.namespace]:
                    return await asyncio.get_running_loop().run_in_executor(self._beside, assembly.run)
        return assembly.run()

    async def _templating(self, record: Record, spec: TemplateSpec | None) -> templates.Templating | None:
        """Return the templates of an object, read anew where they stand in ConfigMaps."""
        if spec is None:
            return None
        namespace, name = record.key
        texts = await templates.texts(spec, functools.partial(self._config_map, namespace))
        about = {"name": name, "namespace": namespace}
        return templates.Templating(spec, texts, about, functools.partial(self._keys.salt, str(record.key)))

    def _wants(self, record: Record, spec: kinds.ApiKeySecretSpec, earlier: Mapping[str, str]) -> list[Want]:
        """Resolve the stores of everything that an object wants."""

        def use(ref: kinds.StoreRef | None, path: str, version: str | None) -> Use:
            return self._catalog.use(record.key.namespace, ref or spec.store_ref, path, version)

        def place(ref: kinds.StoreRef | None, remote: kinds.RemoteRef) -> Place:
            return Place(use(ref, remote.path, remote.version), remote.property, remote.jmes_path)

        wants = []
        for number, each in enumerate(spec.data_from):
            found = use(each.store_ref, each.extract.path, each.extract.version)
            wants.append(Want(f"dataFrom[{number}]", (Place(found),), extract=each))
        minted = spec.minted
        for entry in spec.data:
            remote = entry.remote_ref
            if remote is None:
                wants.append(self._minted(record, entry, minted))
                continue
            if entry.key in earlier:
                remote = remote.model_copy(update={"version": earlier[entry.key]})
            places, unusable = [place(entry.store_ref, remote)], []
            for other in entry.sources:
                try:
                    places.append(place(other.store_ref, other.remote_ref or remote))
                except errors.Stalled as error:
                    # A source that cannot be used must not cost what the first store says.
                    unusable.append(error.with_traceback(None))
            wants.append(Want(f"entry {entry.key}", tuple(places), entry=entry, unusable=tuple(unusable)))
        titles = {each.use.record.title for want in wants for each in want.places}
        record.stores = ", ".join(sorted(titles))
        return wants

    def _minted(self, record: Record, entry: kinds.DataEntry, minted: Mapping[str, tuple[str, str]]) -> Want:
        """Return what an entry wants that is in no store: a part of a credential on the shelf."""
        if entry.key not in minted:
            said = f"entry {entry.key} has no remoteRef, and is part of no credential that is minted"
            raise errors.Stalled(Reason.INVALID_SPEC, said, "Say where it is, or whose part: issuerRef and rotation")
        credential, part = minted[entry.key]
        return Want(f"entry {entry.key}", (Place(self._catalog.minted(*record.key, credential), part),), entry=entry)

    async def _answered(self, record: Record, wants: Sequence[Want]) -> list[Answered]:
        """Ask for everything; an outage also says which sources could not stand in."""
        try:
            return await self._answers(record, wants)
        except (errors.Outage, Parked) as error:
            if not (lost := report.unusable(unusable(wants))):
                raise
            outage = error.also(lost)
        raise outage

    async def _answers(self, record: Record, wants: Sequence[Want]) -> list[Answered]:
        """Ask for everything; what a store that is in trouble should have said, the next place is asked for."""
        chosen = dict.fromkeys(range(len(wants)), 0)
        outages: dict[int, errors.Error] = {}
        answers: dict[Question, render.Parsed | errors.Error] = {}
        while True:
            places = {number: wants[number].places[at] for number, at in chosen.items()}
            questions = {each.question: each.use for each in places.values() if each.question not in answers}
            # Where there is another place, silence is an answer.
            last = {each.question for n, each in places.items() if chosen[n] + 1 == len(wants[n].places)}
            answers |= parsed(await self._read(record, questions, questions.keys() - last))
            silent = [n for n, each in places.items() if isinstance(answers[each.question], errors.Retry)]
            for number in silent:
                outages.setdefault(number, _error(answers[places[number].question]))
            if not silent:
                found = ((want, places[n], answers[places[n].question], outages.get(n)) for n, want in enumerate(wants))
                return [Answered(*each) for each in found]
            for number in silent:
                chosen[number] += 1
                if chosen[number] == len(wants[number].places):
                    # Its last place is another one's first, and silent too.
                    raise outages[number]

    async def _read(
        self, record: Record, questions: Mapping[Question, Use], covered: AbstractSet[Question]
    ) -> dict[Question, Fetched | errors.Error]:
        """Ask all questions; an outage of one is an outage of all, unless it is covered by another place."""
        namespace = record.key.namespace
        left = _Room()

        async def ask(question: Question, use: Use) -> Fetched | errors.Error:
            try:
                return left.take(
                    await self._fetcher.read(
                        question, record.since, namespace, lambda: self._credentials(use.record, namespace)
                    )
                )
            except errors.Stalled as error:
                return error
            except (errors.Outage, Parked) as error:
                silence = error.cause if isinstance(error, Parked) else error
                if question in covered and silence and _is_silence(silence):
                    return silence
                raise

        if not questions:
            return {}
        waits = {question.store for question in questions if not self._fetcher.kept(question, record.since)}
        if len(questions) == 1:
            ((question, use),) = questions.items()
            with self._fetcher.waiting(waits):
                return {question: await ask(question, use)}
        self._fetcher.admit(waits)
        results = await self._read_stores(questions, waits, ask)
        for question, result in results.items():
            told = isinstance(result, errors.Stalled) or (question in covered and _is_silence(result))
            if isinstance(result, BaseException) and not told:
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


def _before(record: Record, made_of: str | None) -> Before:
    """Return what is known of the target: by the status, which may be behind, and by what the target tells itself."""
    told, held = record.told_versions, origins.read(made_of or "")
    target = record.told_target
    return Before(
        {name: not each.get("fromDefault") for name, each in told.items()} | dict.fromkeys(held, True),
        {name: origin for name, origin in held.items() if origin},
        may_go=target.get("generation") == record.working if target else made_of is None,
    )


def _is_silence(result: object) -> bool:
    """Whether a store that should have answered is in trouble, so that another may be asked."""
    return isinstance(result, errors.Outage) and result.reason not in PATIENCE


class _Room:
    """What one object may still keep of what stores answer, until its Secret is made."""

    def __init__(self) -> None:
        self._left = render.MAX_READ

    def take(self, fetched: Fetched) -> Fetched:
        """Return an answer if there is room for it.

        Raises:
            errors.Stalled: ``ValueTooLarge``.
        """
        weight = render.weight(fetched.value) if fetched.is_map else render.size(fetched.value)
        if self._left < weight:
            said = f"the keys that it reads take more than {render.MAX_READ >> 20} MiB when they are taken apart"
            raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Read fewer or smaller keys in one ApiKeySecret")
        self._left -= weight
        return fetched


def _error(answer: render.Parsed | errors.Error) -> errors.Error:
    assert isinstance(answer, errors.Error)  # noqa: S101 - silence is an error
    return answer


async def _some_at_once(ask: _Ask, questions: Mapping[Question, Use]) -> list[Fetched | errors.Error | BaseException]:
    """Ask all questions, a few at the same time: one object with many keys must not hold a store alone."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(question: Question, use: Use) -> Fetched | errors.Error:
        async with places:
            return await ask(question, use)

    return list(await asyncio.gather(*(one(*each) for each in questions.items()), return_exceptions=True))
