"""Calls that wait are run and published together; to each it is as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from protocol.encoding.msgpack import unpack_untrusted
from protocol.errors import LocalProtocolError
from vitra_node.contracts.errors import ContractCallError, ContractValueError
from vitra_node.database import Database
from vitra_node.errors import NotAllowed, NotFound
from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.memory_environment import MemoryEnvironment
from vitra_node.storage.errors import StorageError, StoreClosed, StoreReadOnly
from vitra_node.storage.log.writer import LogWriter
from vitra_node.transactions import Transaction

CONTRACT = """
export function publish ({ n, times = 1 }, emit) {
  for (let i = 0; i < times; i++) emit({ op: 'PUT', n, i })
  return n
}
export function echo ({ n }) { return n }
export function fails ({ n }) { throw new RangeError('no ' + n) }
export function tooMuch (params, emit) {
  for (let i = 0; i < 9; i++) emit({ op: 'PUT', n: 'x'.repeat(1000000) })
}
export function loop () { for (;;) {} }
export const apply = { PUT (tx, op) { tx.put('/n', op.n) } }
"""


async def outcomes_of(database: Database, *wanted: tuple[str, Any]) -> list[Any]:
    """Transaction or error of each call, all made in one turn and in this order."""
    outcomes: list[Any] = [None] * len(wanted)

    async def one(number: int) -> None:
        await turns[number].wait()
        if number + 1 < len(wanted):
            turns[number + 1].set()
        try:
            outcomes[number] = await database.call(*wanted[number])
        except Exception as error:
            outcomes[number] = error

    turns = [trio.Event() for _ in wanted]
    with trio.fail_after(120):
        async with trio.open_nursery() as nursery:
            for number in range(len(wanted)):
                nursery.start_soon(one, number)
            turns[0].set()
    return outcomes


async def published(database: Database) -> list[Any]:
    """The operations on the local oplog."""
    oplog = database.local_oplog
    assert oplog is not None
    return [unpack_untrusted(await oplog.core.get(seq)) for seq in range(oplog.length)]


@pytest.fixture
def appends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many blocks each append of a log had."""
    counts: list[int] = []
    append = LogWriter.append

    async def noted(self: LogWriter, blocks: Any, also: Any) -> int:
        counts.append(len(blocks))
        return await append(self, blocks, also)

    monkeypatch.setattr(LogWriter, "append", noted)
    return counts


async def test_operations_stand_in_the_order_of_their_calls(appends: list[int]) -> None:
    async with Database.create(None, contract=CONTRACT) as database:
        await database.call("echo", {"n": 0})
        wanted = [("publish", {"n": n, "times": n % 3}) for n in range(100)]
        outcomes = await outcomes_of(database, *wanted)
        assert [outcome.response for outcome in outcomes] == list(range(100))
        emitted = [{"op": "PUT", "n": n, "i": i} for n in range(100) for i in range(n % 3)]
        assert await published(database) == emitted
        for n, outcome in enumerate(outcomes):
            assert [operation.value["n"] for operation in outcome.operations] == [n] * (n % 3)
            await outcome.when_processed()
            kept = None if outcome.id is None else await database.transaction(outcome.id)
            assert kept == (outcome if n % 3 else None)
        # One for each frame, and those of the executor.
        assert len(appends) < 50


async def test_a_call_that_fails_is_alone_in_that() -> None:
    async with Database.create(None, contract=CONTRACT) as database:
        await database.call("echo", {"n": 0})
        failing: list[tuple[tuple[str, Any], type[Exception]]] = [
            (("fails", {"n": 1}), ContractCallError),
            (("none such", None), NotFound),
            (("apply", None), NotAllowed),
            (("echo", {"n": 2**60}), ContractValueError),
            (("tooMuch", None), LocalProtocolError),
        ]
        wanted: list[tuple[str, Any]] = []
        for number, (call, _) in enumerate(failing):
            wanted += [call, ("publish", {"n": number})]
        outcomes = await outcomes_of(database, *wanted)
        assert [type(outcome) for outcome in outcomes[::2]] == [kind for _, kind in failing]
        assert "RangeError: no 1" in str(outcomes[0])
        assert all(isinstance(outcome, Transaction) for outcome in outcomes[1::2])
        assert [op["n"] for op in await published(database)] == list(range(len(failing)))


async def test_without_an_oplog_only_calls_that_emit_fail() -> None:
    async with Database.create(None, contract=CONTRACT) as database:
        await database.set_local_oplog(None)
        outcomes = await outcomes_of(
            database, ("publish", {"n": 1}), ("echo", {"n": 2}), ("publish", {"n": 3})
        )
        assert outcomes[1].response == 2
        assert isinstance(outcomes[0], NotAllowed)
        assert isinstance(outcomes[2], NotAllowed)
        assert outcomes[0] is not outcomes[2]


async def test_of_a_caller_that_left_nothing_is_published() -> None:
    async with Database.create(None, contract=CONTRACT) as database:
        await database.call("echo", {"n": 0})
        outcomes: list[Transaction] = []

        async def emit(n: int) -> None:
            outcomes.append(await database.call("publish", {"n": n}))

        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as leaving:
                nursery.start_soon(emit, 1)
                leaving.cancel()
                await database.call("publish", {"n": 2})
            nursery.start_soon(emit, 3)
        assert leaving.cancelled_caught
        assert sorted(op["n"] for op in await published(database)) == [1, 3]


async def test_a_method_that_runs_for_ever_ends_with_its_last_caller() -> None:
    async with Database.create(None, contract=CONTRACT) as database:
        await database.call("echo", {"n": 0})
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(database.call, "loop")
                nursery.start_soon(database.call, "loop")
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
            assert (await database.call("echo", {"n": 7})).response == 7


async def test_calls_under_way_fail_when_the_database_closes() -> None:
    errors: list[Exception] = []

    async def loop() -> None:
        try:
            await database.call("loop")
        except StoreClosed as error:
            errors.append(error)

    async with (
        trio.open_nursery() as nursery,
        Database.create(None, contract=CONTRACT) as database,
    ):
        await database.call("echo", {"n": 0})
        for _ in range(3):
            nursery.start_soon(loop)
        await wait_all_tasks_blocked()
    assert len(errors) == 3
    with pytest.raises(StoreClosed):
        await database.call("echo", {"n": 1})


async def test_a_disk_that_fails_is_told_to_every_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: MemoryEnvironment, batches: Sequence[Writes]) -> None:
        raise StorageError("the disk is gone")

    async with Database.create(None, contract=CONTRACT) as database:
        await database.call("echo", {"n": 0})
        monkeypatch.setattr(MemoryEnvironment, "write", refuse)
        outcomes = await outcomes_of(database, *[("publish", {"n": n}) for n in range(5)])
        assert [type(outcome) for outcome in outcomes] == [StoreReadOnly] * 5
        assert len({id(outcome) for outcome in outcomes}) == 5
        monkeypatch.undo()
