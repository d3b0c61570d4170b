"""Rotations put together out of the parts that the operator has.

Does not belong here: any rule.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from ... import cluster, events, settings
from ...audit.trail import Trail
from ...issuers._table import Table
from ...secret import FingerprintKey
from ...stores.base import Credentials
from ..catalog import Catalog, StoreRecord
from ..fetch import Fetcher
from ..issuers import Issuers
from ..journals import Journals
from ..loop import Loop
from ..prober import Prober
from ..reconcile import Reconciler
from .acting import Acting, settle
from .hearing import Hearing
from .holding import Holding
from .looking import Looking
from .means import Means
from .place import Places
from .secrets import Secrets
from .telling import Telling

__all__ = ["means", "settle"]


def means(  # noqa: PLR0913 - what rotates needs nearly all that there is
    api: cluster.Cluster,
    chosen: settings.Settings,
    keys: FingerprintKey,
    *,
    table: Table,
    prober: Prober,
    catalog: Catalog,
    credentials: Callable[[StoreRecord, str], Credentials],
    fetcher: Fetcher,
    issuers: Issuers,
    loop: Loop,
    hearing: Hearing,
    reconciler: Reconciler,
    trail: Trail,
    recorder: events.Recorder,
) -> Means:
    """Return what rotations are carried out with."""
    places = Places(catalog, loop.records, credentials, api.fence)
    journals = Journals(api, chosen.namespace)
    get = functools.partial(api.get, cluster.SECRETS)
    secrets = Secrets(get, keys, reconciler.seen, reconciler.owned, loop.records)
    holding = Holding(keys, places, secrets, reconciler.as_written)
    looking = Looking(api, keys, fetcher, holding=holding, unheard=lambda: hearing.trouble, others=journals.handles)
    return Means(
        api=api,
        settings=chosen,
        table=table,
        prober=prober,
        records=loop.records,
        issuers=issuers,
        journals=journals,
        places=places,
        looking=looking,
        acting=Acting(trail, looking, table),
        telling=Telling(api, recorder),
        again=loop.again,
        hearing=hearing,
    )
