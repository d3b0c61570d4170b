"""The key lies in an encrypted file: the operator dies around its write, and nobody is ever without a key."""

from __future__ import annotations

import pytest

from sweeping.plan import Share
from sweeping.stage import Stage


@pytest.mark.timeout(1800)
def test_a_key_in_a_file_is_replaced_whenever_the_operator_dies(file_stage: Stage, share_of_file: Share) -> None:
    stage = file_stage
    stage.begins()
    found = stage.records()
    missed = []
    for points in share_of_file.points(found):
        print(f"{share_of_file.name}: {', '.join(map(str, points))}")  # noqa: T201 - where it fails this is what one wants

        hit = stage.runs(stage.subject(), points)

        missed += [each for each in points if each not in hit]

    assert not missed
