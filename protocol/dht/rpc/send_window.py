"""How many requests may be in the air: 80 in a slot of 750 ms, 160 in four of them.

A response takes its request out of the count, so a network that answers is hardly slowed.

Wire facts: specs/13-dht.md section 2; npm ``dht-rpc``.
"""

from __future__ import annotations

SLOT_SECONDS = 0.75
SLOTS = 4
MAX_PER_SLOT = 80
MAX_TOTAL = 160


class SendWindow:
    """Counts requests in time slots."""

    def __init__(self, now: float) -> None:
        self._counts = [0] * SLOTS
        self._current = 0
        self._slot_ends = now + SLOT_SECONDS

    @property
    def slot_ends(self) -> float:
        """When the next slot begins; a full window may have room then."""
        return self._slot_ends

    def is_full(self, now: float) -> bool:
        """Whether the next request should wait."""
        self._advance(now)
        return self._counts[self._current] >= MAX_PER_SLOT or sum(self._counts) >= MAX_TOTAL

    def sent(self, now: float) -> None:
        """A request left."""
        self._advance(now)
        self._counts[self._current] += 1

    def received(self, now: float) -> None:
        """A response came."""
        self._advance(now)
        if self._counts[self._current] > 0:
            self._counts[self._current] -= 1

    def _advance(self, now: float) -> None:
        for _ in range(SLOTS):
            if now < self._slot_ends:
                return
            self._current = (self._current + 1) % SLOTS
            self._counts[self._current] = 0
            self._slot_ends += SLOT_SECONDS
        if now >= self._slot_ends:
            self._slot_ends = now + SLOT_SECONDS
