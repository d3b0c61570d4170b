"""Keywright: cert-manager for API keys.

A map of this package, top to bottom; imports point down only (import-linter holds it):

* ``cli``, ``handlers``, ``generate``: the programs.
* ``engine``: the loop: queue, schedule, fetch, reconcile.
* ``events``, ``lease``: one outside world each, over ``cluster``.
* ``cluster``: every Kubernetes call.
* ``decide``: pure decisions over values that somebody else gathered.
* ``crd``, ``kinds``: the API.
* ``stores``: where keys live, one file each.
* ``schema``: the vocabulary of the API types.
* ``secret``, ``errors``, ``settings``, ``metrics``: leaves.
"""

__version__ = "0.1.0"
