"""Certificates for servers on loopback: an authority of one's own, and what it signs.

Does not belong here: the servers.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


class Authority:
    """A certificate authority; ``pem`` is its certificate."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        made = _builder(self._name, self._name, self._key, days=60)
        self._certificate = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
            self._key, hashes.SHA256()
        )
        self.pem = self._certificate.public_bytes(_PEM).decode()

    def sign(self, name: str, *, address: str = "127.0.0.1", days: int = 1) -> tuple[bytes, bytes]:
        """Return a certificate and its key (PEM).

        Args:
            days: until it ends; negative for one that has ended.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName(name)])
        made = _builder(_named(name), self._name, key, days=days).add_extension(names, critical=False)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        certificate = made.sign(self._key, hashes.SHA256())
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return certificate.public_bytes(_PEM), private

    def server(self, directory: pathlib.Path, *, address: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
        """Return what a server shows."""
        certificate, key = self.sign("server.test", address=address, days=days)
        (directory / "server.pem").write_bytes(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.pem")
        return context


@dataclasses.dataclass(frozen=True)
class ServerFiles:
    """What a server needs for TLS and its clients to trust it; all PEM."""

    certificate: pathlib.Path
    key: pathlib.Path
    ca: pathlib.Path


def make_server_files(folder: pathlib.Path) -> ServerFiles:
    """Write an authority's certificate, and a certificate and key that it signed for 127.0.0.1 and localhost."""
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority("Keywright development CA")
    certificate, key = authority.sign("localhost", days=30)
    files = ServerFiles(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")
    files.ca.write_text(authority.pem)
    files.certificate.write_bytes(certificate)
    files.key.touch(mode=0o600)
    files.key.write_bytes(key)
    return files


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    start = now + datetime.timedelta(days=min(days - 1, -1))
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(now + datetime.timedelta(days=days))
    )
