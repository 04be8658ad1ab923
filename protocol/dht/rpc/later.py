"""Things to do later: timers of one node."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Timer:
    """Something that will be called, unless it is cancelled."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Do not call it."""
        self.call = None


class Later:
    """The timers, by time."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: list[tuple[float, int, Timer]] = []

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        """Call this then."""
        self._count += 1
        timer = Timer(call)
        heappush(self._waiting, (when, self._count, timer))
        return timer

    def next_timer(self) -> float | None:
        """When the next one is due."""
        waiting = self._waiting
        while waiting and waiting[0][2].call is None:
            heappop(waiting)
        return waiting[0][0] if waiting else None

    def handle_timer(self, now: float) -> None:
        """Call those whose time has come."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now:
            call = heappop(waiting)[2].call
            if call is not None:
                call()
