"""The UDX streams of a node: sockets and timers around ``protocol.udx``, deciding nothing.

    datagram --id of a stream--> stream --> socket it is connected on
        '-----anything else----> the handler of the socket (the DHT)

The ids belong to the endpoint, not to a socket: a stream takes packets from any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from heapq import heappop, heappush
from itertools import count
from types import TracebackType

import trio

from protocol.limits import UDX_SHARED_REORDER_BYTES, UDX_WINDOW_BYTES
from protocol.udx.packets import is_udx
from protocol.udx.receiver import ReorderBudget
from protocol.udx.stream import UdxStream

from ...world import REAL_WORLD, World
from .connection import UdxConnection
from .udp import DatagramSocket, SocketAddress

DatagramHandler = Callable[[bytes, SocketAddress, DatagramSocket], None]

# How long leaving waits for streams that were closed and still have bytes under way.
EXIT_SECONDS = 2.0


class UdxEndpoint:
    """All sockets and streams of one node.

    Resource handling:
      An async context manager. Leaving it gives closed streams ``EXIT_SECONDS`` to deliver what
      they hold, destroys those that live, and closes the sockets. Its tasks never fail.

    Attributes:
      streams: those that live or linger, by id.
    """

    def __init__(self, world: World = REAL_WORLD) -> None:
        """``world`` draws the ids of streams and gives ``bind`` its sockets."""
        self.streams: dict[int, UdxConnection] = {}
        self._world = world
        self._budget = ReorderBudget(UDX_SHARED_REORDER_BYTES)
        self._sockets: list[DatagramSocket] = []
        self._released: set[DatagramSocket] = set()
        # When to look at which stream; a stream may be in it more than once.
        self._timers: list[tuple[float, int, UdxConnection]] = []
        self._timer_numbers = count()
        self._sleep = trio.CancelScope()
        self._nursery: trio.Nursery
        self._nursery_manager: AbstractAsyncContextManager[trio.Nursery, bool | None]

    async def __aenter__(self) -> UdxEndpoint:
        self._nursery_manager = trio.open_nursery()
        self._nursery = await self._nursery_manager.__aenter__()
        self._nursery.start_soon(self._run_timers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                with trio.move_on_after(EXIT_SECONDS):
                    await self._wait_delivered()
        finally:
            for connection in list(self.streams.values()):
                connection.destroy()
            for socket in self._sockets:
                socket.close()
            self._nursery.cancel_scope.cancel()
            # The tasks never fail, so the nursery has nothing to add to what the body raised.
            await self._nursery_manager.__aexit__(None, None, None)

    # Sockets --------------------------------------------------------------------------------------

    def bind(
        self, host: str = "0.0.0.0", port: int = 0, on_datagram: DatagramHandler | None = None
    ) -> DatagramSocket:
        """Open a socket and ``attach`` it.

        Raises:
          ConnectionFailed: the address cannot be bound.
        """
        socket = self._world.bind_datagrams(host, port)
        self.attach(socket, on_datagram)
        return socket

    def attach(self, socket: DatagramSocket, on_datagram: DatagramHandler | None = None) -> None:
        """Read a socket from now on; the endpoint closes it in the end.

        ``on_datagram`` gets all that is not UDX. It must not raise for what strangers send.
        """
        self._sockets.append(socket)
        self._nursery.start_soon(self._receive, socket, on_datagram)

    def close_socket(self, socket: DatagramSocket) -> None:
        """Close one socket; streams that send through it fall silent."""
        if socket in self._sockets:
            self._sockets.remove(socket)
            socket.close()

    def release_socket(self, socket: DatagramSocket) -> None:
        """Close one socket as soon as no stream needs it."""
        if any(connection.needs(socket) for connection in self.streams.values()):
            self._released.add(socket)
        else:
            self._released.discard(socket)
            self.close_socket(socket)

    async def _receive(self, socket: DatagramSocket, on_datagram: DatagramHandler | None) -> None:
        streams = self.streams
        while True:
            try:
                batch = await socket.receive()
            except trio.ClosedResourceError:
                return
            now = trio.current_time()
            touched: dict[UdxConnection, None] = {}
            for data, address in batch:
                if is_udx(data):
                    connection = streams.get(int.from_bytes(data[4:8], "little"))
                    # What nobody knows is dropped; there is no packet that would say so.
                    if connection is not None and connection.take_untrusted(
                        data, address, socket, now
                    ):
                        touched[connection] = None
                elif on_datagram is not None:
                    on_datagram(data, address, socket)
            for connection in touched:
                connection.pump(now)

    # Streams --------------------------------------------------------------------------------------

    def new_stream_id(self) -> int:
        """A random id that no stream has."""
        while True:
            stream_id = int.from_bytes(self._world.random_bytes(4), "little")
            if stream_id not in self.streams:
                return stream_id

    def open_stream(
        self,
        stream_id: int | None = None,
        *,
        accepts: Callable[[SocketAddress, DatagramSocket], bool] | None = None,
        window_bytes: int = UDX_WINDOW_BYTES,
        keep_alive: float | None = None,
    ) -> UdxConnection:
        """A stream that takes packets from now on, and sends once it is connected.

        Args:
          stream_id: a random one if None.
          accepts: asked for every packet that comes before the stream is connected, or on another
            way than that it is connected on, by socket or address; it may call ``connect``.
            Without it all are accepted.
        """
        if stream_id is None:
            stream_id = self.new_stream_id()
        assert stream_id not in self.streams
        stream = UdxStream(
            stream_id, budget=self._budget, window_bytes=window_bytes, keep_alive=keep_alive
        )
        connection = UdxConnection(stream, accepts, self._wake_at, self._forget)
        self.streams[stream_id] = connection
        return connection

    def _forget(self, connection: UdxConnection) -> None:
        self.streams.pop(connection.stream_id, None)
        for socket in list(self._released):
            self.release_socket(socket)

    async def _wait_delivered(self) -> None:
        for connection in list(self.streams.values()):
            await connection.wait_delivered()

    # Timers ---------------------------------------------------------------------------------------

    def _wake_at(self, connection: UdxConnection, at: float) -> None:
        heappush(self._timers, (at, next(self._timer_numbers), connection))
        if at < self._sleep.deadline:
            self._sleep.deadline = at

    async def _run_timers(self) -> None:
        timers = self._timers
        while True:
            deadline = timers[0][0] if timers else float("inf")
            with trio.CancelScope(deadline=deadline) as self._sleep:
                await trio.sleep_forever()
            now = trio.current_time()
            while timers and timers[0][0] <= now:
                at, _, connection = heappop(timers)
                connection.handle_timer(at, now)
