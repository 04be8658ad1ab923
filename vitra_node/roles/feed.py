"""Operations on their way from an oplog to the executor, in the order of that oplog."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import trio

from ..ledger.oplogs import Oplog

# Operations read ahead for each oplog. Enough to fill several groups while one is committed;
# a participant that publishes faster than this waits in its own log, not in our memory.
MAX_WAITING_OPERATIONS = 1024


@dataclass(frozen=True, slots=True)
class PublishedOperation:
    """One block of an oplog, not executed yet."""

    oplog: Oplog
    seq: int
    block: bytes


class OplogFeed:
    """Reads one oplog from a given operation on, and holds what the executor has not taken."""

    def __init__(self, oplog: Oplog, next_seq: int, wake: Callable[[], None]) -> None:
        self.oplog = oplog
        self.waiting: deque[PublishedOperation] = deque()
        self._next_seq = next_seq
        self._wake = wake
        self._room = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Read until ``stop`` is called."""
        core = self.oplog.core
        with self._scope, core.tail(self._next_seq):
            while True:
                await core.wait_for_length(self._next_seq + 1)
                await self._read_one()

    async def _read_one(self) -> None:
        while len(self.waiting) >= MAX_WAITING_OPERATIONS:
            self._room = trio.Event()
            await self._room.wait()
        block = await self.oplog.core.get(self._next_seq)
        self.waiting.append(PublishedOperation(self.oplog, self._next_seq, block))
        self._next_seq += 1
        self._wake()

    def take(self) -> None:
        """The first waiting operation was executed."""
        self.waiting.popleft()
        self._room.set()

    def stop(self) -> None:
        """End ``run``: the oplog is no participant any more."""
        self._scope.cancel()
