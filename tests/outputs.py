"""All that may be read of an operator's work and of the commands, but for the Secrets' values: texts by where they are.

What is new and can be read by anybody joins ``KINDS`` (what is in the cluster) or ``of_process`` (files, addresses).

Does not belong here: what is looked for in them (``sweep``).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import pathlib
import subprocess
import sys

import requests

from running import Operator
from world import GROUP, World

#: What is read in the object's and in the operator's namespace. Secrets are read without their values.
KINDS = (
    f"{GROUP}/namespaces/{{}}/apikeysecrets",
    f"{GROUP}/namespaces/{{}}/keystores",
    f"{GROUP}/namespaces/{{}}/keyissuers",
    f"{GROUP}/namespaces/{{}}/keyactions",
    f"{GROUP}/namespaces/{{}}/auditsegments",
    f"{GROUP}/clusterkeystores",
    f"{GROUP}/clusterkeyissuers",
    "/apis/events.k8s.io/v1/namespaces/{}/events",
    "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    "/api/v1/namespaces/{}/configmaps",
    "/api/v1/namespaces/{}/serviceaccounts",
    "/api/v1/namespaces/{}/secrets",
)
#: Files of a process below /proc that others than itself may want to read.
PROC = ("cmdline", "environ", "status", "limits", "maps")

#: Calls commands one after the other in one process, each as it is called from a shell, with its standard input.
CALLS = """
import io, json, sys
from keywright import cli

for words, given in json.load(sys.stdin):
    for stream in (sys.stdout, sys.stderr):
        print("$", *words, file=stream, flush=True)
    sys.argv, sys.stdin = ["keywright", *words], io.TextIOWrapper(io.BytesIO(given.encode()))
    try:
        cli.main()
    except SystemExit as ended:
        print("exit", ended.code, flush=True)
"""


def of_cluster(world: World) -> dict[str, str]:
    """Return the objects of both namespaces."""
    found = {}
    for namespace in (world.namespace, world.system):
        for kind in KINDS:
            listed = world.must("GET", kind.format(namespace))
            for item in listed["items"] if kind.endswith("/secrets") else ():
                item.pop("data", None)
            found[kind.format(namespace)] = json.dumps(listed, ensure_ascii=False)
    return found


def of_process(operator: Operator, temporary: pathlib.Path) -> dict[str, str]:
    """Return what a running operator shows: its log, what it serves, what the kernel tells of it, files it has made."""
    found = {operator.log.name: operator.log.read_text()}
    for page in ("metrics", "healthz", "readyz", "", "debug/pprof/"):
        found[f"/{page}"] = requests.get(f"{operator.url}/{page}", timeout=5).text
    proc = pathlib.Path(f"/proc/{operator.process.pid}")
    for name in PROC:
        # Closed to others, as it should be; root may look.
        with contextlib.suppress(PermissionError):
            found[f"/proc/PID/{name}"] = (proc / name).read_bytes().replace(b"\0", b"\n").decode(errors="replace")
    files = [each for each in temporary.rglob("*") if each.is_file()]
    return found | {str(each): each.read_bytes().decode(errors="replace") for each in files}


def of_commands(calls: list[list[str]], jobs: int = 2) -> dict[str, str]:
    """Return what commands print, and what they log, with nothing to read."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        said = list(pool.map(called, [[(words, "") for words in calls[start::jobs]] for start in range(jobs)]))
    return {f"commands {number} {name}": text for number, pair in enumerate(said) for name, text in pair.items()}


def called(calls: list[tuple[list[str], str]], **environment: str) -> dict[str, str]:
    """Call commands, each with its standard input, and return what they print."""
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        input=json.dumps(calls),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert done.stdout.count("\nexit ") == len(calls), done.stderr[-2000:]
    return {"stdout": done.stdout, "stderr": done.stderr}
