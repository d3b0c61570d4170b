"""Entries that were merged into Secrets of others, and whose ApiKeySecret is gone: they are taken out again.

Without finalizers: what marks such a Secret says whose entries are in it, so that also a deletion which nobody watched
is made good.

Does not belong here: merging (``target``), what goes with an ApiKeySecret by its ownerReference.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from .. import cluster, errors
from ..decide import marks, sync
from .queue import Key
from .records import API_KEY_SECRETS

log = logging.getLogger(__name__)


async def apply(api: cluster.Cluster, secret: Key, body: cluster.Json, manager: str, *, force: bool) -> cluster.Json:
    """Apply a Secret as a field manager; return its metadata.

    Args:
        body: without kind, name and namespace.
        force: whether what other field managers own is taken from them.
    """
    meta = {"name": secret.name, "namespace": secret.namespace, **body["metadata"]}
    answer = await api.call(
        "PATCH",
        cluster.SECRETS,
        secret.namespace,
        secret.name,
        body={"apiVersion": "v1", "kind": "Secret", **body, "metadata": meta},
        content_type=cluster.APPLY,
        query={"fieldManager": manager, "force": str(force).lower()},
        accept=cluster.METADATA,
        verb="apply",
    )
    written: cluster.Json = answer["metadata"]
    return written


async def withdraw(api: cluster.Cluster, secret: Key, seen: sync.Seen, owner: str) -> str:
    """Take out of a Secret what an ApiKeySecret wrote; return what was done to it, if it was.

    Applying nothing gives up everything that was applied; what others write too stays. A Secret that is or was the
    object's own, and that holds nothing else, is deleted: there is nobody whose it could be.

    Args:
        owner: namespace/name of the ApiKeySecret.

    Returns:
        A clause for people, without the name; empty if the Secret no longer is as it was seen.
    """
    manager, version = marks.field_manager(owner), {"uid": seen.uid, "resourceVersion": seen.resource_version}
    try:
        found = await api.get(cluster.SECRETS, secret.namespace, secret.name)
        bound = stuck(found or {}, manager)
        if bound and found and _holds_nothing_else(found, seen, owner):
            await api.call("DELETE", cluster.SECRETS, secret.namespace, secret.name, body={"preconditions": version})
            return "was deleted"
        await apply(api, secret, {"metadata": version, **bound}, manager, force=True)
    except cluster.Refused as refused:
        if refused.status not in (404, 409):
            raise
        return ""
    return "the entries of this object were taken out, as others write into it"


def _holds_nothing_else(secret: cluster.Json, seen: sync.Seen, owner: str) -> bool:
    own = marks.own_entries(secret["metadata"].get("managedFields") or [], marks.field_manager(owner))
    return (secret.get("data") or {}).keys() <= own and not dict(seen.merged).keys() - {owner}


def stuck(secret: cluster.Json, manager: str) -> cluster.Json:
    """Return what a field manager applied to a Secret and cannot give up, so that it has to apply it for ever.

    It is there where the Secret was the manager's own before: an apply without it would ask to change the type.
    """
    fields = marks.own_fields(secret.get("metadata", {}).get("managedFields") or [], manager)
    return {name: secret[name] for name in ("type", "immutable") if name in fields and name in secret}


class Leftovers:
    """Finds what was merged by objects that are gone.

    Args:
        secrets: the metadata of our Secrets.
        known: whether there is an ApiKeySecret, as far as we know.
        removed: called with the ApiKeySecret and the name of the Secret that its entries were taken out of.
    """

    def __init__(
        self,
        api: cluster.Cluster,
        secrets: Mapping[Key, sync.Seen],
        known: Callable[[Key], bool],
        removed: Callable[[Key, str], None],
    ) -> None:
        self._api, self._secrets, self._known, self._removed = api, secrets, known, removed
        self._tasks: set[asyncio.Task[None]] = set()

    def gone(self, owner: Key, names: Iterable[str]) -> None:
        """Take out in the background what an object that is gone merged into these Secrets."""
        for name in names:
            task = asyncio.create_task(self._tidy(Key(owner.namespace, name), str(owner)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def sweep(self) -> None:
        """Look through all Secrets for marks of objects that are gone."""
        for secret, seen in list(self._secrets.items()):
            for owner, goes in seen.merged:
                if goes and not self._known(Key.of(owner)):
                    await self._tidy(secret, owner)

    async def _tidy(self, secret: Key, owner: str) -> None:
        try:
            # Once more if somebody else writes at the same moment; after that the next sweep does it.
            for _ in range(3):
                seen = self._secrets.get(secret)
                if seen is None or not dict(seen.merged).get(owner) or await self._is_there(Key.of(owner)):
                    return
                if done := await withdraw(self._api, secret, seen, owner):
                    log.info("%s: ApiKeySecret %s is gone: %s", secret, owner, done)
                    self._removed(Key.of(owner), secret.name)
                    return
                await asyncio.sleep(0.2)
        except errors.Error as error:
            log.warning("%s: what ApiKeySecret %s had merged could not be taken out (%s)", secret, owner, error.reason)

    async def _is_there(self, owner: Key) -> bool:
        """Whether the ApiKeySecret is there after all, by the API server's own word."""
        return await self._api.get(API_KEY_SECRETS, owner.namespace, owner.name) is not None
