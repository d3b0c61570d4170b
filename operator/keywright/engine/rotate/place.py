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
        former: what earlier versions called it.
        credentials: makes what the login needs.
        fence: raises once this process must not write any more.
    """

    where: Location
    key: str
    former: str
    use: Use
    credentials: Callable[[], Credentials]
    fence: Callable[[], object]

    def journaled(self, key: str) -> Place:
        """Return it as a journal names it, which keeps the name that an earlier version has given it."""
        return dataclasses.replace(self, key=key) if key == self.former else self

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
            return self.record.spec_model().rollout
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
        where = _where(use, namespace)
        former = f"{use.opened.kind.location(use.opened.config, namespace)} {use.ref.path}"
        credentials = functools.partial(self._credentials, use.record, namespace)
        return Place(where, where.key, former, use, credentials, self._fence)

    def readers(self, where: Location) -> list[Reader]:
        """Return every ApiKeySecret that reads a key, or may, however it names its store."""
        return list(self._reading(where))

    def entries(self, record: Record, where: Location) -> Callable[[str], bool]:
        """Return which entries of an object's Secret are made of a key, as far as its spec tells: whether one is, by
        its name.
        """
        try:
            spec = record.spec_model()
        except errors.Stalled:
            return lambda _: False

        def is_there(ref: StoreRef | None, path: str) -> bool:
            found = self._where(record, ref or spec.store_ref, path)
            return found is not None and found.may_be(where)

        mine = {name for name, (of, _) in spec.minted.items() if self._minted(record, of) == where}
        for each in spec.data:
            if each.remote_ref and is_there(each.store_ref, each.remote_ref.path):
                mine.add(each.key)
        # Which names an extract gives is not known.
        extracts = any(is_there(each.store_ref, each.extract.path) for each in spec.data_from)
        others = {each.key for each in spec.data} if extracts else None
        return lambda name: name in mine or (others is not None and name not in others)

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

    def _reading(self, where: Location) -> Iterator[Reader]:
        # Whatever prefix a store puts in front: who does not say this need not be parsed.
        said = where.where.rpartition("/")[2].rpartition(" ")[2]
        # By far the most read something else.
        for record in [each for each in self._records.values() if said in each.reads]:
            if record.leaving:
                continue
            try:
                spec = record.spec_model()
            except errors.Stalled:
                continue
            if any(each.may_be(where) for each in self._read_by(record, spec)):
                yield Reader(record, spec.target_name(record.key.name))

    def _read_by(self, record: Record, spec: kinds.ApiKeySecretSpec) -> Iterator[Location]:
        """Yield the keys that an object reads, as far as it can be told."""
        for ref, path in _refs(spec):
            if found := self._where(record, ref, path):
                yield found
        for credential in {name for name, _ in spec.minted.values()}:
            yield self._minted(record, credential)

    def _minted(self, record: Record, credential: str) -> Location:
        return _where(self._catalog.minted(*record.key, credential), record.key.namespace)

    def _where(self, record: Record, ref: StoreRef | None, path: str) -> Location | None:
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
        return record.spec_model().suspend
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
