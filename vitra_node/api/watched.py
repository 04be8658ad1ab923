"""Tells of long work while it goes on, by looking at its progress from time to time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from ..nursery import open_owned_nursery
from ..progress import Progress, Step

# Often enough for a bar that moves, seldom enough to cost nothing.
LOOK_SECONDS = 0.2

Watch = Callable[[Step], Awaitable[None]]
"""Is given what is being done now, again and again; what passes while it takes one is left out."""


def watcher(show: Callable[[Step], None] | None) -> Watch | None:
    """What tells somebody who takes no time."""
    if show is None:
        return None
    tell = show

    async def watch(step: Step) -> None:
        tell(step)

    return watch


@asynccontextmanager
async def watched(watch: Watch | None) -> AsyncIterator[Progress]:
    """A progress for the work in the block; ``watch`` is told of it while the block runs."""
    progress = Progress()
    if watch is None:
        yield progress
        return
    async with open_owned_nursery() as nursery:
        nursery.start_soon(_look, progress, watch)
        yield progress


async def _look(progress: Progress, watch: Watch) -> None:
    while True:
        await trio.sleep(LOOK_SECONDS)
        step = progress.now()
        if step is not None:
            await watch(step)
