"""Kind -> CustomResourceDefinition. Pure. Refuses, with the field's path, what a CRD cannot say.

The rules are those of structural schemas (Kubernetes ``apiextensions-apiserver``, ``pkg/apis/apiextensions/validation``
and ``pkg/apiserver/schema``); the last word has the real API server, to which a test gives every CRD. What pydantic
says in other words is translated: references are inlined, Optional becomes absent, ``const`` an ``enum``, a marker of
``schema`` its ``x-kubernetes-…``.

Defaults do not stand in the CRD, where a GitOps diff would show what nobody wrote; descriptions tell them. The one
exception is the status. A default on an arm of a union would even set a second arm.

Does not belong here: what the kinds say (``kinds/``), writing files (``generate.py``).
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from pydantic import alias_generators, json_schema
from pydantic_core import core_schema

from . import schema
from .kinds import GROUP, KINDS, VERSION, Column, Kind

Json = dict[str, Any]

#: Keywords that mean the same in a CRD.
_SAME = frozenset({"default", "enum", "format", "nullable", "pattern", "required", "type"}) | {
    bound + of for bound in ("min", "max") for of in ("imum", "Items", "Length", "Properties")
}
#: Keywords without a meaning in a CRD.
_DROPPED = frozenset({"title", "examples", schema.MARKERS})

_TYPES = frozenset({"array", "boolean", "integer", "number", "object", "string"})
_RULES = "x-kubernetes-validations"


class NotStructural(TypeError):
    """A model says something that a CRD cannot; the message names the field."""


def manifests() -> list[Json]:
    """Return the CustomResourceDefinitions of all kinds."""
    return [manifest(kind) for kind in KINDS.values()]


def manifest(kind: type[Kind]) -> Json:
    """Return the CustomResourceDefinition of a kind.

    Raises:
        NotStructural: a model says something that a CRD cannot.
    """
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        **({"subresources": {"status": {}}} if kind.Status else {}),
        "additionalPrinterColumns": [_column(each) for each in kind.columns],
        "schema": {"openAPIV3Schema": _root(kind)},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short_name],
                "categories": ["keywright"],
            },
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


def to_yaml(manifests: list[Json]) -> str:
    """Return manifests as a stream of YAML documents."""
    without_aliases = json.loads(json.dumps(manifests))
    return yaml.safe_dump_all(without_aliases, sort_keys=False, allow_unicode=True, width=120)


def structural(model: type[schema.Spec], path: str) -> Json:
    """Return a model as a structural schema, with the defaults that are applied on reading.

    Args:
        path: where it stands, for errors.

    Raises:
        NotStructural: it cannot be said.
    """
    raw = model.model_json_schema(by_alias=True, schema_generator=_Words)
    return _translated(raw, _Place(path, raw.get("$defs", {})))


def _root(kind: type[Kind]) -> Json:
    status: Json = {}
    if kind.Status:
        # The one default: without it kstatus takes an object for current that nobody has looked at yet.
        status["status"] = _told(structural(kind.Status, "status")) | {"default": {"observedGeneration": -1}}
    return {
        "type": "object",
        "description": _text(kind.__doc__ or ""),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _told(structural(kind.Spec, "spec")),
            **status,
        },
    }


class _Words(json_schema.GenerateJsonSchema):
    """What pydantic says of a model, and of maps also what their keys are, where those are not text."""

    def dict_schema(self, schema: core_schema.DictSchema) -> json_schema.JsonSchemaValue:
        said = super().dict_schema(schema)
        keys = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        return said if keys.get("type") == "string" else said | {"propertyNames": keys}


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where in a model we are: the path for people, the models that are defined, those that we are inside of."""

    path: str
    definitions: Mapping[str, Json]
    inside: tuple[str, ...] = ()

    def at(self, step: str) -> _Place:
        return dataclasses.replace(self, path=self.path + step)

    def entering(self, name: str) -> _Place:
        return dataclasses.replace(self, inside=(*self.inside, name))


def _translated(raw: Json, place: _Place) -> Json:
    """Translate what pydantic says of one type."""
    raw, place = _resolved(raw, place)
    result: Json = {}
    for keyword, value in raw.items():
        result |= _keyword(keyword, value, place)
    for marker in raw.get(schema.MARKERS, ()):
        _mark(result, marker, place)
    if result.get("type") not in _TYPES:
        raise NotStructural(f"{place.path}: has no type that a CRD knows")
    if result["type"] == "object" and not result.keys() & {"properties", "additionalProperties"}:
        raise NotStructural(f"{place.path}: an object of which no field is known")
    return {name: result[name] for name in ("description", "type") if name in result} | result


def _resolved(raw: Json, place: _Place) -> tuple[Json, _Place]:
    """Put what is referred to in place of the reference, and a type in place of "it or null"; siblings win."""
    rest = {name: value for name, value in raw.items() if name not in ("$ref", "anyOf", "$defs")}
    if "anyOf" in raw:
        choices = [each for each in raw["anyOf"] if each != {"type": "null"}]
        if len(choices) != 1:
            raise NotStructural(f"{place.path}: a choice of types, and a CRD needs one")
        chosen, rest = choices[0], {name: value for name, value in rest.items() if (name, value) != ("default", None)}
    elif "$ref" in raw:
        name = raw["$ref"].rpartition("/")[2]
        if name in place.inside:
            raise NotStructural(f"{place.path}: {name} contains itself, and a CRD has no references")
        chosen, place = place.definitions[name], place.entering(name)
    else:
        return rest, place
    markers = [*chosen.get(schema.MARKERS, ()), *rest.get(schema.MARKERS, ())]
    return _resolved({**chosen, **rest, schema.MARKERS: markers}, place)


def _keyword(keyword: str, value: Any, place: _Place) -> Json:
    """Translate one keyword."""
    if translate := _TRANSLATED.get(keyword):
        return translate(value, place)
    if keyword in _SAME:
        return {keyword: value}
    if keyword in _DROPPED:
        return {}
    raise NotStructural(f"{place.path}: a CRD has no {keyword}")


def _values(value: Any, place: _Place) -> Json:
    """Translate ``additionalProperties``: the type of a map's values, or false where fields are all named."""
    if value is True:
        raise NotStructural(f"{place.path}: values of any type")
    return {"additionalProperties": _translated(value, place.at("{}"))} if value else {}


_TRANSLATED: Mapping[str, Callable[[Any, _Place], Json]] = {
    "additionalProperties": _values,
    "const": lambda value, _: {"enum": [value]},
    "description": lambda value, _: {"description": _text(value)},
    "exclusiveMaximum": lambda value, _: {"maximum": value, "exclusiveMaximum": True},
    "exclusiveMinimum": lambda value, _: {"minimum": value, "exclusiveMinimum": True},
    "items": lambda value, place: {"items": _translated(value, place.at("[]"))},
    "properties": lambda value, place: {
        "properties": {name: _translated(each, place.at(f".{name}")) for name, each in value.items()}
    },
    "uniqueItems": lambda _value, _: {"x-kubernetes-list-type": "set"},
}


def _mark(result: Json, marker: schema.Marker, place: _Place) -> None:
    """Add to a translated type what a marker says."""
    match marker:
        case schema.ListMap(key):
            if key not in result.get("items", {}).get("required", ()):
                raise NotStructural(f"{place.path}: a list that is a map needs a required field {key} in its items")
            result |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
        case schema.Cel(rule, message):
            result.setdefault(_RULES, []).append({"rule": rule, "message": message})
        case schema.OneOf(fields):
            names = [alias_generators.to_camel(each) for each in fields]
            if unknown := set(names) - result["properties"].keys():
                raise NotStructural(f"{place.path}: no field {', '.join(sorted(unknown))} to choose from")
            present = ", ".join(f"has(self.{each})" for each in names)
            message = f"exactly one of {', '.join(names)} must be set" if names[1:] else f"{names[0]} must be set"
            result.setdefault(_RULES, []).append({"rule": f"[{present}].filter(x, x).size() == 1", "message": message})
        case schema.Closed():
            result |= _closed(result, place)
        case schema.Renamed() | schema.Absent():
            # An unknown field would be dropped without a word, and a rule is not looked at while the right field is
            # missing. So the wrong one is declared, may hold anything, and admits nothing but this advice.
            result["properties"][marker.wrong] = {
                "description": f"{marker.advice[0].upper()}{marker.advice[1:]}.",
                "enum": [f"none: {marker.advice}"],
                "x-kubernetes-preserve-unknown-fields": True,
            }


def _closed(result: Json, place: _Place) -> Json:
    """Return what keeps unknown fields out: they are not dropped, and then there are more fields than known ones."""
    if "required" in result:
        raise NotStructural(f"{place.path}: a closed object with required fields")
    names = sorted(result["properties"])
    known = (each for size in range(len(names) + 1) for each in itertools.combinations(names, size))
    sets = [{"maxProperties": len(each)} | ({"required": list(each)} if each else {}) for each in known]
    # Nothing is this text. It stands first because the API server tells why the first one does not fit.
    advice = {"enum": [f"none: has only {' and '.join(result['properties'])}"]}
    return {"x-kubernetes-preserve-unknown-fields": True, "anyOf": [advice, *sets]}


def _told(described: Json) -> Json:
    """Return a structural schema whose defaults are told by the descriptions instead of being set."""
    result = {name: value for name, value in described.items() if name != "default"}
    if isinstance(default := described.get("default"), str | int) and default != "":
        text, said = result.get("description", ""), default if isinstance(default, str) else json.dumps(default)
        result["description"] = text if "Default `" in text else f"{text} Default `{said}`.".lstrip()
    if "properties" in result:
        result["properties"] = {name: _told(each) for name, each in result["properties"].items()}
        if not result["properties"]:
            # The API server keeps no empty map of them.
            del result["properties"]
    return result | {name: _told(result[name]) for name in ("items", "additionalProperties") if name in result}


def _column(column: Column) -> Json:
    result: Json = {"name": column.name, "type": column.type, "jsonPath": column.path}
    return result | ({"priority": 1} if column.wide else {})


def _text(doc: str) -> str:
    """Return a docstring with a line a paragraph."""
    return "\n\n".join(" ".join(each.split()) for each in doc.strip().split("\n\n"))
