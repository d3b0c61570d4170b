"""``AuditSegment``: a run of records of the audit trail.

Does not belong here: what a record is, and how records hang together (``audit/``).
"""

from __future__ import annotations

from typing import Annotated, Any

import pydantic

from ..schema import Cel, Spec
from .base import AGE, Column, Kind

Hex = Annotated[str, pydantic.StringConstraints(pattern="^[0-9a-f]{64}$")]


class AuditHead(Spec):
    """What vouches for all records of a log so far."""

    log: Annotated[str, pydantic.StringConstraints(max_length=62)]
    """The log."""
    size: Annotated[int, pydantic.Field(ge=1)]
    """How many records it has."""
    root: Hex
    """Root of the Merkle tree over them (RFC 6962)."""
    key: Annotated[str, pydantic.StringConstraints(max_length=63)]
    """Name of the key that signs."""
    signature: Annotated[str, pydantic.StringConstraints(max_length=88)]
    """Ed25519 signature over origin, size and root, in Base64."""


class AuditSegmentSpec(Spec):
    """The records."""

    cel = (Cel("self == oldSelf", "an audit segment cannot be changed"),)

    log: Annotated[str, pydantic.StringConstraints(max_length=62)]
    """The log that they are in: one for each leader's term, or more."""
    number: Annotated[int, pydantic.Field(ge=0)]
    """Number of the segment in its log."""
    first: Annotated[int, pydantic.Field(ge=0)]
    """Number of its first record in the log."""
    count: Annotated[int, pydantic.Field(ge=1, le=100_000)]
    """How many records it has."""
    records: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=262_144)]
    """The records, a line of canonical JSON each."""
    head: AuditHead
    """What vouches for them and for all before."""


class AuditSegment(
    Kind,
    plural="auditsegments",
    short_name="audseg",
    watched=False,
    columns=(
        Column("Log", ".spec.log"),
        Column("First", ".spec.first", "integer"),
        Column("Records", ".spec.count", "integer"),
        AGE,
    ),
):
    """A run of records of the audit trail, in the operator's namespace. Written once, by the operator; read it with
    `keywright audit`.
    """

    Spec = AuditSegmentSpec
    Status = None
    example = """\
apiVersion: keywright.dev/v1alpha1
kind: AuditSegment
metadata:
  name: 000007-5f0c2a9b1d3e4f60-000000
  namespace: keywright-system
  labels: {keywright.dev/audit-log: 000007-5f0c2a9b1d3e4f60}
spec:
  log: 000007-5f0c2a9b1d3e4f60
  number: 0
  first: 0
  count: 1
  records: '{"code":"Started","epoch":7,"log":"000007-5f0c2a9b1d3e4f60",…}'
  head:
    log: 000007-5f0c2a9b1d3e4f60
    size: 1
    root: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    key: 1b4f0e9851971998
    signature: eG5…==
"""

    @classmethod
    def read_spec(cls, spec: dict[str, Any] | bytes) -> AuditSegmentSpec:
        """Read a spec; see ``Kind.read_spec``."""
        return cls.parse(AuditSegmentSpec, spec)
