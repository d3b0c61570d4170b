"""``KeyStore`` and ``ClusterKeyStore``: how to reach one store. Which stores there are, ``stores/`` says.

Does not belong here: any store's own fields (its file).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import alias_generators

from .. import errors, schema
from ..errors import Reason
from ..schema import (
    Absent,
    CallTime,
    Cel,
    Condition,
    LabelValue,
    ListMap,
    OneOf,
    Renamed,
    Spec,
    Time,
)
from ..stores import STORES
from ..stores.base import Store
from .base import Kind, with_fields
from .selector import LabelSelector

#: The stores by the field of the model that holds their configuration.
_FIELDS: Mapping[str, type[Store]] = {alias_generators.to_snake(name): store for name, store in STORES.items()}

_SEGMENT = r"([a-zA-Z0-9_]|\{namespace\})([-_.a-zA-Z0-9]|\{namespace\})*"


class Limits(Spec):
    """How hard the store may be used by everything that reads it."""

    requests_per_second: Annotated[int, pydantic.Field(ge=1, le=10_000)] = 50
    """Reads a second, all objects together; logins come on top."""
    timeout: CallTime = "10s"
    """How long one call may take in all."""

    @property
    def timeout_seconds(self) -> float:
        """Seconds that one call may take."""
        return schema.seconds(self.timeout)


@with_fields({name: each.Config for name, each in _FIELDS.items()})
class KeyStoreSpec(Spec):
    """How to reach a store: one field for each there is, of which exactly one is set."""

    cel: ClassVar[tuple[Cel | OneOf, ...]] = (
        OneOf(tuple(_FIELDS)),
        Cel("!has(self.encryptedFile) || !has(self.encryptedFile.path)", "encryptedFile.path is for a ClusterKeyStore"),
    )
    renamed: ClassVar[tuple[Renamed | Absent, ...]] = (
        Renamed("provider", "the store directly in spec, as in spec.vault"),
    )

    environment: LabelValue | None = None
    """Environment that the keys belong to, for people and policies, for example `production`."""
    access: Literal["ReadOnly", "ReadWrite"] = "ReadOnly"
    """Whether new keys may be written to it, where credentials are rotated. Default `ReadOnly`."""
    limits: Limits = pydantic.Field(default_factory=Limits)
    """How hard the store may be used."""

    def store(self) -> tuple[type[Store], Any]:
        """Return the class of the store and its configuration.

        Raises:
            errors.Stalled: ``InvalidSpec``: it is one of a later version, which the CRD of that version admitted.
        """
        for name, kind in _FIELDS.items():
            if (config := getattr(self, name)) is not None:
                return kind, config
        raise errors.Stalled(
            Reason.INVALID_SPEC,
            "the store object names no store that this version knows",
            f"Set one of {', '.join(STORES)} in its spec, or install the version that its CRD is from",
        )


class ClusterKeyStoreSpec(KeyStoreSpec):
    """How to reach a store, and which namespaces may: one field for each store, of which exactly one is set."""

    cel = (
        OneOf(tuple(_FIELDS)),
        Cel(
            "!has(self.rotators) || has(self.access) && self.access == 'ReadWrite'",
            "rotators need access: ReadWrite",
        ),
    )
    renamed = (*KeyStoreSpec.renamed, Renamed("conditions", "namespaceSelector"))

    default: bool = False
    """Whether it serves objects that name no store."""
    namespace_selector: LabelSelector
    """Namespaces that may use it, by their labels; `{}` = all namespaces."""
    path_prefix: Annotated[
        str, pydantic.StringConstraints(max_length=512, pattern=rf"^({_SEGMENT}(/{_SEGMENT})*/?)?$")
    ] = ""
    """Put in front of every path, so that namespaces stay among themselves, for example `teams/{namespace}/`."""
    rotators: LabelSelector | None = None
    """Which of these namespaces may rotate keys that others read at the same path, by their labels; `{}` = all.
    Omitted, none may, unless `pathPrefix` or the login gives each `{namespace}` keys of its own, or the store is for
    one namespace."""


class ReadFile(Spec):
    """A file that was read."""

    id: Annotated[str, pydantic.StringConstraints(max_length=64, pattern="^[0-9a-f]+$")]
    """Which file it is, whatever it is called; made with it."""
    generation: Annotated[int, pydantic.Field(ge=0)]
    """Generation of the newest that was read; counts how often it was saved."""


class StoreStatus(Spec):
    """How the store was when it was last looked at or used."""

    observed_generation: int | None = None
    """Generation of the object that this was said about; -1 until it was first looked at."""
    observed_at: Time | None = None
    """When it was first looked at in that generation."""
    conditions: Annotated[list[Condition], ListMap("type"), pydantic.Field(max_length=16)] | None = None
    """`Ready`: whether the store answers, accepts the login and shows its keys; written when it changes."""
    files: Annotated[list[ReadFile], ListMap("id"), pydantic.Field(max_length=16)] | None = None
    """Of an encrypted file: what was read last. An older file is refused from then on."""


class KeyStore(Kind, plural="keystores", short_name="kst"):
    """How the ApiKeySecrets of one namespace reach a store."""

    Spec = KeyStoreSpec
    Status = StoreStatus
    example = """\
apiVersion: keywright.dev/v1alpha1
kind: KeyStore
metadata:
  name: vault
spec:
  vault:
    server: https://vault.example.com:8200
    mount: kv
    auth:
      appRole:
        roleId: 3f9c1a52-team-a
        secretIdRef: {name: vault-approle, key: secret-id}
"""

    @classmethod
    def read_spec(cls, spec: dict[str, Any] | bytes) -> KeyStoreSpec:
        """Read a spec; see ``Kind.read_spec``."""
        return cls.parse(KeyStoreSpec, spec)


class ClusterKeyStore(Kind, plural="clusterkeystores", short_name="ckst", namespaced=False):
    """How the ApiKeySecrets of many namespaces reach a store."""

    Spec = ClusterKeyStoreSpec
    Status = StoreStatus
    example = """\
apiVersion: keywright.dev/v1alpha1
kind: ClusterKeyStore
metadata:
  name: vault
spec:
  default: true
  environment: production
  namespaceSelector:
    matchLabels: {environment: production}
  pathPrefix: teams/{namespace}/
  limits: {requestsPerSecond: 50, timeout: 10s}
  vault:
    server: https://vault.example.com:8200
    mount: kv
    caProvider: {kind: ConfigMap, name: vault-ca, key: ca.crt}
    auth:
      kubernetes:
        role: keywright-{namespace}
        serviceAccountRef: {name: keywright-auth}
"""

    @classmethod
    def read_spec(cls, spec: dict[str, Any] | bytes) -> ClusterKeyStoreSpec:
        """Read a spec; see ``Kind.read_spec``."""
        return cls.parse(ClusterKeyStoreSpec, spec)
