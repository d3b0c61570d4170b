"""Shapes that a Secret's entries may be given, as a part of specs: the ones of which Kubernetes and others know names.

``…From`` names the entry that an input is; an input is not an entry of the Secret any more.

Does not belong here: giving the shape (``decide/shapes.py``), the kinds that hold it (their files).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import pydantic

from ..schema import Cel, DataKey, ListMap, OneOf, Printable, Spec

Name = Annotated[Printable, pydantic.StringConstraints(max_length=256)]
Keys = Annotated[list[DataKey], pydantic.Field(min_length=1, max_length=500)]


class Registry(Spec):
    """A login at one registry."""

    cel = (OneOf(("username", "username_from")),)

    server: Annotated[Printable, pydantic.StringConstraints(max_length=253)]
    """Registry as clients look it up, for example `ghcr.io` or `https://index.docker.io/v1/`."""
    username: Name | None = None
    """Name of the user, where it is no secret."""
    username_from: DataKey | None = None
    """Entry that holds the name of the user."""
    password_from: DataKey
    """Entry that holds the password or token."""
    email: Name | None = None
    """Address of the user, which some registries want."""


class DockerConfig(Spec):
    """Logins at registries, as `imagePullSecrets` want them: `.dockerconfigjson`."""

    registries: Annotated[list[Registry], ListMap("server"), pydantic.Field(min_length=1, max_length=32)]
    """The registries."""


class BasicAuth(Spec):
    """A user and a password: `username` and `password`."""

    cel = (OneOf(("username", "username_from")),)

    username: Name | None = None
    """Name of the user, where it is no secret."""
    username_from: DataKey | None = None
    """Entry that holds the name of the user."""
    password_from: DataKey
    """Entry that holds the password."""


class SshAuth(Spec):
    """A key to log in with: `ssh-privatekey`, and `known_hosts`."""

    private_key_from: DataKey
    """Entry that holds the private key, in PEM; a line break at its end is added where it is missing."""
    known_hosts_from: DataKey | None = None
    """Entry that holds the keys of the servers, as in a `known_hosts` file."""


class Tls(Spec):
    """A certificate and its key, in PEM: `tls.crt`, `tls.key`, and `ca.crt`."""

    certificate_from: DataKey
    """Entry that holds the certificate, and the chain behind it."""
    private_key_from: DataKey
    """Entry that holds the certificate's private key, without a passphrase."""
    ca_from: DataKey | None = None
    """Entry that holds the certificates of the authority."""


class Dotenv(Spec):
    """Entries as one file of variables, which docker compose and python-dotenv read back the same."""

    file: DataKey = ".env"
    """Entry of the Secret that the file becomes."""
    keys: Keys | None = None
    """Entries that are its variables. Omitted, all that no other shape names."""


class JsonFile(Spec):
    """Entries as one file that holds a JSON object of strings."""

    file: DataKey = "config.json"
    """Entry of the Secret that the file becomes."""
    keys: Keys | None = None
    """Entries that are its fields. Omitted, all that no other shape names."""


class Shapes(Spec):
    """Shapes that the entries are given. At most one that decides the Secret's type."""

    cel: ClassVar[tuple[Cel, ...]] = (
        Cel(
            "[has(self.dockerConfig), has(self.basicAuth), has(self.sshAuth), has(self.tls)].filter(x, x).size() <= 1",
            "dockerConfig, basicAuth, sshAuth and tls exclude each other: a Secret has one type",
        ),
    )

    docker_config: DockerConfig | None = None
    """Logins at registries; the Secret's type is `kubernetes.io/dockerconfigjson`."""
    basic_auth: BasicAuth | None = None
    """A user and a password; the Secret's type is `kubernetes.io/basic-auth`."""
    ssh_auth: SshAuth | None = None
    """A key to log in with; the Secret's type is `kubernetes.io/ssh-auth`."""
    tls: Tls | None = None
    """A certificate and its key; the Secret's type is `kubernetes.io/tls`."""
    dotenv: Dotenv | None = None
    """A file of variables."""
    json_file: JsonFile | None = pydantic.Field(default=None, alias="json")
    """A file that holds a JSON object."""
