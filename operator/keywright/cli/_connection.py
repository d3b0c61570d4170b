"""What commands that talk to the cluster share: their options, the connection, and its refusals in a person's words.

Does not belong here: what a command asks (its file), what it prints (``_output``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from .. import errors, logs, settings
from ..errors import Reason
from . import _types
from ._exit import Exit

if TYPE_CHECKING:
    from ..cluster import Cluster, Json, Refused, Resource

#: How the cluster calls a watch, and the kinds that are in no namespace.
_WATCH, _CLUSTER_SCOPED = "a watch of ", ("namespaces", "clusterkeystores")
_NO_CRDS = "Install Keywright, or at least its CRDs: keywright crds | kubectl apply -f -"


class _Variable(click.Option):
    """An option whose variable counts only where a cluster is asked: `check --stdin` asks none."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        return None if ctx.params.get("stdin") else super().resolve_envvar_value(ctx)


_OPTIONS = (
    click.option("--context", help="Context of the kubeconfig. Default: its current one."),
    click.option(
        "--kubeconfig",
        cls=_Variable,
        type=_types.KUBECONFIG,
        envvar="KUBECONFIG",
        show_envvar=True,
        help="How to reach the cluster.",
    ),
    click.option(
        "--operator-namespace",
        cls=_Variable,
        type=_types.NAMESPACE,
        envvar="KEYWRIGHT_NAMESPACE",
        show_envvar=True,
        default=settings.DEFAULT_NAMESPACE,
        show_default=True,
        help="Where the operator runs.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="error",
        show_default=True,
        help="How much is told of what goes on, to stderr.",
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Which cluster, and where in it.

    Attributes:
        namespace: as given; None: the context's.
        log_level: how much is logged to stderr.
    """

    namespace: str | None
    context: str | None
    kubeconfig: str | None
    operator_namespace: str
    log_level: str

    def namespace_in(self, api: Cluster) -> str:
        """Return the namespace that is meant."""
        return self.namespace or api.namespace or "default"


def connecting(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a command the options that say which cluster; it gets them as one ``place``.

    Args:
        default: the namespace that is meant where none is given, in words.
    """
    named = click.option("-n", "--namespace", type=_types.NAMESPACE, help=f"Namespace. Default: {default}.")

    return functools.partial(_with, (named, *_OPTIONS))


def reaches(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which cluster; it gets them as one ``place``, without a namespace."""
    return _with(_OPTIONS, function)


def _with(options: Sequence[Callable[[Any], Any]], function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def command(**given: Any) -> None:
        place = Place(**{field.name: given.pop(field.name, None) for field in dataclasses.fields(Place)})
        function(place, **given)

    return functools.reduce(lambda made, option: option(made), reversed(options), command)


#: For commands that work in one namespace.
connects = connecting("the context's, else default")


def run(place: Place, work: Callable[[Cluster], Awaitable[Exit]]) -> NoReturn:
    """Connect, let a command work, and end with the exit code that it returns.

    Raises:
        errors.Error: in words for whoever sits at the terminal.
    """
    logs.configure(place.log_level)
    click.get_current_context().exit(asyncio.run(_connected(place, work)))


async def _connected(place: Place, work: Callable[[Cluster], Awaitable[Exit]]) -> Exit:
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


def explained(refused: Refused, host: str, verb: str = "") -> errors.Error:
    """Say what an answer 4xx of the API server means to a person.

    Args:
        verb: the right that was used, where it is neither ``get`` nor ``list``.
    """
    if refused.status == 400:
        hint = "Check the address of the cluster in the kubeconfig; it should begin with https://"
        return errors.Stalled(refused.reason, f"what answers at {host} does not understand the request (400)", hint)
    if refused.status == 401:
        hint = (
            "Log in anew, or choose another user with --context or --kubeconfig; kubectl auth whoami tells who you are"
        )
        return errors.Stalled(
            refused.reason, f"you are not logged in: the API server at {host} does not accept your login", hint
        )
    if refused.status == 403:
        hint = (
            "Ask whoever runs the cluster for the right; kubectl auth whoami tells who you are,"
            " kubectl auth can-i --list what you may"
        )
        return errors.Stalled(refused.reason, f"you have no right to {_right(refused.what, verb)}", hint)
    if refused.status == 404 and not refused.cause:
        plural = refused.what.removeprefix(_WATCH).partition("/")[0]
        return errors.Stalled(refused.reason, f"this cluster does not know {plural}: the CRDs are missing", _NO_CRDS)
    return refused


def _right(what: str, verb: str) -> str:
    """Return which right a request needs, in words: ``list apikeysecrets in namespace team-a``."""
    plural, *rest = what.removeprefix(_WATCH).split("/")
    if what.startswith(_WATCH):
        return f"watch {plural}"
    if plural in _CLUSTER_SCOPED:
        return f"{verb or 'get'} {plural} {rest[0]}" if rest else f"{verb or 'list'} {plural}"
    named = f" {rest[1]}" if len(rest) > 1 else ""
    where = f" in namespace {rest[0]}" if rest else " in all namespaces"
    return f"{verb or ('get' if named else 'list')} {plural}{named}{where}"


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
