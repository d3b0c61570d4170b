"""Workloads in a world, as tests arrange them and look at them.

Does not belong here: what makes their pods run (``conftest.running_pods``).
"""

from __future__ import annotations

import json
import time
from typing import Any

from build import api_key_secret, entry
from keywright import admission
from keywright.decide import consumers
from world import PATIENCE, Json, World

APPS = "/apis/apps/v1/namespaces"
PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
MERGE = "application/merge-patch+json"


def by_env(secret: str) -> Json:
    """Return how a container takes a Secret by its environment."""
    return {"envFrom": [{"secretRef": {"name": secret}}]}


def by_file(secret: str) -> Json:
    """Return how a container takes a Secret by files."""
    return {"volumeMounts": [{"name": secret, "mountPath": "/keys"}]}


def template(name: str, container: Json, **annotations: str) -> Json:
    """Return a pod template whose container takes a Secret in some way; volumes are called as their Secrets."""
    spec: Json = {"containers": [{"name": "main", "image": "none", **container}], "terminationGracePeriodSeconds": 0}
    mounts = container.get("volumeMounts", [])
    if mounts:
        spec["volumes"] = [{"name": each["name"], "secret": {"secretName": each["name"]}} for each in mounts]
    return {"metadata": {"labels": {"app": name}, "annotations": annotations}, "spec": spec}


#: A window that is open all the time.
OPEN = {"start": "* * * * *", "duration": "5m"}
BY_ENV, BY_FILE = by_env("llm"), by_file("llm")


def closed() -> Json:
    """Return a window that opens in two hours."""
    hour = (time.gmtime().tm_hour + 2) % 24
    return {"start": f"0 {hour} * * *", "duration": "5m"}


class Rolling:
    """The workloads of a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def has(self, name: str, container: Json = BY_ENV, kind: str = "Deployment", **more: Any) -> None:
        """Let there be a workload, and wait until its pods are ready."""
        notes = more.pop("annotations", {})
        made = {"selector": {"matchLabels": {"app": name}}, "template": template(name, container)}
        spec = made | ({"replicas": 1} if kind != "DaemonSet" else {}) | more
        spec |= {"serviceName": name} if kind == "StatefulSet" else {}
        body = {"metadata": {"name": name, "annotations": notes}, "spec": spec}
        self.world.must("POST", self.path(kind), body)
        self.world.until(lambda: self.ready(name, kind), f"{kind} {name} is ready")

    def has_pod(self, name: str, container: Json = BY_ENV) -> None:
        """Let there be a pod of nothing."""
        made = template(name, container)
        path = f"/api/v1/namespaces/{self.world.namespace}/pods"
        self.world.must("POST", path, {**made, "metadata": {"name": name, **made["metadata"]}})
        place = f"{path}/{name}"
        self.world.until(lambda: self.world.must("GET", place)["status"].get("phase") == "Running", f"{name} runs")

    def object(self, name: str, kind: str = "Deployment") -> Json:
        """Return a workload."""
        return self.world.must("GET", self.path(kind, name))

    def ready(self, name: str, kind: str = "Deployment") -> bool:
        """Whether all pods that a workload should have are ready."""
        found = self.object(name, kind)
        status = found.get("status", {})
        wanted = found["spec"].get("replicas", status.get("desiredNumberScheduled", 0))
        ready = status.get("numberReady", status.get("readyReplicas", 0))
        return "observedGeneration" in status and bool(ready == wanted)

    def restarts(self, name: str, kind: str = "Deployment") -> int:
        """Return how often a workload's spec was changed since it was made."""
        return int(self.object(name, kind)["metadata"]["generation"]) - 1

    def restart(self, name: str) -> None:
        """Restart a Deployment as another tool does."""
        self.patch(name, {"spec": {"template": {"metadata": {"annotations": {"other/restarted": str(time.time())}}}}})

    def patch(self, name: str, body: Json) -> None:
        """Change a Deployment."""
        self.world.must("PATCH", self.path("Deployment", name), body, MERGE)

    def mark(self, name: str, kind: str = "Deployment") -> str:
        """Return for which values a workload was restarted last; empty if it never was."""
        notes = self.object(name, kind)["spec"]["template"]["metadata"].get("annotations", {})
        return str(notes.get(consumers.annotation(f"{self.world.namespace}/llm"), ""))

    def wants(self, **rollout: Any) -> None:
        """Let the object say something else of its rollout."""
        wanted = entry("OPENAI_API_KEY", "llm/openai", "api_key")
        self.world.apply(api_key_secret("llm", wanted, rollout=rollout))
        self.world.is_ready()

    def rollout(self, phase: str, seconds: float = PATIENCE) -> Json:
        """Wait until the rollout of what the Secret holds is in a phase, and return what the status tells of it."""

        def told() -> Json | None:
            status, secret = self.world.object()["status"], self.world.secret_object() or {}
            known = status.get("target", {}).get("resourceVersion") == secret["metadata"]["resourceVersion"]
            found: Json = status.get("rollout") or {}
            return found if known and found.get("phase") == phase else None

        return self.world.until(told, lambda: f"the rollout is {phase}; it is {self.world.object()['status']}", seconds)

    def condition(self) -> tuple[str, str, str]:
        """Return what the object's condition says: status, reason, message."""
        found = self.world.condition(type_="RolledOut")
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")

    def changes(self, value: str, token: str) -> None:
        """Let the key be another one, and the Secret hold it, in a later second than whatever was there before."""
        time.sleep(1.01)
        self.world.put("llm/openai", api_key=value)
        self.world.annotate("llm", refresh=token)
        self.world.secret_becomes({"OPENAI_API_KEY": value})

    def is_held(self) -> None:
        """Hold the operator by the policy that the chart ships."""
        user = f"system:serviceaccount:{self.world.system}:keywright"
        base = "/apis/admissionregistration.k8s.io/v1"
        for part, manifest in admission.rollout_manifests().items():
            text = json.dumps(manifest).replace(admission.ACCOUNT, user)
            body = json.loads(text.replace(admission.ROLLOUTS, self.world.system))
            plural = "validatingadmissionpolicies" if part == "policy" else "validatingadmissionpolicybindings"
            self.world.must("POST", f"{base}/{plural}", body)
            self.world.remove_later(f"{base}/{plural}/{self.world.system}")

    def path(self, kind: str, name: str = "") -> str:
        """Return where workloads of a kind are, or one of them."""
        return f"{APPS}/{self.world.namespace}/{PLURALS[kind]}" + (f"/{name}" if name else "")
