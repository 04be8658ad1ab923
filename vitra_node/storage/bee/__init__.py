"""``Hyperbee``: a sorted key-value store in a log."""
