"""What the CRDs say, and what ``crd.py`` makes of models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import pydantic
import pytest
import yaml

from crd.definitions import KINDS, nodes, root
from keywright import crd, kinds
from keywright.schema import Absent, Cel, Closed, ListMap, OneOf, Renamed, Spec

# What the CRDs say.


@KINDS
def test_the_status_is_the_only_default(kind: type[kinds.Kind]) -> None:
    expected = [".status"] if kind.Status else []

    assert [path for path, node in nodes(root(kind), "") if "default" in node] == expected


def parts(kind: type[kinds.Kind]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every type in what a kind's objects hold beside their metadata."""
    for part in ("spec", "status") if kind.Status else ("spec",):
        yield from nodes(root(kind)["properties"][part], part)


@KINDS
def test_every_field_is_described(kind: type[kinds.Kind]) -> None:
    fields = list(parts(kind))
    silent = [path for path, node in fields if not path.endswith(("[]", "{}")) and not node.get("description")]

    assert silent == []


@KINDS
def test_everything_has_a_largest_size(kind: type[kinds.Kind]) -> None:
    bounds = {"string": "maxLength", "array": "maxItems"}
    endless = [
        path
        for path, node in parts(kind)
        if (bound := "maxProperties" if "additionalProperties" in node else bounds.get(node.get("type", "")))
        and bound not in node
        and "enum" not in node
    ]

    assert endless == []


@KINDS
def test_a_default_that_a_description_tells_is_the_one_that_is_applied(kind: type[kinds.Kind]) -> None:
    applied = {path: node.get("default") for path, node in nodes(crd.structural(kind.Spec, "spec"), "spec")}
    told = {
        path: node["description"].rpartition("Default `")[2].partition("`")[0]
        for path, node in nodes(root(kind)["properties"]["spec"], "spec")
        if "Default `" in node.get("description", "")
    }

    shown = {path: str(value).lower() if isinstance(value, bool) else str(value) for path, value in applied.items()}
    assert told == {path: shown[path] for path, value in applied.items() if value and not isinstance(value, dict)} | {
        path: "false" for path, value in applied.items() if value is False
    }


# What crd.py makes of models.


class Item(Spec):
    """One thing.

    More about
    it.
    """

    cel = (Cel("self.name != 'x'", "not x"),)

    name: Annotated[str, pydantic.StringConstraints(max_length=5)]
    """Its name."""


class Everything(Spec):
    """All that a model may say."""

    cel = (OneOf(("first_arm", "second_arm")),)
    renamed = (Renamed("old", "new"),)

    first_arm: Item | None = None
    """The field's own words."""
    second_arm: Annotated[Item, Cel("true", "added")] | None = None
    """Two rules."""
    items: Annotated[list[Item], ListMap("name"), pydantic.Field(max_length=3)] | None = None
    """A list that is a map, or absent."""
    by_name: dict[str, Item] = pydantic.Field(default_factory=dict)
    """A map."""
    tags: set[str] = pydantic.Field(default_factory=set)
    """A set."""
    only: Literal["x"] = "x"
    """A constant."""
    more: Annotated[int, pydantic.Field(gt=1, lt=9)] = 5
    """Between."""


def test_a_model_becomes_a_structural_schema() -> None:
    name = {"description": "Its name.", "type": "string", "maxLength": 5}
    rules = [{"rule": "self.name != 'x'", "message": "not x"}]
    item = {
        "description": "One thing.\n\nMore about it.",
        "type": "object",
        "properties": {"name": name},
        "required": ["name"],
        "x-kubernetes-validations": rules,
    }

    assert crd.structural(Everything, "spec") == {
        "description": "All that a model may say.",
        "type": "object",
        "properties": {
            "firstArm": item | {"description": "The field's own words."},
            "secondArm": item
            | {
                "description": "Two rules.",
                "x-kubernetes-validations": [*rules, {"rule": "true", "message": "added"}],
            },
            "items": {
                "description": "A list that is a map, or absent.",
                "type": "array",
                "maxItems": 3,
                "items": item,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            "byName": {"description": "A map.", "type": "object", "additionalProperties": item},
            "tags": {
                "description": "A set.",
                "type": "array",
                "items": {"type": "string"},
                "x-kubernetes-list-type": "set",
            },
            "only": {"description": "A constant.", "type": "string", "enum": ["x"], "default": "x"},
            "more": {
                "description": "Between.",
                "type": "integer",
                "minimum": 1,
                "exclusiveMinimum": True,
                "maximum": 9,
                "exclusiveMaximum": True,
                "default": 5,
            },
            "old": {
                "description": "Write new.",
                "enum": ["none: write new"],
                "x-kubernetes-preserve-unknown-fields": True,
            },
        },
        "x-kubernetes-validations": [
            {
                "rule": "[has(self.firstArm), has(self.secondArm)].filter(x, x).size() == 1",
                "message": "exactly one of firstArm, secondArm must be set",
            }
        ],
    }


class Tree(Spec):
    """Contains itself."""

    below: list[Tree] = pydantic.Field(default_factory=list)
    """Trees."""


class Choice(Spec):
    """Names a field that is not there."""

    cel: ClassVar[tuple[Cel | OneOf, ...]] = (OneOf(("left", "right")),)

    left: str | None = None
    """The only one."""


class Shut(Spec):
    """Has no other fields."""

    cel = (Closed(),)
    renamed = (Absent("third", "there are two"),)

    one: str | None = None
    """First."""
    two: str | None = None
    """Second."""


def test_a_closed_object_names_every_set_of_fields_that_it_may_have() -> None:
    described = crd.structural(Shut, "spec")

    assert described["x-kubernetes-preserve-unknown-fields"] is True
    assert described["anyOf"] == [
        {"enum": ["none: has only one and two"]},
        {"maxProperties": 0},
        {"maxProperties": 1, "required": ["one"]},
        {"maxProperties": 1, "required": ["two"]},
        {"maxProperties": 2, "required": ["one", "two"]},
    ]
    assert described["properties"]["third"] == {
        "description": "This version has no third: there are two.",
        "enum": ["none: this version has no third: there are two"],
        "x-kubernetes-preserve-unknown-fields": True,
    }


class ShutWithout(Spec):
    """Is closed and wants something."""

    cel = (Closed(),)

    one: str
    """Required."""


class Keyless(Spec):
    """An item without a key."""

    name: str = ""
    """Not required."""


NOT_STRUCTURAL: dict[str, tuple[Any, str]] = {
    "anything": (Any, "spec.field: has no type"),
    "a union": (int | str, "spec.field: a choice of types"),
    "a union with null": (int | str | None, "spec.field: a choice of types"),
    "null": (None, "spec.field: has no type"),
    "a pair": (tuple[int, str], r"spec.field: a CRD has no prefixItems"),
    "a list of anything": (list[Any], r"spec.field\[\]: has no type"),
    "a map of anything": (dict[str, Any], "spec.field: "),
    "a bare map": (dict, "spec.field: "),
    "a map of unions": (dict[str, int | str], r"spec.field\{\}: a choice of types"),
    "a map by number": (dict[int, str], "spec.field: a CRD has no propertyNames"),
    "a map by pattern": (
        dict[Annotated[str, pydantic.StringConstraints(pattern="^a")], str],
        "spec.field: a CRD has no patternProperties",
    ),
    "recursion": (Tree, r"spec.field.below\[\]: Tree contains itself"),
    "a choice of what is not there": (Choice, "spec.field: no field right to choose from"),
    "a map list without its key": (Annotated[list[Keyless], ListMap("name")], "spec.field: .* required field name"),
    "a closed object that requires": (ShutWithout, "spec.field: a closed object with required fields"),
    "in an optional list": (list[Choice] | None, r"spec.field\[\]: no field right"),
}


@pytest.mark.parametrize("name", NOT_STRUCTURAL)
def test_what_a_crd_cannot_say_is_refused_with_the_path(name: str) -> None:
    annotation, said = NOT_STRUCTURAL[name]
    model = pydantic.create_model("Wrong", __base__=Spec, field=(annotation, ...))

    with pytest.raises(crd.NotStructural, match=said):
        crd.structural(model, "spec")


def test_manifests_are_a_stream_of_plain_yaml() -> None:
    text = crd.to_yaml(crd.manifests())

    assert list(yaml.safe_load_all(text)) == crd.manifests()
    assert "&id" not in text
