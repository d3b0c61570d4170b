"""Copies of an audit trail as a test runs them: segments written as an operator would, and what delivers them."""

from __future__ import annotations

import asyncio
import pathlib
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import helm
from controlplane import FaultProxy
from keywright.audit import segment, sinks
from keywright.audit.chain import Chain
from keywright.audit.copies import NAME, Copies, Pace
from keywright.audit.heads import Head, SigningKey
from keywright.audit.record import Entry, Type, Who
from keywright.cluster import Cluster
from keywright.secret import SecretValue
from keywright.settings import Settings
from world import GROUP, World

Json = dict[str, Any]
WHO = Who(kind="ServiceAccount", name="system:serviceaccount:keywright-system:keywright", verified=True)
KEY = SigningKey(SecretValue(b"\x07" * 32))
#: What takes seconds otherwise.
PACE = Pace(first=0.05, longest=0.4, saving=0.1, listing=0.05, relisting=30.0)


class Written:
    """A trail that a test writes into a world's own namespace, segment by segment."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.path = f"{GROUP}/namespaces/{world.system}/auditsegments"
        self.names: list[str] = []
        self.head: Head | None = None
        #: The last head of each log.
        self.heads: dict[str, Head] = {}
        self._term = 0
        self._chain: Chain | None = None
        self._before = ""

    def log(self, segments: int) -> None:
        """Begin a log, behind the one before, and write segments."""
        if self._chain:
            self._write(self._entry(Type.LOG_CLOSED))
            self._before = self._chain.log
        self._term, self._number = self._term + 1, 0
        self._chain = Chain(f"{self._term:06d}-{self.world.namespace}", self._term, KEY)
        self._write(self._entry(Type.LOG_OPENED, previous=self.head, public_key=KEY.public))
        self.more(segments - 1)

    def more(self, segments: int = 1) -> None:
        """Write segments of two records each."""
        for _ in range(segments):
            self._write(self._entry(Type.SYNC_WRITTEN), self._entry(Type.CHECK_VERDICT))

    def lose(self, name: str) -> None:
        """Delete a segment."""
        self.world.must("DELETE", f"{self.path}/{name}")
        self.names.remove(name)

    def _entry(self, kind: Type, **more: Any) -> Entry:
        return Entry(type=kind, code="Test", who=WHO, **more)

    def _write(self, *entries: Entry) -> None:
        assert self._chain
        batch = self._chain.build([(each, 1_800_000_000.0) for each in entries])
        body = segment.body(self.world.system, batch, self._number, self._before)
        self.world.must("POST", self.path, body)
        self._chain.commit(batch)
        self._number += 1
        self.head = self.heads[self._chain.log] = batch.head
        self.names.append(body["metadata"]["name"])


class Copying:
    """What delivers, as one process would; in a thread of its own."""

    def __init__(self, world: World, kubeconfig: pathlib.Path, *urls: str, pace: Pace = PACE) -> None:
        self._settings = Settings(kubeconfig=str(kubeconfig), namespace=world.system)
        self._sinks, self._pace = sinks.read_all(urls, loopback=True), pace
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="copying")

    def __enter__(self) -> Self:
        self._thread.start()
        self._api = asyncio.run_coroutine_threadsafe(Cluster.connect(self._settings), self._loop).result(30)
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def more(self) -> None:
        """Say that there is another segment."""
        self._loop.call_soon_threadsafe(self._copies.more)

    def stop(self) -> None:
        """End in order."""
        asyncio.run_coroutine_threadsafe(self._copies.stop(), self._loop).result(30)

    async def _begin(self) -> None:
        self._copies = Copies(self._api, self._settings.namespace, self._sinks, self._pace)
        self._running = asyncio.create_task(self._copies.run())

    async def _end(self) -> None:
        """End as a process does that is killed: nothing is kept any more."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._api.close()
        # Sockets of connections that were closed are closed a moment after them.
        await asyncio.sleep(0.05)


def operator(world: World, proxy: FaultProxy | None = None) -> pathlib.Path:
    """Return a kubeconfig with the rights that the chart gives to an operator with sinks, and no others."""
    values: Json = {"watchNamespaces": [world.namespace], "audit": {"sinks": ["s3://audit"]}}
    values["rbac"] = {"auditRoles": False}
    grant(world, next(each["rules"] for each in helm.template("keywright", world.system, values) if _own(each, world)))
    server, ca_file = (proxy.url, proxy.ca_file) if proxy else (None, None)
    path = world.folder / "copying.kubeconfig"
    return world.plane.kubeconfig_for(world.system, "keywright", path, server=server, ca_file=ca_file)


def grant(world: World, rules: list[Json]) -> None:
    """Give the operator more rights in its own namespace."""
    rbac, name = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.system}", "with-sinks"
    world.must("POST", f"{rbac}/roles", {"metadata": {"name": name}, "rules": rules})
    subjects = [{"kind": "ServiceAccount", "name": "keywright", "namespace": world.system}]
    role = {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    world.must("POST", f"{rbac}/rolebindings", {"metadata": {"name": name}, "roleRef": role, "subjects": subjects})


def _own(part: Json, world: World) -> bool:
    return bool(part["kind"] == "Role" and part["metadata"]["namespace"] == world.system)


def cursors(world: World) -> dict[str, str]:
    """Return how far each sink has come, as it is kept."""
    status, found = world.plane.request("GET", f"/api/v1/namespaces/{world.system}/configmaps/{NAME}")
    return dict(found["data"]) if status == 200 else {}


def lines(bodies: dict[str, bytes]) -> Iterator[bytes]:
    """Yield the lines of copies, one behind the other."""
    yield from b"".join(bodies.values()).splitlines()
