"""Writing and reading Hyperbees.

Keys that come in order change the same few nodes of the tree again and again, scattered ones a
path each. The two implementations are far apart in what that costs them, so both are shown.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from vitra_node.storage.bee.hyperbee import Hyperbee
from vitra_node.storage.corestore import Corestore

from .processes import Side, run_step
from .stopwatch import Stopwatch
from .subject import Row, Subject

BATCH_KEYS = 200
VALUE = bytes(50)


def key_of(number: int) -> bytes:
    """Keys in an order of their own: consecutive numbers are far apart in the tree."""
    return b"key/%08x" % (number * 2654435761 % 2**32)


async def write_and_read(watch: Stopwatch, path: str, puts: int, batches: int, gets: int) -> None:
    """Put keys in order, in batches; then scattered ones, singly and in batches, and get those."""
    async with Corestore.open(path) as store:
        ordered = Hyperbee(await store.get(name="ordered"))
        with watch.rate("bee-batch", batches * BATCH_KEYS):
            for start in range(0, batches * BATCH_KEYS, BATCH_KEYS):
                async with ordered.batch() as batch:
                    for number in range(start, start + BATCH_KEYS):
                        await batch.put(b"key/%08x" % number, VALUE)
        bee = Hyperbee(await store.get(name="bee"))
        await bee.put(b"first", VALUE)
        with watch.rate("bee-put", puts):
            for number in range(puts):
                await bee.put(key_of(number), VALUE)
        keys = puts + batches * BATCH_KEYS
        with watch.rate("bee-batch-scattered", batches * BATCH_KEYS):
            for start in range(puts, keys, BATCH_KEYS):
                async with bee.batch() as batch:
                    for number in range(start, start + BATCH_KEYS):
                        await batch.put(key_of(number), VALUE)
        randomness = random.Random(1)
        wanted = [key_of(randomness.randrange(keys)) for _ in range(gets)]
        with watch.rate("bee-get", gets):
            for key in wanted:
                assert await bee.get(key) is not None


def _measure(side: Side, directory: Path, quick: bool, profile: bool) -> Mapping[str, float]:
    puts, batches, gets = (20, 2, 50) if quick else (1500, 75, 10_000)
    return run_step(
        side, "hyperbee", profile, path=directory, puts=puts, batches=batches, gets=gets
    )


SUBJECT = Subject(
    "hyperbee",
    (
        Row("bee-put", "Hyperbee put, durable", "puts/s", bar=1),
        Row("bee-batch", "Hyperbee put, batches of 200, in order", "puts/s", bar=1),
        Row("bee-batch-scattered", "Hyperbee put, batches of 200, scattered", "puts/s", bar=1),
        Row("bee-get", "Hyperbee get, random", "gets/s", bar=2),
    ),
    _measure,
)
