"""Setting ``spec.suspend`` by hand, with what to commit so that it stays.

Does not belong here: the commands (``suspend``, ``resume``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from . import _connection, _output
from ._exit import Exit

if TYPE_CHECKING:
    from ..cluster import Cluster

#: What is said, by what is wanted and whether it was so before.
_STATES = {
    (True, False): "is suspended",
    (True, True): "is suspended already: nothing was changed",
    (False, False): "is no longer suspended",
    (False, True): "is not suspended: there was nothing to resume",
}
_COMMIT = "A GitOps tool puts back what Git says. To make it stay, commit:"


def setting(place: _connection.Place, name: str, *, suspend: bool) -> Callable[[Cluster], Awaitable[Exit]]:
    """Return what sets `spec.suspend` of an ApiKeySecret, and tells of it."""

    async def work(api: Cluster) -> Exit:
        from ..engine.records import API_KEY_SECRETS

        namespace = place.namespace_in(api)
        before = await _connection.read(api, API_KEY_SECRETS, "ApiKeySecret", namespace, name)
        known = bool(before["spec"].get("suspend")) is suspend
        if not known:
            await _patch(api, namespace, name, suspend)
        _tell(f"{namespace}/{name}", suspend=suspend, known=known)
        return Exit.FINE

    return work


async def _patch(api: Cluster, namespace: str, name: str, suspend: bool) -> None:
    from .. import cluster
    from ..engine.records import API_KEY_SECRETS

    try:
        await api.call(
            "PATCH",
            API_KEY_SECRETS,
            namespace,
            name,
            body={"spec": {"suspend": True if suspend else None}},
            content_type=cluster.MERGE,
            query={"fieldManager": "keywright-cli"},
            accept=cluster.METADATA,
        )
    except cluster.Refused as refused:
        if refused.status == 403:
            raise _connection.explained(refused, api.host, "patch") from None
        raise


def _tell(title: str, *, suspend: bool, known: bool) -> None:
    page = _output.Page()
    page.line(f"ApiKeySecret {title} {_STATES[suspend, known]}.")
    page.line()
    page.line(_COMMIT)
    page.line("  spec:")
    page.line("    suspend: true" if suspend else "    suspend: false     # or without the line")
