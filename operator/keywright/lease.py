"""One leader at a time: a ``coordination.k8s.io`` Lease, and the deadline after which a former leader starts no effect.

The Lease alone does not keep two leaders apart (clocks stop, packets wait): every write also carries the
resourceVersion it was decided on. A Lease that cannot be renewed in time stops all writing until it can; one that
somebody else has taken meanwhile ends the process, and the next one starts clean.

Does not belong here: what a leader does.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import random
import time
from collections.abc import Callable
from typing import Any

from . import cluster, errors, metrics, pacing
from .errors import Reason

log = logging.getLogger(__name__)

NAME = "keywright"


class Lost(Exception):
    """Another replica has taken the Lease."""


class Lease:
    """The Lease of this install.

    Args:
        api: connection to the cluster; its fence is not asked for the Lease's own writes.
        namespace: the operator's namespace.
        identity: name of this replica.
        seconds: how long a leader that vanished is waited for; it renews every seventh, and gives up after two thirds.
    """

    def __init__(self, api: cluster.Cluster, namespace: str, identity: str, seconds: float) -> None:
        self._api, self._namespace, self._identity, self._seconds = api, namespace, identity, seconds
        self._seen: tuple[object, float] = (None, 0.0)
        self._deadline, self._ended = 0.0, False
        #: How often the Lease changed hands: names the term of this leader.
        self.epoch = 0
        #: Unix time until which the previous leader is known to have worked; None if there was none.
        self.previous_alive: float | None = None

    @property
    def held(self) -> bool:
        """Whether an effect may start now."""
        return time.monotonic() < self._deadline

    def fence(self) -> float:
        """Return for how many seconds effects may start.

        Raises:
            errors.Retry: ``NotLeader``.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise errors.Retry(Reason.NOT_LEADER, f"{self._identity} does not hold the Lease")
        return left

    async def acquire(self) -> None:
        """Wait until this replica holds the Lease.

        Raises:
            errors.Stalled: it never will: no right, or no such namespace.
        """
        told = ""
        while True:
            try:
                if await self._try():
                    metrics.LEADER.set(1)
                    log.info("leading (term %d)", self.epoch)
                    return
                told = ""
            except cluster.Refused as refused:
                if refused.status in (401, 403, 404):
                    raise _hopeless(refused.status, self._namespace) from None
                log.warning("standing by, because the Lease cannot be had: %s", refused.message)
            except errors.Error as error:
                if told != error.message:
                    told = error.message
                    log.warning("standing by, because the Lease cannot be had: %s", told)
            await asyncio.sleep(self._seconds / 7 * (0.8 + 0.4 * random.random()))  # noqa: S311

    async def keep(self, again: Callable[[], None]) -> None:
        """Renew for ever. While that cannot be done in time, nothing may be written.

        Args:
            again: called when the Lease is held again after such a time, in which nobody else has led.

        Raises:
            Lost: somebody else has taken it.
        """
        leading = True
        while True:
            await asyncio.sleep(self._seconds / 7)
            with contextlib.suppress(errors.Error):
                # A conflict may be our own renewal, whose answer was lost: read again.
                if not await self._renew() and not await self._renew():
                    self._deadline = 0.0
                    metrics.LEADER.set(0)
                    raise Lost
            if leading != self.held and not self._ended:
                leading = self.held
                self._tell(leading=leading)
                if leading:
                    again()

    @staticmethod
    def _tell(*, leading: bool) -> None:
        metrics.LEADER.set(leading)
        if leading:
            log.info("leading again: the Lease could be renewed, and nobody had taken it")
        else:
            log.warning("the Lease could not be renewed in time: nothing is written until it can be")

    async def _renew(self) -> bool:
        """Renew the Lease if it still is ours; False if it is not, or was written at the same moment."""
        started = time.monotonic()
        found = await self._read()
        if found is None or found["spec"].get("holderIdentity") != self._identity:
            return False
        written = await self._write("PUT", self._body(found, transitions=self.epoch, fresh=False))
        if written:
            self._deadline = self._from(started)
        return written

    async def _read(self) -> cluster.Json | None:
        return await self._api.get(cluster.LEASES, self._namespace, NAME, deadline=self._seconds / 3)

    def _from(self, started: float) -> float:
        """Return until when effects may start; counted from before the request: it was stamped at any moment since."""
        return 0.0 if self._ended else started + self._seconds * 2 / 3

    async def release(self) -> None:
        """Give the Lease up, so that a standby need not wait for it to end."""
        if not self.held:
            return
        self._ended, self._deadline = True, 0.0
        metrics.LEADER.set(0)
        with contextlib.suppress(errors.Error):
            # Twice, as a renewal may be on its way.
            await self._give_up() or await self._give_up()

    async def _give_up(self) -> bool:
        found = await self._read()
        if not found or found["spec"].get("holderIdentity") != self._identity:
            return True
        found["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
        return await self._write("PUT", found)

    async def _try(self) -> bool:
        """Take the Lease if it may be taken; True if this replica holds it now."""
        started = time.monotonic()
        found = await self._read()
        if found is None:
            body = self._body({"metadata": {"name": NAME, "namespace": self._namespace}}, transitions=0, fresh=True)
            written = await self._write("POST", body)
        elif self._may_take(found["spec"], started):
            spec = found["spec"]
            mine = spec.get("holderIdentity") == self._identity
            if not mine:
                self.previous_alive = pacing.unix(spec.get("renewTime"))
            written = await self._write(
                "PUT",
                self._body(found, transitions=int(spec.get("leaseTransitions") or 0) + (not mine), fresh=not mine),
            )
        else:
            return False
        if written:
            self._deadline = self._from(started)
        return written

    def _may_take(self, spec: dict[str, Any], now: float) -> bool:
        """Ours, given up, or unchanged for its whole duration by our own clock."""
        mark = (spec.get("holderIdentity"), spec.get("renewTime"))
        if mark != self._seen[0]:
            self._seen = (mark, now)
        holder = spec.get("holderIdentity")
        waited = now - self._seen[1] > float(spec.get("leaseDurationSeconds") or self._seconds)
        return not holder or holder == self._identity or waited

    def _body(self, found: dict[str, Any], *, transitions: int, fresh: bool) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = dict(found.get("spec") or {})
        spec |= {"holderIdentity": self._identity, "renewTime": now, "leaseTransitions": transitions}
        spec["leaseDurationSeconds"] = max(1, round(self._seconds))
        if fresh:
            spec["acquireTime"] = now
        self.epoch = transitions
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": found["metadata"], "spec": spec}

    async def _write(self, method: str, body: dict[str, Any]) -> bool:
        """Write with the resourceVersion that was read; False if somebody was faster."""
        try:
            await self._api.call(
                method,
                cluster.LEASES,
                self._namespace,
                NAME if method == "PUT" else None,
                body=body,
                deadline=self._seconds / 3,
                fenced=False,
            )
        except cluster.Refused as refused:
            if refused.status == 409:
                return False
            raise
        return True


def _hopeless(status: int, namespace: str) -> errors.Stalled:
    """Say why this replica can never lead."""
    if status == 404:
        return errors.Stalled(
            Reason.KUBERNETES_UNAVAILABLE,
            f"there is no namespace {namespace} for the Lease",
            f"Create it (kubectl create namespace {namespace}), or name another with --namespace",
        )
    return errors.Stalled(
        Reason.KUBERNETES_UNAVAILABLE,
        f"the API server answered {status} for the Lease {namespace}/{NAME}",
        "Grant the operator's ServiceAccount the right to get, create and update leases in its namespace",
    )
