"""An operation of the DHT on its way: replies come in, somebody takes them."""

from __future__ import annotations

from collections import deque

import trio

from protocol.dht.events import OperationDone, Reply


class Running:
    """An operation on its way.

    Attributes:
      done: how it ended; None while it runs.
    """

    def __init__(self) -> None:
        self.done: OperationDone | None = None
        self._replies: deque[Reply] = deque()
        self._news = trio.Event()

    def take(self, event: Reply | OperationDone) -> None:
        """Something of the operation happened."""
        if isinstance(event, Reply):
            self._replies.append(event)
        else:
            self.done = event
        self._news.set()

    def stop(self) -> None:
        """There are no more replies, not even those that came."""
        self._replies.clear()
        self.done = self.done or OperationDone(0, ())
        self._news.set()

    async def next_reply(self) -> Reply | None:
        """The next reply; None when there are no more."""
        while not self._replies:
            if self.done is not None:
                return None
            self._news = trio.Event()
            await self._news.wait()
        return self._replies.popleft()
