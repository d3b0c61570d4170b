"""Tests of keys while they are rotated: how often in a row, and for how long, an issuer has accepted them.

Does not belong here: asking issuers (``prober``), what follows (``decide/rotate``).
"""

from __future__ import annotations

import dataclasses
import time

from ... import kinds, settings
from ...decide.checks import History
from ...decide.rotate.sight import Trial
from ...issuers._table import Table
from ...issuers.base import Verdict
from ...secret import SecretMap
from ..cases import issuer_of, scope_of
from ..prober import Probe, Prober
from ..queue import Key

#: Seconds until a key of which that is not known yet is asked about again.
AGAIN = 30.0
#: The same of one that was refused.
DOUBTED = 20.0


@dataclasses.dataclass(slots=True)
class Row:
    """Tests of one key. Clock readings are those of the prober.

    Attributes:
        at: of the last one that was counted.
        first: of the first that was passed in a row.
        told: Unix time of the last that told something.
    """

    at: float = -1.0
    first: float = 0.0
    passes: int = 0
    tries: int = 0
    told: float = 0.0
    over: float = 0.0
    last: Verdict = Verdict.UNKNOWN


class Trials:
    """Tests the keys of one rotation; what it knows begins with it.

    Args:
        table: the forms of all credentials.
        asker: the object for which issuers are asked.
    """

    def __init__(self, chosen: settings.Settings, table: Table, prober: Prober, asker: Key) -> None:
        self._settings, self._table, self._prober, self._asker = chosen, table, prober, asker
        self._rows: dict[str, Row] = {}

    def possible(self, credential: kinds.CredentialSpec, values: SecretMap) -> bool:
        """Whether anybody can be asked if they accept a key.

        Raises:
            errors.Stalled: the object says of it what cannot be.
        """
        if credential.check.liveness == "Off" or not self._settings.probes:
            return False
        return bool(issuer_of(credential, self._table).address_for(values))

    async def refused(self, credential: kinds.CredentialSpec, values: SecretMap, mark: str) -> bool:
        """Whether a key that was said not to be accepted is still known not to be; True where nobody can be asked.

        Raises:
            errors.Stalled: as ``test``.
        """
        trial = await self.test(credential, values, mark, every=AGAIN)
        return trial is None or trial.verdict is Verdict.INVALID

    async def test(
        self, credential: kinds.CredentialSpec, values: SecretMap, mark: str, *, every: float
    ) -> Trial | None:
        """Have a key tested, if that is due; return what all tests of it have come to. None: nobody can be asked.

        Args:
            mark: names the key in this rotation.
            every: seconds between two tests.

        Raises:
            errors.Stalled: the object says of it what cannot be.
        """
        issuer = issuer_of(credential, self._table)
        address = issuer.address_for(values)
        if not address:
            return None
        scope = scope_of(issuer, credential, address, self._settings)
        row = self._rows.setdefault(mark, Row())
        # What was refused is not known to be dead before it was refused again and again.
        anew = time.monotonic() - row.at >= (min(every, DOUBTED) if row.last is Verdict.INVALID else every)
        probe = Probe(issuer, values, scope, credential.check.every_seconds)
        history, _ = await self._prober.ask(probe, self._asker, anew=anew)
        if history:
            count(row, history)
        believed = history.verdict(self._prober.over) if history else Verdict.UNKNOWN
        return Trial(believed, row.passes, row.over, row.last, row.tries, row.told)


def count(row: Row, history: History) -> None:
    """Count the last test of a key, unless it was counted before."""
    if history.at <= row.at:
        return
    row.at, row.last = history.at, history.finding.verdict
    row.tries += 1
    if row.last.is_alive or row.last is Verdict.INVALID:
        row.told = time.time() - max(0.0, time.monotonic() - history.at)
    if not row.last.is_alive:
        row.passes = 0
        return
    if not row.passes:
        row.first = history.at
    row.passes += 1
    row.over = history.at - row.first
