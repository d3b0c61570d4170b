"""The yardstick of a restart: a process that loads what the operator loads, lists what it lists, and ends.

python -m bench.bare_start KUBECONFIG
"""

from __future__ import annotations

import asyncio
import sys

import keywright.handlers  # noqa: F401 - loaded for its cost
from keywright import cluster
from keywright.engine.records import API_KEY_SECRETS
from keywright.settings import Settings

from .testbed import OURS


async def list_all(kubeconfig: str) -> None:
    """List all objects and the metadata of their targets."""
    api = await cluster.Cluster.connect(Settings(kubeconfig=kubeconfig))
    try:
        async for _ in api.pages(API_KEY_SECRETS):
            pass
        async for _ in api.pages(cluster.SECRETS, selector=OURS, metadata_only=True):
            pass
    finally:
        await api.close()


if __name__ == "__main__":
    asyncio.run(list_all(sys.argv[1]))
