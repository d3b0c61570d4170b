"""Keys that a person makes, writes to the store, and revokes: for vendors that have no API for it.

Nobody is asked, so there is nothing to list, and nothing that could be ended from here.

Does not belong here: whether a key is accepted (``issuers``), waiting for people (``decide/rotate``).
"""

from __future__ import annotations

from ..schema import Spec
from ..stores.base import Credentials
from .base import Issuing, Way


class Manual(Issuing, name="manual", title="A person", way=Way.MANUAL):
    """Waits for a person, before and after."""

    class Config(Spec):
        """Keys that a person makes, writes to the store, and revokes. There is nothing to say of it: `manual: {}`."""

    names = False

    def __init__(self, config: Config, credentials: Credentials, timeout: float) -> None:
        """Keep nothing: nobody is asked."""

    @property
    def account(self) -> str:
        """Nobody's."""
        return ""
