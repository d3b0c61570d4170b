"""``KeyAction``: an act on one ApiKeySecret that somebody asks for, once.

Nothing in it is free text: what it says goes into the audit trail as it is, and a key must not get there by a slip.

Does not belong here: what an act does (``engine/actions.py``), who may ask for it (``admission.py``, the chart).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from .. import schema
from ..schema import REFERENCE_PATTERN, Cel, Condition, Duration, ListMap, ObjectName, Printable, Spec, Time
from .base import AGE, Column, Kind


class KeyActionSpec(Spec):
    """What is to be done, to which object, and why. It is not changed once it is made."""

    cel = (Cel("self == oldSelf", "a KeyAction is not changed once it is made: make another one"),)

    action: Literal["Refresh"]
    """What is to be done. `Refresh`: the stores are asked anew, and the Secret is made as they say."""
    api_key_secret: ObjectName
    """The ApiKeySecret, in the namespace of the KeyAction."""
    reason: Literal["Scheduled", "Compromised", "Personnel", "Policy", "Maintenance", "Test", "Other"]
    """Why. `Compromised`: a key may be known to others; `Personnel`: somebody left; `Policy`: a rule asks for it. What
    else there is to say stands where `reference` points."""
    reference: Annotated[str, pydantic.StringConstraints(max_length=40, pattern=REFERENCE_PATTERN)] | None = None
    """The ticket that tells more: `SEC-1234`, `INC0012345`, `#12`."""
    requested_by: Annotated[Printable, pydantic.StringConstraints(max_length=253)] | None = None
    """Who asks: the user name, as `kubectl auth whoami` tells it. The policy that the chart ships demands it, and sees
    that it is true."""
    expires_after: Annotated[Duration, Cel("self >= duration('1s')", "must be at least 1s")] = "1h"
    """What has not begun so long after the KeyAction was made never begins."""

    @property
    def expires_seconds(self) -> float:
        """Seconds after which an action that has not begun never begins."""
        return schema.seconds(self.expires_after)


class KeyActionStatus(Spec):
    """What has become of it."""

    observed_generation: int | None = None
    """Generation of the object that this was said about; -1 until it was first looked at."""
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Expired"] | None = None
    """How far it is; absent before it was looked at. `Expired`: it did not begin in time, and never will."""
    reason: Annotated[str, pydantic.StringConstraints(max_length=63)] | None = None
    """Why, as one CamelCase word of the closed list in the reference."""
    message: Annotated[str, pydantic.StringConstraints(max_length=2048)] | None = None
    """Why, for a person. Never a secret value."""
    verified: bool | None = None
    """Whether it is proven that `requestedBy` asked: the policy that the chart ships was in force."""
    started_at: Time | None = None
    """When it began."""
    completed_at: Time | None = None
    """When it ended, or was found not to begin."""
    conditions: Annotated[list[Condition], ListMap("type"), pydantic.Field(max_length=16)] | None = None
    """`Reconciling` while it runs; then `Complete`, or `Failed` and `Stalled`."""


class KeyAction(
    Kind,
    plural="keyactions",
    short_name="kact",
    columns=(
        Column("Action", ".spec.action"),
        Column("Object", ".spec.apiKeySecret"),
        Column("By", ".spec.requestedBy"),
        Column("Phase", ".status.phase"),
        Column("Reason", ".status.reason"),
        AGE,
        Column("Verified", ".status.verified", "boolean", wide=True),
        Column("Message", ".status.message", wide=True),
    ),
    selectable=(".spec.apiKeySecret", ".status.phase"),
):
    """An act on one ApiKeySecret that somebody asks for, once; its status tells what came of it."""

    Spec = KeyActionSpec
    Status = KeyActionStatus
    example = """\
apiVersion: keywright.dev/v1alpha1
kind: KeyAction
metadata:
  name: refresh-llm-sec-1234
spec:
  action: Refresh
  apiKeySecret: llm
  reason: Compromised
  reference: SEC-1234
  requestedBy: alice@example.com
  expiresAfter: 15m
"""

    @classmethod
    def read_spec(cls, spec: dict[str, Any] | bytes) -> KeyActionSpec:
        """Read a spec; see ``Kind.read_spec``."""
        return cls.parse(KeyActionSpec, spec)
