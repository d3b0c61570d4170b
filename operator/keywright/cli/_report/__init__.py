"""What ``keywright report`` is made of: what is told (``shape``), how it is gathered out of objects (``state``) and
records (``trail``), where these come from (``sources``), and how it is shown (``sections``, ``pages``).

Does not belong here: the command (``cli/report.py``).
"""
