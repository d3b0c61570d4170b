"""Times that a cron expression names, in a time zone, as Unix times.

Expressions are those of Debian's cron, which is Vixie's: what falls into an hour that a change of the clocks leaves out
comes right after it, and an hour that comes twice counts once (cron(8)).

Does not belong here: what happens at such a time (``decide/due.py``).
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import zoneinfo

import cronsim

from . import errors
from .errors import Reason


@dataclasses.dataclass(frozen=True, slots=True)
class Timetable:
    """Times that come again and again.

    Args:
        cron: five fields: minute, hour, day of the month, month, day of the week.
        zone: name of a time zone of the IANA: `Europe/Berlin`.

    Raises:
        errors.Stalled: ``InvalidSpec``: there is no such expression, or no such zone.
    """

    cron: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        zone = _zone(self.zone)
        if len(self.cron.split()) != 5:
            raise _refused(self.cron)
        try:
            cronsim.CronSim(self.cron, datetime.datetime(2026, 1, 1, tzinfo=zone))
        except cronsim.CronSimError:
            raise _refused(self.cron) from None

    def after(self, moment: float) -> float | None:
        """Return the first time after a moment; None if none comes within 50 years."""
        return self._found(moment, back=False)

    def before(self, moment: float) -> float | None:
        """Return the last time before a moment; None if none was within 50 years."""
        return self._found(moment, back=True)

    def _found(self, moment: float, *, back: bool) -> float | None:
        start = datetime.datetime.fromtimestamp(moment, _zone(self.zone))
        found = next(cronsim.CronSim(self.cron, start, reverse=back), None)
        return found.timestamp() if found else None


@functools.lru_cache(256)
def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        said = f"there is no time zone of the name {name[:64]!r}"
        raise errors.Stalled(Reason.INVALID_SPEC, said, "Use a name as Europe/Berlin or UTC") from None


def _refused(cron: str) -> errors.Stalled:
    said = f"the schedule {cron[:64]!r} is none"
    return errors.Stalled(Reason.INVALID_SPEC, said, "Use five fields as in cron: 30 2 * * SUN is Sundays at 02:30")
