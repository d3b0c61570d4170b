"""A release of the chart on a real control plane, and the operator that its Deployment describes.

Nothing there runs pods: the operator is a process here, with the Deployment's arguments and ServiceAccount.
"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Callable
from typing import Any

import helm
from controlplane import ControlPlane
from installation import OperatorProcess

Json = dict[str, Any]


class Release:
    """One release.

    Args:
        name: unique in the cluster, because ClusterRoles are named by it.
    """

    def __init__(self, plane: ControlPlane, name: str, namespace: str) -> None:
        self.plane, self.name, self.namespace = plane, name, namespace

    def install(self, **values: Any) -> str:
        """Do ``helm install``."""
        return self._run("install", values, "--create-namespace")

    def upgrade(self, **values: Any) -> str:
        """Do ``helm upgrade``; values that are not named are the chart's."""
        return self._run("upgrade", values, "--reset-values")

    def uninstall(self) -> str:
        """Do ``helm uninstall``, of what may be uninstalled already."""
        place = (f"--namespace={self.namespace}", "--ignore-not-found")
        return helm.run("uninstall", self.name, *place, kubeconfig=self.plane.kubeconfig)

    def _run(self, verb: str, values: Json, *flags: str) -> str:
        # The name by which dev/installation.py knows it.
        given = {"serviceAccount": {"name": "keywright"}, **values}
        place = f"--namespace={self.namespace}"
        return helm.run(verb, self.name, str(helm.CHART), place, *flags, values=given, kubeconfig=self.plane.kubeconfig)

    def get(self, path: str) -> Json | None:
        """Return something of the API server, None if it is not there."""
        status, found = self.plane.request("GET", path)
        assert status in (200, 404), found
        return found if status == 200 else None

    def deployment(self) -> Json:
        """Return the one Deployment."""
        found = self.get(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")
        assert found
        (only,) = found["items"]
        assert isinstance(only, dict)
        return only

    def operator(
        self, folder: pathlib.Path, server: str | None = None, ca_file: pathlib.Path | None = None
    ) -> OperatorProcess:
        """Start the operator as the Deployment has it, and wait until it works.

        Args:
            server: another way to the API server, for example a fault proxy, with its CA.
        """
        (container,) = self.deployment()["spec"]["template"]["spec"]["containers"]
        flags = [each for each in container["args"][1:] if not each.startswith("--listen=")]
        account = self.deployment()["spec"]["template"]["spec"]["serviceAccountName"]
        config = self.plane.kubeconfig_for(self.namespace, account, server=server, ca_file=ca_file)
        process = OperatorProcess(config, self.namespace, folder, *flags)
        process.wait()
        return process


def until(there: Callable[[], bool], what: str) -> None:
    """Wait until something holds."""
    ends = time.monotonic() + 45
    while not there():
        assert time.monotonic() < ends, f"in vain waited for: {what}"
        time.sleep(0.05)
