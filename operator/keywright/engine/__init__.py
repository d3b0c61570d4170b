"""The loop: what to look at (queue, schedule, mirror), reading stores (opened, fetch), one reconcile for every trigger.

Everything here runs in one event loop; stores run in threads behind ``opened``, issuers behind ``opened_issuer``. Does
not belong here: decisions (``decide/``), Kubernetes requests as such (``cluster``), Kopf (``handlers``).
"""
