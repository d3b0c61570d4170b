"""A server is away in the middle of a rotation: it waits, goes on when the server is back, and loses nothing."""

from __future__ import annotations

import time

import pytest

from sweeping.stage import Stage

#: Seconds for which a server is away: longer than a leader's Lease, a breaker's first pause, and the tries of a call.
AWAY = 8.0


@pytest.mark.timeout(1800)
def test_a_rotation_outlives_a_server_that_is_away(stage: Stage, away: tuple[tuple[str, str], ...]) -> None:
    stage.begins()
    # The place of its journal is known from then on.
    stage.records()
    for server, place in away:
        subject = stage.subject()
        gone = [proxy for name, proxy in stage.proxies.items() if server in (name, "all")]
        print(f"{server} is away from {place} on")  # noqa: T201 - where it fails this is what one wants
        with stage.watching(subject) as watcher:
            with stage.held(subject, place):
                for each in gone:
                    each.down()
            time.sleep(AWAY)
            alive = subject.first and stage.vendor.lives[subject.first].ended is None
            assert alive or place == "revoke"
            for each in gone:
                each.up()
            stage.ends(subject, "Rotated")

        assert watcher.wrong(stage.vendor.lives, subject.first) == []
        stage.is_well(subject)
