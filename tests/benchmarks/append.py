"""Writing and reading one log. Every append of ours is on the disk when it returns."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from vitra_node.storage.corestore import Corestore

from .processes import Side, run_step
from .stopwatch import Stopwatch
from .subject import Row, Subject

BLOCK = bytes(100)
BATCH_BLOCKS = 100


async def write_and_read(
    watch: Stopwatch, path: str, singles: int, batches: int, gets: int
) -> None:
    """Append one by one, then in batches, then read blocks at random."""
    async with Corestore.open(path) as store:
        core = await store.get(name="log")
        for _ in range(20):
            await core.append(BLOCK)
        with watch.rate("append-single", singles):
            for _ in range(singles):
                await core.append(BLOCK)
        batch = [BLOCK] * BATCH_BLOCKS
        with watch.rate("append-batch", batches * BATCH_BLOCKS):
            for _ in range(batches):
                await core.append(batch)
        randomness = random.Random(1)
        wanted = [randomness.randrange(core.length) for _ in range(gets)]
        with watch.rate("get-random", gets):
            for index in wanted:
                await core.get(index)


def _measure(side: Side, directory: Path, quick: bool, profile: bool) -> Mapping[str, float]:
    singles, batches, gets = (20, 2, 50) if quick else (1500, 300, 20_000)
    return run_step(
        side, "append", profile, path=directory, singles=singles, batches=batches, gets=gets
    )


SUBJECT = Subject(
    "append",
    (
        Row("append-single", "append, one block, durable", "blocks/s", bar=1),
        Row("append-batch", "append, batches of 100", "blocks/s", bar=1),
        Row("get-random", "get, random", "blocks/s", bar=2),
    ),
    _measure,
)
