"""``KeyAction``: an act on one ApiKeySecret that somebody asks for, once.

Nothing in it is free text: what it says goes into the audit trail as it is, and a key must not get there by a slip.
``debt`` is what an issuer calls a key: it goes there from the journal of the rotation only, never from here.

Does not belong here: what an act does (``engine/actions.py``), who may ask for it (``admission.py``, the chart).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from .. import schema
from ..schema import (
    NAMELESS,
    REFERENCE_PATTERN,
    Cel,
    Condition,
    Duration,
    ListMap,
    ObjectName,
    Printable,
    Spec,
    Time,
    Visible,
)
from .base import AGE, Column, Kind


class KeyActionSpec(Spec):
    """What is to be done, to which object, and why. It is not changed once it is made."""

    cel = (
        Cel("self == oldSelf", "a KeyAction is not changed once it is made: make another one"),
        Cel("!has(self.credential) || self.action != 'Refresh'", "a Refresh is of the whole object: credential is not"),
        Cel("!has(self.testOnly) || self.action == 'Rotate'", "testOnly goes with action: Rotate"),
        Cel(
            "!has(self.takeOver) || self.action in ['Rotate', 'Reissue'] && !has(self.testOnly)",
            "takeOver goes with action: Rotate or Reissue, and without testOnly",
        ),
        Cel("has(self.debt) == (self.action == 'ForgetDebt')", "debt goes with action: ForgetDebt, and only so"),
        Cel(
            f"!has(self.madeFrom) || has(self.debt) && self.debt == '{NAMELESS}'",
            f"madeFrom goes with debt: {NAMELESS}",
        ),
    )

    action: Literal["Refresh", "Rotate", "Rollback", "Pin", "Unpin", "RevokeNow", "Reissue", "RetryDebts", "ForgetDebt"]
    """What is to be done. `Refresh`: the stores are asked anew, and the Secret is made as they say. `Rotate`: a
    rotation of the credential begins now. `Reissue`: the same in a hurry: nobody is waited for, and the old key is
    revoked as soon as the new one is written. `Rollback`: the rotation is turned back, while the old key still works.
    `RevokeNow`: the old key is revoked at once, whoever still uses it. `Pin`: no rotation begins by itself, until
    `Unpin`. `RetryDebts`: clean-ups at the issuer that are owed are tried now. `ForgetDebt`: who asks vouches that one
    of them is settled."""
    api_key_secret: ObjectName
    """The ApiKeySecret, in the namespace of the KeyAction."""
    credential: ObjectName | None = None
    """Which of its credentials, by the name in `spec.credentials`. Omitted, the only one that rotates."""
    test_only: bool = False
    """Whether a `Rotate` ends after the test: a new key is made, tested and destroyed, and nothing is written."""
    take_over: bool = False
    """Whether the key is rotated although the store's mark says that another install does. Who asks vouches that it is
    gone for good, as after a cluster was made anew. The mark is ours from then on."""
    debt: Annotated[Visible, pydantic.StringConstraints(max_length=512)] | None = None
    """Which clean-up a `ForgetDebt` is about: the issuer's name for the key, as `keywright debts list` shows it; `-`
    where it is not known."""
    made_from: Time | None = None
    """Which one of several of which no handle is known: its `madeFrom`, as the status of the ApiKeySecret tells it, or
    its `since`, where that tells no `madeFrom`."""
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
        Column("Credential", ".spec.credential", wide=True),
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
