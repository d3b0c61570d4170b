"""One credential that rotates, with all that its rotation is about: where it lies, who makes it, by which rules.

Does not belong here: how that is found (``aiming``).
"""

from __future__ import annotations

import dataclasses

from ...decide.rotate.recipe import Recipe
from ...decide.rotate.sight import Rules
from ..opened_issuer import OpenedIssuer
from .place import Place


@dataclasses.dataclass(frozen=True, slots=True)
class Aim:
    """What is rotated, and by what.

    Attributes:
        gone: whether nobody asks for it any more.
    """

    recipe: Recipe
    place: Place
    issuer: OpenedIssuer
    rules: Rules
    gone: bool
