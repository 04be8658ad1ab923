"""How fast logs are written and read on this machine: ``python -m tests.benchmarks.storage_speed``.

Everything is durable: each append is on the disk when it returns. ``CPU`` is processor time of all
threads, for comparing machines that do other work as well.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from vitra_node.storage.corestore import Corestore
from vitra_node.storage.hypercore import Hypercore

BLOCK = bytes(100)


async def measure(label: str, count: int, work: Callable[[], Awaitable[None]]) -> None:
    wall, processor = time.perf_counter(), time.process_time()
    await work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    each = f"{wall / count * 1e6:7.1f} us, CPU {processor / count * 1e6:6.1f} us"
    print(f"{label:42} {count / wall:10,.0f} /s   {each}")


async def write_and_read(core: Hypercore) -> None:
    async def one_by_one(count: int, blocks: list[bytes]) -> None:
        for _ in range(count):
            await core.append(blocks)

    async def by_tasks() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(one_by_one, 100, [BLOCK])

    async def read() -> None:
        randomness = random.Random(1)
        length = core.length
        for _ in range(50_000):
            await core.get(randomness.randrange(length))

    await one_by_one(200, [BLOCK])
    await measure("append, one by one", 2000, lambda: one_by_one(2000, [BLOCK]))
    await measure("append, 50 tasks", 5000, by_tasks)
    await measure("append, batches of 100, blocks", 50_000, lambda: one_by_one(500, [BLOCK] * 100))
    await measure("get, random, from disk", 50_000, read)
    await measure("append, 64 KiB, batches of 10, blocks", 500, lambda: one_by_one(50, BIG))


BIG = [bytes(65536)] * 10


async def open_large(directory: Path) -> None:
    async with Corestore.open(directory) as store:
        core = await store.get(name="large")
        for _ in range(100):
            await core.append([BLOCK] * 1000)

    async def reopen() -> None:
        for _ in range(20):
            async with Corestore.open(directory) as store:
                assert (await store.get(name="large")).length == 100_000

    await measure("open and close a store, log of 100,000", 20, reopen)


async def main(directory: Path) -> None:
    async with Corestore.open(directory / "one") as store:
        await write_and_read(await store.get(name="log"))
    await open_large(directory / "two")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        trio.run(main, Path(name))
