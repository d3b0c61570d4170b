"""What makes Deployments roll: workload controllers, a scheduler, and kwok, which plays a made-up node's kubelet.

Pods become Running and Ready within a second, and end when they are deleted; no container runs. What a pod would read
is read from the Secret by whoever wants to know.

Does not belong here: the control plane itself (``kubernetes``), building the binaries (``build``).
"""

from __future__ import annotations

import contextlib
import pathlib
from typing import Self

from . import build, processes
from .kubernetes import ControlPlane, Json

NODE = "made-up"
_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "daemonset-controller",
    "job-controller",
    "cronjob-controller",
)
_ROOM = {"cpu": "1000", "memory": "1000Gi", "pods": "10000"}


class Workloads(processes.Group):
    """The servers that run a control plane's pods; they end with the process that started them."""

    @classmethod
    def start(cls, plane: ControlPlane, folder: pathlib.Path) -> Self:
        """Start them, and return once a pod can run."""
        folder.mkdir(parents=True, exist_ok=True)
        controllers, runners = build.assets().controller_manager, build.runners()
        made = cls(folder)
        with contextlib.ExitStack() as undo:
            undo.callback(made.stop)
            common = [f"--kubeconfig={plane.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
            for name, command in {
                "workload-controllers": [str(controllers), *common, f"--controllers={','.join(_CONTROLLERS)}"],
                "kube-scheduler": [str(runners.scheduler), *common],
                "kwok": [
                    str(runners.kwok),
                    f"--kubeconfig={plane.kubeconfig}",
                    "--manage-all-nodes=true",
                    # Not what the user may have for clusters of his own.
                    f"--config={_config(folder)}",
                ],
            }.items():
                made._servers.append(processes.Server(name, command, folder))
            made._servers[-1].wait_for(lambda: _has_node(plane))
            undo.pop_all()
        return made


def _config(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "kwok.yaml"
    path.write_text("kind: KwokConfiguration\napiVersion: config.kwok.x-k8s.io/v1alpha1\n")
    return path


def _has_node(plane: ControlPlane) -> bool:
    """Make the node, if it is not there; return whether pods can be put on it."""
    path = f"/api/v1/nodes/{NODE}"
    status, node = plane.request("GET", path)
    if status == 404:
        body: Json = {"metadata": {"name": NODE}, "status": {"capacity": _ROOM, "allocatable": _ROOM}}
        plane.request("POST", "/api/v1/nodes", body)
        # That it is not ready is what an admission plugin says of each new node; nobody here takes it back.
        plane.request("PATCH", path, {"spec": {"taints": None}}, "application/merge-patch+json")
        return False
    conditions = {each["type"]: each["status"] for each in node["status"].get("conditions") or ()}
    return conditions.get("Ready") == "True"
