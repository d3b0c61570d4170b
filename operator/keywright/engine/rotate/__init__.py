"""Rotations, carried out: one task for each credential that rotates, which looks, decides and acts until it is done.

What follows from what is seen, ``decide/rotate`` says; what is remembered, the journal (``engine/journals.py``).
"""
