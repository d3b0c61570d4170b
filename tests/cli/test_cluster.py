"""The way to the cluster, and the commands that need none: what is said where something is not as it should be."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
import yaml

from cli.terminal import BIN, call, keywright
from controlplane import Answer, FaultProxy, free_ports
from keywright import crd
from world import World

COMMANDS = pytest.mark.parametrize("command", [("status",), ("plan", "llm"), ("refresh", "llm"), ("refresh", "--all")])


def changed(world: World, name: str, **context: str) -> pathlib.Path:
    """Return an administrator's kubeconfig whose context says something more."""
    config = yaml.safe_load(world.plane.kubeconfig.read_text())
    config["contexts"][0]["context"] |= context
    path = world.folder / name
    path.write_text(yaml.safe_dump(config))
    return path


@COMMANDS
def test_a_cluster_without_our_kinds_is_told_what_to_install(world: World, command: tuple[str, ...]) -> None:
    with FaultProxy(world.plane, world.folder / "proxy") as proxy:
        kubeconfig = world.plane.admin_kubeconfig(
            world.folder / "through.kubeconfig", server=proxy.url, ca_file=proxy.ca_file
        )
        with proxy.fault(Answer(404, b"404 page not found\n"), path="/apikeysecrets"):
            said = call(world, *command, kubeconfig=kubeconfig)

    assert said.code == 1
    assert said.err.splitlines()[0].endswith("this cluster does not know apikeysecrets.")
    assert said.err.splitlines()[1].endswith("keywright crds | kubectl apply -f -.")


@COMMANDS
def test_a_cluster_that_cannot_be_reached_is_named(world: World, command: tuple[str, ...]) -> None:
    (port,) = free_ports(1)
    kubeconfig = world.plane.admin_kubeconfig(world.folder / "nowhere.kubeconfig", server=f"https://127.0.0.1:{port}")

    said = call(world, *command, kubeconfig=kubeconfig)

    assert said.code == 1
    assert f"the API server at https://127.0.0.1:{port} does not answer." in said.err
    assert len(said.err.splitlines()) == 2


@COMMANDS
def test_a_login_that_no_longer_counts_is_told_so(world: World, command: tuple[str, ...]) -> None:
    kubeconfig = world.plane.admin_kubeconfig(world.folder / "old.kubeconfig")
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "no-longer"}
    kubeconfig.write_text(yaml.safe_dump(config))

    said = call(world, *command, kubeconfig=kubeconfig)

    assert said.code == 1
    assert "does not accept your login" in said.err


def test_the_namespace_is_the_contexts_unless_one_is_named(world: World) -> None:
    kubeconfig = changed(world, "with.kubeconfig", namespace=world.namespace)

    here = keywright("status", KUBECONFIG=str(kubeconfig))
    elsewhere = keywright("status", KUBECONFIG=str(changed(world, "without.kubeconfig")))

    assert f"No ApiKeySecrets in namespace {world.namespace};" in here.out
    assert "No ApiKeySecrets in namespace default;" in elsewhere.out


def test_a_context_that_does_not_exist_is_named(world: World) -> None:
    said = call(world, "status", "--context=nothere")

    assert said.code == 1
    assert "with a context nothere" in said.err


def test_kubectl_finds_it_as_a_plugin(world: World) -> None:
    world.has_key()
    kubeconfig = changed(world, "with.kubeconfig", namespace=world.namespace)
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig)}

    done = subprocess.run(
        [str(BIN / "kubectl"), "keywright", "status", "llm"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert done.returncode == 3
    assert "llm" in done.stdout
    assert "Usage: kubectl keywright" in keywright("--help", program="kubectl-keywright").out


def test_the_crds_are_those_of_this_version() -> None:
    said = keywright("crds")

    assert said.code == 0
    assert list(yaml.safe_load_all(said.out)) == crd.manifests()
