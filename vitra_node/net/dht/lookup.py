"""A query of the DHT as something to iterate."""

from __future__ import annotations

from collections.abc import Callable

import trio

from protocol.dht.events import OperationDone, Reply

from .pump import DhtPump
from .running import Running


class Lookup:
    """A query: iterate it once, for each reply of a node.

    It begins with the first step, and then runs to its end within seconds, iterated or not;
    ``close`` stops it.

    Error handling:
      ``trio.ClosedResourceError`` when the DHT was left meanwhile, or before.

    Attributes:
      done: how it ended, once it was iterated to its end; ``done.closest`` are the nodes nearest to
        the target, with which a later query may begin.
    """

    def __init__(self, pump: DhtPump, begin: Callable[[float], int]) -> None:
        self.done: OperationDone | None = None
        self._pump = pump
        self._begin = begin
        self._number: int | None = None
        self._running = Running()
        self._closed = False

    def __aiter__(self) -> Lookup:
        return self

    async def __anext__(self) -> Reply:
        if self._number is None:
            self._pump.check_open()
            self._number = self._begin(trio.current_time())
            self._pump.operations[self._number] = self._running
            self._pump.pump()
        reply = await self._running.next_reply()
        if reply is None:
            if not self._closed:
                self._pump.check_open()
            self.done = self._running.done
            raise StopAsyncIteration
        return reply

    def close(self) -> None:
        """Stop; there are no more replies."""
        self._closed = True
        if self._number is not None and self._pump.operations.pop(self._number, None) is not None:
            self._pump.node.cancel(self._number)
        self._running.stop()
