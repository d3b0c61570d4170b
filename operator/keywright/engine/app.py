"""The engine put together: what one leader runs, from its first list to its last write.

Does not belong here: any rule; Kopf, which feeds ``App`` from ``handlers``; processes and signals (``cli``).
"""

from __future__ import annotations

import asyncio
import collections
import logging
import random
import time
from collections.abc import Mapping
from typing import Any

from .. import cluster, errors, events, lease, metrics
from ..decide import sync
from ..settings import Settings
from . import catalog, installkeys, target
from .catalog import CLUSTER_KIND, Catalog, StoreRecord, identifier
from .credentials import ClusterCredentials
from .fetch import Fetcher
from .gather import Gatherer
from .health import StoreHealth
from .loop import Loop
from .mirror import Mirror
from .opened import OpenedStore
from .queue import Key
from .reconcile import API_KEY_SECRETS, Reconciler
from .reporter import STORE_RESOURCES, Reporter

log = logging.getLogger(__name__)

_MANAGED = ",".join(f"{name}={value}" for name, value in sync.MANAGED_BY.items())


class Namespace:
    """What is known of a namespace."""

    __slots__ = ("labels", "terminating")

    def __init__(self, meta: dict[str, Any]) -> None:
        self.labels: Mapping[str, str] = meta.get("labels") or {}
        self.terminating = "deletionTimestamp" in meta

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Namespace) and (self.labels, self.terminating) == (other.labels, other.terminating)

    __hash__ = None  # type: ignore[assignment]


class App:
    """One operator while it leads.

    Args:
        api: connection to the cluster, fenced by the Lease.
        held: the Lease.
    """

    def __init__(self, settings: Settings, api: cluster.Cluster, held: lease.Lease) -> None:
        self._settings, self._api, self._lease = settings, api, held
        self._recorder = events.Recorder(api, settings.identity)
        self._namespaces = Mirror(api, cluster.NAMESPACES, Namespace, self._namespace_changed)
        self._scopes: tuple[str | None, ...] = settings.watch_namespaces or (None,)
        self._secrets = [
            Mirror(api, cluster.SECRETS, target.seen, self._secret_changed, _MANAGED, namespace)
            for namespace in self._scopes
        ]
        self._catalog = Catalog(settings, self._labels)
        self._reporter = Reporter(api, self._recorder, self._other_than_known)
        self._health = StoreHealth(self._catalog, self._reporter)
        self._fetcher = Fetcher(self._health.answered, self._has_room)
        self._loop: Loop | None = None
        #: Set once everything that exists has been listed.
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled; ``observe`` may be called once ``ready`` is set."""
        loop = asyncio.get_running_loop()
        keys = await installkeys.load(self._api, self._settings.namespace)

        def credentials(record: StoreRecord, namespace: str) -> ClusterCredentials:
            home = record.namespace or self._settings.namespace
            return ClusterCredentials(self._api, loop, namespace, home)

        gatherer = Gatherer(self._catalog, self._fetcher, credentials)
        seen = collections.ChainMap(*(mirror.known for mirror in self._secrets))
        reconciler = Reconciler(self._api, keys, gatherer, seen, self._terminating, self._settings.namespace)
        # Refreshes went on until the former leader's last sign of life; without one nothing was due.
        alive = self._lease.previous_alive or time.time()
        self._loop = Loop(reconciler, self._reporter, concurrency=self._settings.concurrency, alive_before=alive)
        metrics.REGISTRY.register(Ages(self._loop, self._settings))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            tasks.create_task(self._namespaces.run())
            for mirror in self._secrets:
                tasks.create_task(mirror.run())
            await self._list_stores()
            await self._namespaces.ready.wait()
            for mirror in self._secrets:
                await mirror.ready.wait()
            tasks.create_task(self._loop.run())
            tasks.create_task(self._look_for_ghosts())
            self.ready.set()

    async def stop(self) -> None:
        """Let Events that were said be written, and close the stores."""
        try:
            async with asyncio.timeout(3):
                await self._recorder.drain()
        except TimeoutError:
            log.warning("some Events were not written before the end")
        self._catalog.close()

    def observe(self, kind: str, event: str | None, item: cluster.Json) -> None:
        """Take note of an object of ours.

        Args:
            kind: its kind.
            event: type of the watch event; None where it was listed.
        """
        assert self._loop  # noqa: S101 - ready
        meta = item["metadata"]
        if kind == "ApiKeySecret":
            if event == "DELETED":
                self._loop.forget(Key(meta["namespace"], meta["name"]), meta["uid"])
            else:
                self._loop.observe(item)
        elif event == "DELETED":
            self._store_gone(identifier(kind, meta.get("namespace", ""), meta["name"]))
        else:
            self._store_seen(kind, item)

    # Stores.

    async def _list_stores(self) -> None:
        """Know all stores before the first object asks for one."""
        for kind, resource in STORE_RESOURCES.items():
            try:
                for namespace in self._places(kind):
                    async for page in self._api.pages(resource, namespace):
                        for item in page["items"]:
                            self._store_seen(kind, item)
            except cluster.Refused as refused:
                if refused.status != 404:
                    raise
                hint = "Install the CRDs: keywright crds | kubectl apply -f -"
                raise errors.Stalled(errors.Reason.UNSUPPORTED, f"the cluster knows no {kind}", hint) from None

    def _places(self, kind: str) -> tuple[str | None, ...]:
        """Return the namespaces in which objects of a kind are listed; None for all, or for none."""
        return (None,) if kind == CLUSTER_KIND else self._scopes

    def _store_seen(self, kind: str, item: cluster.Json) -> None:
        try:
            record = catalog.read(kind, item)
        except errors.Error as error:
            log.warning("%s/%s: %s", kind, item["metadata"]["name"], error)
            return
        if self._catalog.put(record) and self._loop:
            self._loop.store_changed(record.identifier)

    def _store_gone(self, name: str) -> None:
        if self._catalog.remove(name) and self._loop:
            self._loop.store_changed(name)

    def _has_room(self, opened: OpenedStore) -> None:
        if self._loop:
            self._loop.store_has_room(opened)

    # What the mirrors tell.

    def _labels(self, namespace: str) -> Mapping[str, str] | None:
        known = self._namespaces.known.get(Key("", namespace))
        return known.labels if known else None

    def _terminating(self, namespace: str) -> bool:
        known = self._namespaces.known.get(Key("", namespace))
        return bool(known and known.terminating)

    def _namespace_changed(self, key: Key, old: Namespace | None, new: Namespace | None) -> None:
        if self._loop and old and new and old.labels != new.labels:
            self._loop.namespace_changed(key.name)

    def _secret_changed(self, key: Key, old: sync.Seen | None, new: sync.Seen | None) -> None:
        if self._loop:
            for owner in {each.owner for each in (old, new) if each}:
                self._loop.target_changed(owner)

    def _other_than_known(self, record: Any, item: cluster.Json | None) -> None:
        """Take over an object that turned out to be another than we knew, and look at it again."""
        assert self._loop  # noqa: S101 - only the loop reports
        if item is None:
            self._loop.forget(record.key, record.uid)
        else:
            self._loop.observe(item)
            self._loop.again(record.key)

    # Ghosts.

    async def _look_for_ghosts(self) -> None:
        """Find deletions that no watch told of, by listing names now and then."""
        while True:
            await asyncio.sleep(self._settings.ghost_check_seconds * (0.9 + 0.2 * random.random()))  # noqa: S311
            self._fetcher.sweep()
            try:
                await self._compare_names()
            except errors.Error as error:
                log.warning("looking for ghosts failed (%s): %s", error.reason, error)

    async def _compare_names(self) -> None:
        assert self._loop  # noqa: S101 - started after the loop
        known = {key: record.uid for key, record in self._loop.records.items()}
        for key in known.keys() - await self._names(API_KEY_SECRETS, self._scopes):
            log.info("%s is gone without a word", key)
            self._loop.forget(key, known[key])
        stores = self._catalog.names()
        for kind, resource in STORE_RESOURCES.items():
            found = {identifier(kind, *key) for key in await self._names(resource, self._places(kind))}
            for name in {each for each in stores if each.startswith(f"{kind}/")} - found:
                self._store_gone(name)

    async def _names(self, resource: cluster.Resource, scopes: tuple[str | None, ...]) -> set[Key]:
        return {
            Key(item["metadata"].get("namespace", ""), item["metadata"]["name"])
            for namespace in scopes
            async for page in self._api.pages(resource, namespace, metadata_only=True)
            for item in page["items"]
        }


class Ages:
    """Tells at each scrape how many objects are Ready and how old their last confirmation is."""

    def __init__(self, loop: Loop, settings: Settings) -> None:
        self._loop, self._by_object = loop, settings.metrics_detail == "object"

    def collect(self) -> list[Any]:
        """Bring the gauges up to date; they are registered on their own."""
        oldest: dict[tuple[str, str], float] = {}
        ready = 0
        for key, record in self._loop.records.items():
            ready += not record.failures and not record.ask
            if record.checked_at is not None:
                group = (key.namespace, key.name if self._by_object else "")
                oldest[group] = min(record.checked_at, oldest.get(group, record.checked_at))
        metrics.LAST_SUCCESS.clear()
        for group, at in oldest.items():
            metrics.LAST_SUCCESS.labels(*group).set(at)
        metrics.OBJECTS.labels("true").set(ready)
        metrics.OBJECTS.labels("false").set(len(self._loop.records) - ready)
        return []
