"""Whether it is proven who made a KeyAction: by the policy that the chart ships, as the cluster has it.

Does not belong here: what the policy says, and when it counts (``admission``).
"""

from __future__ import annotations

import asyncio
import time

from .. import admission, cluster

POLICIES = cluster.Resource("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies")
BINDINGS = cluster.Resource("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings")

_DENIED = "the operator may not read the policy that proves it"


class Requesters:
    """Looks at the policy. One look serves all who asked before it began: a thousand KeyActions at once cost few."""

    def __init__(self, api: cluster.Cluster) -> None:
        self._api = api
        self._turn = asyncio.Lock()
        self._began = 0.0
        self._found: tuple[cluster.Json | None, cluster.Json | None] | None = None

    async def doubt(self, item: cluster.Json, since: float) -> str:
        """Return why it is not proven who made a KeyAction, as a clause; empty if it is.

        Args:
            since: clock reading by which the KeyAction was there: older looks do not do.

        Raises:
            errors.Error: the API server does not tell.
        """
        if not item["spec"].get("requestedBy"):
            return "requestedBy is not set"
        async with self._turn:
            if self._began <= since:
                began = time.monotonic()
                self._found = await self._look()
                self._began = began
        if self._found is None:
            return _DENIED
        return admission.doubt(*self._found, str(item["metadata"]["creationTimestamp"]))

    async def _look(self) -> tuple[cluster.Json | None, cluster.Json | None] | None:
        """Return the policy and its binding; None where they may not be read."""
        try:
            policy = await self._api.get(POLICIES, None, admission.NAME)
            return policy, await self._api.get(BINDINGS, None, admission.NAME)
        except cluster.Refused as refused:
            if refused.status != 403:
                raise
        return None
