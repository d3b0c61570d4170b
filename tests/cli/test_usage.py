"""What is refused before anything is asked of the cluster, and what is said where nobody foresaw it."""

from __future__ import annotations

import pathlib
import re
import socket
import subprocess

import click
import pytest

from cli.terminal import BIN, keywright
from controlplane import free_ports
from keywright.cli import keywright as commands

NOWHERE = "https://127.0.0.1:1"


def last(text: str) -> str:
    """Return the last line: click says how to use the command first."""
    return text.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["plan", ""], "'NAME': '' is no name of an object"),
        (["status", "LLM"], "'[NAME]': 'LLM' is no name of an object"),
        (["refresh", "a" * 254], "is no name of an object"),
        (["status", "-n", ""], "'--namespace': '' is no namespace"),
        (["status", "-n", "../.."], "'--namespace': '../..' is no namespace"),
        (["status", "-n", "a.b"], "'a.b' is no namespace"),
        (["status", "-n", "a\n"], "'…' is no namespace"),
        (["plan", "x", "--operator-namespace", "-a"], "'--operator-namespace'"),
        (["operator", "--namespace", "a" * 64], "'--namespace'"),
        (["operator", "--watch-namespace", ""], "'--watch-namespace': '' is no namespace"),
        (["operator", "--listen", "nonsense"], "'--listen': 'nonsense' is no address"),
        (["operator", "--listen", "127.0.0.1:99999"], "'--listen': '127.0.0.1:99999' is no address"),
        (["operator", "--listen", "127.0.0.1:0"], "is no address"),
        (["operator", "--listen", "::1:80"], "is no address"),
        (["operator", "--listen", "[127.0.0.1]:80"], "is no address"),
        (["operator", "--listen", "-a:80"], "is no address"),
        (["operator", "--audit-sink", "siem.example.com"], "'--audit-sink': has an address of no known kind"),
        (["operator", "--audit-sink", "http://127.0.0.1/"], "would be reached without TLS"),
        (["operator", *["--audit-sink", "s3://bucket/a"] * 2], "s3://bucket is named twice"),
        (["operator", "--file-store-root", "relative"], "'--file-store-root': 'relative' is no folder"),
        (["operator", "--file-store-root", "/no/such/folder"], "is no folder: one is named by its absolute path"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_how_it_is_written(arguments: list[str], why: str) -> None:
    said = keywright(*arguments)

    assert (said.code, said.out) == (2, "")
    assert last(said.err).startswith("Error: Invalid value for ")
    assert why in last(said.err)


@pytest.mark.parametrize("listen", ["", ":8080", "0.0.0.0:1", "[::1]:65535", "localhost:8080", "Node-1.example:80"])
def test_addresses_that_can_be_listened_at(listen: str) -> None:
    # Refused for the network that is none: the address was accepted.
    said = keywright("operator", "--listen", listen, "--allow-store-network", "none")

    assert said.code == 2
    assert "--allow-store-network" in last(said.err)


@pytest.mark.parametrize("variable", ["KEYWRIGHT_NAMESPACE", "KUBECONFIG"])
def test_what_the_environment_says_is_checked_as_well(variable: str) -> None:
    said = keywright("status", **{variable: "/no/such/place"})

    assert said.code == 2
    assert f"(env var: '{variable}')" in last(said.err)


@pytest.mark.parametrize("command", [["status"], ["plan", "llm"], ["refresh", "llm"], ["operator"]])
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [b\nc: canary", "it is not YAML, see line 2"),
        ("- canary", "it holds no clusters"),
        ("\x00", "it is not YAML"),
    ],
)
def test_a_kubeconfig_that_is_none_is_named(tmp_path: pathlib.Path, command: list[str], text: str, why: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)

    flag = keywright(*command, f"--kubeconfig={path}")
    variable = keywright(*command, KUBECONFIG=f"/no/such/file:{path}")

    for said in (flag, variable):
        assert said.code == 2
        assert f"'{path}' is no kubeconfig: {why}" in last(said.err)
        assert "canary" not in said.everything


def test_a_kubeconfig_that_does_not_exist_is_told_in_our_words_alone(tmp_path: pathlib.Path) -> None:
    flag = keywright("status", f"--kubeconfig={tmp_path}/none")
    default = keywright("status", HOME=str(tmp_path))

    assert last(flag.err).endswith(f"'{tmp_path}/none' is no kubeconfig: no such file")
    assert default.code == 1
    assert default.err.splitlines()[0].startswith("Error: no usable kubeconfig at the default place")


def test_an_address_that_is_taken_is_named(tmp_path: pathlib.Path) -> None:
    kubeconfig = tmp_path / "config"
    cluster = {"name": "a", "cluster": {"server": NOWHERE}}
    context = {"name": "a", "context": {"cluster": "a", "user": "a"}}
    users = [{"name": "a", "user": {}}]
    kubeconfig.write_text(str({"clusters": [cluster], "contexts": [context], "users": users, "current-context": "a"}))
    (port,) = free_ports(1)

    with socket.create_server(("127.0.0.1", port)):
        said = keywright("operator", f"--kubeconfig={kubeconfig}", f"--listen=127.0.0.1:{port}")

    assert said.code == 1
    assert last(said.err).startswith(f"Error: cannot listen at 127.0.0.1:{port};")


def test_a_full_disk_is_no_bug() -> None:
    with pathlib.Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [str(BIN / "keywright"), "crds"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert done.returncode == 1
    assert done.stderr.startswith("Error: this machine refuses what is needed: ")


@pytest.mark.parametrize(
    ("library", "arguments", "more"),
    [("yaml", ["crds"], ""), ("kubernetes", ["status"], " --log-level=debug tells more.")],
)
def test_what_nobody_foresaw_is_called_a_bug_in_one_line_without_foreign_text(
    tmp_path: pathlib.Path, library: str, arguments: list[str], more: str
) -> None:
    # A library that breaks when it is loaded.
    (tmp_path / f"{library}.py").write_text("raise RuntimeError('canary')\n")

    said = keywright(*arguments, PYTHONPATH=str(tmp_path))

    assert (said.code, said.out) == (70, "")
    where = f"RuntimeError at {library}.py:1"
    assert said.err == f"Error: this is a bug in Keywright ({where}); please report it.{more}\n"


def test_more_about_a_bug_is_logged_where_that_is_asked_for(tmp_path: pathlib.Path) -> None:
    (tmp_path / "kubernetes.py").write_text("raise RuntimeError('canary')\n")

    said = keywright("status", "--log-level=debug", PYTHONPATH=str(tmp_path))

    assert said.code == 70
    assert "in _connected\n" in said.err
    assert "canary" not in said.err


def test_the_help_lists_every_command_once_and_cuts_no_sentence() -> None:
    told = keywright("--help").out

    for name in commands.list_commands(click.Context(commands)):
        assert len(re.findall(rf"^  {name} ", told, re.MULTILINE)) == 1
    assert "..." not in told.partition("In a cluster:")[2]


KEY = "sk-proj-Ab12cd34Ef56gh78Ij90kl12"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["store", "llm/openai", KEY], "There are more arguments than store takes. A value is never an argument"),
        (["refresh", "llm", KEY], "'…' is no name of an object"),
        (["check", KEY], "'…' is no name of an object"),
        (["get", "llm/openai", "-o", KEY], "'-o' / '--output': it is one of "),
        (["check", "--stdin", "--issuer", KEY], "it is one of "),
        (["check", "--stdin", "--timeout", KEY], "a span of time is written like"),
        (["status", "-n", KEY], "'…' is no namespace"),
        (["status", f"--{KEY}"], "There is no such option. A value is never an argument"),
        (["status", f"-{KEY}"], "No such option '-s'"),
        (["operator", "--listen", KEY], "'…' is no address"),
        (["operator", f"--max-in-flight={KEY}"], "No such option '--max-in-flight'."),
        ([KEY], "There is no such command."),
        (["act", KEY, "llm"], "'{refresh}': it is one of refresh."),
        (["audit", KEY], "There is no such command."),
        (["audit", "prove", "log", KEY], "'[SEQ]': it is no integer."),
        (["audit", "prove", "log", "1", KEY], "There are more arguments than prove takes."),
    ],
)
def test_a_key_that_was_typed_as_an_argument_is_not_repeated(arguments: list[str], why: str) -> None:
    said = keywright(*arguments)

    assert (said.code, said.out) == (2, "")
    assert why in last(said.err)
    assert KEY[4:12] not in said.err


def test_a_plain_word_that_is_wrong_is_repeated() -> None:
    assert "'tabel' is not one of" in last(keywright("status", "-o", "tabel").err)
    assert "No such command 'stauts'." in last(keywright("stauts").err)
