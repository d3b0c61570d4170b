"""What every test may use: one real control plane and one OpenBao for the whole run, a namespace of its own each.

The process that runs pytest starts the servers; with xdist the workers attach to them. They start only when tests that
need them are asked for, and end with the process, even if it is killed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from asking import OnDemand, ask
from controlplane import ControlPlane, OpenBao, PostgreSQL, Workloads
from keywright import crd
from world import World

if TYPE_CHECKING:
    from amazon import Amazon

# A busy machine is not a bug.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_servers = pytest.StashKey[contextlib.ExitStack]()
_place = pytest.StashKey[pathlib.Path]()
_trail = pytest.StashKey[str]()
_numbers = itertools.count(1)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _only_units(config: pytest.Config) -> bool:
    """Whether nothing was asked for that needs a server."""
    asked = [argument.partition("::")[0] for argument in config.args]
    return bool(asked) and all("unit" in pathlib.Path(each).parts for each in asked)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say how much of the sweep of rotations is wanted."""
    parser.addoption("--sweep", choices=("short", "whole"), default="short", help="crash points of rotations")
    parser.addoption("--sweep-seed", type=int, default=1, help="by which its double faults are drawn")


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers, once for all workers."""
    if _is_worker(config):
        config.stash[_place] = pathlib.Path(config.workerinput["servers"])  # type: ignore[attr-defined]
        return
    # No call of the program leaves a record in the audit trail of whoever runs the tests.
    config.stash[_trail] = os.environ["KEYWRIGHT_AUDIT_FOLDER"] = tempfile.mkdtemp(prefix="keywright-trail-")
    if _only_units(config) or config.option.collectonly:
        return
    place = config.stash[_place] = pathlib.Path(tempfile.mkdtemp(prefix="keywright-tests-"))
    stack = config.stash[_servers] = contextlib.ExitStack()
    stack.callback(shutil.rmtree, place, ignore_errors=True)
    plane = stack.enter_context(ControlPlane.start(place / "kubernetes", crd.manifests()))
    stack.enter_context(OnDemand(place / "asking", lambda: Workloads.start(plane, place / "workloads")))
    stack.enter_context(OnDemand(place / "asking-postgres", lambda: PostgreSQL.start(place / "postgres")))
    stack.enter_context(OpenBao.start(place / "openbao"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: many tests wait for most of their time."""
    return (os.cpu_count() or 1) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a worker where the servers are."""
    node.workerinput["servers"] = str(node.config.stash.get(_place, ""))  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers."""
    if stack := config.stash.get(_servers, None):
        stack.close()
    if trail := config.stash.get(_trail, None):
        shutil.rmtree(trail, ignore_errors=True)


@pytest.fixture(scope="session")
def control_plane(pytestconfig: pytest.Config) -> ControlPlane:
    """The control plane of this run, with our CRDs."""
    return ControlPlane.attach(pytestconfig.stash[_place] / "kubernetes")


@pytest.fixture(scope="session")
def openbao(pytestconfig: pytest.Config) -> OpenBao:
    """The OpenBao of this run."""
    return OpenBao.attach(pytestconfig.stash[_place] / "openbao")


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> PostgreSQL:
    """The PostgreSQL of this run, which starts with the first test that needs it."""
    ask(pytestconfig.stash[_place] / "asking-postgres")
    return PostgreSQL.attach(pytestconfig.stash[_place] / "postgres")


@pytest.fixture(scope="session")
def running_pods(pytestconfig: pytest.Config) -> None:
    """From now on, Deployments and their like have pods in this run's control plane, and these become ready."""
    ask(pytestconfig.stash[_place] / "asking")


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    """A fresh namespace, which ends with the run: to take one apart is more work for the API server than most tests."""
    name = f"t{os.getpid()}-{next(_numbers)}"
    status, answer = control_plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert status == 201, answer
    return name


@pytest.fixture
def world(control_plane: ControlPlane, openbao: OpenBao, namespace: str, tmp_path: pathlib.Path) -> Iterator[World]:
    """A namespace, a KV engine and, once asked for, an operator that serves just them."""
    with World(control_plane, openbao, namespace, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def moto_server() -> Iterator[tuple[str, int]]:
    """Where moto answers, for any number of accounts."""
    from amazon import moto

    with moto() as place:
        yield place


@pytest.fixture
def aws(moto_server: tuple[str, int]) -> Iterator[Amazon]:
    """An account of AWS."""
    from amazon import amazon

    with amazon(moto_server) as made:
        yield made
