"""Starts a built image as the chart's pod would, against a control plane of its own, and asks it who leads.

``python -m image ENGINE IMAGE``; part of ``make image``. Nothing here runs pods: the container gets what the kubelet
would give it, a token of the chart's ServiceAccount among it.

Does not belong here: building it (``Dockerfile``, ``make image``).
"""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import helm
from controlplane import ControlPlane, free_ports

Json = dict[str, Any]

NAMESPACE = "keywright-system"
#: Where the kubelet mounts the token.
_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
#: Seconds after which a container that does not lead will not.
_PATIENCE = 60.0


class Failed(Exception):
    """The image does not work; the message says what it did."""


class Trial:
    """The chart in a cluster, and what its containers are started with.

    Args:
        engine: docker or podman.
    """

    def __init__(self, engine: str, plane: ControlPlane, folder: pathlib.Path, image: str) -> None:
        self._image = image
        values = {"metrics": {"port": free_ports(1)[0]}}
        parts = helm.template("keywright", NAMESPACE, values)
        self.pods: dict[str, Json] = {each["kind"]: each for each in parts if each["kind"] in ("Deployment", "Pod")}
        place = f"--namespace={NAMESPACE}"
        install = ("install", "keywright", str(helm.CHART), place, "--create-namespace")
        helm.run(*install, values=values, kubeconfig=plane.kubeconfig)
        mounted = _service_account(plane, folder)
        port = urllib.parse.urlparse(plane.url).port
        self._start = [engine, "run", "--rm", "--network=host", "--read-only", "--tmpfs=/tmp:size=16m"]
        self._start += ["--user=65532:65532", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=512m"]
        self._start += [f"--volume={mounted}:{_MOUNT}:ro", f"--env=KEYWRIGHT_NAMESPACE={NAMESPACE}"]
        self._start += ["--env=KUBERNETES_SERVICE_HOST=127.0.0.1", f"--env=KUBERNETES_SERVICE_PORT={port}"]

    def command(self, container: Json, *flags: str) -> list[str]:
        """Return how a container of the chart is started: its command stands in place of the image's own."""
        own: list[str] = container.get("command", [])
        entry = [f"--entrypoint={own[0]}"] if own else []
        return [*self._start, *flags, *entry, self._image, *own[1:], *container["args"]]


def _service_account(plane: ControlPlane, folder: pathlib.Path) -> pathlib.Path:
    """Write what the kubelet would mount, for anybody to read: the container's user is another one."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/keywright/token"
    status, answer = plane.request("POST", path, {"spec": {"expirationSeconds": 3600}})
    if status != 201:
        raise Failed(f"the API server gives no token: {answer.get('message')}")
    mounted = folder / "serviceaccount"
    mounted.mkdir()
    for name, text in {
        "token": answer["status"]["token"],
        "ca.crt": plane.ca_file.read_text(),
        "namespace": NAMESPACE,
    }.items():
        (mounted / name).write_text(text)
        (mounted / name).chmod(0o644)
    return mounted


@contextlib.contextmanager
def _running(engine: str, trial: Trial, log: pathlib.Path) -> Iterator[subprocess.Popen[bytes]]:
    (container,) = trial.pods["Deployment"]["spec"]["template"]["spec"]["containers"]
    name = f"keywright-trial-{free_ports(1)[0]}"
    with log.open("wb") as output:
        started = subprocess.Popen(
            trial.command(container, f"--name={name}"), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield started
        finally:
            subprocess.run([engine, "stop", name], capture_output=True, check=False)
            started.wait(30)


def try_out(engine: str, image: str) -> str:
    """Start an image and return what it says about who leads.

    Raises:
        Failed: it ended, or nobody leads.
    """
    with tempfile.TemporaryDirectory(prefix="keywright-image-") as place:
        folder = pathlib.Path(place)
        folder.chmod(0o755)
        with ControlPlane.start(folder / "kubernetes") as plane:
            trial, log = Trial(engine, plane, folder, image), folder / "log"
            (test,) = trial.pods["Pod"]["spec"]["containers"]
            with _running(engine, trial, log) as started:
                ends = time.monotonic() + _PATIENCE
                while started.poll() is None and time.monotonic() < ends:
                    asked = subprocess.run(trial.command(test), capture_output=True, text=True, check=False)
                    if asked.returncode == 0:
                        return asked.stdout.strip()
                    time.sleep(0.5)
            raise Failed(f"nobody leads; the end of its log:\n{log.read_text(errors='replace')[-2000:]}")


def main(engine: str, image: str) -> None:
    """Try an image out and say how it went."""
    if pathlib.Path(engine).name == "buildah":
        print(f"{image} is built, and was not started: buildah starts no images; docker and podman do")
        return
    try:
        print(f"{image} is built and was started: {try_out(engine, image)}")
    except Failed as failed:
        sys.exit(f"{image} is built, but does not work: {failed}")


if __name__ == "__main__":
    main(*sys.argv[1:])
