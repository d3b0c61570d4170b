"""When to leave a store alone: after failures in a row it is given a pause, then one try, then a longer pause. Pure.

Does not belong here: which errors count (``errors.Outage``), telling people (``engine/health.py``).
"""

from __future__ import annotations

from .. import errors, pacing

#: Outages in a row that open the breaker; first and longest pause, seconds.
OPENS_AFTER, FIRST_PAUSE, LONGEST_PAUSE = 3, 1.0, 60.0


class Breaker:
    """The breaker of one store."""

    __slots__ = ("_failures", "_probing", "_until", "error")

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0
        self._probing = False
        #: The outage that opened it; None while closed.
        self.error: errors.Outage | None = None

    def allow(self, now: float) -> bool:
        """Whether a call may be made. While open, one call is let through after each pause.

        Args:
            now: clock reading, seconds, monotonic.
        """
        if self.error is None:
            return True
        if self._probing or now < self._until:
            return False
        self._probing = True
        return True

    def pause(self, now: float) -> float:
        """Return the seconds until a call may be tried again; while one is on its way, those until to look again."""
        return max(FIRST_PAUSE if self._probing else 0.0, self._until - now)

    def succeeded(self) -> bool:
        """Take note of an answer; True if this closed the breaker."""
        closed = self.error is not None
        self._failures, self._probing, self.error = 0, False, None
        return closed

    def unheard(self, now: float) -> None:
        """Take note of a call that never reached the store: it tells nothing, and another may be tried soon."""
        if self._probing:
            self._probing, self._until = False, now + FIRST_PAUSE

    def failed(self, error: errors.Outage, now: float, chance: float) -> bool:
        """Take note of an outage; True if this opened the breaker.

        Args:
            chance: uniform in [0, 1), spreads the pauses.
        """
        if self.error is not None and not self._probing:
            # Was under way when the breaker opened: says nothing new, and must not lengthen the pause.
            return False
        self._failures += 1
        self._probing = False
        if self._failures < OPENS_AFTER:
            return False
        opened = self.error is None
        tries = self._failures - OPENS_AFTER + 1
        pause = pacing.backoff(tries, chance, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        self._until = now + (min(error.after, pacing.LONGEST_PAUSE) if error.after else pause)
        self.error = error
        return opened
