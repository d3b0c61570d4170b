"""A Secret's entries in the shape that others expect: pull secrets, certificates, files of variables. Pure.

The same entries give the same bytes. Messages name entries and fields, never a value.

Formats: Kubernetes' types of Secrets (``kubernetes.io/…``); Docker's ``config.json``; dotenv as docker compose
(``compose-go/dotenv``) and python-dotenv read it.

Does not belong here: the fields of a shape (``kinds/shapes.py``), templates, reading and writing.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .. import errors
from ..errors import Reason
from ..kinds.shapes import BasicAuth, DockerConfig, Dotenv, JsonFile, Registry, Shapes, SshAuth, Tls
from ..secret import SecretMap, SecretValue


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


def shape(spec: Shapes, entries: SecretMap) -> Shaped:
    """Return what the shapes make of the entries.

    Raises:
        errors.Stalled: ``InvalidSpec``: two shapes want a type; ``ShapeFailed``: an entry is missing, or its value is
            not what the shape needs; ``ConflictingEntries``: two things would have one name in the Secret.
    """
    typed = [each for each in (spec.docker_config, spec.basic_auth, spec.ssh_auth, spec.tls) if each]
    if len(typed) > 1:
        said = "the target has two shapes that want different types"
        raise errors.Stalled(Reason.INVALID_SPEC, said, "Make a Secret of each, with an ApiKeySecret of its own")
    used = _Used(entries)
    made: list[tuple[str, SecretValue]] = []
    for each in typed:
        made += _TYPED[type(each)](each, used)
    rest = sorted(entries.keys() - used.names - _named(spec))
    for file, keys, written in _files(spec):
        if not (names := keys or rest):
            raise _failed(f"{file} has no entries, as other shapes take them all", "Name its entries in keys")
        made.append((file, SecretValue(written({name: used.text(name, file) for name in names}))))
    result = _without_conflicts(made, entries.keys() - used.names)
    return Shaped(result, frozenset(used.names), _TYPES[type(typed[0])] if typed else None)


class _Used:
    """Entries, and which of them were used."""

    def __init__(self, entries: SecretMap) -> None:
        self._entries = entries
        self.names: set[str] = set()

    def value(self, name: str, field: str) -> SecretValue:
        """Return an entry as it is."""
        if name not in self._entries:
            raise _failed(f"{field} needs entry {name}, which is not there", "List it in data, or correct its name")
        self.names.add(name)
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
            said = f"dockerConfig has {each.server} twice"
            raise errors.Stalled(Reason.CONFLICTING_ENTRIES, said, "List a registry once")
        auths[each.server] = _login(each, used)
    yield ".dockerconfigjson", SecretValue(_json({"auths": auths}))


def _login(spec: Registry, used: _Used) -> dict[str, str]:
    field = f"dockerConfig for {spec.server}"
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
        raise _failed(f"sshAuth needs a private key in PEM, and entry {spec.private_key_from} is none", _CHECK)
    # OpenSSH takes no key whose last line does not end.
    yield "ssh-privatekey", SecretValue(key if key.endswith("\n") else f"{key}\n")
    if spec.known_hosts_from:
        yield "known_hosts", used.value(spec.known_hosts_from, "sshAuth")


def _tls(spec: Tls, used: _Used) -> Iterable[tuple[str, SecretValue]]:
    public = _public_of_certificate(used.text(spec.certificate_from, "tls"), spec.certificate_from)
    if public != _public_of_key(used.text(spec.private_key_from, "tls"), spec.private_key_from):
        said = f"the private key in entry {spec.private_key_from} is not that of the certificate"
        raise _failed(f"tls: {said} in entry {spec.certificate_from}", "Put the certificate itself first in its chain")
    yield "tls.crt", used.value(spec.certificate_from, "tls")
    yield "tls.key", used.value(spec.private_key_from, "tls")
    if spec.ca_from:
        _public_of_certificate(used.text(spec.ca_from, "tls"), spec.ca_from)
        yield "ca.crt", used.value(spec.ca_from, "tls")


def _public_of_certificate(pem: str, name: str) -> bytes:
    """Return the public key of the first certificate, all of which can be read."""
    from cryptography import x509  # noqa: PLC0415 - 10 MB that only this shape needs

    with errors.boundary(lambda _: _failed(f"tls needs certificates in PEM, and entry {name} is none", _CHECK)):
        return _der(x509.load_pem_x509_certificates(pem.encode())[0].public_key())


def _public_of_key(pem: str, name: str) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - as above

    said = f"tls needs a private key in PEM without a passphrase, and entry {name} is none"
    with errors.boundary(lambda _: _failed(said, _CHECK)):
        return _der(serialization.load_pem_private_key(pem.encode(), None).public_key())


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
    for each, written in ((spec.dotenv, _dotenv), (spec.json_file, _json)):
        if isinstance(each, Dotenv | JsonFile):
            yield each.file, each.keys, written


def _named(spec: Shapes) -> set[str]:
    """Return the entries that files name."""
    return {name for _, keys, _ in _files(spec) for name in keys or ()}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _dotenv(variables: Mapping[str, str]) -> str:
    return "".join(f"{name}={_quoted(variables[name], name)}\n" for name in sorted(variables))


#: What python-dotenv takes for a variable whatever the quotes; and what the readers undo differently in single ones.
_VARIABLE, _UNLIKE = re.compile(r"\$\{[^}]*\}"), re.compile(r"\\(?=[\\']|\Z)|\r")


def _quoted(value: str, name: str) -> str:
    """Return a value so that docker compose and python-dotenv read it back.

    In double quotes both undo escapes the same, but compose looks for variables. In single quotes it does not.
    """
    if "\0" in value:
        raise _failed(f"dotenv needs values without null bytes, and entry {name} has one", "Leave it out with keys")
    if "$" not in value:
        for sign, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
            value = value.replace(sign, escaped)
        return f'"{value}"'
    if _VARIABLE.search(value) or _UNLIKE.search(value):
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
