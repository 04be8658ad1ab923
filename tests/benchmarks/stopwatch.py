"""Times rows of the table, and shows where the time went when asked to."""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SHOWN_FUNCTIONS = 40


class Stopwatch:
    """Gathers the values of one process.

    Attributes:
      values: by name of the row; for JSON.
    """

    def __init__(self, *, profile: bool = False) -> None:
        self.values: dict[str, float] = {}
        self._profile = profile

    @contextmanager
    def rate(self, row: str, count: float) -> Iterator[None]:
        """The block does ``count`` of something; the value is how many a second."""
        with self._timed(row) as taken:
            yield
        self.values[row] = count / taken[0]

    @contextmanager
    def seconds(self, row: str) -> Iterator[None]:
        """The value is how long the block takes."""
        with self._timed(row) as taken:
            yield
        self.values[row] = taken[0]

    @contextmanager
    def profiled(self, row: str) -> Iterator[None]:
        """Only show where the time goes; a row that another process times."""
        with self._timed(row):
            yield

    @contextmanager
    def _timed(self, row: str) -> Iterator[list[float]]:
        taken: list[float] = []
        profiler = cProfile.Profile() if self._profile else None
        processor = time.process_time()
        begun = time.perf_counter()
        if profiler is not None:
            profiler.enable()
        try:
            yield taken
        finally:
            if profiler is not None:
                profiler.disable()
            taken.append(time.perf_counter() - begun)
        if profiler is not None:
            processor = time.process_time() - processor
            times = f"{taken[0]:.2f} s, {processor:.2f} s of processor time in all threads"
            print(f"\n{row}: {times}", file=sys.stderr)
            stats = pstats.Stats(profiler, stream=sys.stderr)
            stats.sort_stats("tottime").print_stats(_SHOWN_FUNCTIONS)
