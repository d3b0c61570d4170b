"""What exists, by metadata only: a list kept current by a watch, with the deletions that a watch may have missed.

After every relist (the watch broke, or its version is too old) the list is compared with what was known, and what is no
longer there is reported as gone. Values never arrive here: the server is asked for metadata.

Does not belong here: our own kinds, which come through Kopf; they only use ``names`` to find ghosts.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .. import cluster, errors, pacing, settings
from .queue import Key

log = logging.getLogger(__name__)

Meta = TypeVar("Meta")

#: Seconds after which a watch counts as having worked.
LASTING = 5.0


def denied(refused: cluster.Refused, plural: str, namespace: str | None) -> errors.Stalled:
    """Say which right the operator lacks to know what exists."""
    where = f"in namespace {namespace}" if namespace else "in the cluster"
    message = f"the API server answered {refused.status}: the operator may not list or watch {plural} {where}"
    return errors.Stalled(errors.Reason.KUBERNETES_UNAVAILABLE, message, settings.GRANT)


class Mirror(Generic[Meta]):
    """The metadata of one resource.

    Args:
        read: makes the record to keep out of an object's ``metadata``.
        changed: called with the key, the old and the new record; None where there was none, or is none any more.
        selector: label selector.
        namespace: only this one; None for all.
    """

    def __init__(
        self,
        api: cluster.Cluster,
        resource: cluster.Resource,
        read: Callable[[dict[str, Any]], Meta],
        changed: Callable[[Key, Meta | None, Meta | None], None],
        *,
        selector: str = "",
        namespace: str | None = None,
    ) -> None:
        self._api, self._resource, self._selector, self._namespace = api, resource, selector, namespace
        self._read, self._changed = read, changed
        self._version: str | None = None
        self.known: dict[Key, Meta] = {}
        #: Set once the first list is complete.
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Keep the mirror current, until cancelled."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                if self._version is None:
                    self._version = await self._relist()
                await self._follow(self._version)
            except cluster.Gone:
                log.info("the watch of %s is too old: listing again", self._resource.plural)
                self._version = None
            except errors.Error as error:
                told = error
                if isinstance(error, cluster.Refused) and error.status == 403:
                    told = denied(error, self._resource.plural, self._namespace)
                hint = f". {told.hint}" if told.hint else ""
                log.warning("the mirror of %s broke off (%s): %s%s", self._resource.plural, told.reason, told, hint)
            # One that lasted may begin anew at once; one that ends as soon as it began would else be asked for ever.
            failures = 0 if time.monotonic() - began > LASTING else failures + 1
            if failures:
                await asyncio.sleep(pacing.backoff(failures, random.random(), first=0.2, longest=15.0))  # noqa: S311

    async def _relist(self) -> str:
        """List everything, report differences, and return the version to watch from."""
        found: set[Key] = set()
        version = ""
        async for page in self._api.pages(self._resource, self._namespace, selector=self._selector, metadata_only=True):
            version = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                found.add(self._take(item["metadata"]))
        for key in self.known.keys() - found:
            self._drop(key)
        self.ready.set()
        return version

    async def _follow(self, version: str) -> None:
        """Apply watch events until the stream ends, remembering where to go on."""
        events = self._api.watch(self._resource, version, self._namespace, selector=self._selector, metadata_only=True)
        async for event in events:
            meta = event["object"]["metadata"]
            if event["type"] == "DELETED":
                self._drop(Key(meta.get("namespace", ""), meta["name"]))
            elif event["type"] != "BOOKMARK":
                self._take(meta)
            self._version = meta["resourceVersion"]

    def _take(self, meta: dict[str, Any]) -> Key:
        key = Key(meta.get("namespace", ""), meta["name"])
        old, new = self.known.get(key), self._read(meta)
        if old != new:
            self.known[key] = new
            self._changed(key, old, new)
        return key

    def _drop(self, key: Key) -> None:
        old = self.known.pop(key, None)
        if old is not None:
            self._changed(key, old, None)
