"""The way to the cluster, and the commands that need none: what is said where something is not as it should be."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest
import yaml

from cli.terminal import BIN, call, keywright, person
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

    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines() == [
        "Error: this cluster does not know apikeysecrets: the CRDs are missing.",
        "Install Keywright, or at least its CRDs: keywright crds | kubectl apply -f -.",
    ]


@COMMANDS
def test_a_cluster_that_cannot_be_reached_is_named(world: World, command: tuple[str, ...]) -> None:
    (port,) = free_ports(1)
    kubeconfig = world.plane.admin_kubeconfig(world.folder / "nowhere.kubeconfig", server=f"https://127.0.0.1:{port}")

    said = call(world, *command, kubeconfig=kubeconfig)

    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines() == [
        f"Error: the API server at https://127.0.0.1:{port} does not answer.",
        "Check --kubeconfig, --context, and that this machine reaches the cluster: kubectl version.",
    ]


@COMMANDS
def test_a_login_that_no_longer_counts_is_told_so(world: World, command: tuple[str, ...]) -> None:
    kubeconfig = world.plane.admin_kubeconfig(world.folder / "old.kubeconfig")
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "no-longer"}
    kubeconfig.write_text(yaml.safe_dump(config))

    said = call(world, *command, kubeconfig=kubeconfig)

    assert (said.code, said.out) == (1, "")
    first, second = said.err.splitlines()
    assert re.fullmatch(
        r"Error: you are not logged in: the API server at https://\S+ does not accept your login\.", first
    )
    assert "--context" in second


@pytest.mark.parametrize(
    ("command", "right"),
    [
        (("status",), "list apikeysecrets in namespace {}"),
        (("status", "llm"), "get apikeysecrets llm in namespace {}"),
        (("plan", "llm"), "get apikeysecrets llm in namespace {}"),
        (("refresh", "llm"), "patch apikeysecrets llm in namespace {}"),
        (("refresh", "--all"), "list apikeysecrets in namespace {}"),
        (("history", "llm"), "get apikeysecrets llm in namespace {}"),
        (("debts", "list"), "list apikeysecrets in namespace {}"),
    ],
)
def test_a_right_that_is_missing_is_named(world: World, command: tuple[str, ...], right: str) -> None:
    said = call(world, *command, kubeconfig=person(world))

    assert (said.code, said.out) == (1, "")
    first, second = said.err.splitlines()
    assert first == f"Error: you have no right to {right.format(world.namespace)}."
    assert "kubectl auth can-i --list" in second


def test_something_else_than_an_api_server_is_told_so(world: World) -> None:
    with FaultProxy(world.plane, world.folder / "proxy") as proxy:
        kubeconfig = world.plane.admin_kubeconfig(
            world.folder / "through.kubeconfig", server=proxy.url, ca_file=proxy.ca_file
        )
        with proxy.fault(Answer(400, b"Client sent an HTTP request to an HTTPS server.\n"), path="/apikeysecrets"):
            said = call(world, "status", kubeconfig=kubeconfig)

    assert said.code == 1
    first = said.err.splitlines()[0]
    assert re.fullmatch(r"Error: what answers at https://\S+ does not understand the request \(400\)\.", first)


def test_the_namespace_is_the_contexts_unless_one_is_named(world: World) -> None:
    kubeconfig = changed(world, "with.kubeconfig", namespace=world.namespace)

    here = keywright("status", KUBECONFIG=str(kubeconfig))
    elsewhere = keywright("status", KUBECONFIG=str(changed(world, "without.kubeconfig")))

    assert f"No ApiKeySecrets in namespace {world.namespace};" in here.out
    assert "No ApiKeySecrets in namespace default;" in elsewhere.out


def test_a_context_that_does_not_exist_is_named(world: World) -> None:
    said = call(world, "status", "--context=nothere")

    assert said.code == 1
    assert said.err.startswith("Error: no usable kubeconfig at ")
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
