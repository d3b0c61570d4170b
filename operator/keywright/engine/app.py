"""The engine put together: what one leader runs, from its first list to its last write.

Does not belong here: any rule; Kopf, which feeds ``App`` from ``handlers``; processes and signals (``cli``).
"""

from __future__ import annotations

import asyncio
import collections
import functools
import logging
import random
import time
from collections.abc import Iterable
from typing import Any

from .. import cluster, errors, events, issuers, lease, metrics, wire
from ..audit import sinks
from ..audit.copies import Copies
from ..audit.record import Who
from ..audit.writer import Writer
from ..decide import act, marks, sync
from ..kinds import KINDS
from ..settings import Settings
from . import catalog, installkeys, issuer_health, record_keeping, restart_records, target
from .act_records import ActRecords, settle
from .actions import Actions
from .ages import Ages
from .catalog import CLUSTER_KINDS, Catalog, StoreRecord, identifier
from .checker import Checker
from .checkup import Checkup
from .chronicle import Chronicle
from .credentials import ClusterCredentials
from .fetch import KEPT_SECONDS, Fetcher
from .gather import Gatherer
from .health import StoreHealth
from .listing import Listing
from .loop import Loop
from .merged import Leftovers
from .mirror import Mirror
from .opened import OpenedStore
from .prober import Prober
from .queue import Key
from .reconcile import Reconciler
from .records import ISSUER_RESOURCES, STORE_RESOURCES
from .reporter import Reporter
from .restart_records import RestartRecords
from .rollouts import Rollouts
from .rotate import setup as rotations
from .rotate.hearing import Hearing
from .rotate.means import Means
from .rotate.rotator import Rotator
from .vetting import Vetting

log = logging.getLogger(__name__)

_MANAGED = ",".join(f"{name}={value}" for name, value in marks.MANAGED.items())

#: Seconds after the start in which every object has surely been heard of.
SETTLED = 5.0


class App:
    """One operator while it leads.

    Args:
        api: connection to the cluster, fenced by the Lease.
        held: the Lease.
        who: this operator, as the API server knows it.
    """

    def __init__(self, settings: Settings, api: cluster.Cluster, held: lease.Lease, who: Who) -> None:
        self._settings, self._api, self._lease = settings, api, held
        self._recorder = events.Recorder(api, settings.identity)
        self._trail = record_keeping.trail(settings, self._recorder, who, self._recorded)
        self._chronicle = Chronicle(self._trail)
        self._recording: asyncio.Task[None] | None = None
        self._namespaces = Mirror(api, cluster.NAMESPACES, catalog.Namespace, self._namespace_changed)
        self._scopes: tuple[str | None, ...] = settings.watch_namespaces or (None,)
        self._secrets = [
            Mirror(api, cluster.SECRETS, target.seen, self._secret_changed, selector=_MANAGED, namespace=namespace)
            for namespace in self._scopes
        ]
        self._seen = collections.ChainMap(*(mirror.known for mirror in self._secrets))
        self._leftovers = Leftovers(api, self._seen, self._is_known, self._chronicle.withdrawn)
        #: Names of the Secrets that say to belong to an object, or to have entries of one.
        self._owned: dict[Key, set[str]] = {}
        self._catalog = Catalog(settings, self._namespace, self._closed)
        self._reporter = Reporter(
            api, self._recorder, self._chronicle, self._other_than_known, self._look_again, restarts=settings.rollouts
        )
        self._health = StoreHealth(self._catalog, self._reporter, self._store_mended)
        self._fetcher = Fetcher(self._health.answered, self._has_room)
        self._checkup = Checkup(self._catalog, self._fetcher, self._health, self._reporter, self._credentials)
        self._table = issuers.load(settings.issuer_formats)
        also = settings.issuer_ca_file
        self._prober = Prober(settings.condemn_seconds, self._look_again, wire.trust_also(also) if also else None)
        self._rollouts = Rollouts(
            api, self._recorder, RestartRecords(self._trail, lambda: held.epoch), enabled=settings.rollouts
        )
        self._rotator = Rotator(self._scopes)
        self._actions = Actions(api, self._recorder, self._refresh, self._rotator, ActRecords(self._trail))
        self._copies = Copies(
            api, settings.namespace, sinks.read_all(settings.audit_sinks, loopback=settings.allow_loopback_stores)
        )
        self._issuers = issuer_health.issuers(settings, api, self._recorder, self._namespace, self._rotator.look_again)
        self._listing = Listing(api, self._scopes)
        self._loop: Loop | None = None
        self._working: asyncio.Task[None] | None = None
        #: Set once everything that exists has been listed.
        self.ready = asyncio.Event()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of ours that are served: what is switched off is neither listed nor watched."""
        served = (name for name, kind in KINDS.items() if kind.watched)
        return tuple(each for each in served if each not in CLUSTER_KINDS or self._settings.cluster_stores)

    async def run(self) -> None:
        """Run until cancelled; ``observe`` may be called once ``ready`` is set."""
        self._loop, rotates = await self._make_loop()
        metrics.REGISTRY.register(Ages(self._loop.records, by_object=self._settings.metrics_detail == "object"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._recorder.run())
            self._recording = tasks.create_task(self._trail.run(self._writer))
            tasks.create_task(self._namespaces.run())
            for mirror in self._secrets:
                tasks.create_task(mirror.run())
            await self._list_stores()
            await self._namespaces.ready.wait()
            for mirror in self._secrets:
                await mirror.ready.wait()
            self._working = tasks.create_task(self._loop.run())
            tasks.create_task(self._look_for_ghosts())
            tasks.create_task(self._sweep())
            tasks.create_task(settle(self._api, self._trail))
            tasks.create_task(restart_records.settle(self._api, self._trail))
            tasks.create_task(rotations.settle(self._trail))
            tasks.create_task(self._rotator.run(rotates))
            tasks.create_task(self._copies.run())
            for record in self._catalog.records():
                self._look_at(record)
            self.ready.set()

    async def _make_loop(self) -> tuple[Loop, Means]:
        """Return the loop, and what rotations are carried out with."""
        keys = await installkeys.load(self._api, self._settings.namespace)
        read = functools.partial(self._api.get, cluster.CONFIG_MAPS)
        gatherer = Gatherer(self._catalog, self._fetcher, keys, credentials=self._credentials, config_map=read)
        reconciler = Reconciler(
            self._api,
            keys,
            Vetting(gatherer, Checker(keys, self._settings, self._table, self._prober)),
            self._seen,
            owned=self._owned,
            terminating=self._terminating,
            own_namespace=self._settings.namespace,
        )
        behind = self._chronicle.is_behind
        # Refreshes went on until the former leader's last sign of life; without one nothing was due.
        alive = self._lease.previous_alive or time.time()
        knows, count = (self._catalog.as_told, self._catalog.reads_all), self._settings.concurrency
        loop = Loop(reconciler, self._reporter, *knows, concurrency=count, alive_before=alive, behind=behind)
        return loop, rotations.means(
            self._api,
            self._settings,
            keys,
            table=self._table,
            prober=self._prober,
            catalog=self._catalog,
            credentials=self._credentials,
            fetcher=self._fetcher,
            issuers=self._issuers,
            loop=loop,
            hearing=Hearing(self._listing, loop.records, self._rotator.look_again),
            reconciler=reconciler,
            trail=self._trail,
            recorder=self._recorder,
        )

    def _credentials(self, record: StoreRecord, namespace: str) -> ClusterCredentials:
        home = record.namespace or self._settings.namespace
        # Who may write KeyStores of a namespace must not read files of the operator.
        root = None if record.namespace else self._settings.file_store_root
        return ClusterCredentials(self._api, asyncio.get_running_loop(), namespace, home, root)

    def resume(self) -> None:
        """Look at everything that failed while the Lease could not be renewed."""
        if self._loop:
            self._loop.resume()

    async def stop(self) -> None:
        """Start no more work, let Events that were said be written, and close the stores."""
        if self._working:
            self._working.cancel()
        self._actions.close()
        self._rotator.close()
        self._rollouts.close()
        try:
            async with asyncio.timeout(3):
                await self._recorder.drain()
        except TimeoutError:
            log.warning("some Events were not written before the end")
        await self._close_the_trail()
        await self._copies.stop()
        self._catalog.close()
        self._issuers.close()
        self._prober.close()

    async def _close_the_trail(self) -> None:
        if not self._lease.held:
            self._trail.give_up()
            return
        try:
            async with asyncio.timeout(3):
                self._chronicle.sweep(everything=True)
                await self._trail.drain()
                if self._recording:
                    self._recording.cancel()
                await self._trail.close()
        except (TimeoutError, errors.Error):
            log.warning("the audit trail was not closed in order; the next leader will say so")

    async def _writer(self) -> Writer:
        return await record_keeping.writer(self._settings, self._api, self._trail.who, self._lease.epoch)

    def _recorded(self) -> None:
        """Take note of a segment that was written."""
        self._copies.more()

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
                self._forget(Key(meta["namespace"], meta["name"]), meta["uid"])
            elif self._loop.observe(item):
                self._rollouts.observe(item)
                self._rotator.observe(item)
        elif kind == "KeyAction":
            self._actions.observe(item, gone=event == "DELETED")
        elif event == "DELETED":
            self._gone(identifier(kind, meta.get("namespace", ""), meta["name"]))
        elif kind in ISSUER_RESOURCES:
            self._issuers.observe(kind, item)
        else:
            self._store_seen(kind, item)

    def _forget(self, key: Key, uid: str) -> None:
        assert self._loop  # noqa: S101 - ready
        if not self._loop.forget(key, uid):
            return
        self._rollouts.forget(key)
        self._rotator.gone(key)
        self._leftovers.gone(key, self._owned.get(key, frozenset()))

    async def _list_stores(self) -> None:
        """Know all stores and issuers before the first object asks for one."""
        for kind in self._served(STORE_RESOURCES):
            async for item in self._listing.everything(kind):
                self._store_seen(kind, item)
        for kind in self._served(ISSUER_RESOURCES):
            async for item in self._listing.everything(kind):
                self._issuers.observe(kind, item)

    def _served(self, resources: Iterable[str]) -> list[str]:
        return [kind for kind in resources if kind in self.kinds]

    def _store_seen(self, kind: str, item: cluster.Json) -> None:
        try:
            record = catalog.read(kind, item)
        except errors.Error as error:
            log.warning("%s/%s: %s", kind, item["metadata"]["name"], error)
            return
        if self._catalog.put(record) and self._loop:
            self._loop.store_changed(record.identifier)
            self._rotator.look_again()
            if self.ready.is_set():
                self._look_at(record)

    def _look_at(self, record: StoreRecord) -> None:
        """Look at a store before it is used. Cluster stores are the business of an operator that serves the cluster."""
        if record.namespace or not self._settings.watch_namespaces:
            self._checkup.look(record)

    def _gone(self, name: str) -> None:
        """Take note of a store or an issuer that is gone, by its identifier."""
        self._issuers.gone(name)
        if self._catalog.remove(name) and self._loop:
            self._loop.store_changed(name)

    def _store_mended(self, record: StoreRecord) -> None:
        if self._loop:
            self._loop.store_mended(record.identifier)

    def _closed(self, opened: OpenedStore, gone: bool) -> None:
        self._health.closed(opened, gone)

    async def _refresh(self, item: cluster.Json) -> act.Ended:
        """Have an ApiKeySecret read from its stores anew, whether its watch has told of it yet or not."""
        assert self._loop  # noqa: S101 - ready
        self._loop.observe(item)
        return await self._loop.wishes.refresh(Key(item["metadata"]["namespace"], item["metadata"]["name"]))

    def _look_again(self, key: Key) -> None:
        if self._loop:
            self._loop.again(key)

    def _has_room(self, opened: OpenedStore) -> None:
        if self._loop:
            self._loop.parking.has_room(opened)

    # What the mirrors tell.

    def _namespace(self, name: str) -> catalog.Namespace | None:
        return self._namespaces.known.get(Key("", name))

    def _is_known(self, key: Key) -> bool:
        return bool(self._loop and key in self._loop.records)

    def _terminating(self, namespace: str) -> bool:
        known = self._namespace(namespace)
        return bool(known and known.terminating)

    def _namespace_changed(self, key: Key, old: catalog.Namespace | None, new: catalog.Namespace | None) -> None:
        if old and (new is None or new.uid != old.uid):
            self._catalog.forget_namespace(old.uid)
        if self._loop and old and new and old.labels != new.labels:
            self._loop.namespace_changed(key.name)

    def _secret_changed(self, key: Key, old: sync.Seen | None, new: sync.Seen | None) -> None:
        before, now = target.owners(key.namespace, old), target.owners(key.namespace, new)
        for owner in before - now:
            self._disown(owner, key.name)
        for owner in now:
            self._owned.setdefault(owner, set()).add(key.name)
        if self._loop:
            for owner in before | now:
                self._loop.target_changed(owner, key.name)
            if new is None:
                self._loop.target_gone(key)

    def _disown(self, owner: Key, name: str) -> None:
        names = self._owned.get(owner, set())
        names.discard(name)
        if not names:
            self._owned.pop(owner, None)

    def _other_than_known(self, record: Any, item: cluster.Json | None) -> None:
        """Take over an object that turned out to be another than we knew, and look at it again."""
        assert self._loop  # noqa: S101 - only the loop reports
        if item is None:
            self._loop.forget(record.key, record.uid)
        else:
            self._loop.observe(item)
            self._loop.again(record.key)

    async def _sweep(self) -> None:
        """Let no value that was read stay in memory for long."""
        while True:
            await asyncio.sleep(KEPT_SECONDS)
            self._fetcher.sweep()
            self._chronicle.sweep()

    # Ghosts.

    async def _look_for_ghosts(self) -> None:
        """Find deletions that no watch told of, by listing names now and then."""
        await asyncio.sleep(SETTLED)
        while True:
            try:
                await self._leftovers.sweep()
                await asyncio.sleep(self._settings.ghost_check_seconds * (0.9 + 0.2 * random.random()))  # noqa: S311
                await self._compare_names()
            except errors.Error as error:
                log.warning("looking for ghosts failed (%s): %s", error.reason, error)

    async def _compare_names(self) -> None:
        assert self._loop  # noqa: S101 - started after the loop
        known = {key: record.uid for key, record in self._loop.records.items()}
        for key in known.keys() - await self._listing.names("ApiKeySecret"):
            log.info("%s is gone without a word", key)
            self._forget(key, known[key])
        named = self._catalog.names() | self._issuers.names()
        for kind in self._served((*STORE_RESOURCES, *ISSUER_RESOURCES)):
            found = {identifier(kind, *key) for key in await self._listing.names(kind)}
            for name in {each for each in named if each.startswith(f"{kind}/")} - found:
                self._gone(name)
