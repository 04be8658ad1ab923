"""How many requests one peer may have in flight: grows while round trips stay short."""

from __future__ import annotations

from ...limits import (
    MAX_BYTES_IN_FLIGHT,
    MAX_REQUESTS_IN_FLIGHT,
    MIN_REQUESTS_IN_FLIGHT,
)

# What JS allows on streams whose round trip it does not know.
_FIRST_REQUESTS = 48
# A round trip this much over the shortest one seen says that requests wait in a queue.
_QUEUE_SECONDS = 0.1
_CONGESTED_SECONDS = 0.5
_SHRINK_FACTOR = 0.8
# Weight of one round trip, and of one block size, in their running averages.
_WEIGHT = 1 / 8


class RequestWindow:
    """The bound on the requests in flight to one peer.

    Like TCP's slow start: one more per answer, so doubling each round trip, until answers take
    clearly longer than the shortest seen; a fifth less, at most once a round trip, when they take
    much longer. The bytes behind large blocks bound it as well.
    """

    __slots__ = ("_block_bytes", "_shortest", "_shrunk_at", "_size", "limit", "round_trip")

    def __init__(self) -> None:
        self._size = float(_FIRST_REQUESTS)
        self._block_bytes = 0.0
        self._shortest = float("inf")
        self._shrunk_at = float("-inf")
        self.round_trip = 0.0
        self.limit = _FIRST_REQUESTS

    def answered(self, sent_at: float, now: float, block_bytes: int) -> None:
        """An answer with ``block_bytes`` of block came to a request sent at ``sent_at``."""
        sample = now - sent_at
        self.round_trip += (sample - self.round_trip) * _WEIGHT
        self._shortest = shortest = min(self._shortest, sample)
        if block_bytes:
            self._block_bytes += (block_bytes - self._block_bytes) * _WEIGHT
        if sample < 2 * shortest + _QUEUE_SECONDS:
            self._size = min(self._size + 1, MAX_REQUESTS_IN_FLIGHT)
        elif sample > 4 * shortest + _CONGESTED_SECONDS and now - self._shrunk_at > sample:
            self._size = max(self._size * _SHRINK_FACTOR, MIN_REQUESTS_IN_FLIGHT)
            self._shrunk_at = now
        size = int(self._size)
        if size * self._block_bytes > MAX_BYTES_IN_FLIGHT:
            size = max(int(MAX_BYTES_IN_FLIGHT / self._block_bytes), 1)
        self.limit = size
