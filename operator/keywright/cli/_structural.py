"""What a CRD's schema says against a value, as the API server would, without one.

Rules (CEL) are evaluated where the extra ``validate`` is installed. Messages hold no values of the manifest.

Does not belong here: reading files (``_manifests``), what the schemas say (``crd.py``).
"""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import functools
from collections.abc import Iterator
from typing import Any

import re2

from .. import schema
from . import _manifests

Json = dict[str, Any]

_PLURALS = {"entry": "entries", "item": "items", "character": "characters"}


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one value.

    Attributes:
        path: of the value, as Kubernetes writes it.
    """

    path: str
    message: str


def faults(described: Json, value: Any, path: str, *, rules: bool = True) -> list[Fault]:
    """Return what a structural schema says against a value; its rules only where all else is right."""
    bare = _without_nulls(described, value)
    found = list(_checked(described, bare, path))
    if found or not (rules and rules_are_checked()):
        return found
    return [each.fault for each in _rules(described, bare, path) if not _holds(each)]


def rules(described: Json, value: Any, path: str) -> list[Fault]:
    """Return what the rules demand of a value: what would be wrong with it where one does not hold."""
    return [rule.fault for rule in _rules(described, _without_nulls(described, value), path)]


@functools.cache
def rules_are_checked() -> bool:
    """Whether rules (CEL) can be evaluated."""
    try:
        import cel
    except ImportError:
        return False
    return bool(cel.evaluate("true"))


def nearest(name: str, known: list[str]) -> str:
    """Return the end of a sentence that tells the known name that is most like this one; empty if none is."""
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    return f"; did you mean {lower[close[0]]}?" if close else ""


def _without_nulls(described: Json, value: Any) -> Any:
    """Return a value without the fields that are null: the API server drops them."""
    if isinstance(value, dict):
        fields, others = described.get("properties", {}), described.get("additionalProperties")
        return {
            name: _without_nulls(fields.get(name, others or {}), each)
            for name, each in value.items()
            if each is not None or not (name in fields or others)
        }
    if isinstance(value, list):
        return [_without_nulls(described.get("items", {}), each) for each in value]
    return value


def _checked(described: Json, value: Any, path: str) -> Iterator[Fault]:
    if "enum" in described and value not in described["enum"]:
        advice = str(described["enum"][0])
        if advice.startswith("none: "):
            yield Fault(path, advice.removeprefix("none: "))
        else:
            yield Fault(path, f"must be one of {', '.join(map(str, described['enum']))}")
        return
    match described.get("type"):
        case "object" if isinstance(value, dict):
            yield from _object(described, value, path)
        case "array" if isinstance(value, list):
            yield from _array(described, value, path)
        case "string" if isinstance(value, str):
            yield from _string(described, value, path)
        case "boolean" if isinstance(value, bool):
            return
        case "integer" if _is_whole(value):
            yield from _bounded(described, "imum", "", value, path)
        case kind:
            yield Fault(path, f"must be of type {kind}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1


def _object(described: Json, value: Json, path: str) -> Iterator[Fault]:
    fields = described.get("properties")
    yield from _bounded(described, "Properties", "entry", len(value), path)
    for name in described.get("required", ()):
        if name not in value:
            yield Fault(_manifests.step(path, name), "is required")
    for name, each in value.items():
        below = _manifests.step(path, name)
        if fields is None:
            yield from _checked(described["additionalProperties"], each, below)
        elif name in fields:
            yield from _checked(fields[name], each, below)
        else:
            known = [known for known, said in fields.items() if "type" in said]
            yield Fault(below, f"is no field{nearest(name, known)}")


def _array(described: Json, value: list[Any], path: str) -> Iterator[Fault]:
    yield from _bounded(described, "Items", "item", len(value), path)
    seen = []
    keys = described.get("x-kubernetes-list-map-keys")
    unique = keys or described.get("x-kubernetes-list-type") == "set"
    for number, each in enumerate(value):
        below = f"{path}[{number}]"
        yield from _checked(described["items"], each, below)
        identity = [each.get(key) for key in keys] if keys and isinstance(each, dict) else each
        if unique and identity in seen:
            yield Fault(below, f"stands there already{f', with the same {keys[0]}' if keys else ''}")
        seen.append(identity)


def _string(described: Json, value: str, path: str) -> Iterator[Fault]:
    yield from _bounded(described, "Length", "character", len(value), path)
    pattern = described.get("pattern")
    if pattern and not _compiled(pattern).search(value):
        shown = pattern if len(pattern) <= 80 else f"{pattern[:77]}..."
        yield Fault(path, f"is not written like {shown.encode('ascii', 'backslashreplace').decode()}")


def _bounded(described: Json, of: str, unit: str, size: float, path: str) -> Iterator[Fault]:
    least, most = described.get(f"min{of}"), described.get(f"max{of}")
    if least is not None and size < least:
        yield Fault(path, f"must {_amount('at least', least, unit)}")
    if most is not None and size > most:
        yield Fault(path, f"must {_amount('at most', most, unit)}")


def _amount(bound: str, number: float, unit: str) -> str:
    if not unit:
        return f"be {bound} {number}"
    return f"have {bound} {number} {unit if number == 1 else _PLURALS[unit]}"


@functools.cache
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern)


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """A rule, the value that it is about, and what is wrong where it does not hold."""

    text: str
    described: Json
    value: Any
    fault: Fault


def _rules(described: Json, value: Any, path: str) -> Iterator[_Rule]:
    """Yield the rules about a value, and about all below it."""
    for rule in described.get("x-kubernetes-validations", ()):
        if "oldSelf" in rule["rule"]:
            continue  # about a change, and a manifest is none
        yield _Rule(rule["rule"], described, value, Fault(path, rule["message"]))
    if isinstance(value, dict):
        fields = described.get("properties", {})
        for name, each in value.items():
            below = fields.get(name) or described.get("additionalProperties", {})
            yield from _rules(below, each, _manifests.step(path, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _rules(described["items"], each, f"{path}[{number}]")


def _for_rules(described: Json, value: Any) -> Any:
    """Return a value as rules see it: durations are durations."""
    if described.get("format") == "duration":
        return datetime.timedelta(seconds=schema.seconds(value))
    if isinstance(value, dict):
        fields, others = described.get("properties", {}), described.get("additionalProperties", {})
        return {name: _for_rules(fields.get(name, others), each) for name, each in value.items()}
    if isinstance(value, list):
        return [_for_rules(described["items"], each) for each in value]
    return value


def _holds(rule: _Rule) -> bool:
    """Whether a rule holds; as to the API server, one that cannot be evaluated does not."""
    import cel

    context = cel.Context(variables={"self": _for_rules(rule.described, rule.value)})
    # What Kubernetes adds to the language, and our rules use.
    context.add_function("indexOf", lambda text, sought: text.find(sought))
    context.add_function("lowerAscii", lambda text: text.encode().lower().decode())
    try:
        return cel.evaluate(rule.text, context) is True
    except (LookupError, RuntimeError, TypeError, ValueError):
        return False
