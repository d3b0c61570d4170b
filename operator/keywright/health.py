"""What probes and Prometheus ask over HTTP: ``/healthz``, ``/readyz``, ``/metrics``.

Does not belong here: what is measured (``metrics``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import prometheus_client
from aiohttp import web

from . import metrics

#: A loop that is so many seconds late is not healthy.
LATE = 10.0


class Health:
    """Serves the state of this process.

    Args:
        ready: whether this replica does its work: it leads and has listed everything, or it stands by.
    """

    def __init__(self, ready: Callable[[], bool]) -> None:
        self._ready = ready
        self._beat = time.monotonic()

    async def beat(self) -> None:
        """Prove that the event loop turns, until cancelled."""
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(1)

    async def serve(self, listen: str) -> web.AppRunner:
        """Serve on ``host:port``; the caller cleans the runner up.

        Raises:
            OSError: the address is taken.
        """
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        host, _, port = listen.rpartition(":")
        await web.TCPSite(runner, host.strip("[]") or None, int(port)).start()
        return runner

    async def _healthz(self, _: web.Request) -> web.Response:
        late = time.monotonic() - self._beat > LATE
        return web.Response(text="late\n" if late else "ok\n", status=500 if late else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        ready = self._ready()
        return web.Response(text="ok\n" if ready else "starting\n", status=200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        body = prometheus_client.generate_latest(metrics.REGISTRY)
        return web.Response(body=body, headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST})
