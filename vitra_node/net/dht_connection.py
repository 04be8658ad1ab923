"""Connections by public key: the stream that a handshake in the DHT has led to."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from protocol.dht.events import ConnectFailed, ConnectionReady
from protocol.noise.handshake import HandshakeResult

from .errors import ConnectionFailed
from .udp import DatagramSocket, SocketAddress
from .udx import UdxEndpoint
from .udx_connection import UdxConnection


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
        self._outcome: ConnectionReady | ConnectFailed | None = None
        self._news = trio.Event()

    def _accepts(self, address: SocketAddress, socket: DatagramSocket) -> bool:
        if self._remote_id is None:
            self._source = (address, socket)
        elif not self.stream.connected:
            self.stream.connect(socket, self._remote_id, address)
        return True

    def take(self, outcome: ConnectionReady | ConnectFailed, socket: DatagramSocket | None) -> None:
        """The handshake ended; connects.

        Args:
          socket: to connect from, unless the peer has come to another.
        """
        self._outcome = outcome
        self._news.set()
        if isinstance(outcome, ConnectFailed):
            return
        stream = self.stream
        assert outcome.remote.udx is not None
        self._remote_id = outcome.remote.udx.id
        if self._source is not None:
            address, socket = self._source
            stream.connect(socket, self._remote_id, address)
        elif outcome.address is not None and socket is not None:
            stream.connect(
                socket, self._remote_id, outcome.address, proven=outcome.proven, greet=True
            )

    async def meet(self) -> DhtConnection:
        """Wait for the handshake, and for the peer's first packet.

        Raises:
          ConnectionFailed: one of them fails; the text says which.
        """
        await self._news.wait()
        stream, ready = self.stream, self._outcome
        assert ready is not None
        if isinstance(ready, ConnectFailed):
            raise ConnectionFailed(ready.reason)
        try:
            with trio.fail_after(ready.seconds):
                await stream.wait_heard()
        except trio.TooSlowError:
            where = "" if ready.address is None else f" at {ready.address.host}"
            raise ConnectionFailed(
                f"the peer answered the handshake, but nothing came from it{where}"
                f" within {ready.seconds:.0f} s"
            ) from None
        except trio.BrokenResourceError:
            raise ConnectionFailed("the peer closed the connection at once") from None
        return DhtConnection(
            stream, ready.handshake, ready.attempt is not None, stream.remote_address
        )

    def give_up(self) -> None:
        """End the stream."""
        self.stream.destroy()
