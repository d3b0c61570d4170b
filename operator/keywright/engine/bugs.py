"""What nobody foresaw, told by where it was raised and never by its text.

Does not belong here: the errors that are foreseen (``errors``).
"""

from __future__ import annotations

import logging

from .. import errors
from ..errors import Reason

log = logging.getLogger(__name__)


def bug(about: object, foreign: Exception) -> errors.Error:
    """Log an exception that nobody foresaw, and return it as an error of ours."""
    place = errors.place_of(foreign)
    log.error("%s: a bug: %s at %s", about, type(foreign).__name__, place)
    return errors.Retry(Reason.INTERNAL_ERROR, f"Keywright failed on this object ({type(foreign).__name__} at {place})")
