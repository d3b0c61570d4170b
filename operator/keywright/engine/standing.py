"""How a status is written: at the version that it was decided on, or not at all.

Does not belong here: what it says (``reporter``, ``issuer_health``, ``rollouts``, ``rotate``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import cluster, errors
from ..decide import report
from ..errors import Reason
from .catalog import Known
from .queue import Key
from .records import API_KEY_SECRETS, ISSUER_RESOURCES, STORE_RESOURCES

_RESOURCES = STORE_RESOURCES | ISSUER_RESOURCES
#: Times that the status of an ApiKeySecret may be changed by others while a part of it is written.
ROUNDS = 8


async def write(api: cluster.Cluster, record: Known, status: dict[str, Any]) -> bool:
    """Patch a status at the version that is known, which is then that of the record; False if the object is another.

    Raises:
        errors.Error: it could not be written.
    """
    resource, namespace = _RESOURCES[record.kind], record.namespace or None
    for _ in range(2):
        try:
            version = await patch(api, resource, namespace, record.name, version=record.resource_version, status=status)
        except cluster.Refused as refused:
            if refused.status not in (404, 409):
                raise
            found = await api.get(resource, namespace, record.name)
            meta = found["metadata"] if found else {}
            if (meta.get("uid"), meta.get("generation")) != (record.uid, record.generation):
                return False
            record.resource_version = meta["resourceVersion"]
        else:
            record.resource_version = version
            return True
    raise errors.Retry(Reason.CONFLICT, f"the status of {record.title} keeps being changed while it is written")


async def revise(
    api: cluster.Cluster,
    key: Key,
    after: Callable[[cluster.Json | None], Mapping[str, Any] | None],
    item: cluster.Json | None = None,
) -> None:
    """Write a part of the status of an ApiKeySecret, beside which others write theirs, if it does not say so.

    Args:
        after: returns the whole status as it is to be, for the object as it is now, or None if that is gone; None to
            leave it. It may be called again, and raise.
        item: the object as it is known; None: it is asked for.

    Raises:
        errors.Error: it could not be written.
    """
    for _ in range(ROUNDS):
        item = item or await api.get(API_KEY_SECRETS, *key)
        wanted = after(item)
        if item is None or wanted is None:
            return
        change = report.needs_write(item.get("status") or {}, dict(wanted))
        if not change:
            return
        version = item["metadata"]["resourceVersion"]
        try:
            await patch(api, API_KEY_SECRETS, key.namespace, key.name, version=version, status=change)
        except cluster.Refused as refused:
            if refused.status not in (404, 409):
                raise
        else:
            return
        item = None
    raise errors.Retry(Reason.CONFLICT, "its status keeps being changed while it is written")


async def patch(
    api: cluster.Cluster,
    resource: cluster.Resource,
    namespace: str | None,
    name: str,
    *,
    version: str,
    status: dict[str, Any],
) -> str:
    """Patch a status at the version that it was decided on; return the version that it has then."""
    answer = await api.call(
        "PATCH",
        resource,
        namespace,
        name,
        "status",
        body={"metadata": {"resourceVersion": version}, "status": status},
        content_type=cluster.MERGE,
        accept=cluster.METADATA,
    )
    return str(answer["metadata"]["resourceVersion"])
