"""A real control plane on loopback: etcd, kube-apiserver, kube-controller-manager; ready in seconds.

RBAC is on; the audit log tells who asked for what, so that tests count and attribute requests. Nothing schedules or
runs pods: garbage collection, namespace deletion and ServiceAccounts are there.

Does not belong here: building the binaries (``build``), what runs pods (``workloads``), faults (``faults``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Self

import requests
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from . import build, processes

Json = dict[str, Any]

_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CONTROLLERS = "garbage-collector-controller,namespace-controller,serviceaccount-controller"
_ADMIN = "admin-token"
#: What we ask for to see our own line in the audit log.
_SETTLED = "/version?settled="
_TOKENS = f'{_ADMIN},admin,admin,"system:masters"\n'


@dataclasses.dataclass(frozen=True)
class AuditEntry:
    """One request, as the API server's audit log has it."""

    at: str
    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    uri: str
    user_agent: str


class ControlPlane(processes.Group):
    """A control plane, started by this process or attached to.

    Args:
        folder: everything that is needed to use it lies there.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.url: str = json.loads((folder / "place.json").read_text())["url"]
        self._local = threading.local()

    @classmethod
    def start(cls, folder: pathlib.Path, crds: Sequence[Json] = ()) -> Self:
        """Start one; it ends with this process.

        Args:
            crds: kinds to install before the controllers start: the garbage collector looks for new kinds only every
                half minute, and until then leaves alone what their objects own.
        """
        folder.mkdir(parents=True, exist_ok=True)
        binaries = build.assets()
        _write_files(folder)
        return processes.once_more(lambda: cls._start(folder, binaries, crds))

    @classmethod
    def _start(cls, folder: pathlib.Path, binaries: build.Assets, crds: Sequence[Json]) -> Self:
        client, peer, port = processes.free_ports(3)
        (folder / "place.json").write_text(json.dumps({"url": f"https://127.0.0.1:{port}"}))
        plane = cls(folder)
        plane.admin_kubeconfig(plane.kubeconfig)
        with contextlib.ExitStack() as undo:
            etcd = processes.Server("etcd", _etcd(folder, binaries, client, peer), folder)
            undo.callback(etcd.stop)
            apiserver = processes.Server("kube-apiserver", _apiserver(folder, binaries, client, port), folder)
            undo.callback(apiserver.stop)
            apiserver.wait_for(plane._ready)
            for crd in crds:
                status, answer = plane.request("POST", _CRDS, crd)
                if status != 201:
                    raise processes.StartError(f"the API server does not take a CRD: {answer.get('message')}")
            apiserver.wait_for(lambda: all(plane._serves(crd) for crd in crds))
            manager = processes.Server("kube-controller-manager", _manager(plane, binaries), folder)
            undo.callback(manager.stop)
            manager.wait_for(plane._has_accounts)
            undo.pop_all()
        # The API server ends before etcd, without which it hangs.
        plane._servers = [manager, apiserver, etcd]
        return plane

    def pause(self) -> None:
        """Make the API server hang: it accepts connections and answers nothing."""
        self._apiserver.pause()

    def resume(self) -> None:
        """Let a paused API server go on."""
        self._apiserver.resume()

    def restart_apiserver(self) -> None:
        """Kill the API server and start it again on the same port; what was stored is there, watches are cut."""
        self._apiserver.restart()
        self._apiserver.wait_for(self._ready)

    @property
    def _apiserver(self) -> processes.Server:
        if not self._servers:
            raise RuntimeError("Only the process that started a control plane can pause or restart it.")
        return self._servers[1]

    # Using it.

    @property
    def ca_file(self) -> pathlib.Path:
        """The certificate that the API server shows."""
        return self.folder / "certs" / "apiserver.crt"

    @property
    def kubeconfig(self) -> pathlib.Path:
        """A kubeconfig for an administrator."""
        return self.folder / "admin.kubeconfig"

    def admin_kubeconfig(
        self, path: pathlib.Path | None = None, *, server: str | None = None, ca_file: pathlib.Path | None = None
    ) -> pathlib.Path:
        """Write an administrator's kubeconfig that goes by another way, for example through a proxy."""
        return self._write_kubeconfig(path, _ADMIN, server, ca_file)

    def kubeconfig_for(
        self,
        namespace: str,
        service_account: str,
        path: pathlib.Path | None = None,
        *,
        server: str | None = None,
        ca_file: pathlib.Path | None = None,
    ) -> pathlib.Path:
        """Write a kubeconfig for a ServiceAccount, which is made if it is not there; its token lives for a day.

        Args:
            path: where to write it; by default a new file beside the control plane's own.
            server: another way to the API server, for example a proxy, with its CA.
        """
        accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self.request("POST", accounts, {"metadata": {"name": service_account}})
        lifetime = {"spec": {"expirationSeconds": 86400}}
        status, answer = self.request("POST", f"{accounts}/{service_account}/token", lifetime)
        if status != 201:
            raise RuntimeError(f"No token for ServiceAccount {namespace}/{service_account}: {status} {answer}")
        return self._write_kubeconfig(path, answer["status"]["token"], server, ca_file)

    def request(
        self, method: str, path: str, body: Json | None = None, content_type: str = "application/json"
    ) -> tuple[int, Json]:
        """Ask the API server as an administrator; return status and JSON."""
        answer = self._session().request(
            method,
            self.url + path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type},
            timeout=30,
        )
        return answer.status_code, answer.json() if answer.content else {}

    def mark(self) -> int:
        """Return a mark in the audit log, after all that was answered by now: ``audit`` can start from it."""
        self._settle()
        return processes.end_of_lines(self._audit_log)

    def audit(self, since: int = 0) -> Iterator[AuditEntry]:
        """Yield what was asked of the API server since a mark; a watch counts when it starts."""
        self._settle()
        for line in self._audit_lines(since):
            entry = json.loads(line)
            # A watch has a line for its start and one for its end.
            ended = entry["stage"] == "ResponseComplete" and entry["verb"] == "watch"
            if not ended and not entry["requestURI"].startswith(_SETTLED):
                yield _entry(entry)

    # Details.

    @property
    def _audit_log(self) -> pathlib.Path:
        return self.folder / "audit.log"

    def _audit_lines(self, since: int) -> Iterator[bytes]:
        with self._audit_log.open("rb") as log:
            log.seek(since)
            yield from (line for line in log if line.endswith(b"\n"))

    def _settle(self) -> None:
        """Wait until what was answered is in the log: a line is written just after its answer."""
        token = f"{_SETTLED}{uuid.uuid4()}"
        start = processes.end_of_lines(self._audit_log)
        self.request("GET", token)
        ends = time.monotonic() + 10
        while not any(token.encode() in line for line in self._audit_lines(start)):
            if time.monotonic() > ends:
                raise RuntimeError(f"The API server does not write {self._audit_log}")
            time.sleep(0.005)

    def _session(self) -> requests.Session:
        """Return this thread's connections."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            # A proxy named in the environment is not for loopback.
            session.trust_env = False
            session.verify = str(self.ca_file)
            session.headers["Authorization"] = f"Bearer {_ADMIN}"
        return session

    def _serves(self, crd: Json) -> bool:
        """Whether the kind of a CRD can be used."""
        spec = crd["spec"]
        path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        return self.request("GET", path)[0] == 200

    def _ready(self) -> bool:
        return self._session().get(f"{self.url}/readyz", timeout=2).text == "ok"

    def _has_accounts(self) -> bool:
        """Whether the controllers work: they make each namespace's ServiceAccount."""
        return self.request("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200

    def _write_kubeconfig(
        self, path: pathlib.Path | None, token: str, server: str | None, ca_file: pathlib.Path | None
    ) -> pathlib.Path:
        cluster = {"server": server or self.url, "certificate-authority": str(ca_file or self.ca_file)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "own", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "user"}}],
            "current-context": "own",
        }
        path = path or self.folder / f"{uuid.uuid4()}.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path


def _write_files(folder: pathlib.Path) -> None:
    """Write the key pair of ServiceAccount tokens, the administrator's token and the audit policy."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "sa.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / "sa.pub").write_bytes(public)
    (folder / "tokens.csv").write_text(_TOKENS)
    (folder / "audit.yaml").write_text(yaml.safe_dump(_AUDIT))
    (folder / "audit.log").touch()


def _etcd(folder: pathlib.Path, binaries: build.Assets, client: int, peer: int) -> list[str]:
    urls = [f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"]
    return [
        str(binaries.etcd),
        f"--data-dir={folder / 'etcd'}",
        # The data ends with the run: no need to wait for the disk.
        "--unsafe-no-fsync",
        f"--listen-client-urls={urls[0]}",
        f"--advertise-client-urls={urls[0]}",
        f"--listen-peer-urls={urls[1]}",
        f"--initial-advertise-peer-urls={urls[1]}",
        f"--initial-cluster=default={urls[1]}",
        "--quota-backend-bytes=4294967296",
        "--log-level=error",
    ]


def _apiserver(folder: pathlib.Path, binaries: build.Assets, etcd: int, port: int) -> list[str]:
    return [
        str(binaries.apiserver),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--cert-dir={folder / 'certs'}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        f"--service-account-key-file={folder / 'sa.pub'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--audit-policy-file={folder / 'audit.yaml'}",
        f"--audit-log-path={folder / 'audit.log'}",
        # It would begin a new file after 100 MB, which a whole run reaches, and what is read would be cut off.
        "--audit-log-maxsize=10000",
    ]


def _manager(plane: ControlPlane, binaries: build.Assets) -> list[str]:
    return [
        str(binaries.controller_manager),
        f"--kubeconfig={plane.kubeconfig}",
        "--leader-elect=false",
        "--secure-port=0",
        f"--service-account-private-key-file={plane.folder / 'sa.key'}",
        f"--controllers={_CONTROLLERS}",
        # Many tests end namespaces at the same time.
        "--concurrent-namespace-syncs=20",
    ]


def _entry(line: Json) -> AuditEntry:
    about = line.get("objectRef") or {}
    return AuditEntry(
        at=line["requestReceivedTimestamp"],
        user=(line.get("user") or {}).get("username", ""),
        verb=line["verb"],
        group=about.get("apiGroup", ""),
        resource=about.get("resource", ""),
        subresource=about.get("subresource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=(line.get("responseStatus") or {}).get("code", 0),
        uri=line["requestURI"],
        user_agent=line.get("userAgent", ""),
    )
