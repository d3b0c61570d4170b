"""What pods have of a Secret's values, as a part of statuses.

Does not belong here: finding out (``engine/consumers.py``), what follows (``decide/``).
"""

from __future__ import annotations

from typing import Annotated

import pydantic

from ..schema import Spec


class Laggard(Spec):
    """Pods that do not have the present values, or of which that is not known, by what they are of."""

    kind: Annotated[str, pydantic.StringConstraints(max_length=63)]
    """Kind of the workload; `Pod` where it is of none."""
    name: Annotated[str, pydantic.StringConstraints(max_length=253)]
    """Its name."""
    pods: int
    """How many pods."""
    holds: Annotated[str, pydantic.StringConstraints(max_length=63)]
    """What the worst of them has, as `keywright consumers` says it: `Old`, `Unread`, `Coming`, `Starting`, `Ending`."""


class PodsStatus(Spec):
    """How far values have come among those who use them."""

    pods: int | None = None
    """How many pods use the Secret."""
    current: int | None = None
    """How many of these have its present values."""
    laggards: Annotated[list[Laggard], pydantic.Field(max_length=20)] | None = None
    """The pods that have not, by workload: the first 20. `keywright consumers` shows all."""
