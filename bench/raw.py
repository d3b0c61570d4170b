"""The yardstick: the operator's own client and store class, doing just what has to be done, as often, as parallel.

No watch, no queue, no decision: what is left is the limit of this machine, its API server and its OpenBao.

Does not belong here: what is compared (``scenarios/``).
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import dataclasses
import datetime
import gc
import json
import time
from typing import Any

from keywright import cluster, kinds
from keywright.decide import marks
from keywright.engine.opened import THREADS
from keywright.engine.records import API_KEY_SECRETS
from keywright.schema import CaProvider, SecretKeyRef, ServiceAccountRef
from keywright.secret import SecretValue
from keywright.settings import Settings
from keywright.stores.base import Ref, Store

from .testbed import Testbed, at_once, store_spec

Json = dict[str, Any]

#: As parallel as the operator.
CONCURRENCY = Settings().concurrency


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a number of objects cost, in seconds for each."""

    wall: float
    cpu: float


@dataclasses.dataclass(frozen=True)
class _Token:
    """Credentials that are there already."""

    value: str
    namespace: str = ""

    def secret(self, ref: SecretKeyRef) -> SecretValue:
        """Return the token."""
        return SecretValue(self.value)

    def entry(self, kind: str, name: str, key: str) -> SecretValue:
        """Return nothing: nothing is read from the cluster."""
        raise AssertionError("the raw client reads nothing from the cluster")

    def file(self, path: str, limit: int) -> SecretValue:
        """Return nothing: no file is read."""
        raise AssertionError("the raw client reads no files")

    def swap_file(self, path: str, before: SecretValue, after: SecretValue) -> bool:
        """Replace nothing: no file is written."""
        raise AssertionError("the raw client writes no files")

    def ca(self, provider: CaProvider) -> str:
        """Return nothing: it is plain http."""
        raise AssertionError("the raw client logs in with a token over plain http")

    def service_account_token(self, ref: ServiceAccountRef, audience: str, seconds: int) -> SecretValue:
        """Return nothing: the token is enough."""
        raise AssertionError("the raw client logs in with a token over plain http")


class Raw:
    """A client without an operator around it."""

    def __init__(self, testbed: Testbed) -> None:
        self._api = testbed.api
        kind, config = kinds.ClusterKeyStore.read_spec(store_spec(testbed.bao.url)).store()
        self._store: Store = kind(config, _Token(testbed.bao.root_token), 10.0)
        self._store.login()
        self._threads = concurrent.futures.ThreadPoolExecutor(THREADS)

    async def syncs(self, items: list[Json]) -> Cost:
        """Read, apply, report and tell, for each object."""
        gc.collect()
        gc.freeze()
        cpu, started = time.process_time(), time.monotonic()
        await at_once(self._sync, items, CONCURRENCY)
        count = len(items)
        return Cost((time.monotonic() - started) / count, (time.process_time() - cpu) / count)

    async def write(self, item: Json) -> Json:
        """Read a key and create its Secret; return the Secret's metadata."""
        value = await self.read(item)
        meta = item["metadata"]
        owner = f"{meta['namespace']}/{meta['name']}"
        dressing = marks.metadata(owner, meta["uid"], {}, {}, owned=True, made=True)
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": meta["name"], "namespace": meta["namespace"], "resourceVersion": "1", **dressing},
            "type": "Opaque",
            "data": {item["spec"]["data"][0]["key"]: base64.b64encode(value).decode()},
        }
        written = await self._api.call(
            "PATCH",
            cluster.SECRETS,
            meta["namespace"],
            meta["name"],
            body=body,
            content_type=cluster.APPLY,
            query={"fieldManager": marks.field_manager(owner), "force": "true"},
            accept=cluster.METADATA,
        )
        found: Json = written["metadata"]
        return found

    async def read(self, item: Json) -> bytes:
        """Read the key of an object."""
        remote = item["spec"]["data"][0]["remoteRef"]
        loop = asyncio.get_running_loop()
        fetched = await loop.run_in_executor(self._threads, self._store.fetch, Ref(remote["path"]))
        return str(json.loads(fetched.value.reveal())[remote["property"]]).encode()

    async def _sync(self, item: Json) -> None:
        meta = item["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        secret = await self.write(item)
        now = datetime.datetime.now(datetime.UTC)
        body = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": _status(item, secret, now)}
        await self._api.call("PATCH", API_KEY_SECRETS, namespace, name, "status", body=body, content_type=cluster.MERGE)
        await self._api.call("POST", cluster.EVENTS, namespace, body=_event(item, now))


def _status(item: Json, secret: Json, now: datetime.datetime) -> Json:
    """Return a status as long as the operator's."""
    at, mark = now.strftime("%Y-%m-%dT%H:%M:%SZ"), "0" * 8
    ready = {"type": "Ready", "status": "True", "reason": "Synced", "lastTransitionTime": at, "observedGeneration": 1}
    ready |= {"message": f"Secret {secret['name']} holds 1 of 1 keys from ClusterKeyStore/vault."}
    target = {"name": secret["name"], "uid": secret["uid"], "resourceVersion": secret["resourceVersion"]}
    return {
        "observedGeneration": 1,
        "conditions": [ready],
        "store": "ClusterKeyStore/vault",
        "keys": "1/1",
        "target": target | {"fingerprint": f"{mark}:{'0' * 32}"},
        "versions": [{"key": item["spec"]["data"][0]["key"], "version": "1", "fingerprint": f"{mark}:{'0' * 20}"}],
        "lastChanged": at,
    }


def _event(item: Json, now: datetime.datetime) -> Json:
    meta = item["metadata"]
    about = {"apiVersion": item["apiVersion"], "kind": item["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{time.time_ns():x}", "namespace": meta["namespace"]},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "keywright.dev/raw",
        "reportingInstance": "raw",
        "action": "Sync",
        "reason": "Created",
        "note": f"Secret {meta['name']} holds 1 of 1 keys from ClusterKeyStore/vault.",
        "type": "Normal",
        "regarding": about | {"namespace": meta["namespace"]},
    }
