"""Where stores may connect to: which addresses, and that nothing leaves for others, whatever library connects."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from keywright import errors
from keywright.engine.egress import Scope, confined
from keywright.errors import Reason

NOTHING = Scope()
CLUSTER = Scope(private=True)
LISTED = Scope(networks=(ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd12::/16")))
DEVELOPMENT = Scope(loopback=True)
EVERYTHING = Scope(private=True, networks=(ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")))

METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.0.23",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "0:0:0:0:0:ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::a9fe:a9fe",
    "fd00:ec2::254",
    "fd00:0ec2:0000::0254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "100.100.100.200",
    "::ffff:100.100.100.200",
    "64:ff9b::6464:64c8",
    "168.63.129.16",
    "::ffff:168.63.129.16",
    "64:ff9b:1::6464:64c8",
    "192.0.0.192",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
]
LOOPBACK = [
    "127.0.0.1",
    "127.1.2.3",
    "127.255.255.254",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
]
NOWHERE = [
    "0.0.0.0",  # noqa: S104 - one of those that are refused
    "::",
    "::ffff:0.0.0.0",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::ffff:255.255.255.255",
    "ff02::1",
    "100::1",
    "169.254.1.1",
    "fe80::1",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "fc00::1",
    "fd00::1",
    "fec0::1",
]
PUBLIC = ["8.8.8.8", "172.32.0.1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2606:4700:4700::1111"]

TABLE = [
    *((each, {}) for each in METADATA + NOWHERE),
    *((each, {"development": True}) for each in LOOPBACK),
    *((each, {"cluster": True}) for each in PRIVATE),
    *((each, {"nothing": True, "cluster": True, "listed": True, "development": True}) for each in PUBLIC),
    ("10.1.2.3", {"cluster": True, "listed": True}),
    ("::ffff:10.1.2.3", {"cluster": True, "listed": True}),
    ("10.2.0.1", {"cluster": True}),
    ("fd12::1", {"cluster": True, "listed": True}),
    ("fd13::1", {"cluster": True}),
]
SCOPES = {"nothing": NOTHING, "cluster": CLUSTER, "listed": LISTED, "development": DEVELOPMENT}


@pytest.mark.parametrize(("address", "allowed"), TABLE)
def test_a_scope_allows_exactly_what_it_says(address: str, allowed: dict[str, bool]) -> None:
    parsed = ipaddress.ip_address(address)

    assert {name for name, scope in SCOPES.items() if scope.allows(parsed)} == allowed.keys()


@pytest.mark.parametrize("address", [*METADATA, *LOOPBACK, *NOWHERE])
def test_not_even_a_list_of_everything_allows_metadata_and_loopback(address: str) -> None:
    assert not EVERYTHING.allows(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_in_disguise_is_treated_as_what_it_stands_for(address: ipaddress.IPv4Address) -> None:
    disguises = [ipaddress.IPv6Address(prefix | int(address)) for prefix in (0xFFFF << 32, 0x64FF9B << 96)]
    disguises.append(ipaddress.IPv6Address(0x2002 << 112 | int(address) << 80))

    for scope in SCOPES.values():
        assert [scope.allows(each) for each in disguises] == [scope.allows(address)] * 3


class Listener:
    """A server that answers every request, and counts who came."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.came = 0
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                with connection:
                    self.came += 1
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A server on loopback."""
    made = Listener()
    yield made
    made.close()


def _by_requests(host: str, port: int) -> bytes:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"http://{host}:{port}/", timeout=5).content


def _by_urllib3(host: str, port: int) -> bytes:
    with urllib3.PoolManager(retries=3) as pool:
        return pool.request("GET", f"http://{host}:{port}/").data


def _by_http_client(host: str, port: int) -> bytes:
    with contextlib.closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().read()


def _by_urllib(host: str, port: int) -> bytes:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://{host}:{port}/", timeout=5) as answer:
        found: bytes = answer.read()
        return found


def _by_socket(host: str, port: int) -> bytes:
    address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
    with socket.socket() as connection:
        connection.connect(address)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.recv(65536)[-2:]


def _by_connect_ex(host: str, port: int) -> bytes:
    address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
    with socket.socket() as connection:
        assert connection.connect_ex(address) == 0
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.recv(65536)[-2:]


LIBRARIES: list[Callable[[str, int], bytes]] = [
    _by_requests,
    _by_urllib3,
    _by_http_client,
    _by_urllib,
    _by_socket,
    _by_connect_ex,
]


@pytest.mark.parametrize("fetch", LIBRARIES)
@pytest.mark.parametrize("scope", [NOTHING, CLUSTER, EVERYTHING], ids=["nothing", "cluster", "everything"])
def test_a_forbidden_address_is_refused_before_anything_leaves(
    listener: Listener, fetch: Callable[[str, int], bytes], scope: Scope
) -> None:
    with confined(scope), pytest.raises(errors.Stalled) as caught:
        fetch("127.0.0.1", listener.port)

    assert caught.value.reason is Reason.ENDPOINT_FORBIDDEN
    assert listener.came == 0


@pytest.mark.parametrize("fetch", LIBRARIES)
def test_an_allowed_address_is_reached(listener: Listener, fetch: Callable[[str, int], bytes]) -> None:
    with confined(DEVELOPMENT):
        assert fetch("127.0.0.1", listener.port) == b"ok"


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "127.0.1"])
def test_no_spelling_of_a_host_gets_around_it(listener: Listener, host: str) -> None:
    with confined(CLUSTER), pytest.raises(errors.Stalled):
        _by_http_client(host, listener.port)

    assert listener.came == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", ""])
def test_a_name_that_nobody_resolved_is_refused_too(listener: Listener, host: str) -> None:
    with socket.socket() as connection, confined(NOTHING), pytest.raises(errors.Stalled):
        connection.connect((host, listener.port))

    assert listener.came == 0


def test_a_socket_of_the_file_system_is_refused() -> None:
    with socket.socket(socket.AF_UNIX) as connection, confined(EVERYTHING), pytest.raises(errors.Stalled):
        connection.connect("/run/no-such-socket")


def test_a_datagram_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.05)
        for send in ("sendto", "sendmsg"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, confined(CLUSTER):
                arguments = ([b"x"], [], 0) if send == "sendmsg" else (b"x",)
                with pytest.raises(errors.Stalled):
                    getattr(client, send)(*arguments, server.getsockname())
        with pytest.raises(TimeoutError):
            server.recv(10)


def test_what_is_connected_may_send() -> None:
    one, other = socket.socketpair()
    with one, other, confined(NOTHING):
        one.sendmsg([b"x"])
        assert other.recv(1) == b"x"


def test_only_the_thread_that_is_confined_is_held_back(listener: Listener) -> None:
    answers: list[bytes] = []
    with confined(NOTHING):
        thread = threading.Thread(target=lambda: answers.append(_by_http_client("127.0.0.1", listener.port)))
        thread.start()
        thread.join()

    assert answers == [b"ok"]


def test_scopes_nest_and_end(listener: Listener) -> None:
    with confined(DEVELOPMENT):
        with confined(NOTHING), pytest.raises(errors.Stalled):
            _by_socket("127.0.0.1", listener.port)
        assert _by_socket("127.0.0.1", listener.port) == b"ok"
    assert _by_socket("127.0.0.1", listener.port) == b"ok"


def test_a_scope_ends_when_what_it_held_fails(listener: Listener) -> None:
    with pytest.raises(errors.Stalled), confined(NOTHING):
        _by_socket("127.0.0.1", listener.port)

    assert _by_socket("127.0.0.1", listener.port) == b"ok"
