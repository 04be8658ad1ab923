"""Two UDX streams and a bad network between them, in virtual time; the seed decides everything."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

from protocol.limits import UDX_SHARED_REORDER_BYTES, UDX_WINDOW_BYTES
from protocol.udx.events import UdxEvent
from protocol.udx.receiver import ReorderBudget
from protocol.udx.stream import UdxStream

# What IP and UDP add to a datagram.
_IP_BYTES = 28


@dataclass(frozen=True, slots=True)
class Path:
    """One direction of the network.

    Attributes:
      delay: seconds that a datagram takes.
      jitter: further seconds, drawn for each; it reorders.
      loss, duplication: probabilities for each.
      bytes_per_second: of the slowest link; None for any.
      queue_bytes: what waits in front of that link; the rest is dropped.
      largest: datagrams with more bytes (IP header included) are dropped.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0
    bytes_per_second: float | None = None
    queue_bytes: int = 512 * 1024
    largest: int = 1500


class End:
    """One side: the stream, and what its application does.

    Attributes:
      received: all bytes read.
      events: all events so far.
      reads: whether the application takes what comes.
    """

    def __init__(self, stream: UdxStream) -> None:
        self.stream = stream
        self.received = bytearray()
        self.events: list[UdxEvent] = []
        self.reads = True

    def turn(self) -> None:
        while (event := self.stream.next_event()) is not None:
            self.events.append(event)
        if self.reads:
            self.received += self.stream.read(1 << 30)


class Network:
    """Endpoint 0 and 1, connected with each other."""

    def __init__(
        self,
        seed: int = 0,
        there: Path | None = None,
        back: Path | None = None,
        *,
        connect: bool = True,
        window_bytes: int = UDX_WINDOW_BYTES,
        search_mtu: bool = True,
        keep_alive: float | None = None,
    ) -> None:
        self.random = random.Random(seed)
        self.now = 100.0
        there = there or Path()
        self.paths = [there, back or there]
        # What a packet filter of the test lets through: number of the sender, datagram.
        self.passes: Callable[[int, bytes], bool] = lambda _, __: True
        self.datagrams: list[tuple[float, int, bytes]] = []
        self.record = False
        self.sent_bytes = 0
        self._free_at = [0.0, 0.0]
        self._wire: list[tuple[float, int, int, bytes]] = []
        self._numbers = count()
        self.ends = [
            End(
                UdxStream(
                    1000 + side,
                    budget=ReorderBudget(UDX_SHARED_REORDER_BYTES),
                    window_bytes=window_bytes,
                    search_mtu=search_mtu,
                    keep_alive=keep_alive,
                )
            )
            for side in (0, 1)
        ]
        if connect:
            for side in (0, 1):
                self.connect(side)

    def connect(self, side: int, *, proven: bool = True) -> None:
        """Connect one side with the other."""
        self.ends[side].stream.connect(1000 + 1 - side, 1 - side, self.now, proven=proven)

    def flush(self) -> None:
        """Let both sides send what they may."""
        for side, end in enumerate(self.ends):
            end.turn()
            for datagram, address in end.stream.packets_to_send(self.now):
                assert address == 1 - side
                self._send(side, datagram)

    def _send(self, side: int, datagram: bytes) -> None:
        path = self.paths[side]
        if self.record:
            self.datagrams.append((self.now, side, datagram))
        size = len(datagram) + _IP_BYTES
        self.sent_bytes += size
        draw = self.random.random
        if size > path.largest or draw() < path.loss or not self.passes(side, datagram):
            return
        at = self.now
        if path.bytes_per_second is not None:
            free_at = max(self._free_at[side], at)
            if (free_at - at) * path.bytes_per_second > path.queue_bytes:
                return
            at = self._free_at[side] = free_at + size / path.bytes_per_second
        for _ in range(2 if draw() < path.duplication else 1):
            arrives = at + path.delay + draw() * path.jitter
            heappush(self._wire, (arrives, next(self._numbers), 1 - side, datagram))

    def step(self) -> bool:
        """Go to the next thing that happens; False when nothing ever will."""
        self.flush()
        times = [at for end in self.ends if (at := end.stream.next_timer()) is not None]
        if self._wire:
            times.append(self._wire[0][0])
        if not times:
            return False
        self.now = max(self.now, min(times))
        while self._wire and self._wire[0][0] <= self.now:
            _, _, side, datagram = heappop(self._wire)
            self.ends[side].stream.receive_packet_untrusted(datagram, 1 - side, self.now)
        for end in self.ends:
            at = end.stream.next_timer()
            if at is not None and at <= self.now:
                end.stream.handle_timer(self.now)
        return True

    def run(self, until: Callable[[], bool] | None = None, *, seconds: float = 600.0) -> None:
        """Go on until a condition holds (or nothing happens any more), for that long at most."""
        stop = self.now + seconds
        while until is None or not until():
            if not self.step():
                assert until is None or until(), "nothing happens any more"
                break
            assert self.now < stop, "it takes too long"
        self.flush()

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        stop = self.now + seconds
        while True:
            self.flush()
            times = [at for end in self.ends if (at := end.stream.next_timer()) is not None]
            if self._wire:
                times.append(self._wire[0][0])
            if not times or min(times) > stop:
                self.now = stop
                return
            self.step()
