"""A Secret's entries in the shape that others expect: pull secrets, certificates, files of variables. Pure.

The same entries give the same bytes. Messages name entries and fields, never a value. Whatever the bytes of a value,
work grows with its length alone: one tenant's value must not take the time of all others.

Formats: Kubernetes' types of Secrets (``kubernetes.io/…``); Docker's ``config.json``; dotenv as docker compose
(``compose-go/dotenv``) and python-dotenv read it.

Does not belong here: the fields of a shape (``kinds/shapes.py``), templates, reading and writing.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from .. import canonical, errors
from ..errors import Reason
from ..kinds.shapes import BasicAuth, DockerConfig, Dotenv, JsonFile, Registry, Shapes, SshAuth, Tls
from ..secret import SecretMap, SecretValue
from . import render

#: Text around and of a private key (bytes); one of RSA with 8192 bits has 6.4 KiB.
MAX_KEY = 16 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Shaped:
    """What shapes make of entries.

    Attributes:
        entries: what comes into the Secret.
        consumed: entries that went into it, and do not come into the Secret as they are.
        type: of the Secret, where a shape decides it.
    """

    entries: Mapping[str, SecretValue]
    consumed: frozenset[str]
    type: str | None


def shape(spec: Shapes, entries: SecretMap, lacking: AbstractSet[str] = frozenset()) -> Shaped:
    """Return what the shapes make of the entries.

    Args:
        lacking: optional entries that the store lacks: left out where a shape can do without.

    Raises:
        errors.Stalled: ``InvalidSpec``: two shapes want a type; ``ShapeFailed``: an entry is missing, or its value is
            not what the shape needs; ``ValueTooLarge``: what is put into shapes is more than a Secret holds;
            ``ConflictingEntries``: two things would have one name in the Secret.
    """
    typed = [each for each in (spec.docker_config, spec.basic_auth, spec.ssh_auth, spec.tls) if each]
    if len(typed) > 1:
        said = "the target has two shapes that want different types"
        raise errors.Stalled(Reason.INVALID_SPEC, said, "Make a Secret of each, with an ApiKeySecret of its own")
    used = _Used(entries, lacking)
    made: list[tuple[str, SecretValue]] = []
    for each in typed:
        made += _TYPED[type(each)](each, used)
    rest = sorted(entries.keys() - used.names - _named(spec))
    for file, keys, written in _files(spec):
        if not (names := [name for name in keys if used.has(name)] if keys else rest):
            why = "those in its keys are optional, and missing" if keys else "other shapes take all there are"
            raise _failed(f"{file} has no entries: {why}", "Name entries in keys that are there")
        made.append((file, SecretValue(written({name: used.text(name, file) for name in names}))))
    result = _without_conflicts(made, entries.keys() - used.names)
    return Shaped(result, frozenset(used.names), _TYPES[type(typed[0])] if typed else None)


class _Used:
    """Entries, and which of them were used."""

    def __init__(self, entries: SecretMap, lacking: AbstractSet[str]) -> None:
        self._entries, self._lacking = entries, lacking - entries.keys()
        self._uses: set[tuple[str, str]] = set()
        self._bytes = 0
        self.names: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether there is more to say of an entry than that it is optional and missing."""
        return name not in self._lacking

    def value(self, name: str, field: str) -> SecretValue:
        """Return an entry as it is."""
        if name in self._lacking:
            said = f"{field} needs entry {name}, which is optional, and which the store lacks"
            raise _failed(said, "Write it into the store, or give it a default")
        if name not in self._entries:
            raise _failed(f"{field} needs entry {name}, which is not there", "List it in data, or correct its name")
        self.names.add(name)
        if (name, field) not in self._uses:
            self._uses.add((name, field))
            self._bytes += render.size(self._entries[name])
        # Each field holds it once at least. 32 registries with one large password are refused before they are made.
        if self._bytes > render.MAX_SECRET:
            said = f"{field} with entry {name} makes the Secret larger than it may be (1 MiB)"
            raise errors.Stalled(Reason.VALUE_TOO_LARGE, said, "Use smaller values, or name fewer entries")
        return self._entries[name]

    def text(self, name: str, field: str) -> str:
        """Return an entry that is text."""
        value = self.value(name, field)
        unreadable = _failed(f"{field} needs text, and entry {name} is not UTF-8", "Correct the value, or its decode")
        with errors.boundary(lambda _: unreadable):
            return value.reveal().decode()


def _docker_config(spec: DockerConfig, used: _Used) -> Iterable[tuple[str, SecretValue]]:
    auths: dict[str, Any] = {}
    for each in spec.registries:
        if each.server in auths:
            said = f"target.dockerConfig has {each.server} twice"
            raise errors.Stalled(Reason.CONFLICTING_ENTRIES, said, "List a registry once")
        auths[each.server] = _login(each, used)
    yield ".dockerconfigjson", SecretValue(canonical.text({"auths": auths}))


def _login(spec: Registry, used: _Used) -> dict[str, str]:
    field = f"target.dockerConfig for {spec.server}"
    username = spec.username or used.text(_username(spec, field), field)
    password = used.text(spec.password_from, field)
    if ":" in username:
        raise _failed(f"{field} has a username with a colon, which its format cannot say", "Correct the username")
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"username": username, "password": password, "auth": auth} | ({"email": spec.email} if spec.email else {})


def _basic_auth(spec: BasicAuth, used: _Used) -> Iterable[tuple[str, SecretValue]]:
    if spec.username:
        yield "username", SecretValue(spec.username)
    else:
        yield "username", used.value(_username(spec, "basicAuth"), "basicAuth")
    yield "password", used.value(spec.password_from, "basicAuth")


def _username(spec: Registry | BasicAuth, field: str) -> str:
    if spec.username_from:
        return spec.username_from
    said = f"{field} has no username"
    raise errors.Stalled(Reason.INVALID_SPEC, said, "Set username or usernameFrom")


def _ssh_auth(spec: SshAuth, used: _Used) -> Iterable[tuple[str, SecretValue]]:
    key = used.text(spec.private_key_from, "sshAuth")
    if not re.match(r"\s*-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n", key):
        raise _failed(
            f"target.sshAuth needs a private key in PEM, and entry {spec.private_key_from} is not one", _CHECK
        )
    # OpenSSH takes no key whose last line does not end.
    yield "ssh-privatekey", SecretValue(key if key.endswith("\n") else f"{key}\n")
    if spec.known_hosts_from and used.has(spec.known_hosts_from):
        yield "known_hosts", used.value(spec.known_hosts_from, "sshAuth")


def _tls(spec: Tls, used: _Used) -> Iterable[tuple[str, SecretValue]]:
    public = _public_of_certificate(used.text(spec.certificate_from, "tls"), spec.certificate_from)
    if public != _public_of_key(used.text(spec.private_key_from, "tls"), spec.private_key_from):
        said = f"the private key in entry {spec.private_key_from} is not that of the certificate"
        raise _failed(f"tls: {said} in entry {spec.certificate_from}", "Put the certificate itself first in its chain")
    yield "tls.crt", used.value(spec.certificate_from, "tls")
    yield "tls.key", used.value(spec.private_key_from, "tls")
    if spec.ca_from and used.has(spec.ca_from):
        _first_certificate(used.text(spec.ca_from, "tls"), spec.ca_from)
        yield "ca.crt", used.value(spec.ca_from, "tls")


def _first_certificate(pem: str, name: str) -> Any:
    """Return the first certificate, if all of them can be read."""
    from cryptography import x509  # noqa: PLC0415 - 10 MB that only this shape needs

    with errors.boundary(lambda _: _failed(f"target.tls needs certificates in PEM, and entry {name} has none", _CHECK)):
        return x509.load_pem_x509_certificates(pem.encode())[0]


def _public_of_certificate(pem: str, name: str) -> bytes:
    first = _first_certificate(pem, name)
    said = f"target.tls needs a certificate of an RSA, EC or Ed key, and entry {name} is not one"
    with errors.boundary(lambda _: _failed(said, _CHECK)):
        if first.public_key_algorithm_oid.dotted_string not in _ALGORITHMS:
            raise TypeError
        return _der(first.public_key())


#: RSA, RSA-PSS, EC, Ed25519, Ed448. To load a key of DSA or DH alone, OpenSSL calculates for as long as whoever made it
#: likes: seconds for 10 KiB.
_ALGORITHMS = ("1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.10045.2.1", "1.3.101.112", "1.3.101.113")
#: The first private key that has no passphrase, and how its DER begins if it is PKCS #8 (RFC 5958) of one of these.
_KEY = re.compile(r"-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----([^-]*)-----END \1-----")
_LENGTH = rb"(?:[\x00-\x7f]|\x81.|\x82..)"
_PKCS8 = re.compile(
    rb"\x30" + _LENGTH + rb"\x02\x01[\x00\x01]\x30" + _LENGTH + rb"\x06"
    rb"(?:\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01[\x01\x0a]|\x07\x2a\x86\x48\xce\x3d\x02\x01|\x03\x2b\x65[\x70\x71])",
    re.DOTALL,
)


def _public_of_key(pem: str, name: str) -> bytes:
    if len(pem.encode()) > MAX_KEY:
        said = f"tls takes private keys of {MAX_KEY >> 10} KiB at most, and entry {name} is larger"
        raise _failed(said, "Use RSA with 4096 bits, or EC")
    said = f"target.tls needs a private key (RSA, EC, Ed) in PEM without a passphrase, and entry {name} is not one"
    with errors.boundary(lambda _: _failed(said, _CHECK)):
        return _der(_private(pem).public_key())


def _private(pem: str) -> Any:
    """Return the first private key, or raise anything.

    Whether an RSA key's numbers are primes is not asked: that takes seconds for 8192 bits. What they make is.
    """
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - as above

    found = _KEY.search(pem)
    if not found:
        raise ValueError
    block = found[0].encode()
    if found[1] == "PRIVATE KEY" and not _PKCS8.match(base64.b64decode(found[2])):
        raise ValueError
    key = serialization.load_pem_private_key(block, None, unsafe_skip_rsa_key_validation=True)
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        p, q, once = numbers.p, numbers.q, numbers.public_numbers.e * numbers.d - 1
        if p * q != numbers.public_numbers.n or once % (p - 1) or once % (q - 1):
            raise ValueError
    return key


def _der(public: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above

    said: bytes = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return said


_TYPED: Mapping[type, Callable[[Any, _Used], Iterable[tuple[str, SecretValue]]]] = {
    DockerConfig: _docker_config,
    BasicAuth: _basic_auth,
    SshAuth: _ssh_auth,
    Tls: _tls,
}
_TYPES = {
    DockerConfig: "kubernetes.io/dockerconfigjson",
    BasicAuth: "kubernetes.io/basic-auth",
    SshAuth: "kubernetes.io/ssh-auth",
    Tls: "kubernetes.io/tls",
}


def _files(spec: Shapes) -> Iterable[tuple[str, list[str] | None, Callable[[Mapping[str, str]], str]]]:
    """Return the files with the entries that they name, and how they are written."""
    for each, written in ((spec.dotenv, _dotenv), (spec.json_file, canonical.text)):
        if isinstance(each, Dotenv | JsonFile):
            yield each.file, each.keys, written


def _named(spec: Shapes) -> set[str]:
    """Return the entries that files name."""
    return {name for _, keys, _ in _files(spec) for name in keys or ()}


def _dotenv(variables: Mapping[str, str]) -> str:
    return "".join(f"{name}={_quoted(variables[name], name)}\n" for name in sorted(variables))


#: What the readers undo differently in single quotes.
_UNLIKE = re.compile(r"\\(?=[\\']|\Z)|\r")


def _quoted(value: str, name: str) -> str:
    """Return a value so that docker compose and python-dotenv read it back.

    In double quotes both undo escapes the same, but compose looks for variables. In single quotes it does not.
    """
    if "\0" in value:
        raise _failed(
            f"target.dotenv needs values without null bytes, and entry {name} has one", "Leave it out with keys"
        )
    if "$" not in value:
        for sign, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
            value = value.replace(sign, escaped)
        return f'"{value}"'
    # "${…}", which python-dotenv takes for a variable whatever the quotes.
    variable = "}" in value.partition("${")[2]
    if variable or _UNLIKE.search(value):
        said = f"entry {name} has a $ beside what readers of dotenv files undo differently"
        raise _failed(said, "Use json for it, or leave it out with keys")
    return "'{}'".format(value.replace("'", "\\'"))


def _without_conflicts(made: list[tuple[str, SecretValue]], left: Iterable[str]) -> dict[str, SecretValue]:
    """Return what was made, if each has a name of its own."""
    result: dict[str, SecretValue] = {}
    for name, value in made:
        if name in result or name in left:
            said = f"a shape makes entry {name}, which is there already"
            raise errors.Stalled(Reason.CONFLICTING_ENTRIES, said, "Give the entry or the file another name")
        result[name] = value
    return result


_CHECK = "Check the value in the store"


def _failed(said: str, hint: str) -> errors.Stalled:
    return errors.Stalled(Reason.SHAPE_FAILED, said, hint)
