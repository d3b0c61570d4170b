"""Where the story plays: a control plane of its own, or the current kube context; with OpenBao and the operator.

Whatever is started or made here ends here, in whatever way the story ends.

Does not belong here: the story.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import yaml

import installation
from controlplane import ControlPlane, OpenBao
from installation import OperatorProcess
from keywright import crd, lease, pacing
from vendors import VendorServer, serving

from .telling import Broken

#: Seconds by which the clocks of this machine and of the cluster may differ.
_CLOCKS = 30.0


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A cluster that the demo may use.

    Attributes:
        context: of the kubeconfig; None: its current one.
        system: the operator's namespace.
        plane: the control plane, if it is the demo's own.
        operator_kubeconfig: how the operator reaches it.
        flags: the operator's flags.
    """

    kubeconfig: str
    context: str | None
    namespace: str
    system: str
    operator_kubeconfig: str
    flags: tuple[str, ...] = ()
    plane: ControlPlane | None = None

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it printed.

        Raises:
            Broken: it failed.
        """
        command = [str(installation.KUBECTL), f"--kubeconfig={self.kubeconfig}"]
        command += [f"--context={self.context}"] if self.context else []
        done = subprocess.run(
            [*command, *arguments], input=stdin, capture_output=True, text=True, check=False, start_new_session=True
        )
        if done.returncode:
            raise Broken(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def keywright(self, *arguments: str) -> tuple[int, str]:
        """Run a command of Keywright as a person with rights; return its exit code and what it printed."""
        command = self._command(*arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False, start_new_session=True)
        return done.returncode, done.stdout or done.stderr

    async def keywright_meanwhile(self, *arguments: str) -> tuple[int, str]:
        """Do the same while other things go on; it ends with whoever waits for it."""
        pipe = asyncio.subprocess.PIPE
        command = self._command(*arguments)
        running = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, start_new_session=True)
        try:
            out, err = await running.communicate()
        finally:
            if running.returncode is None:
                running.kill()
                await running.communicate()
        return running.returncode or 0, (out or err).decode()

    def _command(self, *arguments: str) -> list[str]:
        reach = [f"--kubeconfig={self.kubeconfig}", f"--operator-namespace={self.system}"]
        reach += [f"--context={self.context}"] if self.context else []
        return [sys.executable, "-m", "keywright", *arguments, *reach]


@dataclasses.dataclass(frozen=True)
class Place:
    """All that the story needs."""

    cluster: Cluster
    bao: OpenBao
    operator: OperatorProcess
    issuer: VendorServer


@contextlib.contextmanager
def own_cluster(folder: pathlib.Path) -> Iterator[Cluster]:
    """Start a control plane with Keywright installed, so that it may rotate keys."""
    with ControlPlane.start(folder / "kubernetes", crd.manifests()) as plane:
        kubeconfig = installation.install(plane, "keywright-system", {"rotation": {"enabled": True}})
        installation.create(plane, "/api/v1/namespaces", {"metadata": {"name": "team-a"}})
        yield Cluster(str(plane.kubeconfig), None, "team-a", "keywright-system", str(kubeconfig), plane=plane)


def current_cluster() -> Cluster:
    """Return the cluster of the current kube context, with names for namespaces that are not there yet.

    Raises:
        Broken: there is no current context, or Keywright runs there already.
    """
    kubeconfig = os.environ.get("KUBECONFIG") or str(pathlib.Path.home() / ".kube" / "config")
    name = f"keywright-demo-{secrets.token_hex(3)}"
    found = Cluster(kubeconfig, None, name, f"{name}-system", kubeconfig)
    context = found.kubectl("config", "current-context").strip()
    flags = (f"--context={context}", f"--watch-namespace={name}")
    chosen = dataclasses.replace(found, context=context, flags=flags)
    if there := _running_in(chosen):
        raise Broken(
            f"Keywright already runs in this cluster, in namespace {there}, and would serve the demo's namespace too:"
            " choose another kube context, or let it play on servers of its own with make demo"
        )
    return chosen


def _running_in(cluster: Cluster) -> str | None:
    """Return the namespace of an operator that gave a sign of life a short while ago."""
    leases = json.loads(
        cluster.kubectl("get", "leases", "-A", f"--field-selector=metadata.name={lease.NAME}", "-o=json")
    )
    for each in leases["items"]:
        spec = each["spec"]
        renewed = pacing.unix(spec.get("renewTime"))
        limit = float(spec.get("leaseDurationSeconds") or 0) + _CLOCKS
        if spec.get("holderIdentity") and renewed is not None and time.time() - renewed < limit:
            return str(each["metadata"]["namespace"])
    return None


@contextlib.contextmanager
def borrowed(cluster: Cluster) -> Iterator[Cluster]:
    """Make what the demo needs in somebody's cluster, and remove it in the end."""
    missing = [each for each in crd.manifests() if not _has(cluster, each["metadata"]["name"])]
    names = [each["metadata"]["name"] for each in missing]
    try:
        for each in missing:
            cluster.kubectl("create", "-f", "-", stdin=yaml.safe_dump(each))
        if names:
            cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{each}" for each in names))
        for namespace in (cluster.namespace, cluster.system):
            cluster.kubectl("create", "namespace", namespace)
        yield cluster
    finally:
        with _undisturbed():
            gone = ["delete", "--ignore-not-found", "--wait", "--timeout=120s"]
            cluster.kubectl(*gone, "namespace", cluster.namespace, cluster.system)
            if names:
                cluster.kubectl(*gone, "crd", *names)


@contextlib.contextmanager
def furnished(cluster: Cluster, folder: pathlib.Path, *flags: str) -> Iterator[Place]:
    """Start OpenBao, with TLS as in earnest, a server that answers as OpenAI does, and the operator.

    Args:
        flags: more of the operator's.
    """
    with OpenBao.start_raft(folder / "openbao") as bao, serving("openai") as issuer:
        flags = (*cluster.flags, *flags, f"--allow-issuer-endpoint={issuer.url}")
        operator = OperatorProcess(cluster.operator_kubeconfig, cluster.system, folder, *flags)
        try:
            operator.wait()
            yield Place(cluster, bao, operator, issuer)
        finally:
            with _undisturbed():
                operator.stop()


def _has(cluster: Cluster, name: str) -> bool:
    return bool(cluster.kubectl("get", "crd", name, "--ignore-not-found", "-o", "name"))


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Clean up to the end, whatever is pressed meanwhile."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
