"""A run of trio in virtual time, in which a seed decides which task goes first.

Trio runs the tasks that are ready in an order of its own choosing. Its module has a switch for
tests that makes the choice by the age of the tasks and a seeded generator; cancellation wakes tasks
in an order that depends on addresses in memory, and the sort by age takes that out again. The
switch is private, so a test looks for it (``tests/simulations/test_clock.py``).

Time stands still while any task can run, and then jumps to the next deadline.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import TypeVar

import trio
import trio.testing
from trio._core import _run as scheduler

T = TypeVar("T")

# Not zero, so that nothing passes for "no time" by accident.
START_SECONDS = 1000.0


def run(main: Callable[[], Awaitable[T]], order: Random) -> T:
    """Run ``main`` from ``START_SECONDS`` on; ``order`` decides which task goes first."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    clock.jump(START_SECONDS)
    with _seeded_scheduler(order):
        return trio.run(main, clock=clock)


@contextmanager
def _seeded_scheduler(order: Random) -> Iterator[None]:
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r = True, order  # type: ignore[misc]
    try:
        yield
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r = before  # type: ignore[misc]
