"""What commands that talk to the cluster share: their options, the connection, and its refusals in a person's words.

Does not belong here: what a command asks (its file), what it prints (``_output``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .. import errors, logs, settings
from ..errors import Reason

if TYPE_CHECKING:
    from ..cluster import Cluster, Json, Refused, Resource

#: Exit codes beside 0 (as it should be), 1 (failed or refused) and click's own 2 (wrong usage).
NOT_READY, CHANGES = 3, 4

_NO_CRDS = "Install Keywright, or at least its CRDs: keywright crds | kubectl apply -f -"

_OPTIONS = (
    click.option("-n", "--namespace", help="Namespace. Default: the context's, else default."),
    click.option("--context", help="Context of the kubeconfig. Default: its current one."),
    click.option("--kubeconfig", type=click.Path(), envvar="KUBECONFIG", help="How to reach the cluster."),
    click.option(
        "--operator-namespace",
        envvar="KEYWRIGHT_NAMESPACE",
        default=settings.DEFAULT_NAMESPACE,
        show_default=True,
        help="Where the operator runs.",
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Which cluster, and where in it.

    Attributes:
        namespace: as given; None: the context's.
    """

    namespace: str | None
    context: str | None
    kubeconfig: str | None
    operator_namespace: str

    def namespace_in(self, api: Cluster) -> str:
        """Return the namespace that is meant."""
        return self.namespace or api.namespace or "default"


def connects(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which cluster; it gets them as one ``place``."""

    @functools.wraps(function)
    def command(
        namespace: str | None, context: str | None, kubeconfig: str | None, operator_namespace: str, **rest: Any
    ) -> None:
        function(Place(namespace, context, kubeconfig, operator_namespace), **rest)

    return functools.reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def run(place: Place, work: Callable[[Cluster], Awaitable[int]]) -> NoReturn:
    """Connect, let a command work, and end with the exit code that it returns.

    Raises:
        errors.Error: in words for whoever sits at the terminal.
    """
    logs.configure("error")
    click.get_current_context().exit(asyncio.run(_connected(place, work)))


async def _connected(place: Place, work: Callable[[Cluster], Awaitable[int]]) -> int:
    from ..cluster import Cluster, Refused

    chosen = settings.Settings(kubeconfig=place.kubeconfig, context=place.context)
    api = await Cluster.connect(chosen)
    try:
        return await work(api)
    except Refused as refused:
        raise explained(refused, api.host) from None
    except errors.Retry as error:
        if error.reason is not Reason.KUBERNETES_UNAVAILABLE:
            raise
        hint = "Check --kubeconfig, --context, and that this machine reaches the cluster: kubectl version"
        raise errors.Retry(error.reason, f"the API server at {api.host} does not answer", hint) from None
    finally:
        await api.close()


def explained(refused: Refused, host: str) -> errors.Error:
    """Say what an answer 4xx of the API server means to a person."""
    if refused.status == 401:
        hint = "Log in anew, or choose another user with --context or --kubeconfig"
        return errors.Stalled(refused.reason, f"the API server at {host} does not accept your login", hint)
    if refused.status == 403:
        hint = "Ask whoever runs the cluster for the right; kubectl auth can-i --list tells those that you have"
        return errors.Stalled(refused.reason, f"the API server answered 403 for {refused.what}", hint)
    if refused.status == 404 and not refused.cause:
        return errors.Stalled(refused.reason, f"this cluster does not know {refused.what.partition('/')[0]}", _NO_CRDS)
    return refused


async def read(api: Cluster, resource: Resource, kind: str, namespace: str | None, name: str) -> Json:
    """Return an object.

    Raises:
        errors.Stalled: there is none of that name.
        cluster.Refused: anything else that is wrong.
    """
    from ..cluster import Refused

    try:
        return await api.call("GET", resource, namespace, name)
    except Refused as refused:
        if refused.status != 404 or not refused.cause:
            raise
    raise unknown(kind, namespace, name)


def unknown(kind: str, namespace: str | None, name: str) -> errors.Stalled:
    """Make the error for an object that does not exist."""
    where = f" in namespace {namespace}" if namespace else ""
    hint = f"See what there is: kubectl get {kind.lower()}s{f' --namespace={namespace}' if namespace else ''}"
    return errors.Stalled(Reason.NOT_FOUND, f"{kind} {name} does not exist{where}", hint)
