"""``keywright check``: how credentials are now: those of an ApiKeySecret, or one that is piped in.

Does not belong here: the checks themselves (``engine/checker.py``, ``_probing``), reading a credential (``_given``).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from .. import logs
from ..errors import Reason
from ..issuers import ISSUERS
from . import _connection, _health, _output, _probing, _recording, _types, _verdicts
from ._exit import Exit
from ._refreshing import Refreshing
from ._section import Section

if TYPE_CHECKING:
    from ..cluster import Cluster, Json

SECTION = Section.CLUSTER


@click.command("check")
@click.argument("name", type=_types.NAME, required=False)
@click.option("--timeout", type=_types.DURATION, default="60s", show_default=True, help="How long to wait.")
@click.option(
    "--stdin", is_flag=True, is_eager=True, help="Check one credential from the standard input, without a cluster."
)
@click.option("--issuer", type=click.Choice(list(ISSUERS)), help="Whose it is. Default: it is recognised by itself.")
@click.option(
    "--parts",
    type=click.Choice(["value", "lines", "json"]),
    help="How its parts stand there: one value byte for byte, lines PART=VALUE, or a JSON object."
    " Default: value; lines where several are needed.",
)
@click.option("--no-probe", is_flag=True, help="Look at its form alone: nobody is asked.")
@click.option("--endpoint", type=_types.ENDPOINT, help="Ask the issuer there; the address may be a private one.")
@click.option("--config", type=_types.FILE, help="YAML with the fields that an issuer takes beside parts.")
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
@_connection.connects
def command(
    place: _connection.Place,
    name: str | None,
    *,
    timeout: float,
    stdin: bool,
    no_probe: bool,
    output: str,
    **given: Any,
) -> None:
    """Check the credentials of an ApiKeySecret now; or with --stdin one that is piped in or typed.

    With NAME, the operator reads the stores, asks issuers anew where the object wants that, and what it tells of the
    credentials in the Secret is printed. That you asked is recorded first, in this machine's audit trail.

    With --stdin, no cluster is asked: the credential is looked at, and its issuer is asked from this machine. Nothing
    of the credential is ever printed.

    Exit code: 0 if all are alive, or as the object or --no-probe wants it not asked about; 5 if one is malformed; 6 if
    its issuer does not accept it; 7 if that could not be found out; 8 if, with nobody asked, it is of no known form;
    3 if the object is not Ready for another reason, or is suspended; 1 if it does not exist, or the wait was in vain.
    """
    question = _probing.Question(given["issuer"], given["parts"], not no_probe, given["endpoint"], given["config"])
    asked = no_probe or any(given.values())
    if stdin:
        _refuse_cluster(place, name)
        if not question.issuer and (question.layout or question.config or question.endpoint):
            raise click.UsageError("--parts, --endpoint and --config need --issuer.")
        logs.configure(place.log_level)
        found = question.answer()
        found.show(output)
        click.get_current_context().exit(found.code)
    if not name or asked:
        raise click.UsageError("Name an ApiKeySecret, or give a credential by --stdin; the other options go with that.")
    _connection.run(place, lambda api: _of_object(api, place, name, timeout, output))


def _refuse_cluster(place: _connection.Place, name: str | None) -> None:
    if name or place.namespace or place.context or place.kubeconfig:
        raise click.UsageError("--stdin asks no cluster: it goes neither with NAME nor with options that choose one.")


async def _of_object(api: Cluster, place: _connection.Place, name: str, timeout: float, output: str) -> Exit:
    asking = Refreshing(api, place.namespace_in(api))
    await asking.ask((name,))
    why = await asking.wait(timeout, place.operator_namespace)
    for line in asking.undone(why):
        click.echo(_output.printable(line), err=True)
    item = asking.done.get(name)
    if item or name in asking.waiting:
        _recording.checked(asking.namespace, name, item)
    if item:
        return _told(item, output)
    return Exit.NOT_READY if asking.suspended else Exit.FAILED


def _told(item: Json, output: str) -> Exit:
    """Print how an object and its credentials are; return the exit code."""
    health, credentials = _health.of(item), _verdicts.of(item)
    meta = item["metadata"]
    if output == "table":
        _show(f"{meta['namespace']}/{meta['name']}", health, credentials)
    else:
        about = {"namespace": meta["namespace"], "name": meta["name"], **dataclasses.asdict(health)}
        _output.structured(output, {**about, "credentials": credentials})
    return _verdicts.code(health, credentials)


def _show(title: str, health: _health.Health, credentials: list[dict[str, Any]]) -> None:
    page = _output.Page()
    ready = {"True": "Ready", "False": "not Ready"}.get(health.ready, health.ready)
    page.line(f"{title}: {ready} ({health.reason or 'no reason'})")
    if health.ready != "True" or health.reason != Reason.SYNCED:
        page.below(health.message)
    page.line()
    if credentials:
        _verdicts.show(page, credentials)
    else:
        page.line("The Secret holds no credential that is known: spec.credentials says which entries are.")
