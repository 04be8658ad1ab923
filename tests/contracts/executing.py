"""Executes random operations in a real database on disk, and audits what came of it.

Usage: ``python -m tests.contracts.executing CONTRACT SEED OPERATIONS GROUP RESTARTS DIRECTORY``,
where contract is an example or ``random``. Prints JSON: the roots of the index, how many operations
were executed and verified, and the verdict. The same contract, seed and operations give the same
roots, whatever else differs: chance decides only where the database is closed and opened again.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time

import trio

from protocol.crypto.hashes import tree_hash
from protocol.encoding.paths import ack_key
from protocol.hypercore.merkle.growth import roots_at
from tests.contracts.random_operations import OperationSource
from vitra_node.contracts import process
from vitra_node.database import Database
from vitra_node.roles import executor
from vitra_node.world import RealWorld

TIME = 1_700_000_000.0
SECONDS = 1200


class FixedWorld(RealWorld):
    """The same keys and the same date each time."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def random_bytes(self, count: int) -> bytes:
        """The next bytes of the seed."""
        return self._random.randbytes(count)

    def unix_time(self) -> float:
        """One moment for everything."""
        return TIME


async def publish(database: Database, source: OperationSource, count: int) -> None:
    """Append operations as no method would."""
    oplog = database.local_oplog
    assert oplog is not None
    while count:
        part = min(count, 200)
        await oplog.core.append([source.block() for _ in range(part)])
        count -= part


async def executed(database: Database, seq: int) -> None:
    """Wait for the ack of an operation."""
    oplog = database.local_oplog
    assert oplog is not None
    while True:
        length = database.index.length
        if await database.index.get_key(ack_key(oplog.key, seq)) is not None:
            return
        await database.index.core.wait_for_length(length + 1)


async def main(name: str, seed: int, count: int, restarts: int, directory: str) -> None:
    """Execute, restart, audit."""
    source = OperationSource(name, seed)
    chance = random.Random()
    with trio.fail_after(SECONDS):
        world = FixedWorld(seed)
        async with Database.create(directory, contract=source.contract(), world=world) as database:
            await publish(database, source, count)
        stops = sorted(chance.randrange(count) for _ in range(restarts))
        began = time.perf_counter()
        for stop in [*stops, count - 1]:
            async with Database.load(directory, world=FixedWorld(seed + 1)) as database:
                await executed(database, stop)
        seconds = time.perf_counter() - began
        async with Database.load(directory, world=FixedWorld(seed + 2)) as database:
            report = await database.verify()
            core = database.index.core
            roots = roots_at(core.storage, core.length)
            assert roots is not None
            digest = hashlib.sha256()
            for block in range(core.length):
                digest.update(await core.get(block))
            print(
                json.dumps(
                    {
                        "root": tree_hash(roots).hex(),
                        "blocks": digest.hexdigest(),
                        "length": core.length,
                        "verdict": report.verdict,
                        "reason": report.reason,
                        "operations": report.operations,
                        "executing": round(count / seconds),
                        "verifying": round(count / report.seconds),
                    }
                )
            )


if __name__ == "__main__":
    contract, seed_text, count_text, group, restarts_text, place = sys.argv[1:]
    executor.MAX_GROUP_OPERATIONS = int(group)
    # What a worker is otherwise not shown.
    for variable in ("GLIBC_TUNABLES", "TZ", "LC_ALL", "LANG"):
        if variable in os.environ:
            process.ENVIRONMENT[variable] = os.environ[variable]
    trio.run(main, contract, int(seed_text), int(count_text), int(restarts_text), place)
