"""Real servers for tests, demo and benchmarks, on loopback: a Kubernetes control plane, OpenBao, PostgreSQL, a proxy.

    with ControlPlane.start(folder / "kubernetes") as plane, OpenBao.start(folder / "openbao") as bao:
        plane.request("GET", "/api/v1/namespaces")
        bao.client().secrets.kv.v2.create_or_update_secret("llm/openai", {"api_key": "…"})

They end with the process that started them, even if it is killed. Another process may use them by ``attach`` and the
same folder: the process that runs pytest starts them, its workers attach. What was asked of a server is in its audit
log, and can be counted from a point in time:

    mark = plane.mark()
    ...
    assert [entry.verb for entry in plane.audit(mark) if entry.user == user] == ["patch", "patch"]

What goes wrong goes wrong in a proxy in front, never in the server or in the client's code:

    with FaultProxy(plane, folder / "proxy") as proxy:
        kubeconfig = plane.kubeconfig_for("team-a", "operator", server=proxy.url, ca_file=proxy.ca_file)
        with proxy.fault(LoseAnswer(), method="PATCH", path="/secrets/", times=1) as lost:
            ...
            lost.wait()

Nothing runs pods there, until ``Workloads.start(plane, folder / "workloads")`` does: then Deployments roll.

``python -m controlplane`` starts both servers until Ctrl-C; ``python -m controlplane build`` only builds the binaries.
"""

from .build import Assets, BuildError, Runners, assets, runners
from .exchange import Seen
from .faults import (
    MUTATING,
    Answer,
    CutWatch,
    Delay,
    Drip,
    Drop,
    DropEvent,
    EndWatch,
    EventFault,
    ExpireWatch,
    Fault,
    Hang,
    Hold,
    HoldAnswer,
    KillAfter,
    KillBefore,
    LoseAnswer,
    Redirect,
    Replace,
    Truncate,
)
from .kubernetes import AuditEntry, ControlPlane
from .openbao import BaoRequest, OpenBao
from .postgres import PostgreSQL, Refused
from .processes import Server, StartError, free_pair, free_ports
from .proxy import FaultProxy
from .rules import NeverHappened, Rule
from .workloads import Workloads

__all__ = [
    "MUTATING",
    "Answer",
    "Assets",
    "AuditEntry",
    "BaoRequest",
    "BuildError",
    "ControlPlane",
    "CutWatch",
    "Delay",
    "Drip",
    "Drop",
    "DropEvent",
    "EndWatch",
    "EventFault",
    "ExpireWatch",
    "Fault",
    "FaultProxy",
    "Hang",
    "Hold",
    "HoldAnswer",
    "KillAfter",
    "KillBefore",
    "LoseAnswer",
    "NeverHappened",
    "OpenBao",
    "PostgreSQL",
    "Redirect",
    "Refused",
    "Replace",
    "Rule",
    "Runners",
    "Seen",
    "Server",
    "StartError",
    "Truncate",
    "Workloads",
    "assets",
    "free_pair",
    "free_ports",
    "runners",
]
