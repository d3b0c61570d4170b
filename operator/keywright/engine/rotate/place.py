"""Where a credential lies: its store as it may be used now, and everybody who reads it from there.

Does not belong here: what they have of it (``looking``), what a credential consists of (``decide/rotate/recipe.py``).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from ... import errors, kinds
from ...decide.rotate.recipe import Recipe
from ...errors import Reason
from ...kinds import StoreRef
from ...stores.base import Credentials, Location, Store
from ..catalog import Catalog, StoreRecord, Use
from ..queue import Key
from ..records import Record

T = TypeVar("T")

#: The label by which a selector selects one namespace.
NAMESPACE = "kubernetes.io/metadata.name"


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A key in a store, as one namespace may use it.

    Attributes:
        where: the same for everybody who reads it, whatever their store objects and logins.
        key: names it, and the journal of its rotations.
        formers: what earlier versions called it.
        credentials: makes what the login needs.
        fence: raises once this process must not write any more.
    """

    where: Location
    key: str
    formers: tuple[str, ...]
    use: Use
    credentials: Callable[[], Credentials]
    fence: Callable[[], object]

    def journaled(self, key: str) -> Place:
        """Return it as a journal names it, which keeps the name that an earlier version has given it."""
        return dataclasses.replace(self, key=key) if key in self.formers else self

    async def write(self, ask: Callable[[Store], T]) -> T:
        """Have the store written, when it is the namespace's turn; see ``OpenedStore.write``. Errors name the store."""
        opened = self.use.opened
        async with opened.turn(self.credentials().namespace):
            try:
                return await opened.write(ask, self.use.identity, self.credentials, self.fence)
            except errors.Error as error:
                named = error if error.reason is Reason.NOT_LEADER else error.about(opened.name)
        raise named


@dataclasses.dataclass(frozen=True, slots=True)
class Reader:
    """An ApiKeySecret that reads the key.

    Attributes:
        secret: name of its target.
    """

    record: Record
    secret: str

    @property
    def rollout(self) -> kinds.RolloutSpec | None:
        """How those who use it are restarted; None where nothing says."""
        try:
            return self.record.newest_spec().rollout
        except errors.Stalled:
            return None

    @property
    def suspended(self) -> bool:
        """Whether its Secret is not written for now."""
        return not self.record.refreshed and _is_suspended(self.record)


class Places:
    """Finds keys and their readers.

    Args:
        records: all ApiKeySecrets.
        credentials: makes the credentials for a store and a namespace.
        fence: raises once this process must not write any more.
    """

    def __init__(
        self,
        catalog: Catalog,
        records: Mapping[Key, Record],
        credentials: Callable[[StoreRecord, str], Credentials],
        fence: Callable[[], object],
    ) -> None:
        self._catalog, self._records, self._credentials, self._fence = catalog, records, credentials, fence

    def find(self, key: Key, recipe: Recipe) -> Place:
        """Return where a credential of an object lies.

        Raises:
            errors.Stalled: no such store, not for this namespace, not this path; ``StoreReadOnly``, ``Unsupported``: it
                is not written; ``RotationUnsupported``: what a namespace has made must not get there.
        """
        namespace = key.namespace
        if recipe.minted:
            use = self._catalog.minted(*key, recipe.credential.name)
        else:
            use = self._catalog.use(namespace, recipe.store_ref, recipe.path, None)
        if use.record.spec.access != "ReadWrite":
            said = f"{use.record.title} is only read, so no new key is written to it"
            raise errors.Stalled(Reason.STORE_READ_ONLY, said, "Set access: ReadWrite in it, if its login may write")
        if use.opened.kind.write is None:
            said = f"{use.record.title} is of a kind that Keywright does not write"
            raise errors.Stalled(Reason.UNSUPPORTED, said, "Keep keys that rotate in another store")
        if why := use.opened.kind.unwritten(use.opened.config):
            raise why.about(use.record.title)
        issuer = recipe.credential.issuer_ref
        if issuer and issuer.kind == "KeyIssuer" and _is_shared(use):
            said = f"{use.record.title} has keys of many namespaces, and a KeyIssuer of one of them makes none for it"
            hint = "Name a ClusterKeyIssuer, or give the store a pathPrefix or a login for each {namespace}"
            raise errors.Stalled(Reason.ROTATION_UNSUPPORTED, said, hint)
        where, kind = _where(use, namespace), use.opened.kind
        spelled = (kind.location(each, namespace) for each in kind.spellings(use.opened.config))
        credentials = functools.partial(self._credentials, use.record, namespace)
        formers = tuple(f"{each} {use.ref.path}" for each in spelled)
        return Place(where, where.key, formers, use, credentials, self._fence)

    def see_that_it_may_begin(self, place: Place, namespace: str) -> None:
        """See that a namespace may have a key replaced which others read there: who made their store says so.

        Raises:
            errors.Stalled: ``RotationUnsupported``: it may not.
        """
        store = place.use.record
        if _is_shared(place.use) and not self._catalog.lets_rotate(store, namespace):
            said = f"{store.title} has keys of many namespaces, and does not say that this one may rotate them"
            hint = "Name the namespace in its rotators, or give the store a pathPrefix or a login for each {namespace}"
            raise errors.Stalled(Reason.ROTATION_UNSUPPORTED, said, hint)

    def astray(self) -> list[Record]:
        """Return every ApiKeySecret whose Secret may hold something else than what lies where it reads now: its store
        is gone, not for it any more or silent, its spec was changed, or it is suspended.
        """

        @functools.cache
        def served(uses: frozenset[str], namespace: str) -> bool:
            return all(self._catalog.serves(name, namespace) for name in uses)

        def is_sure(record: Record) -> bool:
            calm = record.ready and record.refreshed and not record.ask and not record.failures
            return calm and served(record.uses, record.key.namespace)

        unsure = (each for each in self._records.values() if not is_sure(each))
        # What was never written holds nothing.
        return [each for each in unsure if not each.leaving and b'"fingerprint"' in each.status]

    def reading(self, where: Location) -> tuple[list[Reader], list[Reader]]:
        """Return every ApiKeySecret that reads a key, or may; and all others that read its path in a store of its kind:
        their server may be the same by another name.
        """
        sure: list[Reader] = []
        alike: list[Reader] = []
        # By far the most read something else, and need not be parsed.
        for record in [each for each in self._records.values() if where.name in each.reads]:
            if record.leaving:
                continue
            try:
                spec = record.newest_spec()
            except errors.Stalled:
                continue
            places = list(self._read_by(record, spec))
            if any(each.may_be(where) for each in places):
                sure.append(Reader(record, spec.target_name(record.key.name)))
            elif any(each.is_like(where) for each in places):
                alike.append(Reader(record, spec.target_name(record.key.name)))
        return sure, alike

    def _read_by(self, record: Record, spec: kinds.ApiKeySecretSpec) -> Iterator[Location]:
        """Yield the keys that an object reads, as far as it can be told."""
        for ref, path in _refs(spec):
            if found := self.leads(record, ref, path):
                yield found
        for credential in {name for name, _ in spec.minted.values()}:
            yield self.minted(record, credential)

    def minted(self, record: Record, credential: str) -> Location:
        """Return where a minted credential of an object lies."""
        return _where(self._catalog.minted(*record.key, credential), record.key.namespace)

    def leads(self, record: Record, ref: StoreRef | None, path: str) -> Location | None:
        """Return where a path lies that an object reads; None where it may not, or there is no such store."""
        try:
            use = self._catalog.use(record.key.namespace, ref, path, None)
        except errors.Stalled:
            return None
        return _where(use, record.key.namespace)


def _where(use: Use, namespace: str) -> Location:
    return use.opened.kind.locate(use.opened.config, use.ref.path, namespace, use.record.namespace)


def _is_shared(use: Use) -> bool:
    """Whether whoever may write a path for one namespace writes what others read there."""
    spec = use.record.spec
    if not isinstance(spec, kinds.ClusterKeyStoreSpec) or use.identity:
        return False
    kind, config = spec.store()
    apart = "{namespace}" in spec.path_prefix or kind.location(config, "a") != kind.location(config, "b")
    return not apart and NAMESPACE not in spec.namespace_selector.match_labels


def _is_suspended(record: Record) -> bool:
    try:
        return record.newest_spec().suspend
    except errors.Stalled:
        return False


def _refs(spec: kinds.ApiKeySecretSpec) -> Iterator[tuple[StoreRef | None, str]]:
    for entry in spec.data:
        if entry.remote_ref is None:
            continue
        yield entry.store_ref or spec.store_ref, entry.remote_ref.path
        for other in entry.sources:
            yield other.store_ref, (other.remote_ref or entry.remote_ref).path
    for each in spec.data_from:
        yield each.store_ref or spec.store_ref, each.extract.path
