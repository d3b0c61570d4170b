"""``keywright operator``: one process of the operator, from start to stop.

Does not belong here: what it does while it leads (``engine/app.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from .. import errors, logs, settings
from ..errors import Reason
from ..settings import Settings
from . import _types
from ._exit import Exit
from ._section import Section

if TYPE_CHECKING:
    from .. import cluster, lease
    from ..engine.app import App

log = logging.getLogger(__name__)

#: Seconds that ending may take before the process goes anyway.
ENDING = 10.0
#: When Python looks for garbage: after so many new objects, younger looks, older looks. Most of what a sync makes goes
#: by itself; at the usual 700 the looking took a seventh of the work.
GARBAGE = (10_000, 20, 20)
#: An address that is taken, is not this machine's, or needs more rights.
_NOT_TO_BE_LISTENED_AT = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)

#: What it means that the API server answers so to a list or a watch of our kinds, and what to do.
_ANSWERS = {
    401: ("the API server no longer accepts the operator's login", "Look whether its ServiceAccount is still there"),
    403: (
        "the API server answered 403: the operator may not list or watch objects of keywright.dev where it serves them",
        settings.GRANT,
    ),
    404: (
        "the CRDs of Keywright were deleted while it was running, and with them all of its objects",
        "Install them: keywright crds | kubectl apply --server-side -f -; then apply the objects again",
    ),
}

SECTION = Section.CLUSTER


@click.command("operator")
@click.option(
    "--namespace",
    type=_types.NAMESPACE,
    envvar="KEYWRIGHT_NAMESPACE",
    show_envvar=True,
    help="Namespace of the operator. Default: the pod's, else keywright-system.",
)
@click.option(
    "--kubeconfig",
    type=_types.KUBECONFIG,
    envvar="KUBECONFIG",
    show_envvar=True,
    help="How to reach the cluster. Default: the pod's ServiceAccount, else ~/.kube/config.",
)
@click.option("--context", help="Context of the kubeconfig.")
@click.option(
    "--listen",
    type=_types.ADDRESS,
    help="Address of /healthz, /readyz and /metrics. Default: 127.0.0.1:8080; '' = none.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default: info.")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Objects worked on at the same time. Default: 64.")
@click.option(
    "--lease-seconds", type=click.FloatRange(1, 120), help="How long a vanished leader is waited for. Default: 15."
)
@click.option(
    "--watch-namespace",
    "watch_namespaces",
    type=_types.NAMESPACE,
    multiple=True,
    help="Namespace to serve; repeatable. Default: all.",
)
@click.option(
    "--cluster-stores/--no-cluster-stores",
    envvar="KEYWRIGHT_CLUSTER_STORES",
    show_envvar=True,
    default=None,
    help="Whether to serve ClusterKeyStores and ClusterKeyIssuers, or not even list them. Default: serve.",
)
@click.option("--allow-loopback-stores", is_flag=True, default=None, help="Let stores be on loopback (development).")
@click.option(
    "--allow-store-network",
    "store_networks",
    multiple=True,
    metavar="CIDR",
    help="Private network that KeyStores and KeyIssuers may reach; repeatable.",
)
@click.option(
    "--file-store-root",
    type=_types.FOLDER,
    help="Folder below which ClusterKeyStores may read encrypted files. Default: none.",
)
@click.option(
    "--rotations/--no-rotations",
    envvar="KEYWRIGHT_ROTATIONS",
    show_envvar=True,
    default=None,
    help="Whether to rotate credentials whose objects ask for it. Default: not.",
)
@click.option(
    "--rollouts/--no-rollouts",
    envvar="KEYWRIGHT_ROLLOUTS",
    show_envvar=True,
    default=None,
    help="Whether to restart workloads for objects that ask for it. Default: not.",
)
@click.option(
    "--probes/--no-probes",
    envvar="KEYWRIGHT_PROBES",
    show_envvar=True,
    default=None,
    help="Whether to ask issuers if credentials are alive. Default: ask.",
)
@click.option(
    "--allow-issuer-endpoint",
    "issuer_endpoints",
    multiple=True,
    type=_types.ORIGIN,
    help="Address that credentials may name as their issuer's endpoint; repeatable.",
)
@click.option(
    "--issuer-ca-file",
    type=_types.FILE,
    envvar="KEYWRIGHT_ISSUER_CA_FILE",
    show_envvar=True,
    help="CA certificates (PEM) that allowed endpoints of issuers may chain to, beside the public ones.",
)
@click.option(
    "--issuer-formats",
    type=_types.FILE,
    envvar="KEYWRIGHT_ISSUER_FORMATS",
    show_envvar=True,
    help="YAML file of forms that credentials have, beside and instead of those that are built in.",
)
@click.option(
    "--condemn-seconds",
    type=click.FloatRange(1, 86400),
    help="How long an issuer must refuse a credential before that is believed. Default: 600.",
)
@click.option(
    "--give-up-seconds",
    type=click.FloatRange(1, 86400),
    help="How long a rotation is kept whose object is gone, and its store or its issuer too. Default: 600.",
)
@click.option(
    "--audit-mode",
    type=click.Choice(["require", "best-effort", "off"]),
    help="What acts do that must be recorded first, while nothing can be; syncs go on. Default: require.",
)
@click.option(
    "--audit-capacity",
    type=click.IntRange(1, 4096),
    help="MiB that the audit segments in the cluster may have. Default: 64.",
)
@click.option(
    "--audit-sink",
    "audit_sinks",
    multiple=True,
    type=_types.SINK,
    help="Where copies of the audit trail go: https://host/path or s3://bucket/prefix, with options; repeatable.",
)
@click.option(
    "--metrics-detail", type=click.Choice(["namespace", "object"]), help="Grain of age metrics. Default: namespace."
)
@click.option(
    "--ghost-check-seconds",
    type=click.FloatRange(1, 86400),
    help="How often to list for missed deletions. Default: 600.",
)
def command(**flags: object) -> None:
    """Run the operator."""
    try:
        chosen = settings.from_environment(flags)
    except ValueError:
        raise click.BadParameter("a network is written like 10.0.0.0/8", param_hint="--allow-store-network") from None
    _see_sinks(chosen)
    logs.configure(chosen.log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            code = runner.run(_run(chosen))
        except OSError as refused:
            if not isinstance(refused, socket.gaierror) and refused.errno not in _NOT_TO_BE_LISTENED_AT:
                raise
            raise click.ClickException(
                f"cannot listen at {chosen.listen}; choose another address by --listen"
            ) from None
        # Kopf would now wait seconds for tasks of ours; nothing is left that needs an ending.
        logging.shutdown()
        os._exit(code)


def _see_sinks(chosen: Settings) -> None:
    """Refuse sinks that may not be used, or not together."""
    from ..audit import sinks

    try:
        sinks.read_all(chosen.audit_sinks, loopback=chosen.allow_loopback_stores)
    except errors.Stalled as wrong:
        said = f"{wrong.message}{f'. {wrong.hint}' if wrong.hint else ''}"
        raise click.BadParameter(said, param_hint="--audit-sink") from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop: uvloop's, which spares a tenth of the work, where there is one."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _run(chosen: Settings) -> Exit:
    """Run until stopped, or until the Lease is lost; return the exit code."""
    from .. import cluster, health, lease
    from ..engine import record_keeping
    from ..engine.app import App

    logs.watch_loop(asyncio.get_running_loop())
    api = await cluster.Cluster.connect(chosen)
    held = lease.Lease(api, chosen.namespace, chosen.identity, chosen.lease_seconds)
    app = App(chosen, api, held, await record_keeping.identity(chosen, api))
    probes = health.Health(lambda: not held.held or app.ready.is_set())
    beat = asyncio.create_task(probes.beat())
    runner = await probes.serve(chosen.listen) if chosen.listen else None
    stop = asyncio.Event()
    _on_signals(stop)
    stopping: asyncio.Task[object] = asyncio.create_task(stop.wait())
    try:
        acquiring = asyncio.create_task(held.acquire())
        if await _first(stopping, acquiring) is stopping:
            return Exit.FINE
        if acquiring.exception():
            return _explain(acquiring, lost=False)
        api.fence = held.fence
        code = await _lead(chosen, api, held, app, stopping=stopping, stop=stop)
        await app.stop()
        return code
    finally:
        beat.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING):
                await held.release()
                if runner:
                    await runner.cleanup()


async def _lead(
    chosen: Settings,
    api: cluster.Cluster,
    held: lease.Lease,
    app: App,
    *,
    stopping: asyncio.Task[object],
    stop: asyncio.Event,
) -> Exit:
    """Do the work of a leader until that ends; return the exit code."""
    from .. import handlers

    working, keeping = asyncio.create_task(app.run()), asyncio.create_task(held.keep(app.resume))
    ended = await _first(stopping, working, keeping, asyncio.create_task(app.ready.wait()))
    if app.ready.is_set():
        # What is loaded now stays: looking through it again and again is wasted time. So is looking every 700 objects.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GARBAGE)
        started = asyncio.Event()
        listening = asyncio.create_task(handlers.run(app, api, chosen.watch_namespaces, started))
        await _first(asyncio.create_task(started.wait()), listening)
        # Kopf takes the signals at its start; they are ours.
        _on_signals(stop)
        ended = await _first(stopping, working, keeping, listening)
        if ended is listening and not listening.cancelled() and not listening.exception():
            # It ends without an error when it has been told to: by a signal that came before they were ours.
            return Exit.FINE
    if ended is stopping or stop.is_set():
        return Exit.FINE
    return _explain(ended, lost=ended is keeping)


def _on_signals(stop: asyncio.Event) -> None:
    """End in order on SIGTERM and SIGINT."""
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)


async def _first(*tasks: asyncio.Task[object]) -> asyncio.Task[object]:
    """Return the task that ended first."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return next(task for task in tasks if task in done)


def _explain(ended: asyncio.Task[object], *, lost: bool) -> Exit:
    """Log why the operator ends by itself."""
    if lost:
        log.error("the Lease was lost: ending, so that nothing is written beside the new leader")
        return Exit.FAILED
    for error in _leaves(ended.exception()):
        known = _answered(error)
        if known:
            log.error("%s: %s.%s", known.reason, known.message, f" {known.hint}." if known.hint else "")
        else:
            log.error("ending unexpectedly", exc_info=error)
    return Exit.FAILED


def _answered(error: BaseException | None) -> errors.Error | None:
    """Return an error in our words; None if we have none for it."""
    if isinstance(error, errors.Error):
        return error
    # Kopf has no public names for its errors; they tell the status of the answer.
    said = _ANSWERS.get(getattr(error, "status", 0))
    return errors.Stalled(Reason.KUBERNETES_UNAVAILABLE, *said) if said else None


def _leaves(error: BaseException | None) -> Iterator[BaseException | None]:
    """Yield what a group of exceptions is made of."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
