"""What an object may demand of a value: entropy, an expression, a JSON Schema; each in bounded time.

Time grows with what is demanded times the length of the value, so the one bounds the other. Nothing in a schema may
take more than that: references and ``unevaluated…`` may double it at each step, and are refused.

Does not belong here: which part a demand is made of, what it leads to (``custom``).
"""

from __future__ import annotations

import collections
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

from .. import errors
from ..errors import Reason

#: A clause for who does not meet it, and whether a value does.
Demand = tuple[str, Callable[[bytes], bool]]

#: Bytes of a value that an expression is matched with.
MAX_TEXT = 8 * 1024
#: Bytes of memory that an expression may take; steps of one, and of all demands of a schema together.
_MAX_MEMORY, _MAX_PROGRAM, _MAX_COST = 1 << 20, 1000, 4000
#: Steps of an expression times bytes: 4 ms as measured. Those of a schema, a word of which costs as three: 30 ms.
_TEXT_WORK, _JSON_WORK, _WORD = 1_000_000, 4_000_000, 3
#: Refer to anything, or look at a value again at each level.
_UNBOUNDED = {"$ref", "$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems"}


def entropy(raw: bytes) -> float:
    """Return how many bits a text has, by how often each of its bytes comes (Shannon's estimate)."""
    return sum(count * math.log2(len(raw) / count) for count in collections.Counter(raw).values())


def of_entropy(least: int) -> tuple[Demand, ...]:
    """Demand so many bits of entropy."""
    return (("has less entropy than its minEntropy", lambda raw: entropy(raw) >= least),)


def of_pattern(pattern: str, where: str) -> tuple[Demand, ...]:
    """Demand that an expression (RE2) matches the whole value, and before that a length that it can be matched with.

    Raises:
        errors.Stalled: ``InvalidSpec``: it is no such expression, or one of too many steps.
    """
    found = _expression(pattern, _wrong(where, "Write it in RE2's syntax: no look-around, few repetitions"))
    longest = min(MAX_TEXT, _TEXT_WORK // found.programsize)
    return (
        ("is too long for its pattern", lambda raw: len(raw) <= longest),
        ("does not match its pattern", lambda raw: found.fullmatch(raw) is not None),
    )


def of_schema(text: str, where: str) -> tuple[Demand, ...]:
    """Demand JSON of a schema, and before that a length that it can be compared with.

    Raises:
        errors.Stalled: ``InvalidSpec``: it is no JSON Schema, one that refers to something, or one of too many words.
    """
    import jsonschema_rs  # takes a while to load

    wrong = _wrong(where, "Write a JSON Schema as JSON, without $ref, unevaluated… and look-around, and short")
    with errors.boundary(lambda _: wrong):
        declared = json.loads(text)
        cost = sum(_costs(declared, wrong))
        if cost > _MAX_COST:
            raise wrong
        found = jsonschema_rs.validator_for(
            declared,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_MAX_MEMORY, dfa_size_limit=_MAX_MEMORY),
            retriever=_refuse,
            validate_formats=False,
        )

    def is_met(raw: bytes) -> bool:
        try:
            return found.is_valid(json.loads(raw))
        except (ValueError, RecursionError):  # deeper than it goes
            return False

    longest = _JSON_WORK // max(1, cost)
    return (
        ("is too large for its jsonSchema", lambda raw: len(raw) <= longest),
        ("is not what its jsonSchema says", is_met),
    )


def _costs(schema: Any, wrong: errors.Stalled) -> Iterator[int]:
    """Yield what everything in a schema costs."""
    yield _WORD
    if isinstance(schema, list):
        for each in schema:
            yield from _costs(each, wrong)
    if not isinstance(schema, dict):
        return
    for name, each in schema.items():
        if name in _UNBOUNDED:
            raise wrong
        for pattern in _patterns(name, each):
            yield _expression(pattern, wrong).programsize
        yield from _costs(each, wrong)


def _patterns(name: str, value: Any) -> Iterator[str]:
    if name == "pattern" and isinstance(value, str):
        yield value
    elif name == "patternProperties" and isinstance(value, dict):
        yield from value


def _expression(pattern: str, wrong: errors.Stalled) -> Any:
    import re2  # takes a while to load

    options = re2.Options()
    options.max_mem, options.log_errors = _MAX_MEMORY, False
    with errors.boundary(lambda _: wrong):
        found: Any = re2.compile(pattern, options)
        if found.programsize > _MAX_PROGRAM:
            raise wrong
    return found


def _refuse(_: str) -> Any:
    raise ValueError


def _wrong(where: str, hint: str) -> errors.Stalled:
    return errors.Stalled(Reason.INVALID_SPEC, f"{where} cannot be used", hint)
