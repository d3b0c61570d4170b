"""What a scenario found, as rows of one table.

Does not belong here: how it looks (``report``), how it is measured (``scenarios/``).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Target:
    """What is to be reached.

    Attributes:
        limit: in the unit of the row; of its ratio, if that is judged.
        best: which side of the limit is good.
        of: whether the number measured is judged or its ratio to the yardstick.
    """

    limit: float
    best: Literal["low", "high"] = "low"
    of: Literal["measured", "ratio"] = "measured"


@dataclasses.dataclass(frozen=True)
class Row:
    """One number, its yardstick and its target.

    Attributes:
        scenario: name of the scenario.
        what: what was measured, as a person would say it.
        yardstick: the raw limit in the same unit; None where there is none.
    """

    scenario: str
    what: str
    measured: float
    unit: str
    target: Target | None = None
    yardstick: float | None = None

    @property
    def ratio(self) -> float | None:
        """Measured in terms of the yardstick."""
        return self.measured / self.yardstick if self.yardstick else None

    @property
    def judged(self) -> float:
        """The number that the target is about; not a number if it could not be had."""
        if self.target and self.target.of == "ratio":
            return math.nan if self.ratio is None else self.ratio
        return self.measured

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None if there is none."""
        if self.target is None:
            return None
        return self.judged <= self.target.limit if self.target.best == "low" else self.judged >= self.target.limit

    @property
    def used(self) -> float:
        """How much of what the target allows was used: up to 1 is good."""
        if self.target is None:
            return math.nan
        part, whole = self.judged, self.target.limit
        if self.target.best == "high":
            part, whole = whole, part
        if whole:
            return part / whole
        return 0.0 if not part else math.inf


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of all values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
