"""What is in the namespace of the story, kept up to date by watches, with the moment at which each change was seen.

Does not belong here: what should be there (``story``).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from keywright import cluster, errors
from keywright.engine.records import API_KEY_SECRETS, STORE_RESOURCES

from .telling import Broken

Json = dict[str, Any]
T = TypeVar("T")

#: Seconds that anything may take before the demo gives up.
PATIENCE = 60.0
#: Seconds between the end of a watch and the next list.
_PAUSE = 0.1
KEY_STORES = STORE_RESOURCES["KeyStore"]
_WATCHED = (cluster.SECRETS, API_KEY_SECRETS, KEY_STORES, cluster.EVENTS)


class Watching:
    """The objects of one namespace.

    Args:
        api: connection to the cluster.
    """

    def __init__(self, api: cluster.Cluster, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._known: dict[cluster.Resource, dict[str, Json]] = {each: {} for each in _WATCHED}
        #: When the last change of a Secret was seen, by name and type of change (ADDED, MODIFIED, DELETED).
        self.seen_at: dict[tuple[str, str], float] = {}
        #: What any Secret was ever seen to hold, as the API server writes it.
        self.held: set[str] = set()
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Watch meanwhile."""
        tasks = [asyncio.create_task(self._follow(resource)) for resource in _WATCHED]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, there: Callable[[], T | None], what: str) -> T:
        """Wait until something is there, and return it.

        Raises:
            Broken: it does not come.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    self._changed.clear()
                    if found := there():
                        return found
                    await self._changed.wait()
        raise Broken(f"waited {PATIENCE:.0f} s in vain until {what}")

    def secret(self, name: str) -> dict[str, str] | None:
        """Return what a Secret holds, None if there is none."""
        found = self._known[cluster.SECRETS].get(name)
        if found is None:
            return None
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def ready(self, name: str, resource: cluster.Resource = API_KEY_SECRETS) -> Json:
        """Return the Ready condition of an object; empty if it has none for its present generation."""
        found = self._known[resource].get(name)
        status = (found or {}).get("status") or {}
        if not found or status.get("observedGeneration") != found["metadata"].get("generation"):
            return {}
        return next((each for each in status.get("conditions") or [] if each["type"] == "Ready"), {})

    def rotation(self, name: str) -> Json:
        """Return what the status of an ApiKeySecret tells of its first credential that rotates."""
        found = (self._known[API_KEY_SECRETS].get(name) or {}).get("status") or {}
        return dict((found.get("rotations") or [{}])[0])

    def events(self, name: str) -> list[Json]:
        """Return the Events about an object, oldest first."""
        found = (each for each in self._known[cluster.EVENTS].values() if each["regarding"]["name"] == name)
        return sorted(found, key=lambda each: str(each["eventTime"]))

    async def _follow(self, resource: cluster.Resource) -> None:
        known = self._known[resource]
        while True:
            # A watch that ends, breaks or is too old begins with a new list.
            with contextlib.suppress(errors.Error):
                version = ""
                listed: dict[str, Json] = {}
                async for page in self._api.pages(resource, self._namespace):
                    listed |= {item["metadata"]["name"]: item for item in page["items"]}
                    version = page["metadata"]["resourceVersion"]
                known.clear()
                known.update(listed)
                self._changed.set()
                async for event in self._api.watch(resource, version, self._namespace):
                    self._note(resource, known, event)
            await asyncio.sleep(_PAUSE)

    def _note(self, resource: cluster.Resource, known: dict[str, Json], event: Json) -> None:
        if event["type"] == "BOOKMARK":
            return
        name = event["object"]["metadata"]["name"]
        if event["type"] == "DELETED":
            known.pop(name, None)
        else:
            known[name] = event["object"]
        if resource is cluster.SECRETS:
            self.seen_at[name, event["type"]] = time.monotonic()
            self.held |= set((event["object"].get("data") or {}).values())
        self._changed.set()
