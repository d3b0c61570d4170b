"""How the status of a store or an issuer is written: at the version that is known, or not at all.

Does not belong here: what it says (``reporter``, ``issuer_health``), the status of ApiKeySecrets (``reporter``).
"""

from __future__ import annotations

from typing import Any, Protocol

from .. import cluster, errors
from ..errors import Reason
from .records import ISSUER_RESOURCES, STORE_RESOURCES

_RESOURCES = STORE_RESOURCES | ISSUER_RESOURCES


class Standing(Protocol):
    """An object whose status is told."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str

    @property
    def title(self) -> str:
        """How people know it."""


async def write(api: cluster.Cluster, record: Standing, status: dict[str, Any]) -> bool:
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
