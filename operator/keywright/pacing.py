"""How fast and how soon: a token bucket, backoff with jitter, slots, time stamps. Pure: time and chance are arguments.

Does not belong here: sleeping, queues, what is done when a time has come (``engine/``).
"""

from __future__ import annotations

import datetime
import hashlib
import math

#: First and longest pause between tries of one object, seconds.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0


def backoff(failures: int, chance: float, *, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> float:
    """Return the seconds to wait after so many failures in a row: doubling, capped, spread over the upper half.

    Args:
        failures: failures in a row, 1 after the first.
        chance: uniform in [0, 1).
    """
    ceiling = min(longest, first * 2.0 ** min(max(failures, 1) - 1, 32))
    return ceiling * (0.5 + 0.5 * chance)


def unix(rfc3339: str | None) -> float | None:
    """Return the Unix time of a time stamp as objects carry it; None if it is none."""
    try:
        at = datetime.datetime.fromisoformat(rfc3339 or "")
    except ValueError:
        return None
    return at.timestamp() if at.tzinfo else None


def rfc3339(unix_time: float) -> str:
    """Return a Unix time as objects carry it."""
    return datetime.datetime.fromtimestamp(unix_time, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fraction(text: str) -> float:
    """Return a stable number in [0, 1) for a text: the same on every replica and after every restart."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / (1 << 56)


def next_slot(after: float, interval: float, phase: float) -> float:
    """Return the first refresh slot after a point in time.

    Slots lie on the wall clock at ``(k + phase) * interval``, so that no state is needed to keep them over a restart.

    Args:
        after: Unix time, seconds.
        interval: seconds between slots, > 0.
        phase: where in the interval, in [0, 1).
    """
    slot = (math.floor(after / interval - phase) + 1 + phase) * interval
    return slot if slot > after else slot + interval


class TokenBucket:
    """At most ``rate`` acts a second, with bursts of up to ``burst``.

    Args:
        rate: tokens a second, > 0.
        burst: tokens that may gather, >= 1.
        now: clock reading at the start, seconds, monotonic.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._tokens, self._at = rate, burst, burst, now

    def take(self, now: float) -> float:
        """Take a token and return how many seconds to wait before acting on it (0 = act now)."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - 1.0
        self._at = now
        return max(0.0, -self._tokens / self._rate)
