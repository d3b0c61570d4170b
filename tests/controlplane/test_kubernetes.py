"""The control plane: what a cluster does, who asked for what, and what its owner may do to it."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from controlplane import ControlPlane, FaultProxy

from .conftest import Through

DEV = pathlib.Path(__file__).parents[2] / "dev"
READER = {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]}


def eventually(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane that may be paused and restarted."""
    with ControlPlane.start(tmp_path_factory.mktemp("own") / "kubernetes") as plane:
        yield plane


def test_a_service_account_may_do_what_it_was_granted(
    control_plane: ControlPlane, namespace: str, secrets: str
) -> None:
    kubeconfig = control_plane.kubeconfig_for(namespace, "reader")
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"

    with Through(kubeconfig) as reader:
        assert reader.get(secrets).status_code == 403

        control_plane.request("POST", f"{rbac}/roles", {"metadata": {"name": "reader"}, **READER})
        binding = {
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
        }
        assert control_plane.request("POST", f"{rbac}/rolebindings", binding)[0] == 201

        eventually(lambda: reader.get(secrets).status_code == 200)
        assert reader.post(secrets, json={"metadata": {"name": "x"}}).status_code == 403


def test_a_service_account_can_go_through_a_proxy(
    control_plane: ControlPlane, proxy: FaultProxy, namespace: str, secrets: str
) -> None:
    kubeconfig = control_plane.kubeconfig_for(namespace, "reader", server=proxy.url, ca_file=proxy.ca_file)

    with Through(kubeconfig) as reader:
        assert reader.get(secrets).status_code == 403

    assert proxy.count(method="GET", path="/secrets") == 1


def test_the_audit_log_tells_who_asked_for_what_since_a_mark(
    control_plane: ControlPlane, namespace: str, secrets: str
) -> None:
    with Through(control_plane.kubeconfig_for(namespace, "reader")) as reader:
        reader.get(f"{secrets}/before")
        mark = control_plane.mark()
        reader.get(f"{secrets}/one", headers={"User-Agent": "someone/1.0"})
        reader.post(secrets, json={"metadata": {"name": "two"}}, params={"dryRun": "All"})
        reader.get(secrets, params={"watch": "1"})

        user = f"system:serviceaccount:{namespace}:reader"
        entries = [each for each in control_plane.audit(mark) if each.user == user]

    assert [(each.verb, each.resource, each.name, each.code) for each in entries] == [
        ("get", "secrets", "one", 403),
        ("create", "secrets", "", 403),
        ("watch", "secrets", "", 403),
    ]
    assert entries[0].user_agent == "someone/1.0"
    assert entries[0].namespace == namespace
    assert entries[1].uri == f"{secrets}?dryRun=All"


def test_a_watch_counts_once_when_it_starts(control_plane: ControlPlane, secrets: str) -> None:
    mark = control_plane.mark()

    with Through(control_plane.kubeconfig) as admin:
        stream = admin.get(secrets, params={"watch": "1", "timeoutSeconds": "1"}, stream=True)
        running = [each.verb for each in control_plane.audit(mark) if each.uri.startswith(secrets)]
        list(stream.iter_lines())
        ended = [each.verb for each in control_plane.audit(mark) if each.uri.startswith(secrets)]

    assert running == ended == ["watch"]


def test_what_an_object_owns_goes_with_it(control_plane: ControlPlane, namespace: str, secrets: str) -> None:
    _, owner = control_plane.request(
        "POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "owner"}}
    )
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    control_plane.request("POST", secrets, {"metadata": {"name": "owned", "ownerReferences": [reference]}})

    control_plane.request("DELETE", f"/api/v1/namespaces/{namespace}/configmaps/owner")

    eventually(lambda: control_plane.request("GET", f"{secrets}/owned")[0] == 404)


def test_a_deleted_namespace_goes_with_what_is_in_it(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}-gone"
    control_plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": f"{namespace}-gone"}})
    eventually(lambda: control_plane.request("GET", f"{path}/serviceaccounts/default")[0] == 200)
    control_plane.request("POST", f"{path}/secrets", {"metadata": {"name": "inside"}})

    control_plane.request("DELETE", path)

    eventually(lambda: control_plane.request("GET", path)[0] == 404)


def test_another_process_can_use_it(control_plane: ControlPlane, namespace: str) -> None:
    program = (
        "import pathlib, sys; from controlplane import ControlPlane\n"
        "plane = ControlPlane.attach(pathlib.Path(sys.argv[1]))\n"
        "print(plane.request('GET', '/api/v1/namespaces/' + sys.argv[2])[0], plane.mark() > 0)"
    )
    command = [sys.executable, "-c", program, str(control_plane.folder), namespace]

    done = subprocess.run(command, env={"PYTHONPATH": str(DEV)}, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["200", "True"]


def test_who_has_not_started_it_cannot_restart_it(own: ControlPlane) -> None:
    with pytest.raises(RuntimeError, match="Only the process that started"):
        ControlPlane.attach(own.folder).restart_apiserver()


def test_a_paused_api_server_does_not_answer_until_resumed(own: ControlPlane) -> None:
    with Through(own.kubeconfig) as admin:
        own.pause()
        with pytest.raises(requests.Timeout):
            admin.get("/version", timeout=0.5)
        own.resume()

        assert admin.get("/version").status_code == 200


def test_a_restarted_api_server_has_what_was_stored(own: ControlPlane) -> None:
    secrets = "/api/v1/namespaces/default/secrets"
    own.request("POST", secrets, {"metadata": {"name": "kept"}})

    own.restart_apiserver()

    assert own.request("GET", f"{secrets}/kept")[0] == 200
