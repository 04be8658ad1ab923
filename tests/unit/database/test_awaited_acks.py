"""Who waits for an operation wakes with its ack, whoever else waits or leaves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from vitra_node.ledger.awaited_acks import AwaitedAcks

ANN, BEN = b"a" * 32, b"b" * 32


class ToyAcks:
    """An index that is nothing but a list of acks."""

    def __init__(self) -> None:
        self.executed: list[tuple[bytes, int]] = []
        self.reads = 0
        self._changed = trio.Event()

    @property
    def length(self) -> int:
        return len(self.executed)

    async def acked(self, oplog: bytes, start: int) -> Sequence[int]:
        self.reads += 1
        found = sorted(seq for key, seq in self.executed if key == oplog and seq >= start)
        await trio.lowlevel.checkpoint()
        return found

    async def has_ack(self, oplog: bytes, seq: int) -> bool:
        self.reads += 1
        found = (oplog, seq) in self.executed
        await trio.lowlevel.checkpoint()
        return found

    async def grown(self, length: int) -> None:
        while self.length < length:
            await self._changed.wait()

    def execute(self, *operations: tuple[bytes, int]) -> None:
        self.executed += operations
        self._changed.set()
        self._changed = trio.Event()


class Waiting:
    """Tasks that wait, and what they came back with."""

    def __init__(self, nursery: trio.Nursery, acks: ToyAcks) -> None:
        self.returned: set[tuple[bytes, int]] = set()
        self._nursery = nursery
        self._acks = acks
        self._awaited = AwaitedAcks(acks)

    def wait(self, oplog: bytes, seq: int) -> trio.CancelScope:
        """Start one; gives what cancels it."""
        scope = trio.CancelScope()
        self._nursery.start_soon(self._wait, oplog, seq, scope)
        return scope

    async def _wait(self, oplog: bytes, seq: int, scope: trio.CancelScope) -> None:
        with scope:
            await self._awaited.wait(oplog, seq)
            assert (oplog, seq) in self._acks.executed
            self.returned.add((oplog, seq))


async def test_many_wait_and_the_acks_are_read_once_a_growth() -> None:
    acks = ToyAcks()
    async with trio.open_nursery() as nursery:
        waiting = Waiting(nursery, acks)
        for seq in range(50):
            waiting.wait(ANN, seq)
        await wait_all_tasks_blocked()
        acks.reads = 0
        for first in range(0, 50, 10):
            acks.execute(*((ANN, seq) for seq in range(first, first + 10)))
            await wait_all_tasks_blocked()
            assert len(waiting.returned) == first + 10
        # Once for the growth; once more by whoever takes over from one that has returned.
        assert acks.reads <= 10


async def test_what_was_executed_before_is_not_waited_for() -> None:
    acks = ToyAcks()
    acks.execute((ANN, 7), (BEN, 3), (ANN, 8))
    async with trio.open_nursery() as nursery:
        waiting = Waiting(nursery, acks)
        waiting.wait(ANN, 9)
        await wait_all_tasks_blocked()
        for oplog, seq in acks.executed:
            waiting.wait(oplog, seq)
        await wait_all_tasks_blocked()
        assert waiting.returned == {(ANN, 7), (BEN, 3), (ANN, 8)}
        acks.execute((ANN, 9))


@pytest.mark.parametrize("order", [[(ANN, 2), (ANN, 1)], [(BEN, 0), (ANN, 1), (ANN, 2)]])
async def test_each_oplog_and_each_operation_is_told_apart(order: list[tuple[bytes, int]]) -> None:
    acks = ToyAcks()
    async with trio.open_nursery() as nursery:
        waiting = Waiting(nursery, acks)
        for oplog, seq in order:
            waiting.wait(oplog, seq)
        await wait_all_tasks_blocked()
        for number, operation in enumerate(order, 1):
            acks.execute(operation)
            await wait_all_tasks_blocked()
            assert waiting.returned == set(order[:number])


async def test_the_others_go_on_when_any_of_them_leaves() -> None:
    for left in range(6):
        acks = ToyAcks()
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, acks)
            scopes = [waiting.wait(ANN, seq) for seq in range(6)]
            await wait_all_tasks_blocked()
            scopes[left].cancel()
            # In the same turn as an ack, and then all at once.
            acks.execute((ANN, (left + 1) % 6))
            await wait_all_tasks_blocked()
            assert waiting.returned == {(ANN, (left + 1) % 6)}
            acks.execute(*((ANN, seq) for seq in range(6)))
        assert len(waiting.returned) == 5


async def test_all_may_leave_and_others_come() -> None:
    acks = ToyAcks()
    async with trio.open_nursery() as nursery:
        waiting = Waiting(nursery, acks)
        for scope in [waiting.wait(ANN, seq) for seq in range(3)]:
            scope.cancel()
        await wait_all_tasks_blocked()
        waiting.wait(ANN, 1)
        await wait_all_tasks_blocked()
        acks.execute((ANN, 0), (ANN, 1))
    assert waiting.returned == {(ANN, 1)}
