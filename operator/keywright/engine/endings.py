"""Says that keys end: once for each moment that an object names, whoever leads by then.

Does not belong here: which moments these are (``decide/expiry.py``), the status as a whole (``reporter``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from ..decide import expiry, report
from ..decide.expiry import News, Outlook
from ..errors import Reason
from ..events import EventReason, Recorder
from ..kinds import ApiKeySecretSpec
from . import records
from .records import Record

#: Conditions that are told here.
ENDING = (str(Reason.EXPIRING_SOON), str(Reason.EXPIRED))
#: What the status tells of credentials.
ENDS = frozenset({"credentials", "expires", "oldest"})
_SAID = {Reason.EXPIRING_SOON: EventReason.EXPIRING_SOON, Reason.EXPIRED: EventReason.EXPIRED}


class Endings:
    """Says that keys end."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def told(self, record: Record, credentials: Sequence[Mapping[str, Any]]) -> Outlook:
        """Say what is news by now; return what there is to say in the status.

        The Event is written first, under a name of its own: what is cut off in between is not said twice, and not lost.

        Args:
            credentials: as the status is to tell of them.
        """
        minted = records.minted(record.spec)
        outlook = expiry.outlook(credentials, _warn_before(record), time.time(), minted)
        record.next_ending, record.endings_known = outlook.next, True
        for each in outlook.news:
            token = f"{each.credential} {each.expires_at} {each.stage}"
            await self._recorder.once(record.regarding, _SAID[each.reason], "Check", _note(each, minted), token=token)
        return outlook


def fields(endings: Outlook) -> dict[str, Any]:
    """Return what the status tells of credentials."""
    made = [each["createdAt"] for each in endings.credentials if each.get("createdAt")]
    told: dict[str, Any] = {
        "credentials": endings.credentials,
        "expires": endings.first,
        "oldest": min(made, default=None),
    }
    return {name: value for name, value in told.items() if value}


def _warn_before(record: Record) -> Sequence[str]:
    """Return the moments that an object names, also where the rest of its spec cannot be read."""
    usual = ApiKeySecretSpec.model_fields["warn_before_expiry"].get_default(call_default_factory=True)
    named = json.loads(record.spec).get("warnBeforeExpiry", usual)
    return named if isinstance(named, list) else usual


def _note(news: News, minted: AbstractSet[str]) -> str:
    when = report.clock(news.expires_at)
    if news.credential in minted:
        return f"Credential {news.credential} has ended on {when}, and no other one was minted; see condition Rotating."
    if news.stage == expiry.ENDED:
        return f"Credential {news.credential} expired on {when}. Write a new one to the store."
    return (
        f"Credential {news.credential} expires on {when}, in less than {news.stage}."
        " Have a new one made, and write it to the store."
    )
