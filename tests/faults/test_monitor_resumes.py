"""A monitor that goes on where it was: after an end, ``kill -9``, and with a checkpoint that lies.

``VITRA_TEST_MONITORED=10000`` for the size that the bar is set for; the time is printed (``-s``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from protocol.transparency.audits.checkpoint import (
    Checkpoint,
    decode_checkpoint_untrusted,
    encode_checkpoint,
)
from vitra_node.database import Database
from vitra_node.roles.checkpoints import TABLE
from vitra_node.roles.monitor import Monitor, Validated, ViolationFound

OPERATIONS = int(os.environ.get("VITRA_TEST_MONITORED", "300"))
AT_ONCE = 100
SECONDS = 60 + OPERATIONS / 50

CONTRACT = """\
import { index } from 'contract'
export function work ({ times }, emit) { for (let i = 0; i < times; i++) emit({ op: 'WORK', i }) }
export const apply = {
  async WORK (tx, op) { tx.put('/done', ((await index.get('/done'))?.value ?? 0) + 1) }
}
"""


async def work(database: Database, operations: int) -> None:
    for start in range(0, operations, AT_ONCE):
        times = min(AT_ONCE, operations - start)
        await (await database.call("work", {"times": times})).when_processed()


async def made(directory: Path, operations: int) -> None:
    async with Database.create(directory, contract=CONTRACT) as database:
        await work(database, operations)


async def watch_until(monitor: Monitor, operations: int) -> tuple[Validated, int]:
    """The first event, and how many operations were replayed up to a number of them."""
    first, replayed = None, 0
    async for event in monitor:
        assert isinstance(event, Validated), event
        first = first or event
        replayed += len(event.acks)
        if event.operations == operations:
            return first, replayed
    raise AssertionError("the monitor ended")


def stored(database: Database) -> Checkpoint | None:
    value = database.store.records.table(TABLE).get(database.key)
    return None if value is None else decode_checkpoint_untrusted(value)


async def kept(database: Database, operations: int) -> Checkpoint:
    """The checkpoint that a monitor left, which has so many operations."""
    # Commits keep their order: once this one is on the disk, so is what was handed in before.
    await database.store.records.table(TABLE).delete(b"nothing")
    found = stored(database)
    assert found is not None
    assert found.state.operations == operations
    return found


async def put(database: Database, checkpoint: Checkpoint) -> None:
    await database.store.records.table(TABLE).put(database.key, encode_checkpoint(checkpoint))


async def test_a_monitor_replays_nothing_twice(tmp_path: Path) -> None:
    with trio.fail_after(SECONDS):
        await made(tmp_path, OPERATIONS)
        async with Database.load(tmp_path) as database, database.monitor() as monitor:
            first, replayed = await watch_until(monitor, OPERATIONS)
            assert not first.resumed
            assert replayed == OPERATIONS
        started = time.perf_counter()
        async with Database.load(tmp_path) as database, database.monitor() as monitor:
            first, replayed = await watch_until(monitor, OPERATIONS)
            seconds = time.perf_counter() - started
            assert (first.resumed, first.operations, replayed) == (True, OPERATIONS, 0)
            assert first.index_length == database.index.length
            # It goes on with what is new, and verifies that alone.
            await work(database, 7)
            _, replayed = await watch_until(monitor, OPERATIONS + 7)
            assert replayed == 7
            # Who wants a whole replay has one.
            assert (await database.verify()).operations == OPERATIONS + 7
    print(f"\nresumed at {OPERATIONS} operations in {seconds:.2f} s, opening included")


async def test_a_violation_behind_a_checkpoint_is_found_and_kept_once(tmp_path: Path) -> None:
    with trio.fail_after(60):
        await made(tmp_path, 5)
        names = set()
        for _ in range(3):
            async with Database.load(tmp_path) as database:
                if not names:
                    async with database.monitor() as monitor:
                        await watch_until(monitor, 5)
                    change = {"type": "put", "path": "/done", "value": 99}
                    await database.index.dangerous_batch([change])
                async with database.monitor() as monitor:
                    events = [event async for event in monitor]
                assert isinstance(events[-1], ViolationFound)
                names.add(events[-1].proof.id)
                assert [each.id for each in database.frauds()] == list(names)
                # What is kept never reaches past the violation.
                found = stored(database)
                assert found is None or found.state.operations <= 5


async def test_one_that_does_not_fit_is_dropped_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with trio.fail_after(60):
        await made(tmp_path, 5)
        async with Database.load(tmp_path) as database:
            async with database.monitor() as monitor:
                await watch_until(monitor, 5)
            good = await kept(database, 5)
            table = database.store.records.table(TABLE)
            for other in (
                replace(good, runtime_id="duktape/other"),
                replace(good, head=replace(good.head, fork=1)),
                replace(good, state=replace(good.state, position=good.head.length + 1)),
                None,
            ):
                caplog.clear()
                if other is None:
                    await table.put(database.key, encode_checkpoint(good)[:-1] + b"\xff")
                else:
                    await put(database, other)
                async with database.monitor() as monitor:
                    first, replayed = await watch_until(monitor, 5)
                assert (first.resumed, replayed) == (False, 5)
                assert len([each for each in caplog.records if "dropped" in each.message]) == 1
                assert await kept(database, 5) == good


@pytest.mark.parametrize("lie", ["an operation too few", "a source elsewhere", "nobody may write"])
async def test_one_that_lies_accuses_nobody(tmp_path: Path, lie: str) -> None:
    with trio.fail_after(60):
        await made(tmp_path, 5)
        async with Database.load(tmp_path) as database:
            async with database.monitor() as monitor:
                await watch_until(monitor, 5)
            good = await kept(database, 5)
            state = good.state
            lies = {
                "an operation too few": replace(
                    state, next_seqs={key: seq - 1 for key, seq in state.next_seqs.items()}
                ),
                "a source elsewhere": replace(state, source_seq=2),
                "nobody may write": replace(
                    state, participants=dict.fromkeys(state.participants, False)
                ),
            }
            await put(database, replace(good, state=lies[lie]))
            await work(database, 3)
            async with database.monitor() as monitor:
                first, replayed = await watch_until(monitor, 8)
            assert first.resumed
            assert replayed == 8
            assert database.frauds() == []


async def test_a_sparse_copy_is_fetched_from_where_the_monitor_goes_on(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with Database.create(tmp_path / "executor", contract=CONTRACT) as executor:
            await work(executor, 50)
            address = await executor.listen("127.0.0.1", 0)
            async with Database.load(tmp_path / "whole", executor.key, sparse=True) as copy:
                await copy.connect(*address)
                await copy.index.core.wait_for_length(executor.index.length)
                # Nothing of it is here before somebody monitors.
                assert copy.index.core.contiguous_length == 0
                async with copy.monitor() as monitor:
                    _, replayed = await watch_until(monitor, 50)
                assert replayed == 50
                good = await kept(copy, 50)
            async with Database.load(tmp_path / "sparse", executor.key, sparse=True) as copy:
                await copy.connect(*address)
                await copy.index.core.wait_for_length(executor.index.length)
                # As if it had been verified here, and the blocks been given up since.
                await put(copy, good)
                async with copy.monitor() as monitor:
                    first, _ = await watch_until(monitor, 50)
                    assert first.resumed
                    await work(executor, 5)
                    _, replayed = await watch_until(monitor, 55)
                    assert replayed == 5
                    here = [
                        number
                        for number in range(copy.index.length)
                        if copy.index.core.local_block(number) is not None
                    ]
                    # Some more for the tree and the contract, but not all that was verified before.
                    assert set(range(good.state.position, copy.index.length)) <= set(here)
                    assert len(here) < copy.index.length / 2
                    change = {"type": "put", "path": "/done", "value": 99}
                    await executor.index.dangerous_batch([change])
                    async for event in monitor:
                        if isinstance(event, ViolationFound):
                            assert event.proof.proof.evidence is not None
                            break
                assert [each.code for each in copy.frauds()] == ["UnexpectedPath"]


async def run_and_kill(directory: Path, last: str) -> list[str]:
    """Start a monitor, and kill it behind a line of its; all lines that it said until then."""
    child = await trio.lowlevel.open_process(
        [sys.executable, "-m", "tests.faults.monitor_child", str(directory)],
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    said = ""
    async with child.stdout:
        while chunk := await child.stdout.receive_some():
            said += bytes(chunk).decode()
            if last in said.splitlines() and child.returncode is None:
                child.kill()
        await child.wait()
    assert child.returncode == -9, said
    return said.splitlines()


async def test_kill_9_costs_a_monitor_no_more_than_what_was_not_kept(tmp_path: Path) -> None:
    with trio.fail_after(120):
        await made(tmp_path, 200)
        said = await run_and_kill(tmp_path, "kept 200")
        assert "validated 200" in said
        # Whatever is on the disk at any moment is whole.
        again = await run_and_kill(tmp_path, "resumed 200")
        assert not [line for line in again if line.startswith("validated")]
