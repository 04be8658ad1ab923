"""``kill -9`` of an executor at random moments: what it promised stays true."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import trio

from protocol.encoding.paths import ack_key
from tests.contract_sources import COUNTER
from vitra_node.database import Database

# 50 kills by default; more by VITRA_TEST_KILLS=1000.
KILLS = int(os.environ.get("VITRA_TEST_KILLS", "50"))
# Its callers publish twenty operations before the first is acknowledged.
MOST_LINES = 120


class Promises:
    """What the killed processes said."""

    def __init__(self) -> None:
        # The transaction of each operation.
        self.published: dict[int, str] = {}
        self.acknowledged: set[int] = set()

    def take(self, line: str) -> None:
        kind, *rest = line.split(" ")
        if kind == "published":
            number, transaction = rest
            self.published[int(number)] = transaction
        elif kind == "acknowledged":
            self.acknowledged.add(int(rest[0]))


async def run_and_kill(directory: Path, lines: int, promises: Promises) -> None:
    """Start an executor, and kill it behind its so many-th line; read what it still said."""
    child = await trio.lowlevel.open_process(
        [sys.executable, "-m", "tests.faults.executor_child", str(directory)],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    unread = ""
    async with child.stdout:
        with trio.fail_after(60):
            while chunk := await child.stdout.receive_some():
                *whole, unread = (unread + bytes(chunk).decode()).split("\n")
                for line in whole:
                    promises.take(line)
                lines -= len(whole)
                if lines <= 0 and child.returncode is None:
                    child.kill()
            await child.wait()
    assert child.returncode == -9


async def check(directory: Path, promises: Promises) -> None:
    """Nothing promised is lost, nothing was executed twice, and the history verifies."""
    async with Database.load(directory) as database:
        oplog = database.local_oplog
        assert oplog is not None
        length = oplog.length
        assert promises.published.keys() <= set(range(length))
        for seq, name in promises.published.items():
            transaction = await database.transaction(name)
            assert transaction is not None
            assert [operation.seq for operation in transaction.operations] == [seq]
        for seq in promises.acknowledged:
            assert await database.index.get_key(ack_key(oplog.key, seq)) is not None
        with trio.fail_after(60):
            while length and await database.index.get_key(ack_key(oplog.key, length - 1)) is None:
                await database.index.core.wait_for_length(database.index.length + 1)
            report = await database.verify()
        assert (report.verdict, report.operations) == ("verified", length)
        entry = await database.index.get("/counter")
        assert (entry.value if entry else 0) == length


async def test_no_acknowledged_operation_is_lost_or_executed_twice(tmp_path: Path) -> None:
    directory = tmp_path / "counter"
    async with Database.create(directory, contract=COUNTER):
        pass
    random_lines = random.Random(20260101)
    promises = Promises()
    for _ in range(KILLS):
        await run_and_kill(directory, random_lines.randint(1, MOST_LINES), promises)
        await check(directory, promises)
    assert promises.acknowledged
