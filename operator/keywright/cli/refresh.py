"""``keywright refresh``: ask for a refresh of ApiKeySecrets now, and wait for it where that is wanted.

Does not belong here: the refresh itself (``engine/``).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import os
from typing import TYPE_CHECKING

import click

from .. import errors, schema
from . import _connection, _health, _leader, _output, _types
from ._exit import Exit
from ._section import Section

if TYPE_CHECKING:
    from ..cluster import Cluster, Json

#: Seconds before a watch that broke is begun anew.
_PAUSE = 1.0


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Read a span of time, as in manifests."""
    try:
        return schema.seconds(value)
    except ValueError:
        raise click.BadParameter("a span of time is written like 90s or 5m", ctx, param) from None


SECTION = Section.CLUSTER


@click.command("refresh")
@click.argument("names", nargs=-1, type=_types.NAME, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="All ApiKeySecrets of the namespace.")
@click.option("--wait", is_flag=True, help="Wait until the operator has done it, and tell the outcome.")
@click.option(
    "--timeout", callback=_seconds, default="60s", metavar="DURATION", show_default=True, help="How long to wait."
)
@_connection.connects
def command(place: _connection.Place, names: tuple[str, ...], everything: bool, wait: bool, timeout: float) -> None:
    """Have ApiKeySecrets read from their stores now.

    Sets the annotation keywright.dev/refresh; the operator acknowledges it in status.lastHandledRefresh.

    Suspended ones are not read: they are told, and not waited for.

    Exit code: 0 if it was asked for, and with --wait if all are Ready then; 3 with --wait if some are not Ready, or are
    suspended; 1 if one does not exist, or the wait was in vain.
    """
    if bool(names) == everything:
        raise click.UsageError("Name the ApiKeySecrets to refresh, or say --all.")

    async def work(api: Cluster) -> Exit:
        asking = _Refresh(api, place.namespace_in(api), _token(), waited=wait)
        await asking.ask(await asking.all_names() if everything else tuple(dict.fromkeys(names)))
        if not wait:
            return asking.told()
        try:
            async with asyncio.timeout(timeout):
                await asking.wait()
        except TimeoutError:
            leader = (await _leader.find(api, place.operator_namespace)).told
            why = f"not handled within {_output.lasting(timeout)}; {leader}. `keywright status` tells how its store is."
            return asking.told(why)
        return asking.told()

    _connection.run(place, work)


@dataclasses.dataclass
class _Refresh:
    """One request for a refresh of some objects, and what has become of it.

    Attributes:
        waited: whether the outcome is waited for.
    """

    api: Cluster
    namespace: str
    token: str
    waited: bool
    waiting: set[str] = dataclasses.field(default_factory=set)
    suspended: set[str] = dataclasses.field(default_factory=set)
    done: dict[str, _health.Health] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)

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

    async def wait(self) -> None:
        """Follow the objects until the operator has acknowledged all."""
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
            self.done[name] = _health.of(item)

    def _lost(self, name: str) -> None:
        if name in self.waiting:
            self.waiting.discard(name)
            self.failed[name] = "was deleted meanwhile"

    def told(self, why: str = "") -> Exit:
        """Print what has become of each; return the exit code."""
        page = _output.Page()
        for name, health in sorted(self.done.items()):
            page.line(f"{name}: {'Ready' if health.ready == 'True' else 'not Ready'} ({health.reason or 'no reason'})")
            if health.ready != "True":
                page.below(health.message)
        for name in sorted(self.waiting):
            page.line(f"{name}: {why or 'a refresh is asked for'}")
        for name in sorted(self.suspended):
            resume = f"keywright resume --namespace={self.namespace} {name}"
            page.line(f"{name}: suspended: its stores are not read until `{resume}` takes it up")
        for name, lost in sorted(self.failed.items()):
            page.line(f"{name}: {lost}")
        if not (self.done or self.waiting or self.suspended or self.failed):
            page.line(f"No ApiKeySecrets in namespace {self.namespace}.")
        if self.failed or (self.waited and self.waiting):
            return Exit.FAILED
        resting = self.waited and self.suspended
        ready = not resting and all(each.ready == "True" for each in self.done.values())
        return Exit.FINE if ready else Exit.NOT_READY


def _token() -> str:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{now}-{os.urandom(3).hex()}"
