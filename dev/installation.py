"""Keywright out of this checkout against a running cluster: its rights and its operator process.

Does not belong here: servers (``controlplane``), what is done with all of it (demo, benchmarks).
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import sys
from typing import Any

import psutil
import requests

import helm
from controlplane import ControlPlane, Server, StartError, free_ports

Json = dict[str, Any]

KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
#: Python keeps what it compiled, as an image has it: a start is not measured with compiling everything anew.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}

_POLICIES = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
#: What of the chart an operator out of this checkout needs.
_NEEDED = ("ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", *_POLICIES)


def install(plane: ControlPlane, namespace: str, values: Json | None = None) -> pathlib.Path:
    """Make the operator's namespace, its rights and policies as the chart has them; return a kubeconfig for it.

    Args:
        values: of the chart.

    Raises:
        StartError: the API server refuses something.
        helm.HelmError: the chart cannot be rendered.
    """
    create(plane, "/api/v1/namespaces", {"metadata": {"name": namespace}})
    for each in helm.template("keywright", namespace, values):
        if each["kind"] in _NEEDED:
            create(plane, collection(each), each)
    return plane.kubeconfig_for(namespace, "keywright")


def collection(manifest: Json) -> str:
    """Return the path under which objects of a manifest's kind are, in its namespace if it names one."""
    version, space = manifest["apiVersion"], manifest["metadata"].get("namespace")
    place = f"/namespaces/{space}" if space else ""
    kind = manifest["kind"].lower()
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"/{'apis' if '/' in version else 'api'}/{version}{place}/{plural}"


def create(plane: ControlPlane, path: str, body: Json) -> None:
    """Create something as an administrator.

    Raises:
        StartError: the API server refuses it.
    """
    status, answer = plane.request("POST", path, body)
    if status != 201:
        raise StartError(f"POST {path} was answered {status}: {answer.get('message')}")


class OperatorProcess:
    """A running operator. It ends with this process.

    Args:
        kubeconfig: how it reaches the cluster.
        namespace: its own.
        folder: where its log is written.
        flags: more of its command line.
    """

    def __init__(self, kubeconfig: pathlib.Path | str, namespace: str, folder: pathlib.Path, *flags: str) -> None:
        self.user = f"system:serviceaccount:{namespace}:keywright"
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "keywright", "operator", f"--kubeconfig={kubeconfig}"]
        command += [f"--namespace={namespace}", f"--listen=127.0.0.1:{port}", "--allow-loopback-stores", *flags]
        self._server = Server("operator", command, folder, COMPILED)
        self._session = requests.Session()
        # A proxy named in the environment is not for loopback.
        self._session.trust_env = False

    @property
    def log(self) -> pathlib.Path:
        """Where it logs."""
        return self._server.log

    @property
    def process(self) -> psutil.Process:
        """The process, to be measured."""
        return psutil.Process(self._server.pid)

    def wait(self) -> None:
        """Wait until it leads and has listed everything.

        Raises:
            controlplane.StartError: it ended, or took too long.
        """
        self._server.wait_for(self.ready)

    def ready(self) -> bool:
        """Whether it leads and has listed everything."""
        with contextlib.suppress(requests.RequestException):
            ready = self._session.get(f"{self.url}/readyz", timeout=2).status_code == 200
            return ready and self.metric("keywright_leader") == 1
        return False

    def metric(self, name: str, labels: str = "") -> float:
        """Return the sum of a metric over its labels, or over those that contain a text."""
        text = self._session.get(f"{self.url}/metrics", timeout=5).text
        found = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", text, re.MULTILINE)
        return sum(float(value) for shown, value in found if labels in shown)

    def kill(self) -> None:
        """End it at once, as a machine that fails does."""
        self._server.kill()

    def start_again(self) -> None:
        """Start it anew, as Kubernetes does with what has ended.

        Raises:
            controlplane.StartError: it ended, or took too long.
        """
        self._server.restart()
        self.wait()

    def stop(self) -> None:
        """End it in order."""
        self._server.stop(20)
