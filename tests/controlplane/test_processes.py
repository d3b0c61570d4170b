"""Server processes: none outlives who started it, none is used before it answers."""

from __future__ import annotations

import contextlib
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import psutil
import pytest

from controlplane import BuildError, ControlPlane, Server, StartError, assets, free_pair, free_ports
from controlplane.processes import end_of_lines

DEV = pathlib.Path(__file__).parents[2] / "dev"
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@contextlib.contextmanager
def running(*arguments: str, place: pathlib.Path) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program that uses the servers."""
    environment = {"PYTHONPATH": str(DEV), "HOME": str(pathlib.Path.home()), "TMPDIR": str(place)}
    with subprocess.Popen([sys.executable, *arguments], env=environment, stdout=-1, stderr=-1, text=True) as process:
        yield process
        process.kill()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def test_killed_without_warning_a_parent_takes_its_servers_along(tmp_path: pathlib.Path) -> None:
    program = (
        "import pathlib, sys, time; from controlplane import ControlPlane, OpenBao\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "with ControlPlane.start(place / 'kubernetes'), OpenBao.start(place / 'openbao'):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(600)\n"
    )
    with running("-c", program, str(tmp_path), place=tmp_path) as parent:
        assert said(parent) == "ready\n"
        servers = psutil.Process(parent.pid).children()
        assert sorted(each.name() for each in servers) == ["bao", "etcd", "kube-apiserver", "kube-controller-manager"]

        parent.send_signal(signal.SIGKILL)
        parent.wait()

    _, alive = psutil.wait_procs(servers, timeout=10)
    assert alive == []


def test_a_server_outlives_the_thread_that_asked_for_it(tmp_path: pathlib.Path) -> None:
    servers: list[Server] = []
    thread = threading.Thread(target=lambda: servers.append(Server("sleep", SLEEP, tmp_path)))
    thread.start()
    thread.join()

    with pytest.raises(StartError, match="did not answer"):
        servers[0].wait_for(lambda: False, seconds=0.5)


def test_a_server_that_ends_says_where_its_log_is(tmp_path: pathlib.Path) -> None:
    server = Server("broken", [sys.executable, "-c", "raise SystemExit('no such flag')"], tmp_path)

    with pytest.raises(StartError, match=rf"broken ended at once; the end of {tmp_path}/broken.log:\nno such flag"):
        server.wait_for(lambda: False)


def test_a_server_that_ignores_a_polite_request_is_killed(tmp_path: pathlib.Path) -> None:
    program = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    server = Server("stubborn", [sys.executable, "-c", program], tmp_path)
    server.wait_for(lambda: "up" in server.log.read_text())

    server.stop(seconds=0.2)

    assert not server.running


def test_a_paused_server_can_be_stopped(tmp_path: pathlib.Path) -> None:
    server = Server("sleep", SLEEP, tmp_path)
    server.pause()

    server.stop()

    assert not server.running


def test_free_ports_differ_and_a_pair_are_neighbours() -> None:
    assert len(set(free_ports(50))) == 50
    port = free_pair()
    with socket.create_server(("127.0.0.1", port)), socket.create_server(("127.0.0.1", port + 1)):
        pass


def test_a_named_folder_without_the_binaries_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "etcd").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(BuildError, match="has no kube-apiserver, kube-controller-manager; unset it"):
        ControlPlane.start(tmp_path / "kubernetes")


def test_a_named_folder_with_the_binaries_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    built = assets().folder
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(built))

    assert assets().apiserver == built / "kube-apiserver"


def test_by_hand_both_servers_run_until_ctrl_c(tmp_path: pathlib.Path) -> None:
    with running("-m", "controlplane", place=tmp_path) as parent:
        assert said(parent).startswith(f"export KUBECONFIG={tmp_path}")
        assert "VAULT_TOKEN=root" in said(parent)
        servers = psutil.Process(parent.pid).children()

        parent.send_signal(signal.SIGINT)
        assert parent.wait() == 0

    assert [each for each in servers if each.is_running()] == []
    assert list(tmp_path.iterdir()) == []


def test_a_log_ends_with_its_last_whole_line(tmp_path: pathlib.Path) -> None:
    log = tmp_path / "log"
    for content, end in ((b"", 0), (b"half", 0), (b"one\n", 4), (b"one\nhalf", 4), (b"x\n" + b"y" * 200_000, 2)):
        log.write_bytes(content)
        assert end_of_lines(log) == end
