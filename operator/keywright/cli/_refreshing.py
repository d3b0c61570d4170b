"""Asking for a refresh of ApiKeySecrets, and following them until the operator has done it.

Does not belong here: what is told of it (the commands ``refresh`` and ``check``), the refresh itself (``engine/``).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import os
from typing import TYPE_CHECKING

from .. import errors
from . import _connection, _leader, _output

if TYPE_CHECKING:
    from ..cluster import Cluster, Json

#: Seconds before a watch that broke is begun anew.
_PAUSE = 1.0


def _token() -> str:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{now}-{os.urandom(3).hex()}"


@dataclasses.dataclass
class Refreshing:
    """One request for a refresh of some objects, and what has become of it.

    Attributes:
        waiting: names of those of which nothing is known yet.
        suspended: of those that rest.
        done: the others, as they were when the operator had acknowledged the request.
        failed: what became of those that cannot be refreshed, as a clause.
        token: the request.
    """

    api: Cluster
    namespace: str
    waiting: set[str] = dataclasses.field(default_factory=set)
    suspended: set[str] = dataclasses.field(default_factory=set)
    done: dict[str, Json] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)
    token: str = dataclasses.field(default_factory=_token)

    async def all_names(self) -> tuple[str, ...]:
        """Return the names of all objects of the namespace."""
        from ..engine.records import API_KEY_SECRETS

        pages = self.api.pages(API_KEY_SECRETS, self.namespace, metadata_only=True)
        return tuple([item["metadata"]["name"] async for page in pages for item in page["items"]])

    async def ask(self, names: tuple[str, ...]) -> None:
        """Set the annotation on each."""
        await asyncio.gather(*map(self._ask, names))

    async def _ask(self, name: str) -> None:
        from .. import cluster
        from ..engine.records import API_KEY_SECRETS, REFRESH

        body = {"metadata": {"annotations": {REFRESH: self.token}}}
        query = {"fieldManager": "keywright-cli"}
        try:
            found = await self.api.call(
                "PATCH",
                API_KEY_SECRETS,
                self.namespace,
                name,
                body=body,
                content_type=cluster.MERGE,
                query=query,
            )
        except cluster.Refused as refused:
            if refused.status == 403:
                raise _connection.explained(refused, self.api.host, "patch") from None
            if refused.status != 404 or not refused.cause:
                raise
            self.failed[name] = f"does not exist in namespace {self.namespace}"
        else:
            self.waiting.add(name)
            self._saw(found)

    async def wait(self, timeout: float, operator_namespace: str) -> str:
        """Follow the objects until the operator has acknowledged all; return why it has not, a clause, or nothing.

        Args:
            timeout: seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._wait()
        except TimeoutError:
            leader = (await _leader.find(self.api, operator_namespace)).told
            lasting = _output.lasting(timeout)
            return f"not handled within {lasting}; {leader}. `keywright status` tells how its store is."
        return ""

    async def _wait(self) -> None:
        from ..cluster import Gone

        while self.waiting:
            try:
                await self._follow()
            except (Gone, errors.Retry):
                # No news to whoever waits; a server that stays away ends the wait by its time.
                await asyncio.sleep(_PAUSE)

    async def _follow(self) -> None:
        from ..engine.records import API_KEY_SECRETS

        since, there = "", set()
        async for page in self.api.pages(API_KEY_SECRETS, self.namespace):
            since = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                there.add(item["metadata"]["name"])
                self._saw(item)
        for name in self.waiting - there:
            self._lost(name)
        if not self.waiting:
            return
        async with contextlib.aclosing(self.api.watch(API_KEY_SECRETS, since, self.namespace)) as events:
            async for event in events:
                if event["type"] == "DELETED":
                    self._lost(event["object"]["metadata"]["name"])
                elif event["type"] != "BOOKMARK":
                    self._saw(event["object"])
                if not self.waiting:
                    return

    def _saw(self, item: Json) -> None:
        name = item["metadata"]["name"]
        if name in self.waiting and item["spec"].get("suspend"):
            self.waiting.discard(name)
            self.suspended.add(name)
        elif name in self.waiting and (item.get("status") or {}).get("lastHandledRefresh") == self.token:
            self.waiting.discard(name)
            self.done[name] = item

    def _lost(self, name: str) -> None:
        if name in self.waiting:
            self.waiting.discard(name)
            self.failed[name] = "was deleted meanwhile"

    def undone(self, why: str = "") -> list[str]:
        """Return a line for each object of which there is no outcome.

        Args:
            why: there is none for those that were waited for, as a clause.
        """
        resume = f"`keywright resume --namespace={self.namespace} %s` takes it up"
        return [
            *(f"{name}: {why or 'a refresh is asked for'}" for name in sorted(self.waiting)),
            *(f"{name}: suspended: its stores are not read until {resume % name}" for name in sorted(self.suspended)),
            *(f"{name}: {lost}" for name, lost in sorted(self.failed.items())),
        ]
