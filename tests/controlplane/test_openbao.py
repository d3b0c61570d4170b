"""OpenBao: what was asked of it, seal and restart, and the proxy in front of it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import hvac
import pytest
import requests
from hvac import exceptions

from controlplane import Answer, FaultProxy, LoseAnswer, OpenBao, Truncate


@pytest.fixture(scope="module")
def raft(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    """An OpenBao that may be sealed and restarted."""
    with OpenBao.start_raft(tmp_path_factory.mktemp("raft") / "openbao") as bao:
        yield bao


def through(bao: OpenBao, proxy: FaultProxy) -> hvac.Client:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(proxy.ca_file) if proxy.ca_file else True
    return hvac.Client(proxy.url, token=bao.root_token, session=session, verify=session.verify)


def write(bao: OpenBao, path: str, **data: str) -> None:
    bao.client().secrets.kv.v2.create_or_update_secret(path, data)


def read(client: hvac.Client, path: str) -> object:
    return client.secrets.kv.v2.read_secret_version(path, raise_on_deleted_version=True)["data"]["data"]


def test_reads_and_refused_logins_can_be_counted(openbao: OpenBao, namespace: str) -> None:
    write(openbao, namespace, key="value")
    openbao.client().sys.enable_auth_method("userpass", path=namespace)
    mark = openbao.mark()

    read(openbao.client(), namespace)
    with pytest.raises(exceptions.Forbidden):
        read(hvac.Client(openbao.url, token="wrong", session=openbao.client().session), namespace)
    with pytest.raises(exceptions.InvalidRequest):
        openbao.client().auth.userpass.login("somebody", "wrong", mount_point=namespace)

    of_ours = [each for each in openbao.requests(mark) if namespace in each.path]
    assert [(each.operation, each.path, each.refused) for each in of_ours] == [
        ("read", f"secret/data/{namespace}", False),
        ("read", f"secret/data/{namespace}", True),
        ("update", f"auth/{namespace}/login/somebody", True),
    ]


def test_requests_name_their_namespace(openbao: OpenBao, namespace: str) -> None:
    openbao.client().adapter.post(f"/v1/sys/namespaces/{namespace}")
    mark = openbao.mark()

    openbao.client(namespace).adapter.get("/v1/sys/mounts")

    assert [each.path for each in openbao.requests(mark) if each.namespace == namespace] == ["sys/mounts"]


def test_another_process_finds_all_in_the_folder(raft: OpenBao) -> None:
    write(raft, "attached", key="value")

    other = OpenBao.attach(raft.folder)

    assert read(other.client(), "attached") == {"key": "value"}
    assert other.ca_file == raft.ca_file


def test_its_certificate_is_trusted_by_its_ca_only(raft: OpenBao) -> None:
    stranger = requests.Session()
    stranger.trust_env = False

    with pytest.raises(requests.exceptions.SSLError):
        stranger.get(f"{raft.url}/v1/sys/health")

    stranger.verify = str(raft.ca_file)
    assert stranger.get(f"{raft.url}/v1/sys/health").status_code == 200


def test_sealed_it_refuses_until_unsealed(raft: OpenBao) -> None:
    write(raft, "kept", key="value")

    raft.seal()
    with pytest.raises(exceptions.VaultDown):
        read(raft.client(), "kept")
    raft.unseal()

    assert read(raft.client(), "kept") == {"key": "value"}


def test_restarted_it_is_sealed_and_has_what_was_stored(raft: OpenBao) -> None:
    write(raft, "kept", key="value")

    raft.restart()
    with pytest.raises(exceptions.VaultDown):
        read(raft.client(), "kept")
    raft.unseal()

    assert read(raft.client(), "kept") == {"key": "value"}


def test_paused_it_does_not_answer_until_resumed(raft: OpenBao) -> None:
    write(raft, "kept", key="value")

    raft.pause()
    with pytest.raises(requests.Timeout):
        raft.client().session.get(f"{raft.url}/v1/sys/health", timeout=0.5)
    raft.resume()

    assert read(raft.client(), "kept") == {"key": "value"}


def test_a_proxy_in_front_of_it_speaks_plain_http_as_it_does(
    openbao: OpenBao, bao_proxy: FaultProxy, namespace: str
) -> None:
    write(openbao, namespace, key="value")

    assert read(through(openbao, bao_proxy), namespace) == {"key": "value"}

    assert bao_proxy.url.startswith("http://")
    assert bao_proxy.count(method="GET", path=f"/v1/secret/data/{namespace}") == 1


def test_a_store_can_be_made_to_fail(openbao: OpenBao, bao_proxy: FaultProxy, namespace: str) -> None:
    write(openbao, namespace, key="value")
    client = through(openbao, bao_proxy)
    mark = openbao.mark()

    with bao_proxy.fault(Answer(503, {"errors": ["Vault is sealed"]})), pytest.raises(exceptions.VaultDown):
        read(client, namespace)
    with bao_proxy.fault(Truncate(after=10)), pytest.raises(requests.exceptions.ChunkedEncodingError):
        read(client, namespace)
    with bao_proxy.fault(LoseAnswer()), pytest.raises(requests.ConnectionError):
        read(client, namespace)

    # The server has not seen the first.
    assert len([each for each in openbao.requests(mark) if each.path.endswith(namespace)]) == 2


def test_a_proxy_in_front_of_tls_is_trusted_by_its_own_ca(raft: OpenBao, tmp_path: pathlib.Path) -> None:
    write(raft, "kept", key="value")

    with FaultProxy(raft, tmp_path) as proxy:
        with pytest.raises(requests.exceptions.SSLError):
            raft.client().session.get(f"{proxy.url}/v1/sys/health")

        assert read(through(raft, proxy), "kept") == {"key": "value"}
