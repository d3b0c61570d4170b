"""``python -m keywright``."""

from .cli import main

main()
