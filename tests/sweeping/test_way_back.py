"""A rotation turns back, and the operator dies around each thing that it does on the way: the old key is everywhere."""

from __future__ import annotations

import pytest

from sweeping.plan import EXACT, Share
from sweeping.stage import Stage


@pytest.mark.timeout(1800)
def test_a_rotation_that_turns_back_leaves_nobody_without_a_key(stage: Stage, share_back: Share) -> None:
    stage.begins()
    found = stage.records(back=True)
    missed = []
    for points in share_back.points(found):
        print(f"{share_back.name}: {', '.join(map(str, points))}")  # noqa: T201 - where it fails this is what one wants
        subject = stage.subject()
        stage.spreads(subject)

        hit = stage.turns_back(subject, points)

        missed += [each for each in points if each not in hit]

    assert not [each for each in missed if each.place in EXACT or not each.number]
