"""Kopf glue: the only module that imports kopf. Each handler is one line of work.

Only ``on.event`` handlers: Kopf's change-detecting ones would write annotations and finalizers, keep bodies in memory
and copy a Secret's content into its annotations.

Does not belong here: an ``if``.
"""

from __future__ import annotations

import asyncio
from typing import Any

import kopf

from . import cluster, kinds
from .engine.app import App


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing: there are no handlers of changes."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: kopf.Body) -> Any:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Keeps nothing: there is no progress to keep."""

    def fetch(self, *, key: Any, body: kopf.Body) -> Any:
        return None

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        return None

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


def operator_settings() -> kopf.OperatorSettings:
    """Return Kopf's settings: no writes of its own, small pages, short-lived workers, quick retries."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.queueing.idle_timeout = 0.05
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 600
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = (0.5, 1, 2, 4, 8)
    settings.networking.enforce_retry_after = True
    settings.persistence.consistency_timeout = 0
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    settings.process.ultimate_exiting_timeout = 30
    return settings


def registry(app: App, api: cluster.Cluster) -> kopf.OperatorRegistry:
    """Return the handlers of one operator."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return connection(await api.credentials())

    for name in app.kinds:
        watch(handlers, app, kinds.KINDS[name])
    return handlers


def watch(handlers: kopf.OperatorRegistry, app: App, kind: type[kinds.Kind]) -> None:
    """Hand every event of a kind to the engine."""

    @kopf.on.event(kinds.GROUP, kinds.VERSION, kind.plural, registry=handlers)
    async def changed(event: kopf.RawEvent, **_: Any) -> None:
        app.observe(kind.kind, event["type"], event["object"])  # type: ignore[arg-type]


def connection(configuration: Any) -> kopf.ConnectionInfo:
    """Return how Kopf's own client reaches the cluster: as ours does."""
    token = configuration.api_key.get("BearerToken")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme="Bearer" if token else None,
        token=str(token).partition(" ")[2] if token else None,
    )


async def run(app: App, api: cluster.Cluster, namespaces: tuple[str, ...], started: asyncio.Event) -> None:
    """Watch our kinds until cancelled.

    Args:
        namespaces: the ones to watch; empty for all.
        started: set once Kopf has taken the process's signals.
    """
    await kopf.operator(
        registry=registry(app, api),
        settings=operator_settings(),
        clusterwide=not namespaces,
        namespaces=namespaces,
        standalone=True,
        # For peering, which is off. Else Kopf asks for the user's name, and a container's user has none.
        identity="keywright",  # type: ignore[arg-type]
        ready_flag=started,
    )
