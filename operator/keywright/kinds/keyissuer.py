"""``KeyIssuer`` and ``ClusterKeyIssuer``: how keys are had made. Which ways there are, ``issuing/`` says.

Does not belong here: any issuer's own fields (its file), what is rotated when (``kinds/credentials.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import alias_generators

from .. import errors, schema
from ..errors import Reason
from ..issuing import ISSUING
from ..issuing.base import Issuing
from ..schema import Absent, CallTime, Cel, Condition, Duration, ListMap, ObjectName, OneOf, Renamed, Spec, Time
from .base import Kind, with_fields
from .selector import LabelSelector

#: The ways to have keys made by the field of the model that holds their configuration.
_FIELDS: Mapping[str, type[Issuing]] = {alias_generators.to_snake(name): each for name, each in ISSUING.items()}

_CERTIFICATES = "API keys are made here; certificates are cert-manager's"


class IssuerRef(Spec):
    """Names who makes keys."""

    kind: Literal["KeyIssuer", "ClusterKeyIssuer"] = "KeyIssuer"
    """Kind of the issuer; a KeyIssuer is in the object's own namespace."""
    name: ObjectName
    """Name of the issuer."""


class IssuerLimits(Spec):
    """How hard the issuer may be used by everything that has keys made there."""

    timeout: CallTime = "10s"
    """How long one call may take in all."""
    rotations_at_once: Annotated[int, pydantic.Field(ge=1, le=32)] = 1
    """How many rotations may be under way at the same time at this place of the issuer. Where more objects name one
    place, the fewest that any of them allows."""
    settle: Annotated[Duration, Cel("self <= duration('15m')", "must be at most 15m")] = "1m"
    """After how long a key that was asked for is surely in the issuer's list, if it was made."""

    @property
    def settle_seconds(self) -> float:
        """Seconds after which a key that was asked for is in the list."""
        return schema.seconds(self.settle)

    @property
    def timeout_seconds(self) -> float:
        """Seconds that one call may take."""
        return schema.seconds(self.timeout)


class OneIssuer(Spec):
    """Part of an object that has one field for each way to have keys made, of which one is set."""

    def issuing(self) -> tuple[type[Issuing], Any]:
        """Return the class of the way to have keys made, and its configuration.

        Raises:
            errors.Stalled: ``InvalidSpec``: it is one of a later version, which the CRD of that version admitted.
        """
        for name, kind in _FIELDS.items():
            if (config := getattr(self, name)) is not None:
                return kind, config
        raise errors.Stalled(
            Reason.INVALID_SPEC,
            "names no issuer that this version knows",
            f"Set one of {', '.join(ISSUING)}, or install the version that its CRD is from",
        )


@with_fields({name: each.Config for name, each in _FIELDS.items()})
class KeyIssuerSpec(OneIssuer):
    """How keys are had made: one field for each way there is, of which exactly one is set."""

    cel: ClassVar[tuple[Cel | OneOf, ...]] = (OneOf(tuple(_FIELDS)),)
    renamed: ClassVar[tuple[Renamed | Absent, ...]] = (
        Renamed("provider", "the issuer directly in spec, as in spec.openai"),
        Renamed("generator", "generated"),
        *(Absent(name, _CERTIFICATES) for name in ("acme", "ca", "selfSigned")),
    )

    limits: IssuerLimits = pydantic.Field(default_factory=IssuerLimits)
    """How hard the issuer may be used."""


@with_fields({name: each.Config for name, each in _FIELDS.items()})
class Binding(OneIssuer):
    """Where keys are made for some namespaces: one field for each way there is, of which exactly one is set."""

    cel: ClassVar[tuple[Cel | OneOf, ...]] = (OneOf(tuple(_FIELDS)),)
    renamed: ClassVar[tuple[Renamed | Absent, ...]] = (
        Renamed("namespaces", "namespaceSelector"),
        Renamed("selector", "namespaceSelector"),
    )

    namespace_selector: LabelSelector
    """Namespaces whose keys are made so, by their labels; `{}` = all that no binding before selects."""


class ClusterKeyIssuerSpec(Spec):
    """How keys are had made, and for which namespaces where."""

    renamed: ClassVar[tuple[Renamed | Absent, ...]] = (
        Renamed("provider", "the issuer in bindings, as in bindings[].openai"),
        Renamed("namespaceSelector", "bindings, each with its namespaceSelector"),
        Renamed("conditions", "bindings, each with its namespaceSelector"),
        *(Renamed(name, f"bindings, as in bindings[].{name}") for name in ISSUING),
        *(Absent(name, _CERTIFICATES) for name in ("acme", "ca", "selfSigned")),
    )

    limits: IssuerLimits = pydantic.Field(default_factory=IssuerLimits)
    """How hard the issuer may be used; rotations are counted for each place."""
    bindings: Annotated[list[Binding], pydantic.Field(min_length=1, max_length=64)]
    """Where keys are made for whom. The first that selects a namespace counts; a namespace that none selects is
    refused. So nobody chooses project, account or scopes but who may write this object."""


class IssuerStatus(Spec):
    """How the issuer was when its object was last looked at, or it was last asked."""

    observed_generation: int | None = None
    """Generation of the object that this was said about; -1 until it was first looked at."""
    observed_at: Time | None = None
    """When it was first looked at in that generation."""
    conditions: Annotated[list[Condition], ListMap("type"), pydantic.Field(max_length=16)] | None = None
    """`Ready`: whether it can be asked as it is configured, and, once it was, whether it accepts the right to; written
    when it changes."""


class KeyIssuer(Kind, plural="keyissuers", short_name="kis"):
    """How the keys of one namespace are had made."""

    Spec = KeyIssuerSpec
    Status = IssuerStatus
    example = """\
apiVersion: keywright.dev/v1alpha1
kind: KeyIssuer
metadata:
  name: openai
spec:
  openai:
    project: proj_3f9c1a52
    serviceAccount: user-7be1
    scopes: [model.request]
    adminKeyRef: {name: openai-admin, key: key}
"""

    @classmethod
    def read_spec(cls, spec: dict[str, Any] | bytes) -> KeyIssuerSpec:
        """Read a spec; see ``Kind.read_spec``."""
        return cls.parse(KeyIssuerSpec, spec)


class ClusterKeyIssuer(Kind, plural="clusterkeyissuers", short_name="ckis", namespaced=False):
    """How the keys of many namespaces are had made."""

    Spec = ClusterKeyIssuerSpec
    Status = IssuerStatus
    example = """\
apiVersion: keywright.dev/v1alpha1
kind: ClusterKeyIssuer
metadata:
  name: openai
spec:
  limits: {timeout: 10s, rotationsAtOnce: 2}
  bindings:
  - namespaceSelector:
      matchLabels: {environment: production}
    openai:
      project: proj_production
      serviceAccount: user-production
      scopes: [model.request]
      adminKeyRef: {name: openai-admin, key: key}
  - namespaceSelector: {}
    openai:
      project: proj_development
      serviceAccount: user-development
      adminKeyRef: {name: openai-admin, key: key}
"""

    @classmethod
    def read_spec(cls, spec: dict[str, Any] | bytes) -> ClusterKeyIssuerSpec:
        """Read a spec; see ``Kind.read_spec``."""
        return cls.parse(ClusterKeyIssuerSpec, spec)
