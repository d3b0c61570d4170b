"""``python -m controlplane [start|build]``: a control plane and OpenBao by hand.

Does not belong here: how they are built and started (``build``, ``kubernetes``, ``openbao``).
"""

from __future__ import annotations

import pathlib
import signal
import tempfile
import threading

import click

from . import BuildError, ControlPlane, OpenBao, StartError, Workloads, assets, runners


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Real servers on loopback. Without a command: start."""
    if context.invoked_subcommand is None:
        context.invoke(start)


@main.command()
def build() -> None:
    """Build what of the control plane is not built yet: minutes the first time, kept for this user."""
    try:
        assets()
        runners()
    except BuildError as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.pass_context
def start(context: click.Context) -> None:
    """Start a control plane whose pods seem to run, and OpenBao; print how to reach them, and end both at Ctrl-C."""
    context.invoke(build)
    try:
        with tempfile.TemporaryDirectory(prefix="keywright-") as place:
            folder = pathlib.Path(place)
            with (
                ControlPlane.start(folder / "kubernetes") as plane,
                Workloads.start(plane, folder / "workloads"),
                OpenBao.start(folder / "openbao") as bao,
            ):
                click.echo(f"export KUBECONFIG={plane.kubeconfig}")
                click.echo(f"export VAULT_ADDR={bao.url} VAULT_TOKEN={bao.root_token}")
                click.echo("Ctrl-C ends both.", err=True)
                _wait_for_the_end()
    except StartError as error:
        raise click.ClickException(str(error)) from None


def _wait_for_the_end() -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()


if __name__ == "__main__":
    main(prog_name="python -m controlplane")
