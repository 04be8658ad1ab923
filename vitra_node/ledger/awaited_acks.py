"""Who waits for which operations of one index to be executed.

Many may wait, all for the next few acks. So one of them leads: when the index has grown it reads
the new acks of each oplog once, and wakes those whose operation is among them, and nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import trio


class Acks(Protocol):
    """The acks of an index; an ``Index`` is one."""

    @property
    def length(self) -> int:
        """Number of blocks, of which only appending makes more."""

    async def acked(self, oplog: bytes, start: int) -> Sequence[int]:
        """Numbers of the operations of an oplog, from ``start`` on, that were executed."""

    async def has_ack(self, oplog: bytes, seq: int) -> bool:
        """Whether one operation was executed."""

    async def grown(self, length: int) -> None:
        """Return when there are at least ``length`` blocks; raises StoreClosed."""


class _Waiter:
    """One task that waits for one operation."""

    __slots__ = ("is_over", "seq", "woken")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.is_over = False
        # When it is over, or when the task is to lead.
        self.woken = trio.Event()


class AwaitedAcks:
    """Wakes tasks when their operations have been executed."""

    def __init__(self, acks: Acks) -> None:
        self._acks = acks
        self._waiters: dict[bytes, set[_Waiter]] = {}
        self._is_led = False
        # Who was told to lead and has not begun to.
        self._next: _Waiter | None = None
        # The length that acks were read at last, and for each oplog then waited for the last
        # operation executed: what is behind it need not be asked for at that length.
        self._read_at = -1
        self._last: dict[bytes, int] = {}

    async def wait(self, oplog: bytes, seq: int) -> None:
        """Return when an operation has been executed.

        Raises:
          StoreClosed: the store of the index is, or was, closed.
        """
        waiter = _Waiter(seq)
        # Before it looks: from now on, whatever the index grows by is looked through for it.
        self._waiters.setdefault(oplog, set()).add(waiter)
        try:
            if self._may_have_ack(oplog, seq) and await self._acks.has_ack(oplog, seq):
                return
            while not waiter.is_over:
                if self._next is waiter:
                    self._next, waiter.woken = None, trio.Event()
                if self._is_led:
                    await waiter.woken.wait()
                else:
                    await self._lead(waiter)
        finally:
            self._leave(oplog, waiter)

    def _may_have_ack(self, oplog: bytes, seq: int) -> bool:
        return self._read_at != self._acks.length or seq <= self._last.get(oplog, seq)

    def _leave(self, oplog: bytes, waiter: _Waiter) -> None:
        waiters = self._waiters.get(oplog)
        if waiters is not None:
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[oplog]
        if self._next is waiter:
            self._next = None
        self._hand_over()

    async def _lead(self, waiter: _Waiter) -> None:
        """Look for all, whenever the index has grown, until one's own operation was executed."""
        self._is_led = True
        try:
            while not waiter.is_over:
                if self._read_at == self._acks.length:
                    await self._acks.grown(self._read_at + 1)
                await self._wake_executed()
        finally:
            self._is_led = False

    def _hand_over(self) -> None:
        """Have one of those who wait lead, if nobody does."""
        if self._is_led or self._next is not None:
            return
        for waiters in self._waiters.values():
            for waiter in waiters:
                self._next = waiter
                waiter.woken.set()
                return

    async def _wake_executed(self) -> None:
        length = self._acks.length
        last: dict[bytes, int] = {}
        for oplog, waiters in list(self._waiters.items()):
            first = min((waiter.seq for waiter in waiters), default=None)
            if first is None:
                continue
            acked = await self._acks.acked(oplog, first)
            last[oplog] = acked[-1] if acked else first - 1
            executed = set(acked)
            for waiter in [waiter for waiter in waiters if waiter.seq in executed]:
                waiters.discard(waiter)
                waiter.is_over = True
                waiter.woken.set()
        self._read_at, self._last = length, last
