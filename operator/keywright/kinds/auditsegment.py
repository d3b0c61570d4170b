"""``AuditSegment``: a run of records of the audit trail.

Does not belong here: what a record is, and how records hang together (``audit/``).
"""

from __future__ import annotations

from typing import Annotated, Any

import pydantic

from ..schema import Cel, Spec
from .base import AGE, Column, Kind

LogName = Annotated[str, pydantic.StringConstraints(max_length=62, pattern="^[a-z0-9][-a-z0-9]*$")]
Hex = Annotated[str, pydantic.StringConstraints(max_length=64, pattern="^[0-9a-f]{64}$")]


class AuditHead(Spec):
    """What vouches for all records of a log so far."""

    log: LogName
    """The log."""
    size: Annotated[int, pydantic.Field(ge=1, le=2**53 - 1)]
    """How many records it has."""
    root: Hex
    """Root of the Merkle tree over them (RFC 6962)."""
    key: Annotated[str, pydantic.StringConstraints(max_length=16, pattern="^[0-9a-f]{16}$")]
    """Name of the key that signs."""
    signature: Annotated[str, pydantic.StringConstraints(max_length=88, pattern="^[A-Za-z0-9+/]{86}==$")]
    """Ed25519 signature over origin, size and root, in Base64."""


class AuditSegmentSpec(Spec):
    """The records."""

    cel = (Cel("self == oldSelf", "an audit segment cannot be changed"),)

    log: LogName
    """The log that they are in: one for each leader's term, or more."""
    number: Annotated[int, pydantic.Field(ge=0, le=2**53 - 1)]
    """Number of the segment in its log."""
    first: Annotated[int, pydantic.Field(ge=0, le=2**53 - 1)]
    """Number of its first record in the log."""
    count: Annotated[int, pydantic.Field(ge=1, le=100_000)]
    """How many records it has."""
    records: Annotated[
        str,
        # Lines, and in them nothing that would speak to a terminal.
        pydantic.StringConstraints(min_length=1, max_length=262_144, pattern=r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$"),
    ]
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
  name: 000007-0000-5f0c2a9b1d3e-000000
  labels: {keywright.dev/audit-log: 000007-0000-5f0c2a9b1d3e}
spec:
  log: 000007-0000-5f0c2a9b1d3e
  number: 0
  first: 0
  count: 1
  records: '{"code":"Started","epoch":7,"log":"000007-0000-5f0c2a9b1d3e","prev":"…","seq":0,…}'
  head:
    log: 000007-0000-5f0c2a9b1d3e
    size: 1
    root: 07fd440ea20d8cc6c2adb2012086bdb7af45fc1547f63703048ee65b8d162855
    key: fe812c12f3ab4ce6
    signature: >-
      EDs2H3ok6oo4ehy8G3HgDOK6M24J19/m8SPlAozLQoRPwZmpJ/vo0FGD6AekRjainLq/4vdNS1hY0w1SAEWpAA==
"""

    @classmethod
    def read_spec(cls, spec: dict[str, Any] | bytes) -> AuditSegmentSpec:
        """Read a spec; see ``Kind.read_spec``."""
        return cls.parse(AuditSegmentSpec, spec)
