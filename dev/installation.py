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

from controlplane import ControlPlane, Server, StartError, free_ports

Json = dict[str, Any]

KUBECTL = pathlib.Path(sys.executable).parent / "kubectl"
#: Python keeps what it compiled, as an image has it: a start is not measured with compiling everything anew.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
_RBAC = "/apis/rbac.authorization.k8s.io/v1"

#: What the operator may do where it serves, and in its own namespace.
_SERVED: list[Json] = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]},
    {
        "apiGroups": ["keywright.dev"],
        "resources": ["apikeysecrets", "keystores", "clusterkeystores"],
        "verbs": ["get", "list", "watch"],
    },
    {
        "apiGroups": ["keywright.dev"],
        "resources": ["apikeysecrets/status", "keystores/status", "clusterkeystores/status"],
        "verbs": ["patch"],
    },
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
]
_OWN: list[Json] = [
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}
]


def install(plane: ControlPlane, namespace: str) -> pathlib.Path:
    """Make the operator's namespace and its rights; return a kubeconfig for its ServiceAccount.

    Raises:
        StartError: the API server refuses something.
    """
    create(plane, "/api/v1/namespaces", {"metadata": {"name": namespace}})
    subjects = [{"kind": "ServiceAccount", "name": "keywright", "namespace": namespace}]
    for kind, place, rules in (("ClusterRole", "", _SERVED), ("Role", f"/namespaces/{namespace}", _OWN)):
        create(plane, f"{_RBAC}{place}/{kind.lower()}s", {"metadata": {"name": "keywright"}, "rules": rules})
        role = {"kind": kind, "name": "keywright", "apiGroup": "rbac.authorization.k8s.io"}
        binding = {"metadata": {"name": "keywright"}, "roleRef": role, "subjects": subjects}
        create(plane, f"{_RBAC}{place}/{kind.lower()}bindings", binding)
    return plane.kubeconfig_for(namespace, "keywright")


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

    def stop(self) -> None:
        """End it in order."""
        self._server.stop(20)
