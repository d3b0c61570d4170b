"""Pure decisions over values that somebody else gathered: no clock, no I/O, no kopf, no SDK.

``sync`` says what to do about a target, ``report`` what to tell people, ``render`` what an entry's value is,
``template`` what a template makes of entries.
"""
