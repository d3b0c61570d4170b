"""What it takes to tell whose credential a value is, beside one match of one expression."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import re2

from keywright.issuers import ISSUERS, table
from keywright.issuers.base import Recognised
from keywright.secret import SecretValue
from vendors import vendors
from vendors.base import word

from ..rows import Row, Target, quantile

NAME = "recognition"
#: Microseconds that one value may take.
_LIMIT = 50.0
_ROUNDS = 20


async def run(count: int) -> list[Row]:
    """Measure credentials of every issuer, and values that are nobody's."""
    known, values = table(), [word(40) for _ in range(count)]
    parts, calls = [], []
    for name, issuer in sorted(ISSUERS.items()):
        vendor = vendors()[name]()
        config = issuer.Config.model_validate(vendor.config) if issuer.Config else None
        own = issuer(config, known)
        for sample in vendor.samples().values():
            one = {part: SecretValue(value) for part, value in sample.items()}
            assert isinstance(own.recognise(one), Recognised), name
            parts.append(one)
            calls.append((own, one))
    firsts = [next(iter(each.values())).reveal().decode() for each in parts]
    pattern = re2.compile("sk-[A-Za-z0-9]{40}")
    raw = _each(lambda: [pattern.fullmatch(each) for each in values], values)
    took = {
        "recognising a credential": _each(lambda: [own.recognise(one) for own, one in calls], calls),
        "telling whose a value is": _each(lambda: [known.owner(each) for each in firsts], firsts),
        "telling that a value is nobody's": _each(lambda: [known.owner(each) for each in values], values),
    }
    return [Row(NAME, what, each, "µs", Target(_LIMIT), raw) for what, each in took.items()]


def _each(work: Callable[[], object], items: Sequence[object]) -> float:
    """Return the microseconds that one of the items takes: the median of several rounds of at least 100 items."""
    repeats = max(1, 100 // len(items))
    found = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for _ in range(repeats):
            work()
        found.append((time.perf_counter() - started) / repeats / len(items) * 1e6)
    return quantile(found, 0.5)
