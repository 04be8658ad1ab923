"""Executes random operations of random contracts in databases in memory, and audits each.

Usage: ``python -m tests.contracts.honest OPERATIONS SEED...``. Prints a line of JSON for each
seed: its verdict and reason, the operations that were verified, and how many of them failed.
"""

from __future__ import annotations

import json
import sys

import trio

from protocol.transparency.records import is_ack_key
from tests.contracts.executing import FixedWorld, executed, publish
from tests.contracts.random_operations import OperationSource
from vitra_node.database import Database

SECONDS = 1200


async def main(count: int, seeds: list[int]) -> None:
    """One database after another."""
    for seed in seeds:
        source = OperationSource("composed", seed)
        world = FixedWorld(seed)
        with trio.fail_after(SECONDS):
            async with Database.create(None, contract=source.contract(), world=world) as database:
                await publish(database, source, count)
                await executed(database, count - 1)
                report = await database.verify()
                failed = await _failed(database)
        print(json.dumps([seed, report.verdict, report.reason, report.operations, failed]))


async def _failed(database: Database) -> int:
    """Operations that their contract refused."""
    failed = 0
    async for key, _, value in database.index.entries(b"", b"\xff"):
        failed += is_ack_key(key) and isinstance(value, dict) and value.get("success") is False
    return failed


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), [int(seed) for seed in sys.argv[2:]])
