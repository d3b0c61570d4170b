"""The machine that rotates a key: its lists row by row, and as a whole in a small world with faults."""
