"""A running operator process, as tests see it from outside.

Does not belong here: what it works for (``world``).
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import signal

import requests

import forking
from controlplane import free_ports
from forking import BIN


class Operator:
    """A running operator process.

    Args:
        kubeconfig: how it reaches the cluster.
        user: name under which the API server knows it.
        fork: whether it may come out of a process that has loaded the program.
    """

    def __init__(
        self,
        kubeconfig: pathlib.Path,
        user: str,
        namespace: str,
        served: str,
        log: pathlib.Path,
        *flags: str,
        fork: bool = True,
    ) -> None:
        self.user, self.log = user, log
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        command = [str(BIN / "keywright"), "operator", f"--kubeconfig={kubeconfig}"]
        command += [f"--namespace={namespace}", f"--watch-namespace={served}", f"--listen=127.0.0.1:{port}"]
        command += ["--allow-loopback-stores", "--log-level=debug", "--lease-seconds=10", *flags]
        with log.open("ab") as output, open(os.devnull, "rb") as nothing:
            streams = {"stdin": nothing.fileno(), "stdout": output.fileno(), "stderr": output.fileno()}
            self.process = forking.start(command, forking.environment(), fork=fork, **streams)

    def ready(self) -> bool:
        """Whether it leads and has listed everything."""
        with contextlib.suppress(requests.RequestException):
            # In this order: a standby is ready too.
            return self.metric("keywright_leader") == 1 and requests.get(f"{self.url}/readyz", timeout=2).ok
        return False

    def records(self) -> bool:
        """Whether it has opened its audit trail, and so has made the keys that it lacked."""
        return "keywright-audit-key " in self.log.read_text()

    def metrics(self) -> dict[str, float]:
        """Return its metrics by name and labels."""
        text = requests.get(f"{self.url}/metrics", timeout=5).text
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        return sum(value for key, value in self.metrics().items() if re.fullmatch(rf"{name}(\{{.*\}})?", key))

    def stop(self) -> int:
        """End it in order; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
