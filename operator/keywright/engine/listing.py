"""Our kinds as lists tell of them: all that is to be known before the work begins, and names, to find what has gone.

Does not belong here: watches (``handlers``, ``mirror``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from .. import cluster, errors
from .catalog import CLUSTER_KINDS
from .mirror import denied
from .queue import Key
from .records import API_KEY_SECRETS, ISSUER_RESOURCES, STORE_RESOURCES

_RESOURCES = {"ApiKeySecret": API_KEY_SECRETS} | STORE_RESOURCES | ISSUER_RESOURCES


class Listing:
    """Lists of our kinds.

    Args:
        scopes: the namespaces that are served; None for all.
    """

    def __init__(self, api: cluster.Cluster, scopes: tuple[str | None, ...]) -> None:
        self._api, self._scopes = api, scopes

    async def everything(self, kind: str) -> AsyncIterator[cluster.Json]:
        """Yield each object of a kind.

        Raises:
            errors.Error: they cannot be listed; it says what to do.
        """
        for namespace in self._places(kind):
            try:
                async for page in self._api.pages(_RESOURCES[kind], namespace):
                    for item in page["items"]:
                        yield item
            except cluster.Refused as refused:
                raise _unlisted(refused, kind, namespace) from None

    async def names(self, kind: str) -> set[Key]:
        """Return the names of all objects of a kind."""
        return {_key(meta) async for meta in self._metadata(kind)}

    async def staying(self, kind: str) -> set[Key]:
        """Return the names of those that are not being deleted."""
        return {_key(meta) async for meta in self._metadata(kind) if "deletionTimestamp" not in meta}

    async def _metadata(self, kind: str) -> AsyncIterator[cluster.Json]:
        for namespace in self._places(kind):
            async for page in self._api.pages(_RESOURCES[kind], namespace, metadata_only=True):
                for item in page["items"]:
                    yield item["metadata"]

    def _places(self, kind: str) -> tuple[str | None, ...]:
        """Return the namespaces in which objects of a kind are listed; None for all, or for none."""
        return (None,) if kind in CLUSTER_KINDS else self._scopes


def _key(meta: cluster.Json) -> Key:
    return Key(meta.get("namespace", ""), meta["name"])


def _unlisted(refused: cluster.Refused, kind: str, namespace: str | None) -> errors.Error:
    """Say why the objects of a kind are not to be known, and so nothing that names them."""
    if refused.status == 403:
        return denied(refused, _RESOURCES[kind].plural, namespace)
    if refused.status == 404:
        hint = "Install the CRDs: keywright crds | kubectl apply --server-side -f -"
        return errors.Stalled(errors.Reason.UNSUPPORTED, f"the cluster knows no {kind}", hint)
    return refused
