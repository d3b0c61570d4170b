"""Who uses a Secret, asked of the API server when somebody wants to know; of pods nothing is kept, page by page.

Three kinds of questions: the Secret's metadata, without its values; the workloads of its namespace, whose templates
name it; the pods, which tell what runs. ReplicaSets and ServiceAccounts are not looked at: pods show what these bring.

Does not belong here: what follows from the answers (``decide/consumers.py``).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from .. import cluster
from ..decide import consumers
from ..decide.consumers import Census, Ref, Workload, Written
from .queue import Key

Found = TypeVar("Found")

PODS = cluster.Resource("", "v1", "pods")
WORKLOADS = {
    "Deployment": cluster.Resource("apps", "v1", "deployments"),
    "StatefulSet": cluster.Resource("apps", "v1", "statefulsets"),
    "DaemonSet": cluster.Resource("apps", "v1", "daemonsets"),
    "CronJob": cluster.Resource("batch", "v1", "cronjobs"),
    "Job": cluster.Resource("batch", "v1", "jobs"),
}
#: Objects in a page. Pods may have some 10 KB each.
PAGE = 200
#: Times that a list is begun anew that had changed too much while it was read.
TRIES = 3


async def written(api: cluster.Cluster, owner: Key, secret: str, mark: str | None = None) -> Written | None:
    """Return when an ApiKeySecret last wrote its Secret; None if there is none, or it is not its.

    Args:
        mark: what templates bear that were restarted for what it holds, where workloads are restarted for it.
    """
    try:
        where = (cluster.SECRETS, owner.namespace, secret)
        found = await api.call("GET", *where, accept=cluster.METADATA)
    except cluster.Refused as refused:
        if refused.status == 404:
            return None
        raise
    meta, note = found["metadata"], consumers.annotation(str(owner))
    at = consumers.written_at(meta, str(owner))
    return None if at is None else Written(secret, at, note, mark, meta["resourceVersion"])


async def census(api: cluster.Cluster, namespace: str, of: Written, named: Collection[Ref] = ()) -> Census:
    """Return everything in a namespace that uses a Secret, and what its pods have of it.

    Args:
        named: workloads that are said to use it although that does not show.

    Raises:
        cluster.Refused: there is no right to look.
        errors.Retry: the API server does not answer.
    """
    workloads: dict[Ref, Workload] = {}
    for kind, resource in WORKLOADS.items():
        read = functools.partial(consumers.workload, kind, written=of, named=named)
        workloads |= {each.ref: each for each in await _read(api, resource, namespace, read)}
    seen = functools.partial(consumers.pod, written=of, known=workloads, now=time.time())
    return Census(tuple(workloads.values()), tuple(await _read(api, PODS, namespace, seen)))


async def _read(
    api: cluster.Cluster, resource: cluster.Resource, namespace: str, read: Callable[[cluster.Json], Found | None]
) -> list[Found]:
    """Return what is read out of a list, of which no more than a page is kept; from the start if it is too old."""
    for last in range(TRIES, 0, -1):
        found: list[Found] = []
        try:
            async for page in api.pages(resource, namespace, size=PAGE):
                found += [each for each in map(read, page["items"]) if each is not None]
        except cluster.Gone:
            if last == 1:
                raise
        else:
            return found
    raise AssertionError("unreachable: the last try returns or raises")
