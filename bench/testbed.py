"""Where a scenario plays: a fresh control plane with Keywright installed, a fresh OpenBao, objects, the operator.

Does not belong here: what is measured (``scenarios/``), the yardstick (``raw``).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, TypeVar

import installation
from controlplane import AuditEntry, ControlPlane, OpenBao
from installation import OperatorProcess
from keywright import cluster, crd, kinds
from keywright.decide import report
from keywright.engine.records import API_KEY_SECRETS, STORE_RESOURCES
from keywright.settings import Settings

Json = dict[str, Any]
T = TypeVar("T")

_ROOT = pathlib.Path(__file__).parent.parent
SYSTEM = "keywright-system"
#: Selects the Secrets that the operator writes.
OURS = "keywright.dev/managed=true"
#: Namespaces over which objects are spread, so that no namespace's share of a store is the limit.
NAMESPACES = tuple(f"bench-{number}" for number in range(10))
#: An interval in which nothing becomes due, and the shortest one.
NEVER, SOON = "720h", "10s"
#: How many requests the load generator has under way.
LOAD = 16
#: Seconds without any progress after which a scenario gives up.
PATIENCE = 60.0


class GaveUp(Exception):
    """What was waited for did not come."""


class Testbed:
    """A place for one measurement.

    Attributes:
        api: the load generator's connection, as an administrator.
        operators: those that were started.
    """

    def __init__(
        self, plane: ControlPlane, bao: OpenBao, api: cluster.Cluster, folder: pathlib.Path, values: Json | None = None
    ) -> None:
        self.plane, self.bao, self.api, self._folder = plane, bao, api, folder
        self._kubeconfig = installation.install(plane, SYSTEM, values)
        self.user = f"system:serviceaccount:{SYSTEM}:keywright"
        self._operators: list[OperatorProcess] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, values: Json | None = None, **store: str) -> AsyncIterator[Testbed]:
        """Start everything but the operator; all ends with the block.

        Args:
            values: of the chart.
            store: more of what the spec of the store says.
        """
        with contextlib.ExitStack() as stack:
            folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keywright-bench-")))
            plane = stack.enter_context(ControlPlane.start(folder / "kubernetes", crd.manifests()))
            bao = stack.enter_context(OpenBao.start(folder / "openbao"))
            api = await cluster.Cluster.connect(Settings(kubeconfig=str(plane.kubeconfig)))
            testbed = cls(plane, bao, api, folder, values)
            try:
                await testbed._furnish(store)
                yield testbed
            finally:
                for operator in testbed._operators:
                    operator.stop()
                await api.close()

    async def _furnish(self, store: Json) -> None:
        for name in NAMESPACES:
            await self.api.call("POST", cluster.NAMESPACES, body={"metadata": {"name": name}})
        token = {"metadata": {"name": "vault-token"}, "stringData": {"token": self.bao.root_token}}
        await self.api.call("POST", cluster.SECRETS, SYSTEM, body=token)
        await self.has_store("vault", self.bao.url, **store)

    # Arranging.

    async def has_store(self, name: str, server: str, **more: str) -> None:
        """Let there be a ClusterKeyStore whose own limits are not what is measured."""
        body = {"apiVersion": kinds.API_VERSION, "kind": "ClusterKeyStore", "metadata": {"name": name}}
        body |= {"spec": store_spec(server) | more}
        await self.api.call("POST", STORE_RESOURCES["ClusterKeyStore"], body=body)

    def has_keys(self, count: int, prefix: str = "key", make: Callable[[int], str] = "sk-bench-{:040}".format) -> None:
        """Let there be keys in OpenBao."""
        engine = self.bao.client().secrets.kv.v2
        for number in range(count):
            engine.create_or_update_secret(f"{prefix}-{number}", {"api_key": make(number)})

    async def has_objects(self, items: Iterable[Json]) -> list[Json]:
        """Let there be objects; return them as the API server has them."""
        created = []

        async def create(item: Json) -> None:
            created.append(await self.api.call("POST", API_KEY_SECRETS, item["metadata"]["namespace"], body=item))

        await at_once(create, items)
        return created

    async def bare_start(self) -> float:
        """Return the seconds that a process takes which only loads and lists what the operator does."""
        command = [sys.executable, "-m", "bench.bare_start", str(self._kubeconfig)]
        started = time.monotonic()
        process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, env=os.environ | installation.COMPILED)
        if await process.wait():
            raise GaveUp("the bare start failed")
        return time.monotonic() - started

    def starts_operator(self, *flags: str) -> OperatorProcess:
        """Start an operator; return once it is ready."""
        operator = self.launches_operator(*flags)
        operator.wait()
        return operator

    def launches_operator(self, *flags: str) -> OperatorProcess:
        """Start an operator without waiting."""
        folder = self._folder / f"operator-{len(self._operators)}"
        folder.mkdir()
        operator = OperatorProcess(self._kubeconfig, SYSTEM, folder, *flags)
        self._operators.append(operator)
        return operator

    # Looking.

    def asked(self, since: int) -> list[AuditEntry]:
        """Return what the operators asked of the API server since a mark; their Lease apart."""
        return [each for each in self.plane.audit(since) if each.user == self.user and each.resource != "leases"]

    def store_reads(self, since: int = 0) -> int:
        """Count the keys that were read from OpenBao since a mark."""
        return sum(each.operation == "read" and "/data/" in each.path for each in self.bao.requests(since))

    async def until_written(self, count: int, resource: str, verb: str, since: int, subresource: str = "") -> None:
        """Wait until the operators have written so many objects since a mark.

        The audit log is searched, not the API server asked: looking must cost those who are measured nothing.
        """
        wanted = [f'"verb":"{verb}"', f'"resource":"{resource}"', f'"username":"{self.user}"']
        wanted += [f'"subresource":"{subresource}"'] if subresource else []
        marks = [each.encode() for each in wanted]
        found, moved = 0, time.monotonic()
        with (self.plane.folder / "audit.log").open("rb") as log:
            log.seek(since)
            while found < count:
                lines = log.read().split(b"\n")
                # What was cut comes again whole.
                log.seek(-len(lines[-1]), 1)
                news = sum(_is_done(line) and all(mark in line for mark in marks) for line in lines[:-1])
                if news:
                    found, moved = found + news, time.monotonic()
                elif time.monotonic() - moved > PATIENCE:
                    raise GaveUp(f"{found} of {count} {resource} after {PATIENCE:.0f} s without another")
                await asyncio.sleep(0.1)

    async def not_ready(self) -> list[str]:
        """Return the names of the objects that are not Ready."""
        return [
            item["metadata"]["name"]
            async for page in self.api.pages(API_KEY_SECRETS)
            for item in page["items"]
            if not is_ready(item)
        ]


async def until(there: Callable[[], T | None], what: str, pause: float = 0.05) -> T:
    """Wait until something is there, and return it.

    Args:
        pause: seconds between two looks; long where looking costs whom is measured.

    Raises:
        GaveUp: it does not come.
    """
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if found := there():
            return found
        await asyncio.sleep(pause)
    raise GaveUp(f"waited {PATIENCE:.0f} s in vain until {what}")


async def until_synced(operator: OperatorProcess, count: int, what: str) -> None:
    """Wait until an operator has worked on so many objects from now on."""
    before = operator.metric("keywright_syncs_total")
    await until(lambda: operator.metric("keywright_syncs_total") >= before + count, what, pause=0.5)


async def at_once(act: Callable[[T], Awaitable[object]], items: Iterable[T], width: int = LOAD) -> None:
    """Do something with each of many, a bounded number at the same time."""
    left = iter(items)

    async def one() -> None:
        for item in left:
            await act(item)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(width):
            tasks.create_task(one())


def store_spec(server: str) -> Json:
    """Return the spec of a ClusterKeyStore for OpenBao."""
    auth = {"token": {"secretRef": {"name": "vault-token", "key": "token"}}}
    return {
        "namespaceSelector": {},
        "limits": {"requestsPerSecond": 10_000},
        "vault": {"server": server, "mount": "secret", "auth": auth},
    }


def objects(
    count: int, *, first: int = 0, interval: str = NEVER, store: str = "vault", path: str = "key-{}", name: str = "key"
) -> list[Json]:
    """Return ApiKeySecrets, spread over the namespaces, each with a key of its own unless the path says otherwise."""
    return [
        {
            "apiVersion": kinds.API_VERSION,
            "kind": "ApiKeySecret",
            "metadata": {"name": f"{name}-{number}", "namespace": NAMESPACES[number % len(NAMESPACES)]},
            "spec": {
                "storeRef": {"kind": "ClusterKeyStore", "name": store},
                "refreshInterval": interval,
                "data": [{"key": "API_KEY", "remoteRef": {"path": path.format(number), "property": "api_key"}}],
            },
        }
        for number in range(first, first + count)
    ]


def is_ready(item: Json) -> bool:
    """Whether an object is Ready."""
    return report.is_ready((item.get("status") or {}).get("conditions") or [])


def seconds(at: str) -> float:
    """Return the Unix time of an entry of the audit log."""
    return datetime.datetime.fromisoformat(at).timestamp()


def cpu_seconds(operator: OperatorProcess) -> float:
    """Return the CPU time that an operator has used."""
    times = operator.process.cpu_times()
    return times.user + times.system


def peak_memory(operator: OperatorProcess) -> float:
    """Return the most memory that an operator has had (MiB)."""
    status = pathlib.Path(f"/proc/{operator.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _is_done(line: bytes) -> bool:
    """Whether a line of the audit log is about something that was written."""
    if b'"code":20' not in line:
        return False
    return bool(200 <= json.loads(line)["responseStatus"]["code"] < 300)
