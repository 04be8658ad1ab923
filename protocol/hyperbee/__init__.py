"""Hyperbee 2: a sorted key-value B-tree inside an append-only log."""
