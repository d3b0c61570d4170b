"""What a rotation may do beside others.

Does not belong here: how turns are counted (``test_key_issuers.py``).
"""

from __future__ import annotations

import pytest

from keywright.decide.rotate.journal import Step
from keywright.engine.rotate.policies import FAIR, takes_turn
from keywright.issuing.base import Way


@pytest.mark.parametrize("way", Way)
def test_only_who_asks_for_a_key_or_tests_one_for_a_while_holds_up_others(way: Way) -> None:
    asks = {Way.MANUAL: set(), Way.LOCAL: set(), Way.MINTED: {Step.ISSUING}}.get(way, {Step.ISSUING, Step.HELD})

    assert {step for step in Step if takes_turn(way, step)} == asks
    assert {step for step in Step if takes_turn(way, step, FAIR)} == asks - {Step.HELD}
