"""What a kind of ours is: its names, its columns, its spec and status models, and how a spec is read.

Does not belong here: the CRD's form (``crd.py``), any one kind.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, TypeVar

import pydantic

from .. import errors, schema
from ..errors import Reason

GROUP = "keywright.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

SpecT = TypeVar("SpecT", bound=schema.Spec)


def with_fields(configs: Mapping[str, type[schema.Spec]]) -> Callable[[type[SpecT]], type[SpecT]]:
    """Return what adds an optional field to a model for each of these; their docstrings are the docs.

    Args:
        configs: models of the fields by their names, in snake_case.
    """
    fields: dict[str, Any] = {
        name: (config | None, pydantic.Field(default=None, description=config.__doc__))
        for name, config in configs.items()
    }

    def added(model: type[SpecT]) -> type[SpecT]:
        return pydantic.create_model(
            model.__name__, __base__=model, __doc__=model.__doc__, __module__=model.__module__, **fields
        )

    return added


@dataclasses.dataclass(frozen=True)
class Column:
    """A column that ``kubectl get`` prints.

    Attributes:
        path: JSONPath in the object.
        wide: printed with ``-o wide`` only.
    """

    name: str
    path: str
    type: Literal["string", "date", "integer", "boolean"] = "string"
    wide: bool = False


def condition(kind: str, field: str) -> str:
    """Return the JSONPath of a field of a condition; a column of it is blank while the condition is not there."""
    return f'.status.conditions[?(@.type=="{kind}")].{field}'


READY = Column("Ready", condition("Ready", "status"))
REASON = Column("Reason", condition("Ready", "reason"))
MESSAGE = Column("Message", condition("Ready", "message"), wide=True)
AGE = Column("Age", ".metadata.creationTimestamp", "date")


class Kind(abc.ABC):
    """One kind of the API, named as its class. Subclasses describe; they are never instantiated.

    Class keywords, in the subclass statement:
        plural: as in URLs.
        short_name: for ``kubectl get``.
        namespaced: whether its objects live in namespaces.
        columns: what ``kubectl get`` prints.
        selectable: fields by which ``--field-selector`` may select, as JSONPath.
        watched: whether the engine is told of every change of its objects.

    Attributes:
        kind: as in manifests.
        Spec: model of the spec.
        Status: model of the status; None where objects have none.
        example: a manifest that the docs begin with.
    """

    kind: ClassVar[str]
    plural: ClassVar[str]
    short_name: ClassVar[str]
    namespaced: ClassVar[bool]
    columns: ClassVar[tuple[Column, ...]]
    selectable: ClassVar[tuple[str, ...]]
    watched: ClassVar[bool]
    Spec: ClassVar[type[schema.Spec]]
    Status: ClassVar[type[schema.Spec] | None]
    example: ClassVar[str]

    def __init_subclass__(
        cls,
        *,
        plural: str,
        short_name: str,
        namespaced: bool = True,
        columns: tuple[Column, ...] = (READY, REASON, AGE, MESSAGE),
        selectable: tuple[str, ...] = (),
        watched: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.kind, cls.plural, cls.short_name = cls.__name__, plural, short_name
        cls.namespaced, cls.columns, cls.selectable, cls.watched = namespaced, columns, selectable, watched

    @classmethod
    @abc.abstractmethod
    def read_spec(cls, spec: dict[str, Any] | bytes) -> Any:
        """Read a spec as it stands in an object, parsed or as JSON text.

        Raises:
            errors.Stalled: ``InvalidSpec``.
        """

    @classmethod
    def parse(cls, model: type[SpecT], spec: dict[str, Any] | bytes) -> SpecT:
        """Read a spec as a model of this kind.

        Raises:
            errors.Stalled: ``InvalidSpec``, naming the fields and never their content.
        """
        try:
            return model.model_validate_json(spec) if isinstance(spec, bytes) else model.model_validate(spec)
        except pydantic.ValidationError as invalid:
            wrong = schema.problems(invalid)
        raise errors.Stalled(
            Reason.INVALID_SPEC,
            f"the spec of this {cls.kind} cannot be read ({wrong})",
            "Correct these fields, and check that the CRDs in the cluster are those of this version",
        )
