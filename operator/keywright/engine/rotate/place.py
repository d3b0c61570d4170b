"""Where a credential lies: its store as it may be used now, and everybody who reads it from there.

Does not belong here: what they have of it (``looking``), what a credential consists of (``decide/rotate/recipe.py``).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from ... import errors, kinds
from ...decide.rotate.recipe import Recipe
from ...errors import Reason
from ...kinds import StoreRef
from ...stores.base import Credentials, Store
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
        key: the same for everybody who reads it, whatever their store objects and logins.
        credentials: makes what the login needs.
        fence: raises once this process must not write any more.
    """

    key: str
    use: Use
    credentials: Callable[[], Credentials]
    fence: Callable[[], object]

    async def write(self, ask: Callable[[Store], T]) -> T:
        """Have the store written, when it is the namespace's turn; see ``OpenedStore.write``."""
        opened = self.use.opened
        async with opened.turn(self.credentials().namespace):
            return await opened.write(ask, self.use.identity, self.credentials, self.fence)


@dataclasses.dataclass(frozen=True, slots=True)
class Reader:
    """An ApiKeySecret that reads the key.

    Attributes:
        secret: name of its target.
    """

    record: Record
    secret: str


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
        issuer = recipe.credential.issuer_ref
        if issuer and issuer.kind == "KeyIssuer" and _is_shared(use):
            said = f"{use.record.title} has keys of many namespaces, and a KeyIssuer of one of them makes none for it"
            hint = "Name a ClusterKeyIssuer, or give the store a pathPrefix or a login for each {namespace}"
            raise errors.Stalled(Reason.ROTATION_UNSUPPORTED, said, hint)
        return Place(_key(use, namespace), use, lambda: self._credentials(use.record, namespace), self._fence)

    def readers(self, key: str) -> list[Reader]:
        """Return every ApiKeySecret that reads a key, however it names its store."""
        return list(self._reading(key))

    def _reading(self, key: str) -> Iterator[Reader]:
        # Whatever prefix a store puts in front: who does not say this need not be parsed.
        said = json.dumps(key.rpartition("/")[2].rpartition(" ")[2])[1:-1].encode()
        for record in self._records.values():
            if record.leaving or said not in record.spec:
                continue
            try:
                spec = record.spec_model()
            except errors.Stalled:
                continue
            if key in self._keys(record, spec):
                yield Reader(record, spec.target_name(record.key.name))

    def _keys(self, record: Record, spec: kinds.ApiKeySecretSpec) -> Iterator[str]:
        """Yield the keys that an object reads."""
        for ref, path in _refs(spec):
            yield self._key(record, ref, path)
        for credential in {name for name, _ in spec.minted.values()}:
            yield _key(self._catalog.minted(*record.key, credential), record.key.namespace)

    def _key(self, record: Record, ref: StoreRef | None, path: str) -> str:
        try:
            use = self._catalog.use(record.key.namespace, ref, path, None)
        except errors.Stalled:
            return ""
        return _key(use, record.key.namespace)


def _key(use: Use, namespace: str) -> str:
    return f"{use.opened.kind.location(use.opened.config, namespace)} {use.ref.path}"


def _is_shared(use: Use) -> bool:
    """Whether whoever may write a path for one namespace writes what others read there."""
    spec = use.record.spec
    if not isinstance(spec, kinds.ClusterKeyStoreSpec) or use.identity:
        return False
    kind, config = spec.store()
    apart = "{namespace}" in spec.path_prefix or kind.location(config, "a") != kind.location(config, "b")
    return not apart and NAMESPACE not in spec.namespace_selector.match_labels


def _refs(spec: kinds.ApiKeySecretSpec) -> Iterator[tuple[StoreRef | None, str]]:
    for entry in spec.data:
        if entry.remote_ref is None:
            continue
        yield entry.store_ref or spec.store_ref, entry.remote_ref.path
        for other in entry.sources:
            yield other.store_ref, (other.remote_ref or entry.remote_ref).path
    for each in spec.data_from:
        yield each.store_ref or spec.store_ref, each.extract.path
