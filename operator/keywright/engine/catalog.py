"""The stores that exist, who may use them, and their opened form.

Rules are applied at every use, not once: a namespace that loses its label, or a store that changes its selector, counts
from the next reconcile on.

Does not belong here: reading (``fetch``), telling how a store is (``health``).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from .. import errors, kinds, pacing
from ..decide import render
from ..errors import Reason
from ..settings import Settings
from ..stores.base import Ref, Store
from . import egress, shelf
from .opened import OpenedStore

CLUSTER_KIND = "ClusterKeyStore"
#: Kinds that are in no namespace, and served where the operator serves cluster kinds.
CLUSTER_KINDS = frozenset({CLUSTER_KIND, "ClusterKeyIssuer"})
#: Seconds within which all users of an edited store should have been looked at.
LATELY = 600.0
#: Seconds that a call to the API server may take for a minted key, and how many there may be in a second.
SHELF_TIMEOUT, SHELF_RATE = 10.0, 100.0
#: Stands for "the default store" in the index of who uses what.
DEFAULT_STORE = f"{CLUSTER_KIND}/"


class Namespace:
    """What is known of a namespace."""

    __slots__ = ("labels", "terminating", "uid")

    def __init__(self, meta: dict[str, Any]) -> None:
        self.uid: str = meta["uid"]
        self.labels: Mapping[str, str] = meta.get("labels") or {}
        self.terminating = "deletionTimestamp" in meta

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Namespace) and all(
            getattr(self, name) == getattr(other, name) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]


@dataclasses.dataclass(slots=True)
class Known:
    """A store or an issuer, by what all have: the namespace of a cluster kind is empty."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str

    @property
    def title(self) -> str:
        """How people know it; the same name in two namespaces is told apart by where it is said."""
        return f"{self.kind}/{self.name}"

    @property
    def identifier(self) -> str:
        """Names it uniquely."""
        return identifier(self.kind, self.namespace, self.name)


@dataclasses.dataclass(slots=True)
class StoreRecord(Known):
    """One KeyStore or ClusterKeyStore as the API server has it.

    Attributes:
        observed: the generation that its status is about.
        changed: when it was first seen in this form, its status was about another one, or was about this one for a
            short time only: not all of its users may have been looked at.
        files: generations of the files that were read, by id.
    """

    spec: kinds.KeyStoreSpec
    conditions: list[dict[str, object]]
    observed: int
    changed: bool
    files: Mapping[str, int] = dataclasses.field(default_factory=dict)
    opened: OpenedStore | None = None


class Shelf(StoreRecord):
    """The shelf: where minted keys lie, as if it were a store that somebody has declared."""

    @property
    def title(self) -> str:
        """How people know it."""
        return shelf.TITLE


def read(kind: str, item: dict[str, Any]) -> StoreRecord:
    """Make a record out of a store as the API server gives it.

    Raises:
        errors.Stalled: ``InvalidSpec``.
    """
    meta, status = item["metadata"], item.get("status") or {}
    generation, observed = int(meta.get("generation", 1)), int(status.get("observedGeneration", -1))
    return StoreRecord(
        kind,
        meta.get("namespace", ""),
        meta["name"],
        meta["uid"],
        generation,
        meta["resourceVersion"],
        kinds.KINDS[kind].read_spec(item.get("spec") or {}),
        status.get("conditions") or [],
        observed,
        observed != generation or (generation > 1 and _lately(str(status.get("observedAt", "")))),
        {each["id"]: each["generation"] for each in status.get("files") or []},
    )


def identifier(kind: str, namespace: str, name: str) -> str:
    """Name a store or an issuer uniquely; the namespace counts for namespaced kinds only."""
    return f"{kind}/{name}" if kind in CLUSTER_KINDS else f"{kind}/{namespace}/{name}"


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """A store that an object may use, and the key it may read there."""

    record: StoreRecord
    opened: OpenedStore
    identity: str
    ref: Ref


class Catalog:
    """All stores.

    Args:
        namespace: what is known of a namespace; None if nothing is.
        closed: called with each opened store that is closed, and whether the store object is gone.
    """

    def __init__(
        self,
        settings: Settings,
        namespace: Callable[[str], Namespace | None],
        closed: Callable[[OpenedStore, bool], None] = lambda _, __: None,
    ) -> None:
        self._settings, self._namespace, self._closed = settings, namespace, closed
        self._records: dict[str, StoreRecord] = {}
        self._shelf = Shelf("", "", "", "", 1, "", kinds.KeyStoreSpec.model_construct(access="ReadWrite"), [], 1, False)

    def __len__(self) -> int:
        return len(self._records)

    def find(self, opened: OpenedStore) -> StoreRecord | None:
        """Return the store object of an opened store, if that is still the present one."""
        return next((each for each in self._records.values() if each.opened is opened), None)

    def put(self, record: StoreRecord) -> bool:
        """Take note of a store; True if it says something new, so that its users must look again."""
        old = self._records.get(record.identifier)
        if old and old.uid == record.uid:
            record.files = _newest(record.files, old.files)
        if old and (old.uid, old.generation) == (record.uid, record.generation):
            old.resource_version, old.conditions = record.resource_version, record.conditions
            old.observed, old.files = record.observed, record.files
            return False
        self._close(old, gone=False)
        self._records[record.identifier] = record
        return True

    def remove(self, name: str) -> bool:
        """Forget a store by its identifier; True if it was known."""
        old = self._records.pop(name, None)
        self._close(old, gone=True)
        return old is not None

    def as_told(self, name: str) -> bool:
        """Whether the store of this identifier, or every default store, is there and was as its status told of it."""
        if name == DEFAULT_STORE:
            chosen = [each for each in self._records.values() if _is_default(each)]
        else:
            chosen = [self._records[name]] if name in self._records else []
        return bool(chosen) and not any(each.changed for each in chosen)

    def serves(self, name: str, namespace: str) -> bool:
        """Whether the store of this identifier, or a default store, is there and for a namespace."""
        try:
            record = self._default(namespace) if name == DEFAULT_STORE else self._records.get(name)
        except errors.Stalled:
            return False
        return record is not None and self._is_for(record, namespace)

    def lets_rotate(self, record: StoreRecord, namespace: str) -> bool:
        """Whether whoever made a store for many namespaces says that this one may rotate keys of all."""
        spec = record.spec
        chosen = spec.rotators if isinstance(spec, kinds.ClusterKeyStoreSpec) else None
        return chosen is not None and chosen.matches(self._labels(namespace))

    def reads_all(self, name: str) -> bool:
        """Whether one read of the store of this identifier gives all of its keys."""
        record = self._records.get(name)
        return bool(record and record.spec.store()[0].snapshot)

    def forget_namespace(self, uid: str) -> None:
        """Forget what logins a namespace that is gone had."""
        for record in self._records.values():
            if record.opened:
                record.opened.forget(uid)

    def records(self) -> list[StoreRecord]:
        """Return all stores."""
        return list(self._records.values())

    def names(self) -> set[str]:
        """Return the identifiers of all stores."""
        return set(self._records)

    def close(self) -> None:
        """Close all stores."""
        for record in [*self._records.values(), self._shelf]:
            self._close(record, gone=False)

    def minted(self, namespace: str, name: str, credential: str) -> Use:
        """Return where a minted credential of an object lies."""
        ref = Ref(shelf.path(namespace, name, credential))
        opened = self._shelf.opened
        if opened is None:
            opened = self._shelf.opened = OpenedStore(
                shelf.TITLE,
                shelf.Shelf,
                shelf.Shelf.Config(),
                timeout=SHELF_TIMEOUT,
                rate=SHELF_RATE,
                scope=egress.Scope(),
                label="minted",
            )
        return Use(self._shelf, opened, "", ref)

    def use(self, namespace: str, ref: kinds.StoreRef | None, path: str, version: str | None) -> Use:
        """Return what an object of a namespace may read, or say why not.

        Raises:
            errors.Stalled: no such store, not for this namespace, not this path.
        """
        record = self._resolve(namespace, ref)
        spec = record.spec
        if not self._is_for(record, namespace):
            raise errors.Stalled(
                Reason.NAMESPACE_NOT_SELECTED,
                f"{record.title} does not serve namespace {namespace}",
                "Label the namespace as the store's namespaceSelector wants, or widen the selector",
            )
        prefix = (spec.path_prefix or "") if isinstance(spec, kinds.ClusterKeyStoreSpec) else ""
        effective = render.effective_path(path, prefix, namespace)
        return Use(record, self.open(record), self._identity(record, namespace), Ref(effective, version))

    def open(self, record: StoreRecord) -> OpenedStore:
        """Return a store opened."""
        return record.opened or self._open(record, *record.spec.store())

    @staticmethod
    def shares_login(record: StoreRecord) -> bool:
        """Whether all namespaces use one login of this store."""
        kind, config = record.spec.store()
        return not kind.identity(config, record.namespace or "any")

    def _identity(self, record: StoreRecord, namespace: str) -> str:
        """Name the login of a namespace. One that was deleted and made again is another, whatever its name."""
        kind, config = record.spec.store()
        identity = kind.identity(config, namespace)
        known = self._namespace(namespace)
        return f"{identity}@{known.uid if known else ''}" if identity else ""

    def _is_for(self, record: StoreRecord, namespace: str) -> bool:
        """Whether a store serves a namespace: one of its own, or one of the cluster's that selects it."""
        spec = record.spec
        if not isinstance(spec, kinds.ClusterKeyStoreSpec):
            return True
        return self._settings.cluster_stores and spec.namespace_selector.matches(self._labels(namespace))

    def _labels(self, namespace: str) -> Mapping[str, str]:
        known = self._namespace(namespace)
        return known.labels if known else {}

    def _resolve(self, namespace: str, ref: kinds.StoreRef | None) -> StoreRecord:
        if not self._settings.cluster_stores and (ref is None or ref.kind == CLUSTER_KIND):
            raise _switched_off(ref)
        if ref is None:
            return self._default(namespace)
        record = self._records.get(identifier(ref.kind, namespace, ref.name))
        if record is None:
            raise errors.Stalled(
                Reason.STORE_NOT_FOUND,
                f"{ref.kind}/{ref.name} does not exist" + ("" if ref.kind == CLUSTER_KIND else f" in {namespace}"),
                "Create it, or correct storeRef",
            )
        return record

    def _default(self, namespace: str) -> StoreRecord:
        """Return the one default store that serves a namespace; stores that do not serve it do not count."""
        chosen = [each for each in self._records.values() if _is_default(each) and self._is_for(each, namespace)]
        if len(chosen) == 1:
            return chosen[0]
        names = " and ".join(sorted(each.title for each in chosen))
        found = f"{names} serve namespace {namespace} by default" if chosen else f"no default store serves {namespace}"
        raise errors.Stalled(
            Reason.NO_DEFAULT_STORE,
            f"there is no storeRef, and {found}",
            "Name a store in storeRef, or make one ClusterKeyStore the default",
        )

    def _open(self, record: StoreRecord, kind: type[Store], config: object) -> OpenedStore:
        limits = record.spec.limits
        scope = egress.Scope(
            private=record.kind == CLUSTER_KIND,
            networks=self._settings.store_networks,
            loopback=self._settings.allow_loopback_stores,
        )
        record.opened = OpenedStore(
            record.title,
            kind,
            config,
            timeout=limits.timeout_seconds,
            rate=limits.requests_per_second,
            scope=scope,
            label=record.identifier,
            files=record.files,
        )
        return record.opened

    def _close(self, record: StoreRecord | None, *, gone: bool) -> None:
        if record and record.opened:
            record.opened.close()
            self._closed(record.opened, gone)
            record.opened = None


def _newest(told: Mapping[str, int], known: Mapping[str, int]) -> Mapping[str, int]:
    """Return what is remembered of files where a status tells of them too."""
    return {**told, **{name: max(number, told.get(name, 0)) for name, number in known.items()}}


def _switched_off(ref: kinds.StoreRef | None) -> errors.Stalled:
    """Return what to say where an object needs a ClusterKeyStore and the operator serves none."""
    off = "ClusterKeyStores are switched off in this install"
    hint = "Name a KeyStore in storeRef, or ask the operator's administrator for --cluster-stores"
    if ref is None:
        return errors.Stalled(Reason.NO_DEFAULT_STORE, f"there is no storeRef, and {off}", hint)
    return errors.Stalled(Reason.STORE_NOT_FOUND, f"{ref.kind}/{ref.name} is not looked for: {off}", hint)


def _is_default(record: StoreRecord) -> bool:
    return isinstance(record.spec, kinds.ClusterKeyStoreSpec) and bool(record.spec.default)


def _lately(at: str) -> bool:
    """Whether a point in time (RFC 3339) was a short while ago; one that cannot be read was."""
    then = pacing.unix(at)
    return then is None or time.time() - then < LATELY
