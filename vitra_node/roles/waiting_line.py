"""``WaitingLine``: where calls wait for the one task that handles them, many at a time."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import trio

from ..storage.errors import StoreClosed


class Waiting(Protocol):
    """What can wait in a line."""

    def fail(self, error: Exception) -> None:
        """It will not be handled any more; without effect on what is settled."""


T = TypeVar("T", bound=Waiting)


class WaitingLine(Generic[T]):
    """A queue from which one task takes everything that waits, in its order."""

    def __init__(self) -> None:
        self._waiting: list[T] = []
        self._taken: list[T] = []
        self._arrived = trio.Event()
        self._closed = False

    def add(self, item: T) -> None:
        """Wait behind all others; fails at once when the line is closed."""
        if self._closed:
            item.fail(_closed())
            return
        self._waiting.append(item)
        self._arrived.set()

    async def take(self, most: int) -> list[T]:
        """The first of those who wait, once there are any; those taken before are settled."""
        self._taken = []
        while not self._waiting:
            self._arrived = trio.Event()
            await self._arrived.wait()
        self._taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return self._taken

    def close(self) -> None:
        """Nothing is handled any more: fail what waits, and what was taken and is not settled."""
        self._closed = True
        for item in (*self._taken, *self._waiting):
            item.fail(_closed())
        self._waiting = []


def _closed() -> StoreClosed:
    return StoreClosed("the database was closed")
