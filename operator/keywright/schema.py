"""The vocabulary of the API types: the ``Spec`` base model, scalar types, and markers that ``crd.py`` understands.

What is written here is what a CRD can say: no ``Any``, no recursion, no unions but those of ``OneOf``. Defaults are
applied on reading and never stand in the CRD, where a GitOps diff would show them.

Does not belong here: kinds (``kinds/``), a store's fields (its file), the generation of CRDs (``crd.py``).
"""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import alias_generators, json_schema
from pydantic_core import core_schema

#: Where ``Marker``s stand in what pydantic says of a type.
MARKERS = "x-keywright"


class Marker:
    """Says of a type what pydantic has no words for; ``crd.py`` translates it, wherever in an annotation it stands."""

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> json_schema.JsonSchemaValue:
        schema = handler(core)
        return schema | {MARKERS: [*schema.get(MARKERS, ()), self]}


@dataclasses.dataclass(frozen=True)
class ListMap(Marker):
    """The list is a map: items are merged by this field (`x-kubernetes-list-type: map`)."""

    key: str


@dataclasses.dataclass(frozen=True)
class Cel(Marker):
    """A rule that the API server checks (CEL), with the message it answers.

    On a field it stands in the field's annotation; on a model in its ``cel`` class attribute (a tuple). Rules are
    looked at only where types, lengths and required fields are right already.
    """

    rule: str
    message: str


@dataclasses.dataclass(frozen=True)
class OneOf(Marker):
    """Exactly one of these fields of the model must be set. Stands in a model's ``cel`` class attribute."""

    fields: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Renamed(Marker):
    """A field that users of other tools would write; refused with a message that names ours.

    Stands in a model's ``renamed`` class attribute (a tuple). Neither the models nor the docs show it.

    Args:
        wrong: the field, as in manifests.
        right: what to write instead, as in manifests, for example ``storeRef``.
    """

    wrong: str
    right: str


class Spec(pydantic.BaseModel):
    """Base of every part of an object: camelCase outside, frozen, unknown fields ignored.

    Unknown fields are ignored because the API server has pruned them already, and an object that was stored under a
    newer CRD must still parse after a rollback. Attribute docstrings become CRD descriptions and docs.
    """

    model_config = pydantic.ConfigDict(
        alias_generator=alias_generators.to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        extra="ignore",
        frozen=True,
    )

    cel: ClassVar[tuple[Cel | OneOf, ...]] = ()
    renamed: ClassVar[tuple[Renamed, ...]] = ()

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: core_schema.CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> json_schema.JsonSchemaValue:
        schema = handler(core)
        handler.resolve_ref_schema(schema)[MARKERS] = [*cls.cel, *cls.renamed]
        return schema


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION_PATTERN = r"^(0|([0-9]{1,7}(ms|s|m|h|d)){1,5})$"


def seconds(duration: str) -> float:
    """Return the seconds of a duration such as ``90s``, ``1h30m`` or ``30d``.

    Raises:
        ValueError: the text is not a duration; the text is not repeated in the error.
    """
    if not re.fullmatch(DURATION_PATTERN.strip("^$"), duration):
        raise ValueError("not a duration: write it like 90s, 1h30m or 30d")
    return sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([0-9]+)(ms|s|m|h|d)", duration))


#: A duration as people write it: `90s`, `1h30m`, `30d`; `0` where the field says what that means.
Duration = Annotated[
    str,
    pydantic.StringConstraints(pattern=DURATION_PATTERN, max_length=40),
    pydantic.Field(json_schema_extra={"format": "duration"}),
]

#: Point in time (RFC 3339).
Time = Annotated[
    str, pydantic.StringConstraints(max_length=40), pydantic.Field(json_schema_extra={"format": "date-time"})
]

#: Name of an object (RFC 1123 subdomain).
ObjectName = Annotated[
    str,
    pydantic.StringConstraints(
        min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
    ),
]

#: Key inside a Secret or ConfigMap. Kubernetes takes neither ``.`` nor what begins with two dots.
DataKey = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=253, pattern=r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$"),
]

#: Key of a label, with or without a prefix.
LabelKey = Annotated[
    str,
    pydantic.StringConstraints(
        min_length=1,
        max_length=317,
        pattern=r"^([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
    ),
]

#: Value of a label; may be empty.
LabelValue = Annotated[
    str, pydantic.StringConstraints(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
]


class SecretKeyRef(Spec):
    """One entry of a Secret. A KeyStore's Secret is in its own namespace, a ClusterKeyStore's in the operator's."""

    name: ObjectName
    """Name of the Secret."""
    key: DataKey
    """Entry of the Secret."""


class CaProvider(Spec):
    """Where the CA certificates (PEM) are that the server's certificate must chain to."""

    kind: Literal["ConfigMap", "Secret"]
    """Kind of the object that holds the certificates."""
    name: ObjectName
    """Name of the object. A KeyStore's is in its own namespace, a ClusterKeyStore's in the operator's."""
    key: DataKey
    """Entry of the object."""


class ServiceAccountRef(Spec):
    """A ServiceAccount of the ApiKeySecret's namespace, whose token is asked for (TokenRequest)."""

    name: ObjectName
    """Name of the ServiceAccount."""


class Condition(Spec):
    """One aspect of an object's state, as everywhere in Kubernetes."""

    type: Annotated[str, pydantic.StringConstraints(max_length=63)]
    """Aspect: `Ready`, `Stalled`, `Reconciling`, `Suspended`."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, pydantic.StringConstraints(max_length=63)]
    """Why, as one CamelCase word of the closed list in the reference."""
    message: Annotated[str, pydantic.StringConstraints(max_length=2048)]
    """Why, for a person. Never a secret value."""
    last_transition_time: Time
    """When `status` last changed (RFC 3339)."""
    observed_generation: int | None = None
    """Generation of the object that this was said about."""


def problems(error: pydantic.ValidationError) -> str:
    """Say which fields are wrong, without the input: ``spec.data.0.key: string_pattern_mismatch``."""
    shown = error.errors(include_input=False, include_context=False, include_url=False)[:5]
    return "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['type']}" for each in shown)


def dump(model: Spec) -> dict[str, Any]:
    """Return the model as it stands in an object: camelCase, without what is absent."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
