"""Proxies in front of the run's servers, and a client that goes through them."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest
import requests
import yaml

from controlplane import ControlPlane, FaultProxy, OpenBao


class Through(requests.Session):
    """A client of the API server by a kubeconfig; takes paths instead of addresses."""

    def __init__(self, kubeconfig: pathlib.Path) -> None:
        super().__init__()
        config = yaml.safe_load(kubeconfig.read_text())
        self.base = config["clusters"][0]["cluster"]["server"]
        self.trust_env = False
        self.verify = config["clusters"][0]["cluster"]["certificate-authority"]
        self.headers["Authorization"] = f"Bearer {config['users'][0]['user']['token']}"

    def request(self, method: str, url: str, *args: object, **options: object) -> requests.Response:  # type: ignore[override]
        options.setdefault("timeout", 20)
        return super().request(method, self.base + url, *args, **options)  # type: ignore[arg-type]


@pytest.fixture
def proxy(control_plane: ControlPlane, tmp_path: pathlib.Path) -> Iterator[FaultProxy]:
    """A proxy in front of the API server."""
    with FaultProxy(control_plane, tmp_path / "proxy") as made:
        yield made


@pytest.fixture
def kube(control_plane: ControlPlane, proxy: FaultProxy, tmp_path: pathlib.Path) -> Iterator[requests.Session]:
    """An administrator's client that goes through the proxy."""
    path = control_plane.admin_kubeconfig(tmp_path / "kubeconfig", server=proxy.url, ca_file=proxy.ca_file)
    with Through(path) as session:
        yield session


@pytest.fixture
def secrets(namespace: str) -> str:
    """The path of the namespace's Secrets."""
    return f"/api/v1/namespaces/{namespace}/secrets"


@pytest.fixture
def bao_proxy(openbao: OpenBao, tmp_path: pathlib.Path) -> Iterator[FaultProxy]:
    """A proxy in front of OpenBao."""
    with FaultProxy(openbao, tmp_path / "bao-proxy") as made:
        yield made
