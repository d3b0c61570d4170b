"""How issuers are: whether they can be asked as they are configured, and what the last calls came to.

No issuer is asked for that: some have nothing that can be asked without having a key made.

Does not belong here: how stores are (``health``), what a call that failed means for a rotation (``decide/rotate``).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from .. import cluster, errors, pacing
from ..decide import report
from ..errors import Reason
from ..events import EventReason, Recorder, Regarding
from ..settings import Settings
from . import standing
from .catalog import Namespace
from .credentials import ClusterCredentials
from .issuers import IssuerRecord, Issuers
from .opened_issuer import OpenedIssuer
from .reporter import rfc3339

log = logging.getLogger(__name__)

#: What a call comes to that a person has to see to, at the issuer or where the right to ask it is.
TROUBLE = frozenset({Reason.ISSUER_DENIED, Reason.CREDENTIAL_MISSING, Reason.ENDPOINT_FORBIDDEN})


class IssuerHealth:
    """Tells how issuers are when that changes."""

    def __init__(self, api: cluster.Cluster, recorder: Recorder) -> None:
        self._api, self._recorder = api, recorder
        #: What is to be told, and what is being told.
        self._news: dict[str, IssuerRecord] = {}
        self._telling: dict[str, asyncio.Task[None]] = {}

    def looked(self, record: IssuerRecord) -> None:
        """Tell whether an issuer that is new or was changed can be asked as it is configured."""
        told = report.find(record.conditions, "Ready")
        # What calls came to still holds, until one comes to something else.
        by_use = told.get("status") == "True" or told.get("reason") in TROUBLE
        if record.problem or record.observed != record.generation or not by_use:
            self._tell(record)

    def used(self, record: IssuerRecord, opened: OpenedIssuer, error: errors.Error | None) -> None:
        """Take note of a call that came to an end: of its error, if that tells of the issuer as it is configured."""
        if error is None:
            record.troubles.pop(opened, None)
            if not report.is_ready(record.conditions) or record.observed != record.generation:
                self._tell(record)
        elif isinstance(error, errors.Stalled) and error.reason in TROUBLE:
            record.troubles[opened] = error
            self._tell(record)

    def _tell(self, record: IssuerRecord) -> None:
        name = record.identifier
        self._news[name] = record
        if name not in self._telling:
            task = self._telling[name] = asyncio.create_task(self._told(name))
            task.add_done_callback(lambda _: self._telling.pop(name))

    async def _told(self, name: str) -> None:
        """Write how an issuer is, until that is written; what changes meanwhile is written after it."""
        failures = 0
        while record := self._news.pop(name, None):
            try:
                await self._write(record)
                failures = 0
            except errors.Error as error:
                failures += 1
                log.warning("%s: its state could not be written (%s)", record.title, error.reason)
                self._news.setdefault(name, record)
                await asyncio.sleep(pacing.backoff(failures, random.random(), longest=30.0))  # noqa: S311

    async def _write(self, record: IssuerRecord) -> None:
        """Write how an issuer is and say so, if that is news."""
        error = record.problem or next(iter(record.troubles.values()), None)
        old = report.find(record.conditions, "Ready")
        state = _refused(error) if error else [_condition("Ready", "True", Reason.VALID, _usable(record))]
        told = (old.get("status"), old.get("reason")) == (state[0]["status"], state[0]["reason"])
        if told and report.alike(old, state[0]) and record.observed == record.generation:
            return
        now = rfc3339()
        conditions = report.merged(record.conditions, state, record.generation, now)
        status: dict[str, Any] = {"observedGeneration": record.generation, "conditions": conditions}
        if record.observed != record.generation:
            status["observedAt"] = now
        if not await standing.write(self._api, record, status):
            return
        record.conditions, record.observed = conditions, record.generation
        regarding = Regarding(record.kind, record.namespace or None, record.name, record.uid)
        if error and not told:
            note = str(state[0]["message"])
            self._recorder.say(regarding, EventReason.REFUSED, "Check", note, about=error.reason)
        elif not error and old.get("status") == "False":
            self._recorder.say(regarding, EventReason.RECOVERED, "Check", _usable(record))


def issuers(
    settings: Settings,
    api: cluster.Cluster,
    recorder: Recorder,
    namespace: Callable[[str], Namespace | None],
    changed: Callable[[str], None] = lambda _: None,
) -> Issuers:
    """Return the issuers of a cluster, of which it is told how they are.

    Args:
        namespace: what is known of a namespace; None if nothing is.
        changed: called with the identifier of each issuer that is new, changed or gone.
    """

    def rights(home: str) -> ClusterCredentials:
        return ClusterCredentials(api, asyncio.get_running_loop(), home, home)

    def fence() -> object:
        # Set once this process leads, which is later than this.
        return api.fence()

    told = IssuerHealth(api, recorder)
    return Issuers(settings, namespace, rights, fence=fence, changed=changed, looked=told.looked, used=told.used)


def _refused(error: errors.Error) -> report.Conditions:
    """Return the conditions of an issuer that a person has to see to."""
    hint = f"{error.hint}." if error.hint else ""
    message = " ".join(part for part in (f"{report.begun(error.message)}.", "Keys stay as they are.", hint) if part)
    return [
        _condition(kind, status, error.reason, message) for kind, status in (("Ready", "False"), ("Stalled", "True"))
    ]


def _condition(kind: str, status: str, reason: Reason, message: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": str(reason), "message": message[:2048]}


def _usable(record: IssuerRecord) -> str:
    return f"{record.title} can be asked as it is configured."
