"""Runs that once failed, so that they are played for ever.

Whoever mends what a seed has shown adds a line, with what went wrong. ``vitra sim run SCENARIO
--seed SEED --nodes NODES`` plays one by itself. A change of what a scenario draws makes another run
of the same seed; the line stays, for it costs little.
"""

from __future__ import annotations

# Scenario, seed, nodes.
REGRESSIONS: tuple[tuple[str, int, int], ...] = (
    # A reader lost power at the very end, and was judged before it had fetched the rest again.
    ("replicate-under-loss", 13, 4),
    ("replicate-under-loss", 17, 4),
    # A writer was judged before the last operations of the others had come to it.
    ("database", 2, 5),
)
