"""A rotation is run again and again, each time with a fault at one place on the wire: nobody is ever without a key."""

from __future__ import annotations

import pytest

from cli.terminal import call
from sweeping.plan import EXACT, Share
from sweeping.stage import Stage


@pytest.mark.timeout(1800)
def test_nobody_is_without_a_key_that_works_and_nothing_is_left_over(stage: Stage, share: Share) -> None:
    stage.begins()
    found = stage.records()
    missed = []
    for points in share.points(found):
        print(f"{share.name}: {', '.join(map(str, points))}")  # noqa: T201 - where it fails this is what one wants

        hit = stage.runs(stage.subject(), points)

        missed += [each for each in points if each not in hit and len(points) == 1]

    assert not [each for each in missed if each.place in EXACT or not each.number]
    # Neither tampered with nor with anything begun that has no outcome.
    assert call(stage.world, "audit", "verify").code in (0, 2)
