"""What a KeyAction asks of a rotation. Placeholder until merged."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a KeyAction asks of a rotation."""

    uid: str
    action: str
    credential: str = ""
    test_only: bool = False
    debt: str = ""
