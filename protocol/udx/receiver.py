"""The receiving half: packets in any order in, bytes in order out, and the window between them."""

from __future__ import annotations

from ..limits import (
    MAX_UDX_DATAGRAM_BYTES,
    MAX_UDX_OWN_REORDER_BYTES,
    MAX_UDX_REORDER_PACKETS,
    MAX_UDX_SACK_RANGES,
)
from .packets import END
from .ranges import RangeSet

# Nothing is offered below this (RFC 9293, 3.8.6.2.2): a peer would fill it with tiny packets.
LEAST_WINDOW_BYTES = 4096


class ReorderBudget:
    """Bytes that packets ahead of their turn may hold, in all streams that share it.

    Each stream has ``MAX_UDX_OWN_REORDER_BYTES`` beside it, so that a peer who uses it up cannot
    stop the others.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._left_bytes = limit_bytes

    def take(self, size: int) -> bool:
        """Whether there was room."""
        if size > self._left_bytes:
            return False
        self._left_bytes -= size
        return True

    def give(self, size: int) -> None:
        """Return what was taken."""
        self._left_bytes += size


class Receiver:
    """Bytes of one direction.

    Attributes:
      expected: the sequence number of the next packet in order.
      ranges: numbers above it that are here already.
      limit_bytes: how much may wait to be read.
      unread: bytes in order that nobody has read.
      ended: whether the peer's END is among what arrived in order.
    """

    __slots__ = (
        "_advertised",
        "_budget",
        "_end",
        "_held",
        "_held_bytes",
        "_newest",
        "ended",
        "expected",
        "limit_bytes",
        "ranges",
        "unread",
    )

    def __init__(self, limit_bytes: int, budget: ReorderBudget) -> None:
        self.expected = 0
        self.ranges = RangeSet()
        self.limit_bytes = limit_bytes
        self.unread = bytearray()
        self.ended = False
        self._budget = budget
        self._end: int | None = None
        self._held: dict[int, tuple[int, bytes]] = {}
        self._held_bytes = 0
        # What came last of what is ahead of its turn.
        self._newest = 0
        self._advertised = limit_bytes

    def window(self) -> int:
        """The window to advertise now; remembers it."""
        window = self.limit_bytes - len(self.unread)
        if window < LEAST_WINDOW_BYTES:
            window = 0
        self._advertised = window
        return window

    def worth_telling(self) -> bool:
        """Whether reading has opened the window so far that the peer should hear of it."""
        free = self.limit_bytes - len(self.unread)
        return self._advertised * 2 <= self.limit_bytes and free >= 2 * max(
            self._advertised, LEAST_WINDOW_BYTES
        )

    def receive(self, seq: int, kind: int, payload: bytes) -> bool:
        """Take a DATA or END packet; gives whether to acknowledge it.

        There is no acknowledgement for what has no room: the peer sent more than it may.
        """
        expected = self.expected
        if seq < expected:
            return True
        if seq > expected:
            return self._hold(seq, kind, payload)
        if self.ended:
            return False
        if len(self.unread) + len(payload) > self.limit_bytes + MAX_UDX_DATAGRAM_BYTES:
            return False
        self.unread += payload
        self.expected = expected + 1
        if kind & END:
            self._finish()
        elif self._held:
            self._drain()
        return True

    def read(self, max_bytes: int) -> bytes:
        """Take up to ``max_bytes`` of what is unread."""
        unread = self.unread
        if len(unread) <= max_bytes:
            data = bytes(unread)
            self.unread = bytearray()
            return data
        data = bytes(unread[:max_bytes])
        del unread[:max_bytes]
        return data

    def sack_ranges(self) -> list[tuple[int, int]]:
        """What a SACK reports; empty when nothing waits out of order.

        Where there are too many ranges, the one of the newest packet is among them: each arrival
        is told at once. The peer would take many that it hears of late for a faster path.
        """
        return self.ranges.up_to(self._newest, MAX_UDX_SACK_RANGES)

    def release(self) -> None:
        """Forget what is out of order; the stream is over."""
        self._budget.give(self._shared(self._held_bytes))
        self._held.clear()
        self._held_bytes = 0
        self.ranges = RangeSet()

    def _finish(self) -> None:
        self.ended = True
        self.release()

    def _hold(self, seq: int, kind: int, payload: bytes) -> bool:
        if seq in self._held:
            self._newest = seq
            return True
        if seq - self.expected > MAX_UDX_REORDER_PACKETS or self.ended:
            return False
        if self._end is not None and seq > self._end:
            return False
        size = len(payload)
        if self._held_bytes + len(self.unread) + size > self.limit_bytes + MAX_UDX_DATAGRAM_BYTES:
            return False
        above = self._shared(self._held_bytes + size) - self._shared(self._held_bytes)
        if above and not self._budget.take(above):
            return False
        if kind & END:
            self._end = seq
        self._held[seq] = (kind, payload)
        self._newest = seq
        self._held_bytes += size
        self.ranges.add(seq, seq + 1)
        return True

    @staticmethod
    def _shared(held_bytes: int) -> int:
        return max(held_bytes - MAX_UDX_OWN_REORDER_BYTES, 0)

    def _drain(self) -> None:
        held = self._held
        seq = self.expected
        before = self._held_bytes
        while seq in held:
            kind, payload = held.pop(seq)
            self._held_bytes -= len(payload)
            self.unread += payload
            seq += 1
            if kind & END:
                self.ended = True
                break
        self._budget.give(self._shared(before) - self._shared(self._held_bytes))
        self.expected = seq
        if self.ended:
            self.release()
        else:
            self.ranges.discard_below(seq)
