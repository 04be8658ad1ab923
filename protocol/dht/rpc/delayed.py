"""Answers that were asked for later: how a node finds out how long its NAT keeps a way open."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .rpc import Incoming


class DelayedReplies:
    """At most ``limit`` requests, by the time of their answer."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._count = 0
        self._waiting: list[tuple[float, int, Incoming]] = []

    def add(self, incoming: Incoming, when: float) -> None:
        """Answer this then; more than the limit are dropped."""
        if len(self._waiting) < self._limit:
            self._count += 1
            heappush(self._waiting, (when, self._count, incoming))

    def next_timer(self) -> float | None:
        """When the next answer is due."""
        return self._waiting[0][0] if self._waiting else None

    def due(self, now: float) -> list[Incoming]:
        """Take those whose time has come."""
        due: list[Incoming] = []
        while self._waiting and self._waiting[0][0] <= now:
            due.append(heappop(self._waiting)[2])
        return due
