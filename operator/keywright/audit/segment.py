"""A segment: the object that holds a run of records in a cluster, and the head behind them.

Its name is the log's with a number: creating it is the compare-and-swap, as nobody else can create the same one. What a
list without contents must tell (sizes, the order of logs) stands in its metadata too.

Does not belong here: when segments are written (``writer``), whether they are whole (``verify``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import canonical, cluster, kinds
from .chain import Batch
from .record import dump

SEGMENTS = cluster.Resource(kinds.GROUP, kinds.VERSION, "auditsegments")
#: Label with the log, annotations with the log before and with the bytes that the records take.
LOG, PREVIOUS, BYTES = "keywright.dev/audit-log", "keywright.dev/audit-previous", "keywright.dev/audit-bytes"
#: Bytes of records in one segment.
MAX_BYTES = 256 * 1024
#: Bytes that an object takes beside its records, by and large.
OVERHEAD = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """A segment as a list without contents tells of it."""

    name: str
    log: str
    number: int
    previous: str
    size: int
    created: str


def name(log: str, number: int) -> str:
    """Return how a segment is called."""
    return f"{log}-{number:06d}"


def body(namespace: str, batch: Batch, number: int, previous: str) -> cluster.Json:
    """Return the object that holds a batch.

    Args:
        number: of the segment in its log, from 0.
        previous: the log before; empty if there is none.
    """
    log, text = batch.head.log, b"\n".join(batch.lines).decode()
    return {
        "apiVersion": kinds.API_VERSION,
        "kind": "AuditSegment",
        "metadata": {
            "name": name(log, number),
            "namespace": namespace,
            "labels": {LOG: log, "app.kubernetes.io/part-of": "keywright"},
            "annotations": {PREVIOUS: previous, BYTES: str(len(text.encode()) + OVERHEAD)},
        },
        "spec": {
            "log": log,
            "number": number,
            "first": batch.first,
            "count": len(batch.lines),
            "records": text,
            "head": dump(batch.head),
        },
    }


def listed(meta: Mapping[str, Any]) -> Listed:
    """Return what the metadata of a segment tell."""
    annotations = meta.get("annotations") or {}
    log, _, number = str(meta["name"]).rpartition("-")
    size = str(annotations.get(BYTES, ""))
    return Listed(
        meta["name"],
        log,
        int(number) if number.isdecimal() else 0,
        str(annotations.get(PREVIOUS, "")),
        int(size) if size.isdecimal() and len(size) < 9 else OVERHEAD,
        str(meta.get("creationTimestamp", "")),
    )


def newest(segments: Sequence[Listed]) -> str:
    """Return the log that no other one follows, the youngest if there are several; empty if there is none."""
    named = {each.previous for each in segments}
    last = {each.log: each for each in segments}
    ends = [each for each in last.values() if each.log not in named] or list(last.values())
    return max(ends, key=lambda each: (each.created, each.log)).log if ends else ""


def lines_of(item: cluster.Json) -> Iterator[bytes]:
    """Yield the lines of a segment: its records, and the head behind them. What it says is not trusted."""
    spec = item.get("spec") or {}
    for line in str(spec.get("records", "")).split("\n"):
        yield line.encode()
    head = spec.get("head")
    yield canonical.data({"head": head}) if isinstance(head, dict) else b""
