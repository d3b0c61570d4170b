"""Keys that a person makes: nobody is asked, and nothing is done for them."""

from __future__ import annotations

from keywright.issuing.base import Way
from keywright.issuing.manual import Manual
from stores.contract import HeldCredentials


def test_a_person_does_all_that_is_done_at_the_issuer() -> None:
    own = Manual(Manual.Config(), HeldCredentials(), 1.0)

    assert own.way is Way.MANUAL
    assert (own.keys, own.revoke, own.disable, own.enable) == (None, None, None, None)
    own.close()
