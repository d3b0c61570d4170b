"""Everything that an operator process can be told, from flags and environment into one frozen value.

Nothing else in the package reads ``os.environ``, but for click, where an option may come from a variable.

Does not belong here: what a namespace or a store says (its object).
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import pathlib
import socket
from collections.abc import Mapping
from typing import Literal

_POD_NAMESPACE = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

#: What to do about a right that the operator lacks.
GRANT = (
    "Grant the operator's ServiceAccount the rights that the chart gives it; the chart's watchNamespaces and"
    " --watch-namespace must name the same namespaces"
)

#: Namespace of the operator where nothing else is said.
DEFAULT_NAMESPACE = "keywright-system"

#: Namespaces into which no Secret is ever written, beside the operator's own.
SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease"})

#: How finely the metrics of age tell objects apart: per namespace by default, so that their number stays bounded.
Detail = Literal["namespace", "object"]

#: Whether what must be recorded before it is done waits for that, goes on and is told later, or nothing is recorded.
AuditMode = Literal["require", "best-effort", "off"]


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """How one operator process runs."""

    namespace: str = DEFAULT_NAMESPACE
    """Namespace of the operator: its Lease, its install keys, the credentials of cluster kinds."""
    identity: str = "keywright"
    """Name of this replica in the Lease and in Events; unique per process."""
    kubeconfig: str | None = None
    """File that says how to reach the cluster; None: the pod's own ServiceAccount, else the default file."""
    context: str | None = None
    """Context of the kubeconfig; None: its current one."""
    listen: str = "127.0.0.1:8080"
    """Address of /healthz, /readyz and /metrics; empty: not served."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much is logged. Values are never logged at any level."""
    concurrency: int = 64
    """Objects that are worked on at the same time."""
    lease_seconds: float = 15.0
    """How long a leader that vanished is waited for."""
    watch_namespaces: tuple[str, ...] = ()
    """Namespaces that are served; empty: all."""
    allow_loopback_stores: bool = False
    """Let stores and issuers be reached on loopback addresses. For development only."""
    store_networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    """Private networks that KeyStores and KeyIssuers may reach; cluster kinds may reach any private address."""
    cluster_stores: bool = True
    """Whether ClusterKeyStores and ClusterKeyIssuers are served; where not, they are not even listed, which takes no
    right on them."""
    file_store_root: str | None = None
    """Folder below which ClusterKeyStores may read encrypted files; None: none may."""
    rotations: bool = False
    """Whether credentials are rotated whose objects ask for it, which takes rights to look at workloads and pods, and
    to keep journals in the operator's namespace."""
    rollouts: bool = False
    """Whether workloads are restarted for objects that ask for it, which takes rights to look at pods and change them.
    """
    probes: bool = True
    """Whether issuers are asked if credentials are alive; where not, no key leaves the cluster for a check."""
    issuer_endpoints: tuple[str, ...] = ()
    """Addresses that objects may name as an issuer's endpoint, beside the issuer's own: scheme, host and port."""
    issuer_ca_file: str | None = None
    """File of CA certificates (PEM) that allowed endpoints may chain to, beside the usual public ones."""
    issuer_formats: str | None = None
    """File of forms that credentials have, beside and instead of those that are built in; None: there is none."""
    condemn_seconds: float = 600.0
    """How long an issuer must refuse a credential, three times at least, before that is believed."""
    give_up_seconds: float = 600.0
    """How long a rotation is kept whose object is gone, and its store or its issuer too."""
    audit_mode: AuditMode = "require"
    """Whether acts that must be recorded before they are done stop while nothing can be recorded; syncs never do."""
    audit_capacity: int = 64
    """MiB that all audit segments together may have."""
    audit_sinks: tuple[str, ...] = ()
    """Addresses of what takes copies of the audit trail, outside the cluster."""
    metrics_detail: Detail = "namespace"
    """Whether age and last success are told per namespace or per object."""
    ghost_check_seconds: float = 600.0
    """How often objects are listed to find deletions that no watch told of."""


def from_environment(flags: Mapping[str, object], environment: Mapping[str, str] | None = None) -> Settings:
    """Build the settings: flags win, then the environment, then the defaults.

    Args:
        flags: fields of ``Settings``; those that are None count as not given.
        environment: instead of the process's own, for tests.

    Raises:
        ValueError: a network is not one.
    """
    env = os.environ if environment is None else environment
    chosen: dict[str, object] = {"namespace": _namespace(env), "identity": _identity(env)}
    chosen |= {name: value for name, value in flags.items() if value is not None}
    networks = chosen.pop("store_networks", ())
    if not isinstance(networks, tuple):
        raise TypeError("store_networks is a tuple of networks")
    return Settings(store_networks=tuple(ipaddress.ip_network(each) for each in networks), **chosen)  # type: ignore[arg-type]


def key_file(environment: Mapping[str, str] | None = None) -> pathlib.Path:
    """Return where a person's encrypted file is: in the data folder that the XDG base directory specification says."""
    return _data(os.environ if environment is None else environment) / "keys.kw"


def audit_folder(environment: Mapping[str, str] | None = None) -> pathlib.Path:
    """Return where this machine's audit trail is: where it is said to be, else beside a person's encrypted file.

    There is a word for where, so that there need be none for not at all.
    """
    env = os.environ if environment is None else environment
    named = env.get("KEYWRIGHT_AUDIT_FOLDER", "")
    return pathlib.Path(named) if named else _data(env) / "audit"


def _data(env: Mapping[str, str]) -> pathlib.Path:
    # A path that is not absolute does not count, says the specification.
    chosen = pathlib.Path(env.get("XDG_DATA_HOME", ""))
    data = chosen if chosen.is_absolute() else pathlib.Path.home() / ".local" / "share"
    return data / "keywright"


def master_passphrase(environment: Mapping[str, str] | None = None) -> str:
    """Return the passphrase of the encrypted file where the environment holds it; else nothing."""
    env = os.environ if environment is None else environment
    return env.get("API_KEY_MASTER", "")


def _data_folder(environment: Mapping[str, str] | None) -> pathlib.Path:
    env = os.environ if environment is None else environment
    # A path that is not absolute does not count, says the specification.
    chosen = pathlib.Path(env.get("XDG_DATA_HOME", ""))
    data = chosen if chosen.is_absolute() else pathlib.Path.home() / ".local" / "share"
    return data / "keywright"


def _namespace(env: Mapping[str, str]) -> str:
    if named := env.get("KEYWRIGHT_NAMESPACE"):
        return named
    return _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.exists() else DEFAULT_NAMESPACE


def _identity(env: Mapping[str, str]) -> str:
    host = env.get("POD_NAME") or socket.gethostname()
    return f"{host}_{os.urandom(4).hex()}"
