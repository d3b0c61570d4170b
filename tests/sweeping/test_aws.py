"""The key is IAM's and lies in Secrets Manager: the operator dies after what it asks them, and nobody lacks a key."""

from __future__ import annotations

import pytest

from sweeping.amazon_stage import AmazonStage
from sweeping.plan import Share


@pytest.mark.timeout(1800)
def test_a_key_of_aws_is_replaced_whenever_the_operator_dies(amazon_stage: AmazonStage, share_of_aws: Share) -> None:
    stage = amazon_stage
    stage.begins()
    found = stage.records()
    missed = []
    for points in share_of_aws.points(found):
        print(f"{share_of_aws.name}: {', '.join(map(str, points))}")  # noqa: T201 - where it fails this is what one wants

        hit = stage.runs(stage.subject(), points)

        missed += [each for each in points if each not in hit]

    assert not [each for each in missed if not each.number]
