"""Connections by public key: the stream that a handshake in the DHT has led to."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from protocol.dht.events import ConnectionReady
from protocol.noise.handshake import HandshakeResult

from .errors import ConnectionFailed
from .udp import DatagramSocket, SocketAddress
from .udx import UdxEndpoint
from .udx_connection import UdxConnection

# From the handshake to the first packet; JS peers wait as long.
MEETING_SECONDS = 10.0


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

    The peer may be first: what comes for the id before we know where it is, is its address.
    """

    def __init__(self, endpoint: UdxEndpoint) -> None:
        self.stream = endpoint.open_stream(accepts=self._accepts)
        self._source: tuple[SocketAddress, DatagramSocket] | None = None
        self._remote_id: int | None = None

    def _accepts(self, address: SocketAddress, socket: DatagramSocket) -> bool:
        if self._remote_id is None:
            self._source = (address, socket)
        elif not self.stream.connected:
            self.stream.connect(socket, self._remote_id, address)
        return True

    async def meet(self, ready: ConnectionReady, socket: DatagramSocket) -> DhtConnection:
        """Connect, and wait for the peer's first packet.

        Args:
          socket: to connect from, unless the peer has come to another.

        Raises:
          ConnectionFailed: none comes in time.
        """
        stream = self.stream
        assert ready.remote.udx is not None
        self._remote_id = ready.remote.udx.id
        if self._source is not None:
            address, socket = self._source
            stream.connect(socket, self._remote_id, address)
        elif ready.address is not None:
            stream.connect(socket, self._remote_id, ready.address, proven=ready.proven, greet=True)
        try:
            with trio.fail_after(MEETING_SECONDS):
                await stream.wait_heard()
        except trio.TooSlowError:
            where = "" if ready.address is None else f" at {ready.address.host}"
            raise ConnectionFailed(
                f"the peer answered the handshake, but nothing came from it{where}"
                f" within {MEETING_SECONDS:.0f} s"
            ) from None
        except trio.BrokenResourceError:
            raise ConnectionFailed("the peer closed the connection at once") from None
        return DhtConnection(
            stream, ready.handshake, ready.attempt is not None, stream.remote_address
        )

    def give_up(self) -> None:
        """End the stream."""
        self.stream.destroy()
