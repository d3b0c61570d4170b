"""Benchmarks on a real control plane and a real OpenBao, each beside the raw limit of the same machine in the same run.

    python -m bench [--only NAME] [--objects N] [--out bench/results]

A scenario is a file in ``scenarios/``. What it promises is a ratio to the raw limit, or a number of requests: things
that do not depend on the machine. ``raw.py`` is the yardstick: the operator's own client, doing just what must be done.
"""
