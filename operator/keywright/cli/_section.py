"""Under what heads ``keywright --help`` lists commands.

Does not belong here: which command stands where (its file).
"""

from __future__ import annotations

import enum


class Section(enum.StrEnum):
    """The heads, in their order."""

    CLUSTER = "In a cluster"
    ROTATION = "Rotation of keys"
    AUDIT = "The audit trail"
    FILE = "The encrypted file"
    OFFLINE = "Without a cluster"
