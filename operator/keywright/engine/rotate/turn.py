"""A rotation's turn at its issuer: as many go on at once as the issuer's objects allow.

Does not belong here: how many that are (``opened_issuer``), when a turn is taken (``post``).
"""

from __future__ import annotations

from ..opened_issuer import OpenedIssuer, Turns


class Turn:
    """The turn that one rotation has, or has not."""

    def __init__(self) -> None:
        self._of: Turns | None = None

    async def taken(self, issuer: OpenedIssuer) -> bool:
        """Take one of an issuer's turns, unless all are taken; whether there is one now."""
        if self._of is None and not issuer.turns.locked():
            await issuer.turns.acquire()
            self._of = issuer.turns
        return self._of is not None

    @property
    def has(self) -> bool:
        """Whether there is one now."""
        return self._of is not None

    def give(self) -> None:
        """Give it back, if there is one."""
        if self._of:
            self._of.release()
            self._of = None
