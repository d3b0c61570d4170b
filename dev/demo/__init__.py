"""The story of one key, played on real servers: ``python -m demo``."""
