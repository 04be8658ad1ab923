"""``python -m tests.benchmarks``: see ``command``."""

from __future__ import annotations

from .command import main

main()
