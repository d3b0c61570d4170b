"""What a KeyAction asks of a rotation, and what carries that out: all that ``actions`` knows of rotations.

Does not belong here: taking up KeyActions and telling of them (``actions``), how a rotation goes (``decide/rotate``).
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

from .. import cluster
from ..decide import act


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a KeyAction asks of a rotation.

    Attributes:
        uid: of the KeyAction: what was asked under it is done once, however often it is asked.
        action: a word of the kind: ``Rotate``, ``Rollback``, ``Pin``, ``Unpin``, ``RevokeNow``, ``Reissue``,
            ``RetryDebts`` or ``ForgetDebt``.
        credential: name in ``spec.credentials``; empty: the only one that rotates.
        test_only: of ``Rotate``: make a key, test it, destroy it, and write nothing.
        take_over: of ``Rotate`` and ``Reissue``: also if the store says that another install rotates the key.
        debt: of ``ForgetDebt``: handle of the debt, as the status tells it; empty: of one whose handle is not known.
        made_from: of a debt whose handle is not known: Unix time before which its key was not made, or since which it
            is owed; None: of the only one.
        at: Unix time at which it was asked.
    """

    uid: str
    action: str
    credential: str = ""
    test_only: bool = False
    debt: str = ""
    at: float = 0.0
    take_over: bool = False
    made_from: float | None = None


class Rotating(Protocol):
    """What rotates."""

    async def carry_out(self, asked: Asked, found: cluster.Json) -> act.Ended:
        """Do what a KeyAction asks of a rotation, and return what came of it.

        May be called again for the same uid, by this leader or after a crash by the next one, and then goes on; also
        when it had returned already, if that could not be told. May take long; no other KeyAction waits for it.

        Args:
            found: the ApiKeySecret, as it was when the KeyAction was taken up.

        Raises:
            errors.Stalled: a person must act first: the KeyAction has failed, for that reason.
            errors.Retry: not now; it is called again.
        """

    def withdraw(self, uid: str) -> None:
        """Take note that the KeyAction of a uid was deleted: nobody asks for it any more; what has begun goes on."""
