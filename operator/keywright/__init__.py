"""Keywright: cert-manager for API keys.

A map of this package, top to bottom; imports point down only (import-linter holds it):

* ``cli``, ``handlers``, ``generate``: the programs: commands, what Kopf calls, what writes the generated files.
* ``health``, ``reference``: what probes and Prometheus are told; the reference pages.
* ``engine``: the loop: queue, schedule, fetch, reconcile.
* ``events``, ``lease``: one outside world each, over ``cluster``.
* ``cluster``: every Kubernetes call.
* ``decide``: pure decisions over values that somebody else gathered.
* ``crd``, ``kinds``: the API.
* ``stores``: where keys live, one file each.
* ``issuers``: whose keys they are, what they look like and whether they are alive, one file each.
* ``issuing``: how a new one is made and an old one revoked, one file each.
* ``keyfile``: the encrypted file: its format, its keys, its place.
* ``schema``, ``hvac_adapter``, ``botocore_adapter``, ``placeholders``: the vocabulary of the API types; hvac and
  botocore, made safe for values; texts with places for values.
* ``canonical``: JSON in the one form that is signed and compared.
* ``timetable``: the times that a cron expression names.
* ``wire``: HTTP to stores and issuers: TLS, deadlines, limits.
* ``rs256``: private keys of RSA, and tokens that they sign.
* ``secret``, ``logs``: values that cannot be printed; logs that hold none.
* ``errors``, ``settings``, ``metrics``, ``pacing``, ``dates``, ``dumps``, ``members``: leaves.
"""

__version__ = "0.1.0"
