"""``python -m demo [--cluster own|current] [--yes] [--rotate]``: plays a story; exits 1 if it goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import signal
import sys
import tempfile

import click

from controlplane import BuildError, StartError, assets
from keywright import errors
from keywright.cluster import Cluster
from keywright.settings import Settings

from . import place
from .rotations import FEWEST, Rotations
from .story import Story
from .telling import Broken, Teller
from .watching import Watching

#: What is shown of the objects when something went wrong.
_STATE = ("get", "kst,aks", "-o=wide")
#: What the operator of the second story is told: that a Lease is not waited for long, and a bad key is one soon.
_ROTATING = ("--rotations", "--condemn-seconds=10", "--lease-seconds=6")


@click.command()
@click.option("--cluster", type=click.Choice(["own", "current"]), default="own", help="Where to play.")
@click.option("--yes", is_flag=True, help="Do not ask before using the current kube context.")
@click.option("--rotate", is_flag=True, help="Play the story of rotations instead.")
@click.option("--rotations", type=click.IntRange(FEWEST), default=10, help="How many rotations. Default: 10.")
def main(*, cluster: str, yes: bool, rotate: bool, rotations: int) -> None:
    """Show the story of one key on real servers."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: signal.raise_signal(signal.SIGINT))
    teller = Teller(100 if rotate else 120)
    try:
        _play(teller, cluster, yes=yes, rotations=rotations if rotate else 0)
    except (Broken, BuildError, StartError, errors.Error) as error:
        teller.failed(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _play(teller: Teller, cluster: str, *, yes: bool, rotations: int) -> None:
    """Set the stage, play, and clear it away.

    Args:
        rotations: in the story of rotations; 0: the other one is played.
    """
    about = "a client that calls on, whatever becomes of its key" if rotations else "the story of a key"
    teller.say(f"Keywright, cert-manager for API keys: {about}, on real servers.", "bold")
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keywright-demo-")))
        stack.callback(teller.say, "Everything that was started or made for it is gone again.")
        if cluster == "own":
            # Says itself what it builds and how long that takes, the first time.
            assets()
            setting = place.own_cluster(folder)
        else:
            setting = place.borrowed(_chosen(teller, yes=yes))
        flags = _ROTATING if rotations else ()
        with teller.waiting("Starting OpenBao, Keywright and what else is needed"):
            stage = stack.enter_context(place.furnished(stack.enter_context(setting), folder, *flags))
        try:
            asyncio.run(_tell(stage, teller, folder, rotations))
        except Broken:
            teller.command(
                "kubectl get kst,aks", stage.cluster.kubectl(*_STATE, f"--namespace={stage.cluster.namespace}")
            )
            teller.show("".join(stage.operator.log.read_text().splitlines(keepends=True)[-10:]))
            raise


def _chosen(teller: Teller, *, yes: bool) -> place.Cluster:
    """Return the cluster of the current kube context, if that is really meant."""
    found = place.current_cluster()
    where = f"namespaces {found.namespace} and {found.system}, removed in the end"
    teller.say(f"It will use kube context {found.context}: {where}.")
    if not yes:
        click.confirm("Go on?", abort=True)
    return found


async def _tell(stage: place.Place, teller: Teller, folder: pathlib.Path, rotations: int) -> None:
    where = stage.cluster
    api = await Cluster.connect(Settings(kubeconfig=where.kubeconfig, context=where.context))
    try:
        seen = Watching(api, where.namespace)
        async with seen.going_on():
            if rotations:
                await Rotations(stage, api, seen, teller, rotations=rotations, folder=folder).play()
            else:
                await Story(stage, api, seen, teller).play()
    finally:
        await api.close()


if __name__ == "__main__":
    main()
