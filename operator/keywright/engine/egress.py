"""Where stores and issuers may connect to: checked by address, at the moment of connecting, whatever library does it.

A host name is no protection: it may resolve to anything, and to something else the next time. Python tells an audit
hook of every address that a socket connects or sends to; the hook looks at threads that run a call of a store or an
issuer and at no others, so neither may start threads or processes of its own that connect.

Does not belong here: what a store may read (its own policies), Kubernetes NetworkPolicies.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import sys
import threading
from collections.abc import Iterator
from typing import Any

from .. import errors
from ..errors import Reason

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """What addresses a store or an issuer may reach beside public ones.

    Attributes:
        private: all private networks (cluster kinds).
        networks: these private networks.
        loopback: loopback addresses (development).
    """

    private: bool = False
    networks: tuple[Network, ...] = ()
    loopback: bool = False

    def allows(self, address: Address) -> bool:
        """Whether a store may connect to this address. Link-local ones (cloud metadata) never are."""
        address = _meant(address)
        if address.is_loopback:
            return self.loopback
        if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
            return False
        if address in _METADATA:
            return False
        public = address.is_global and address not in _SITE_LOCAL
        return public or self.private or any(address in network for network in self.networks)


#: IPv6 addresses that stand for IPv4 ones (NAT64), and what was private in IPv6 before fc00::/7.
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_SITE_LOCAL = ipaddress.IPv6Network("fec0::/10")
#: Metadata services of clouds that are not link-local.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "fd00:ec2::254",  # AWS
            "fd00:ec2::23",  # AWS, pod identity
            "fd20:ce::254",  # Google
            "168.63.129.16",  # Azure, a public address
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle, classic
            "fd00:c1::a9fe:a9fe",  # Oracle
            "fd00:42::42",  # Scaleway
        ),
    )
)

#: A datagram, and TCP Fast Open, need no connect.
_SENDING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})

_confined = threading.local()
_installed = threading.Lock()


@contextlib.contextmanager
def confined(scope: Scope) -> Iterator[None]:
    """Hold every connection that this thread makes meanwhile to the scope.

    Raises:
        errors.Stalled: (out of the connecting call) ``EndpointForbidden``.
    """
    _install()
    before = getattr(_confined, "scope", None)
    _confined.scope = scope
    try:
        yield
    finally:
        _confined.scope = before


def _install() -> None:
    """Install the hook once; hooks cannot be removed."""
    if getattr(_install, "done", False):
        return
    with _installed:
        if not getattr(_install, "done", False):
            sys.addaudithook(_hook)
            _install.done = True  # type: ignore[attr-defined]


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event not in _SENDING:
        return
    scope: Scope | None = getattr(_confined, "scope", None)
    if scope is None:
        return
    target = args[1]
    if target is None:
        return  # Sent to where it is connected already.
    address = _address(target[0]) if isinstance(target, tuple) and target else None
    if address is None or not scope.allows(address):
        # Callers close a socket that cannot be connected when the error is an OSError; ours is not.
        args[0].close()
        raise errors.Stalled(
            Reason.ENDPOINT_FORBIDDEN,
            "may not be reached: its address is a loopback, link-local, metadata or private one",
            "Use a ClusterKeyStore or ClusterKeyIssuer, or ask the operator's administrator for --allow-store-network",
        )


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for: mapped, 6to4 or NAT64; else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    translated = any(address in network for network in _NAT64)
    through = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if translated else None
    return address.ipv4_mapped or address.sixtofour or through or address


def _address(host: object) -> Address | None:
    try:
        return ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return None
