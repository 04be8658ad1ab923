"""Waiting for "something changed"."""

from __future__ import annotations

import trio

from .errors import StoreClosed


class Pulse:
    """Wakes every task that waits, as often as something changes; nothing is remembered.

    The way to use it is ``while not condition: await pulse.wait()``.
    """

    def __init__(self) -> None:
        self._lot = trio.lowlevel.ParkingLot()
        self._closed = False

    async def wait(self) -> None:
        """Return at the next ``beat``.

        Raises:
          StoreClosed: ``close`` was or is called.
        """
        if not self._closed:
            await self._lot.park()
        if self._closed:
            raise StoreClosed("the store was closed")

    def beat(self) -> None:
        """Wake the waiters."""
        if self._lot:
            self._lot.unpark_all()

    def close(self) -> None:
        """Wake the waiters for good."""
        self._closed = True
        self._lot.unpark_all()
