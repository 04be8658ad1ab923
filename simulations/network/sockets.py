"""UDP as a host of the simulated network sees it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import trio

from vitra_node.net.udx.udp import BUFFER_BYTES, MAX_BATCH_DATAGRAMS, Datagram, SocketAddress

Send = Callable[["SimulatedSocket", bytes, SocketAddress, int], None]


class SimulatedSocket:
    """A ``DatagramSocket``; made by ``Network.bind``."""

    def __init__(
        self, address: SocketAddress, send: Send, on_close: Callable[[SimulatedSocket], None]
    ) -> None:
        self._address = address
        self._send = send
        self._on_close = on_close
        self._waiting: deque[Datagram] = deque()
        self._waiting_bytes = 0
        self._news = trio.Event()
        self._closed = False

    @property
    def address(self) -> SocketAddress:
        """Where it is bound, as its host sees it."""
        return self._address

    def send(self, datagrams: Sequence[Datagram], hops: int = 0) -> None:
        """See ``DatagramSocket``."""
        if not self._closed:
            for data, to in datagrams:
                self._send(self, data, to, hops)

    async def receive(self) -> list[Datagram]:
        """See ``DatagramSocket``."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._waiting:
            if self._closed:
                raise trio.ClosedResourceError
            self._news = trio.Event()
            await self._news.wait()
        count = min(len(self._waiting), MAX_BATCH_DATAGRAMS)
        batch = [self._waiting.popleft() for _ in range(count)]
        self._waiting_bytes -= sum(len(data) for data, _ in batch)
        return batch

    def deliver(self, data: bytes, source: SocketAddress) -> None:
        """A datagram arrived; lost when the host is too far behind, as in the kernel."""
        if self._closed or self._waiting_bytes + len(data) > BUFFER_BYTES:
            return
        self._waiting.append((data, source))
        self._waiting_bytes += len(data)
        self._news.set()

    def close(self) -> None:
        """See ``DatagramSocket``."""
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            self._news.set()
            self._on_close(self)
