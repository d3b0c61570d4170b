"""What rotations are carried out with: one of each for the whole operator.

Does not belong here: anything that a single rotation remembers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ... import cluster, settings
from ...issuers._table import Table
from ..issuers import Issuers
from ..journals import Journals
from ..prober import Prober
from ..queue import Key
from ..records import Record

if TYPE_CHECKING:
    from .acting import Acting
    from .hearing import Hearing
    from .looking import Looking
    from .place import Places
    from .telling import Telling


@dataclasses.dataclass(frozen=True, slots=True)
class Means:
    """What rotations are carried out with.

    Attributes:
        records: all ApiKeySecrets.
        again: has an object's stores asked anew.
        hearing: knows when every object was heard of.
    """

    api: cluster.Cluster
    settings: settings.Settings
    table: Table
    prober: Prober
    records: Mapping[Key, Record]
    issuers: Issuers
    journals: Journals
    places: Places
    looking: Looking
    acting: Acting
    telling: Telling
    again: Callable[[Key], None]
    hearing: Hearing
