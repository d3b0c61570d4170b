"""Objects that a structural schema admits, made by hypothesis from the schema itself.

Rules (CEL) are not understood, but for "exactly one of" and "at least one entry in": what is made may still be refused
by others.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import Any

from hypothesis import strategies as st

from keywright.schema import PRINTABLE_PATTERN

Json = dict[str, Any]
Made = dict[str, st.SearchStrategy[Any]]

#: What rules (CEL) let through; beside these, durations are made from their pattern.
DURATIONS = st.sampled_from(["0", "0s", "100ms", "10s", "60s", "1m", "1h30m", "7d", "1d12h"])
#: Optional fields of an object that are set at the same time.
MOST = 3
TIMES = st.sampled_from(["2026-08-01T12:00:00Z", "2026-08-01T12:00:00.25+02:00", "0001-01-01T00:00:00Z"])
ANY, PRINTABLE = st.characters(exclude_categories=["Cs"]), st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
LABEL_KEYS = st.from_regex("([a-z][a-z0-9]{0,9}\\.example/)?[A-Za-z]([-_.A-Za-z0-9]{0,9}[a-z0-9])?", fullmatch=True)


def admitted(schema: Json) -> st.SearchStrategy[Any]:
    """Return a strategy for one schema."""
    match schema:
        case {"enum": values}:
            return st.sampled_from(values)
        case {"type": "object"}:
            return _objects(schema)
        case {"type": "array", "items": items}:
            keys = schema.get("x-kubernetes-list-map-keys")
            unique = (lambda item: tuple(item[key] for key in keys)) if keys else None
            return st.lists(admitted(items), min_size=schema.get("minItems", 0), max_size=2, unique_by=unique)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            whole = st.integers(schema.get("minimum", -(2**31)), schema.get("maximum", 2**31))
            return whole | whole.map(float)
        case {"type": "string"}:
            return _strings(schema)
    raise ValueError(f"no strategy for {schema}")


def _strings(schema: Json) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 100)
    if schema.get("format") == "date-time":
        return TIMES
    if "pattern" in schema and schema["pattern"] != PRINTABLE_PATTERN:
        fitting = _fitting(schema["pattern"]).filter(lambda text: least <= len(text) <= most)
        return fitting | DURATIONS | DURATIONS if schema.get("format") == "duration" else fitting
    # Anything but lone surrogates, which JSON in UTF-8 cannot carry; and the bound itself, in characters of four bytes.
    return st.text(PRINTABLE if "pattern" in schema else ANY, min_size=least, max_size=min(most, 60)) | st.just(
        "🗝" * most
    )


@functools.cache
def _fitting(pattern: str) -> st.SearchStrategy[str]:
    """Return texts that match; one strategy for all fields of a pattern, because they are costly."""
    ascii_only = st.characters(codec="ascii")
    return st.from_regex(pattern, fullmatch=True, alphabet=ascii_only).filter(lambda text: not text.endswith("\n"))


def _objects(schema: Json) -> st.SearchStrategy[Json]:
    if "additionalProperties" in schema:
        # Rules say what a key may be: all maps that there are hold labels or annotations.
        return st.dictionaries(
            LABEL_KEYS | LABEL_KEYS | st.text(max_size=20),
            admitted(schema["additionalProperties"]),
            min_size=schema.get("minProperties", 0),
            max_size=3,
        )
    required = set(schema.get("required", ()))
    fields = {name: each for name, each in schema.get("properties", {}).items() if "type" in each}
    made = {name: admitted(each) for name, each in fields.items()}
    rules = [each["rule"] for each in schema.get("x-kubernetes-validations", ())]
    groups = [arms for rule in rules if (arms := _arms(rule))]
    common = {name: each for name, each in made.items() if not any(name in arms for arms in groups)}
    lists = [name for rule in rules for name in _lists(rule)]
    groups += [lists] if lists else []
    filled = made | {name: admitted(fields[name] | {"minItems": 1, "minProperties": 1}) for name in lists}
    return st.one_of(
        [
            _fields(common | {arm: filled[arm] for arm in chosen}, required | set(chosen))
            for some in itertools.product(*groups)
            for chosen in [[arm for arm in some if arm]]
        ]
    )


def _arms(rule: str) -> list[str]:
    """Return the fields of which a rule wants exactly one, or one at most (then one of them is ""); else none."""
    if not rule.endswith(("size() == 1", "size() <= 1")):
        return []
    return re.findall(r"has\(self\.(\w+)\)", rule) + ([""] if rule.endswith("<= 1") else [])


def _lists(rule: str) -> list[str]:
    """Return the fields of which a rule wants that one is there at least, and not empty; else none."""
    one = r"\(has\(self\.(\w+)\) && self\.\1\.size\(\) > 0\)"
    found = [re.fullmatch(one, each) for each in rule.split(" || ")]
    return [each[1] for each in found if each] if all(found) else []


def _fields(made: Made, required: set[str]) -> st.SearchStrategy[Json]:
    """Return objects with all required fields and a few others: the more there are, the more rules say no."""
    always = {name: each for name, each in made.items() if name in required}
    others = sorted(made.keys() - required)
    some = st.lists(st.sampled_from(others), max_size=MOST, unique=True) if others else st.just([])
    return some.flatmap(lambda names: st.fixed_dictionaries(always | {name: made[name] for name in names}))
