"""What a rotation may do beside others.

Does not belong here: how turns are counted (``test_key_issuers.py``).
"""

from __future__ import annotations

import pytest

from keywright.decide.rotate.journal import Step
from keywright.engine.rotate.policies import FAIR, rules_of, takes_turn
from keywright.issuing.base import Way
from keywright.issuing.generated import Generated
from keywright.kinds.rotation import RotationSpec
from stores.contract import HeldCredentials


@pytest.mark.parametrize("way", Way)
def test_only_who_asks_for_a_key_or_tests_one_for_a_while_holds_up_others(way: Way) -> None:
    asks = {Way.MANUAL: set(), Way.LOCAL: set(), Way.MINTED: {Step.ISSUING}}.get(way, {Step.ISSUING, Step.HELD})

    assert {step for step in Step if takes_turn(way, step)} == asks
    assert {step for step in Step if takes_turn(way, step, FAIR)} == asks - {Step.HELD}


@pytest.mark.parametrize(
    ("test", "within"),
    [
        ({}, 900.0),
        ({"apart": "0", "within": "30s", "passes": 2}, 30.0),
        # Of objects that are older than the rule by which they are refused.
        ({"apart": "30m"}, 3600.0),
        ({"apart": "0", "within": "10s", "passes": 20}, 100.0),
    ],
)
def test_no_key_is_given_up_before_it_can_have_passed(test: dict[str, object], within: float) -> None:
    makes = Generated(Generated.Config.model_validate({"uuid": {}}), HeldCredentials(), 5.0)
    rotation = RotationSpec.model_validate({"test": test})

    assert rules_of(rotation, makes, who="", settle=1.0, store_within=1.0, tests=True).test_within == within
