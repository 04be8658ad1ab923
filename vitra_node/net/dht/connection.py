"""Connections by public key: the stream that a handshake in the DHT has led to."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from protocol.dht.events import ConnectFailed, ConnectionReady, RelayWanted
from protocol.limits import MEETING_SECONDS
from protocol.noise.handshake import HandshakeResult

from ..errors import ConnectionFailed
from ..udx.connection import UdxConnection
from ..udx.endpoint import UdxEndpoint
from ..udx.udp import DatagramSocket, SocketAddress


@dataclass(frozen=True, slots=True, eq=False)
class DhtConnection:
    """A stream to a peer that was heard on it, with the keys to encrypt it.

    It goes on as a secret stream (``net.session.replicate`` with this handshake), in which the peer
    shows that it holds its key; nothing before that proves it.

    Resource handling:
      The stream is the receiver's to close.

    Attributes:
      stream: the bytes.
      handshake: keys, hash, and the peer's public key.
      initiator: whether we connected.
      address: of the peer, at the time of connecting.
    """

    stream: UdxConnection
    handshake: HandshakeResult
    initiator: bool
    address: SocketAddress

    @property
    def remote_public_key(self) -> bytes:
        """The peer's, 32 bytes."""
        return self.handshake.remote_public_key


class Meeting:
    """A stream from its first hour: its id is in the handshake, its peer not known yet.

    The peer may be first: what comes for the id before we know where it is, is its address. When
    both meet at a blind relay first, the stream moves to the direct way as soon as a packet of it
    has come there: whoever learns of that way greets the peer on it, who moves by the greeting, and
    answers on it. So neither leaves the relay for a way that is open in one direction only.

    Attributes:
      stream: the stream.
      relaying: whether a relay is being tried; a direct way that fails is not the end then.
    """

    def __init__(self, endpoint: UdxEndpoint) -> None:
        self.stream = endpoint.open_stream(accepts=self._accepts)
        self.relaying = False
        self._source: tuple[SocketAddress, DatagramSocket] | None = None
        self._remote_id: int | None = None
        self._at_relay = False
        # Where the relay is, since before it can pass anything on.
        self._relay: tuple[SocketAddress, DatagramSocket] | None = None
        self._direct = trio.Event()
        self._known: ConnectionReady | RelayWanted | None = None
        self._seconds = MEETING_SECONDS
        self._failure: ConnectFailed | None = None
        self._news = trio.Event()

    def _accepts(self, address: SocketAddress, socket: DatagramSocket) -> bool:
        """A packet came before the stream is connected, or on another way than it is."""
        if self._relay == (address, socket):
            # The peer was told of the relay's stream before us. What it says does not show where it
            # is, and we cannot answer yet; it comes again.
            return self.stream.connected
        if self._remote_id is None:
            self._source = (address, socket)
        elif not self.stream.connected:
            self.stream.connect(socket, self._remote_id, address)
        elif self._at_relay:
            self._go_direct(socket, address)
        return True

    def _go_direct(self, socket: DatagramSocket, address: SocketAddress) -> None:
        assert self._remote_id is not None
        self._at_relay = False
        self._direct.set()
        self.stream.change_remote(socket, self._remote_id, address)
        # Shows the peer the way, outside of the bytes.
        self.stream.send_message(b"")

    def take(self, outcome: ConnectionReady | ConnectFailed, socket: DatagramSocket | None) -> None:
        """The handshake ended, or the direct way; connects.

        Args:
          socket: to connect from, unless the peer has come to another.
        """
        if isinstance(outcome, ConnectFailed):
            self._failure = outcome
            if not self.relaying:
                self._news.set()
            return
        self._learn(outcome)
        self._seconds = outcome.seconds
        self._news.set()
        stream = self.stream
        if stream.connected:
            if self._at_relay and outcome.address is not None and socket is not None:
                stream.try_way(socket, self._remote_id or 0, outcome.address)
        elif self._source is not None:
            address, socket = self._source
            stream.connect(socket, self._remote_id or 0, address)
        elif outcome.address is not None and socket is not None:
            stream.connect(
                socket, self._remote_id or 0, outcome.address, proven=outcome.proven, greet=True
            )

    def _learn(self, event: ConnectionReady | RelayWanted) -> None:
        assert event.remote.udx is not None
        self._remote_id = event.remote.udx.id
        self._known = event

    def want_relay(self, event: RelayWanted) -> None:
        """A relay is tried from now on, until ``take_relay`` or ``lose_relay``."""
        self.relaying = True
        self._learn(event)
        if self._source is not None and not self.stream.connected:
            address, socket = self._source
            self.stream.connect(socket, self._remote_id or 0, address)

    def expect_relay(self, socket: DatagramSocket, address: SocketAddress) -> None:
        """The relay is about to be asked; what comes from there from now on, it passes on."""
        self._relay = (address, socket)

    def take_relay(
        self, socket: DatagramSocket, relay_stream_id: int, address: SocketAddress
    ) -> None:
        """The relay has both peers."""
        self.relaying = False
        if not self.stream.connected and self.stream.close_reason is None:
            self._at_relay = True
            self.stream.connect(socket, relay_stream_id, address, greet=True)
        self._news.set()

    def lose_relay(self) -> None:
        """The relay is of no use."""
        self.relaying = False
        if self._failure is not None:
            self._news.set()

    async def wait_direct(self) -> None:
        """Wait until the stream goes no detour through a relay."""
        if self._at_relay:
            await self._direct.wait()

    async def meet(self) -> DhtConnection:
        """Wait for the handshake, and for the peer's first packet.

        Raises:
          ConnectionFailed: one of them fails; the text says which.
        """
        await self._news.wait()
        stream, known = self.stream, self._known
        if known is None or (self._failure is not None and not stream.connected):
            assert self._failure is not None
            raise ConnectionFailed(self._failure.reason)
        try:
            with trio.fail_after(self._seconds):
                await stream.wait_heard()
        except trio.TooSlowError:
            where = f" at {stream.remote_address[0]}" if stream.connected else ""
            raise ConnectionFailed(
                f"the peer answered the handshake, but nothing came from it{where}"
                f" within {self._seconds:.0f} s"
            ) from None
        except trio.BrokenResourceError:
            raise ConnectionFailed("the peer closed the connection at once") from None
        return DhtConnection(
            stream, known.handshake, known.attempt is not None, stream.remote_address
        )

    def give_up(self) -> None:
        """End the stream."""
        self.stream.destroy()
