"""Each fault of the proxy, in front of the real API server."""

from __future__ import annotations

import base64
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

import pytest
import requests

from controlplane import (
    MUTATING,
    Answer,
    ControlPlane,
    Delay,
    Drip,
    Drop,
    Fault,
    FaultProxy,
    Hang,
    Hold,
    HoldAnswer,
    KillAfter,
    KillBefore,
    LoseAnswer,
    NeverHappened,
    Redirect,
    Replace,
    Truncate,
)

from .conftest import Through

#: Makes Secrets one after the other, until somebody kills it.
WRITER = """
import itertools, sys, requests
session = requests.Session()
session.trust_env, session.verify = False, sys.argv[2]
session.headers["Authorization"] = sys.argv[3]
for number in itertools.count(1):
    session.post(sys.argv[1], json={"metadata": {"name": f"s{number}"}}, timeout=20).raise_for_status()
"""


def secret(name: str, **data: bytes) -> dict[str, object]:
    return {"metadata": {"name": name}, "data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


def names(plane: ControlPlane, secrets: str) -> list[str]:
    return [each["metadata"]["name"] for each in plane.request("GET", secrets)[1]["items"]]


def test_without_a_fault_all_passes_through(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    made = kube.post(secrets, json=secret("llm", key=b"value"), headers={"User-Agent": "someone/1.0"})

    assert made.status_code == 201
    assert made.json()["data"] == control_plane.request("GET", f"{secrets}/llm")[1]["data"]
    assert kube.get(f"{secrets}/other").status_code == 404
    assert [(each.method, each.path, each.status) for each in proxy.requests] == [
        ("POST", secrets, 201),
        ("GET", f"{secrets}/other", 404),
    ]
    assert proxy.requests[0].user_agent == "someone/1.0"


def test_a_body_too_large_to_be_held_whole_is_passed_on_unchanged(kube: requests.Session, secrets: str) -> None:
    value = os.urandom(1000 * 1000)

    assert kube.post(secrets, json=secret("large", key=value)).status_code == 201

    assert base64.b64decode(kube.get(f"{secrets}/large").json()["data"]["key"]) == value
    assert len(kube.get(secrets, params={"limit": "5"}).content) > 1_300_000


def test_many_clients_are_served_side_by_side(proxy: FaultProxy, kube: requests.Session, secrets: str) -> None:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(lambda _: kube.get(secrets).status_code, range(80)))

    assert statuses == {200}
    assert proxy.count(method="GET", path="/secrets") == 80


@pytest.mark.parametrize("status", [409, 410, 429, 500, 503])
def test_an_answer_of_the_proxy_keeps_the_request_from_the_server(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str, status: int
) -> None:
    with proxy.fault(Answer(status, retry_after=7), method="POST", path="/secrets"):
        answer = kube.post(secrets, json=secret("llm"))

    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (status, status, "7")
    assert names(control_plane, secrets) == []
    assert not proxy.requests[-1].forwarded


def test_a_fault_happens_as_often_as_asked_and_not_before(
    proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    with proxy.fault(Answer(503), method="GET", path="/secrets", after=1, times=2) as fault:
        statuses = [kube.get(secrets).status_code for _ in range(5)]

    assert statuses == [200, 503, 503, 200, 200]
    assert fault.hits == 2


def test_a_fault_keeps_to_its_method_and_path(proxy: FaultProxy, kube: requests.Session, secrets: str) -> None:
    with proxy.fault(Answer(503), method=MUTATING, path=r"/secrets\?dryRun") as fault:
        statuses = [
            kube.get(secrets, params={"dryRun": "All"}).status_code,
            kube.post(secrets, json=secret("llm")).status_code,
            kube.post(secrets, json=secret("llm"), params={"dryRun": "All"}).status_code,
        ]

    assert statuses == [200, 201, 503]
    assert fault.hits == 1


def test_a_fault_that_never_happened_fails_the_test(proxy: FaultProxy, kube: requests.Session, secrets: str) -> None:
    with pytest.raises(NeverHappened, match=r"Answer\(status=409"), proxy.fault(Answer(409), method="PATCH"):
        kube.get(secrets)


def test_a_redirect_names_the_other_place(proxy: FaultProxy, kube: requests.Session, secrets: str) -> None:
    with proxy.fault(Redirect("https://127.0.0.1:1/elsewhere")):
        answer = kube.get(secrets, allow_redirects=False)

    assert (answer.status_code, answer.headers["Location"]) == (307, "https://127.0.0.1:1/elsewhere")


@pytest.mark.parametrize("body", [b"", "<html>Sign in</html>", "x" * 10_000_000], ids=["empty", "html", "huge"])
def test_a_replaced_body_hides_what_the_server_did(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str, body: str | bytes
) -> None:
    with proxy.fault(Replace(body, content_type="text/html"), method="POST"):
        answer = kube.post(secrets, json=secret("llm"))

    assert answer.status_code == 201
    assert answer.content == (body if isinstance(body, bytes) else body.encode())
    assert answer.headers.get("Content-Type", "text/html") == "text/html"
    assert names(control_plane, secrets) == ["llm"]


def test_a_delayed_request_arrives_later(proxy: FaultProxy, kube: requests.Session, secrets: str) -> None:
    started = time.monotonic()

    with proxy.fault(Delay(0.3), method="POST", times=1):
        made = kube.post(secrets, json=secret("llm"))

    assert made.status_code == 201
    assert time.monotonic() - started >= 0.3


def test_a_held_request_comes_after_what_happened_meanwhile(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with proxy.fault(Hold(), method="POST") as held:
            answer = pool.submit(kube.post, secrets, json=secret("llm"))
            held.wait()
            assert control_plane.request("POST", secrets, secret("llm"))[0] == 201

        assert answer.result().status_code == 409


def test_a_held_answer_comes_after_its_effect(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        hold = HoldAnswer()
        with proxy.fault(hold, method="POST"):
            answer = pool.submit(kube.post, secrets, json=secret("llm"))
            assert hold.done.wait(10)
            assert names(control_plane, secrets) == ["llm"]
            assert not answer.done()

        assert answer.result().status_code == 201


@pytest.mark.parametrize(("fault", "effect"), [(Drop(), []), (LoseAnswer(), ["llm"])], ids=["before", "after"])
def test_a_cut_connection_tells_nothing_of_the_effect(
    control_plane: ControlPlane,
    proxy: FaultProxy,
    kube: requests.Session,
    secrets: str,
    fault: Fault,
    effect: list[str],
) -> None:
    with proxy.fault(fault, method="POST"), pytest.raises(requests.ConnectionError):
        kube.post(secrets, json=secret("llm"))

    assert names(control_plane, secrets) == effect
    assert proxy.requests[-1].status is None


def test_a_hanging_request_gets_no_answer(
    control_plane: ControlPlane, proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    with proxy.fault(Hang(), method="POST"), pytest.raises(requests.ReadTimeout):
        kube.post(secrets, json=secret("llm"), timeout=0.3)

    assert names(control_plane, secrets) == []


def test_a_truncated_answer_is_short(proxy: FaultProxy, kube: requests.Session, secrets: str) -> None:
    with proxy.fault(Truncate(after=20)):
        answer = kube.get(secrets, stream=True)
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="20 bytes read"):
            answer.json()


def test_a_dripping_answer_is_whole_in_the_end(proxy: FaultProxy, kube: requests.Session) -> None:
    whole = kube.get("/version").content
    started = time.monotonic()

    with proxy.fault(Drip(size=20, pause=0.02)):
        answer = kube.get("/version")

    assert answer.content == whole
    assert time.monotonic() - started >= len(whole) // 20 * 0.02


@pytest.mark.parametrize(("kill", "effect"), [(KillBefore, ["s1", "s2"]), (KillAfter, ["s1", "s2", "s3"])])
def test_a_process_is_killed_at_its_third_effect(
    control_plane: ControlPlane,
    proxy: FaultProxy,
    kube: requests.Session,
    secrets: str,
    kill: type[KillBefore | KillAfter],
    effect: list[str],
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    with proxy.fault(kill(lambda: started[0].pid), method=MUTATING, path="/secrets", after=2, times=1):
        arguments = [proxy.url + secrets, str(proxy.ca_file), str(kube.headers["Authorization"])]
        started.append(subprocess.Popen([sys.executable, "-c", WRITER, *arguments]))
        assert started[0].wait(30) == -9

    assert names(control_plane, secrets) == effect


def test_a_proxy_that_is_down_refuses_and_comes_back_at_the_same_place(
    proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    watch = kube.get(secrets, params={"watch": "1"}, stream=True)

    proxy.down()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(watch.iter_lines())
    with pytest.raises(requests.ConnectionError, match="refused"):
        kube.get(secrets)
    proxy.up()

    assert kube.get(secrets).status_code == 200


def test_connections_can_be_cut_while_new_ones_are_taken(
    proxy: FaultProxy, kube: requests.Session, secrets: str
) -> None:
    watch = kube.get(secrets, params={"watch": "1"}, stream=True)

    assert proxy.cut() == 1

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(watch.iter_lines())
    assert kube.get(secrets).status_code == 200


@pytest.mark.parametrize("fault", [Hang(), Hold()])
def test_a_proxy_that_ends_lets_go_of_its_clients_and_passes_nothing_on(
    control_plane: ControlPlane, tmp_path: pathlib.Path, secrets: str, fault: Fault
) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with FaultProxy(control_plane, tmp_path) as proxy:
            kubeconfig = control_plane.admin_kubeconfig(server=proxy.url, ca_file=proxy.ca_file)
            waiting = proxy.fault(fault)
            answer = pool.submit(Through(kubeconfig).post, secrets, json=secret("llm"), timeout=60)
            waiting.wait()

        with pytest.raises(requests.ConnectionError):
            answer.result()

    assert names(control_plane, secrets) == []
