"""A key of the encrypted file is replaced from here, without a cluster: the machine of ``decide/rotate``, step by step.

``task`` is what is wanted, ``book`` what is remembered in the file, ``looking`` and ``acting`` what is done outside,
``driving`` goes on until it is over or has to wait, ``telling`` says so.

Does not belong here: what is done when (``decide/rotate``), the command (``cli/rotate.py``).
"""
