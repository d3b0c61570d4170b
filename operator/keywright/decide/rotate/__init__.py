"""Rotation of one credential, decided: what is done next, from what is journaled and what is seen now. Pure.

``journal`` is what is remembered, ``sight`` what is looked at, ``moves`` what may be done; ``making``, ``spreading``
and ``ending`` are the way to a new key, ``back`` the way back; ``machine`` puts them together, ``outcomes`` remembers
what came of an effect, ``picture`` draws it all.

Does not belong here: when a rotation is due, looking and acting (``engine``), values of keys.
"""
