"""One UDX stream as a trio stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from operator import index

import trio

from protocol.errors import DecodeError
from protocol.udx.events import CloseReason, MessageReceived, RemoteMoved, StreamClosed
from protocol.udx.stream import UdxStream

from .udp import DatagramSocket, SocketAddress

# Written bytes that have not left: above this a writer waits. As npm udx-native's mark.
SEND_BUFFER_BYTES = 256 * 1024
# What ``receive_some`` gives at once.
RECEIVE_BYTES = 256 * 1024
# After ``aclose``: how long the peer may take to end its side before it is told to.
CLOSE_SECONDS = 5.0


class UdxConnection(trio.abc.HalfCloseableStream):
    """A stream of ``UdxEndpoint``.

    Resource handling:
      ``aclose`` returns at once; what was written is still delivered. The peer has
      ``CLOSE_SECONDS`` to end as well; when it writes instead, it is told that nobody reads.
      Closing in a cancelled scope (or ``destroy``) ends both directions without delivering.

    Error handling:
      ``trio.BrokenResourceError`` when the peer destroyed the stream or stopped answering;
      ``close_reason`` tells which. Bytes that came before can still be read.

    Attributes:
      stream_id: by which the peer names it.
      socket: that it sends through; None before ``connect``.
      close_reason: None while it lives.
    """

    def __init__(
        self,
        stream: UdxStream,
        accepts: Callable[[SocketAddress, DatagramSocket], bool] | None,
        wake_at: Callable[[UdxConnection, float], None],
        forget: Callable[[UdxConnection], None],
    ) -> None:
        self.stream_id = stream.stream_id
        self.socket: DatagramSocket | None = None
        self.close_reason: CloseReason | None = None
        self._way_socket: DatagramSocket | None = None
        self._stream = stream
        self._accepts = accepts
        self._wake_at = wake_at
        self._forget = forget
        self._timer_at = float("inf")
        self._readable = trio.Event()
        self._writable = trio.Event()
        self._over = trio.Event()
        self._heard = trio.Event()
        self._moved = trio.Event()
        self._delivered = trio.Event()
        self._messages: deque[bytes] = deque()
        self._message_waiting = trio.Event()
        self._closed = False
        self._ended = False
        self._thrown_away = False
        self._close_by = float("inf")
        self._receiving = False
        self._sending = False

    # Opening --------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether it has a peer to send to."""
        return self._stream.connected

    @property
    def remote_address(self) -> SocketAddress:
        """Where it sends to."""
        address = self._stream.address
        assert isinstance(address, tuple)
        return (address[0], address[1])

    @property
    def protocol(self) -> UdxStream:
        """The state behind it, for figures."""
        return self._stream

    def connect(
        self,
        socket: DatagramSocket,
        remote_id: int,
        address: SocketAddress,
        *,
        proven: bool = True,
        greet: bool = False,
    ) -> None:
        """Say who the peer is; see ``UdxStream.connect``.

        Raises:
          LocalProtocolError: it is connected already.
        """
        now = trio.current_time()
        self._stream.connect(
            remote_id, address, now, ipv6=":" in address[0], proven=proven, greet=greet
        )
        self.socket = socket
        self.pump(now)

    async def wait_heard(self) -> None:
        """Wait until a packet has come from the peer.

        Raises:
          trio.BrokenResourceError: the stream ended instead.
        """
        await self._heard.wait()
        if self.close_reason is not None and not self._stream.unread_bytes:
            raise trio.BrokenResourceError(self.close_reason.value)

    async def wait_moved(self) -> None:
        """Wait until it has moved to another address, and the peer has all that was sent before.

        Raises:
          trio.BrokenResourceError: the stream ended instead.
        """
        await self._moved.wait()
        if self.close_reason is not None:
            raise trio.BrokenResourceError(self.close_reason.value)

    def try_way(self, socket: DatagramSocket, remote_id: int, address: SocketAddress) -> None:
        """Ask the peer to answer at another address, through ``socket``; see ``UdxStream.try_way``.

        Raises:
          LocalProtocolError: it was never connected.
        """
        now = trio.current_time()
        self._stream.try_way(remote_id, address, now)
        self._way_socket = socket
        self.pump(now)

    def needs(self, socket: DatagramSocket) -> bool:
        """Whether it sends through the socket, or may soon."""
        return socket is self.socket or (socket is self._way_socket and self._stream.trying_way)

    def change_remote(self, socket: DatagramSocket, remote_id: int, address: SocketAddress) -> None:
        """Go on at another address.

        Raises:
          LocalProtocolError: it was never connected.
        """
        self._stream.change_remote(remote_id, address)
        self.socket = socket
        self.pump(trio.current_time())

    # For the endpoint -----------------------------------------------------------------------------

    def take_untrusted(
        self, data: bytes, address: SocketAddress, socket: DatagramSocket, now: float
    ) -> bool:
        """Take a packet; gives whether it was taken. ``pump`` follows."""
        elsewhere = socket is not self.socket or address != self._stream.address
        if elsewhere and self._accepts is not None and not self._accepts(address, socket):
            return False
        try:
            self._stream.receive_packet_untrusted(data, address, now)
        except DecodeError:
            return False
        return True

    def handle_timer(self, at: float, now: float) -> None:
        """The time that ``wake_at`` was told has come."""
        if at != self._timer_at:
            # Another time was asked for after this one.
            return
        self._timer_at = float("inf")
        if now >= self._close_by:
            self._close_by = float("inf")
            self._stream.destroy(now)
        next_timer = self._stream.next_timer()
        if next_timer is not None and next_timer <= now:
            self._stream.handle_timer(now)
        self.pump(now)

    def pump(self, now: float) -> None:
        """Send what may leave, wake who waits, and ask to be woken."""
        stream = self._stream
        if stream.heard and not self._heard.is_set():
            self._heard.set()
        while (event := stream.next_event()) is not None:
            if type(event) is MessageReceived:
                if not self._closed:
                    self._messages.append(event.data)
                    self._message_waiting.set()
            elif type(event) is RemoteMoved:
                self._moved.set()
            else:
                self._readable.set()
                if type(event) is StreamClosed:
                    self._end(event.reason)
        if self._closed and not stream.closed:
            self._throw_away(now)
        packets = stream.packets_to_send(now)
        if packets and self.socket is not None:
            self.socket.send(packets)  # type: ignore[arg-type]
        if stream.trying_way:
            self._greet_on_way(now)
        if stream.unread_bytes:
            self._readable.set()
        if stream.unsent_bytes <= SEND_BUFFER_BYTES:
            self._writable.set()
        if self._closed and (stream.closed or not stream.outstanding):
            self._delivered.set()
        if stream.gone:
            self._forget(self)
            return
        at = stream.next_timer()
        if at is None or at > self._close_by:
            at = self._close_by
        if at < self._timer_at:
            self._timer_at = at
            self._wake_at(self, at)

    def _greet_on_way(self, now: float) -> None:
        greeting = self._stream.way_to_send(now)
        if greeting is not None and self._way_socket is not None:
            self._way_socket.send([greeting])  # type: ignore[list-item]

    def _throw_away(self, now: float) -> None:
        """Nobody reads any more; a peer that goes on writing is told so, once it has our bytes."""
        stream = self._stream
        if stream.unread_bytes:
            stream.read(stream.unread_bytes)
            self._thrown_away = True
        if self._thrown_away and not stream.outstanding:
            stream.destroy(now)

    def _end(self, reason: CloseReason) -> None:
        self.close_reason = reason
        self._heard.set()
        self._moved.set()
        self._close_by = float("inf")
        self._over.set()
        self._writable.set()
        self._message_waiting.set()

    # Bytes ----------------------------------------------------------------------------------------

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Queue all of ``data``; waits while more than ``SEND_BUFFER_BYTES`` have not left.

        Raises:
          trio.BrokenResourceError: the stream broke.
          trio.ClosedResourceError: this side closed it, or sent EOF.
          trio.BusyResourceError: another task is sending.
        """
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        self._check_writable()
        self._sending = True
        try:
            stream = self._stream
            stream.write(data if type(data) is bytes else bytes(data))
            self.pump(trio.current_time())
            if stream.unsent_bytes <= SEND_BUFFER_BYTES:
                await trio.lowlevel.checkpoint()
            else:
                await self._wait_writable()
        finally:
            self._sending = False

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until ``send_all`` of a little would not wait."""
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        self._check_writable()
        self._sending = True
        try:
            await trio.lowlevel.checkpoint()
            await self._wait_writable()
        finally:
            self._sending = False

    async def _wait_writable(self) -> None:
        while self._stream.unsent_bytes > SEND_BUFFER_BYTES:
            self._writable = trio.Event()
            await self._writable.wait()
            self._check_writable()
        self._check_writable()

    def _check_writable(self) -> None:
        if self._closed or self._ended:
            raise trio.ClosedResourceError
        if self.close_reason is not None:
            raise trio.BrokenResourceError(self.close_reason.value)

    async def send_eof(self) -> None:
        """End this direction after all that was written; the other goes on."""
        if self._sending:
            raise trio.BusyResourceError("another task is sending")
        if self._closed:
            raise trio.ClosedResourceError
        self._ended = True
        self._stream.end()
        self.pump(trio.current_time())
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Bytes in order, at least one; ``b""`` once the peer has ended.

        Raises:
          trio.BrokenResourceError: the stream broke.
          trio.ClosedResourceError: this side closed it.
          trio.BusyResourceError: another task is receiving.
        """
        if max_bytes is not None and index(max_bytes) < 1:
            raise ValueError("max_bytes must be at least 1")
        if self._receiving:
            raise trio.BusyResourceError("another task is receiving")
        self._receiving = True
        try:
            await trio.lowlevel.checkpoint()
            stream = self._stream
            while True:
                if self._closed:
                    raise trio.ClosedResourceError
                if stream.unread_bytes:
                    data = stream.read(max_bytes or RECEIVE_BYTES)
                    self.pump(trio.current_time())
                    return data
                if stream.read_to_end:
                    return b""
                if self.close_reason is not None:
                    raise trio.BrokenResourceError(self.close_reason.value)
                self._readable = trio.Event()
                await self._readable.wait()
        finally:
            self._receiving = False

    # Messages -------------------------------------------------------------------------------------

    def send_message(self, data: bytes) -> None:
        """Send an unordered message; it may be lost.

        Raises:
          LocalProtocolError: it is too long for a packet.
        """
        self._stream.send_message(data)
        self.pump(trio.current_time())

    async def receive_message(self) -> bytes:
        """The next unordered message.

        Raises:
          trio.EndOfChannel: the stream is over.
        """
        await trio.lowlevel.checkpoint()
        while not self._messages:
            if self._closed or self.close_reason is not None:
                raise trio.EndOfChannel
            self._message_waiting = trio.Event()
            await self._message_waiting.wait()
        return self._messages.popleft()

    # Closing --------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Close both directions; see the class."""
        if self._closed:
            await trio.lowlevel.checkpoint()
            return
        self._closed = True
        now = trio.current_time()
        stream = self._stream
        if not stream.connected:
            stream.destroy(now)
        else:
            stream.end()
            self._close_by = now + CLOSE_SECONDS
        self._readable.set()
        self._writable.set()
        self._message_waiting.set()
        try:
            self.pump(now)
            await trio.lowlevel.checkpoint()
        except trio.Cancelled:
            self.destroy()
            raise

    def destroy(self) -> None:
        """End at once, in both directions."""
        self._closed = True
        now = trio.current_time()
        self._stream.destroy(now)
        self._readable.set()
        self._writable.set()
        self.pump(now)

    async def wait_delivered(self) -> None:
        """After ``aclose``: wait until the peer has got everything, or the stream broke.

        Returns at once when it was not closed.
        """
        if self._closed:
            await self._delivered.wait()

    async def wait_closed(self) -> CloseReason:
        """Wait until the stream is over, whatever the reason."""
        await self._over.wait()
        assert self.close_reason is not None
        return self.close_reason
