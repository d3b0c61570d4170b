"""What it takes to verify an audit trail, beside hashing and parsing the same bytes and no more."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable

from keywright.audit import lines
from keywright.audit.chain import Chain
from keywright.audit.heads import SigningKey
from keywright.audit.record import Entry, KeyChange, Object, Type, Version, Who
from keywright.audit.verify import Verifier
from keywright.secret import SecretValue

from ..rows import Row, Target

NAME = "audit trail"
#: Records a second that are to be verified.
_LIMIT = 100_000.0
#: Records, for a thousand of what is measured elsewhere; of one segment; how often it is measured: the best counts.
_EACH, _SEGMENT, _ROUNDS = 50, 250, 5
_WHO = Who(
    kind="ServiceAccount",
    name="system:serviceaccount:keywright-system:keywright",
    verified=True,
    instance="keywright-7d4b9_32f6c894",
)


async def run(count: int) -> list[Row]:
    """Measure a trail with many records of about 700 bytes."""
    trail = _trail(count * _EACH)

    def verifies() -> None:
        verifier = Verifier()
        for line in trail:
            verifier.take(line)
        assert verifier.verdict().findings == ()

    def parses() -> None:
        for line in trail:
            hashlib.sha256(line).digest()
            json.loads(line)

    measured, raw = _rate(verifies, len(trail)), _rate(parses, len(trail))
    return [Row(NAME, "records that are verified", measured, "/s", Target(_LIMIT, "high"), raw)]


def _trail(count: int) -> list[bytes]:
    key = SigningKey(SecretValue(bytes(range(32))))
    chain = Chain("000001-0000-5f0c2a9b1d3e", 1, key)
    opened = Entry(type=Type.LOG_OPENED, code="Started", who=_WHO, public_key=key.public)
    entries = [opened, *map(_entry, range(count))]
    found = []
    for start in range(0, len(entries), _SEGMENT):
        batch = chain.build([(entry, 1.8e9) for entry in entries[start : start + _SEGMENT]])
        chain.commit(batch)
        found += [*batch.lines, lines.head_line(batch.head)]
    return found


def _entry(number: int) -> Entry:
    thing = Object(
        kind="ApiKeySecret",
        name=f"llm-{number}",
        namespace="team-a",
        uid="5b1fd1c6-33cd-4a59-bfc5-9e8a24d31a5f",
        generation=3,
    )
    change = KeyChange(
        key="OPENAI_API_KEY",
        store="ClusterKeyStore/vault",
        path="teams/team-a/llm/openai",
        old=Version(version="3", fingerprint="d069f272:da35bec0cf2e395bdf0e"),
        new=Version(version="4", fingerprint="d069f272:bc8d8044943a6794d4f8"),
    )
    return Entry(type=Type.SYNC_WRITTEN, code="Updated", who=_WHO, object=thing, secret=f"llm-{number}", keys=(change,))


def _rate(work: Callable[[], None], count: int) -> float:
    """Return how many of so many are done in a second."""
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return count / best
