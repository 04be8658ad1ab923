"""The live connections of a node, and what became of those that ended.

Whatever a peer does ends its connection at most; it is written down here, and the node goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from protocol.crypto.keys import KeyPair
from protocol.noise.handshake import HandshakeResult

from ..world import REAL_WORLD, World
from .bans import Bans
from .errors import ConnectionFailed, PeerFault
from .sessions.peer_sink import CoreSource
from .sessions.session import Session, replicate

# A node with more peers than this serves none of them well. Every one costs a file descriptor.
MAX_CONNECTIONS = 512
MAX_REMEMBERED_FAILURES = 256


class Failure(NamedTuple):
    """A connection that ended badly.

    Attributes:
      at: ``trio.current_time``.
      address: of the peer, as text.
      error: why; a ``PeerFault`` if the peer is to blame.
    """

    at: float
    address: str
    error: ConnectionFailed


class Connection:
    """A connection that lives.

    Attributes:
      address: of the peer, as text.
      initiator: whether we opened it.
      handshake: the one it came with, None if it begins with one of its own.
      session: None until the peer has shown that it holds the keys.
      opened_at: ``trio.current_time`` of that.
    """

    def __init__(
        self, address: str, initiator: bool, handshake: HandshakeResult | None = None
    ) -> None:
        self.address = address
        self.initiator = initiator
        self.handshake = handshake
        self.session: Session | None = None
        self.opened_at = float("inf")
        self._scope = trio.CancelScope()

    @property
    def remote_public_key(self) -> bytes:
        """The peer's static key, empty before a handshake of the connection's own is done."""
        if self.handshake is not None:
            return self.handshake.remote_public_key
        return b"" if self.session is None else self.session.remote_public_key

    def close(self) -> None:
        """End it."""
        self._scope.cancel()

    def poke(self) -> None:
        """Send something the peer has to acknowledge, to find out whether it is still there."""
        if self.session is not None:
            self.session.poke()

    async def run(
        self,
        stream: trio.abc.Stream,
        source: CoreSource,
        key_pair: KeyPair,
        wait_for_room: Callable[[], Awaitable[None]] | None,
        on_open: Callable[[Connection], None],
        world: World,
    ) -> None:
        """Replicate until it ends; raises ``ConnectionFailed``."""

        def opened(session: Session) -> None:
            self.session = session
            self.opened_at = trio.current_time()
            on_open(self)

        with self._scope:
            await replicate(
                stream,
                source,
                initiator=self.initiator,
                key_pair=key_pair,
                handshake=self.handshake,
                wait_for_room=wait_for_room,
                on_open=opened,
                world=world,
            )


class Connections:
    """All connections of a node.

    Attributes:
      live: those that have not ended.
      failures: the newest of those that ended badly.
      bans: what peers did wrong, and who is refused for it.
      fault_count: connections that ended because the peer broke the protocol.
      refused_count: connections turned away because their address is banned.
    """

    def __init__(
        self,
        source: CoreSource,
        key_pair: KeyPair,
        wait_for_room: Callable[[], Awaitable[None]] | None = None,
        *,
        world: World = REAL_WORLD,
    ) -> None:
        """``key_pair`` is the node's static key; for the rest see ``session.replicate``."""
        self.live: set[Connection] = set()
        self.failures: deque[Failure] = deque(maxlen=MAX_REMEMBERED_FAILURES)
        self.bans = Bans()
        self.fault_count = 0
        self.refused_count = 0
        self._source = source
        self._key_pair = key_pair
        self._wait_for_room = wait_for_room
        self._world = world

    @property
    def open(self) -> list[Connection]:
        """Those whose handshake is done, the oldest first."""
        shown = (each for each in self.live if each.session is not None)
        return sorted(shown, key=lambda each: each.opened_at)

    @property
    def full(self) -> bool:
        """Whether a further connection would be turned away."""
        return len(self.live) >= MAX_CONNECTIONS

    def refusal(self, address: str, public_key: bytes = b"") -> ConnectionFailed | None:
        """Why there is to be no connection with this peer now, if so; counts it."""
        now = trio.current_time()
        if self.bans.is_banned(address, now):
            who = address
        elif public_key and self.bans.is_banned(public_key.hex(), now):
            who = f"peer {public_key.hex()}"
        else:
            return None
        self.refused_count += 1
        return ConnectionFailed(f"{who} is banned, for it broke the protocol too often")

    def is_key_banned(self, public_key: bytes) -> bool:
        """Whether the peer with this key is refused, wherever it comes from."""
        return self.bans.is_banned(public_key.hex(), trio.current_time())

    def record(self, address: str, error: ConnectionFailed) -> None:
        """Remember a failure, and not what the connection had in memory when it came."""
        _forget_frames(error)
        if isinstance(error, PeerFault):
            _forget_frames(error.error)
        self.failures.append(Failure(trio.current_time(), address, error))

    async def run(
        self,
        stream: trio.abc.Stream,
        address: str,
        *,
        initiator: bool,
        on_open: Callable[[Connection], None] | None = None,
        handshake: HandshakeResult | None = None,
    ) -> ConnectionFailed | None:
        """Replicate over ``stream`` until it ends; gives what went wrong, if anything.

        ``on_open`` is called once the peer has shown that it holds the keys. ``handshake`` took
        place elsewhere, as those of the DHT do; without one it takes place on the stream.

        Past ``MAX_CONNECTIONS``, and to a banned address or key, the stream is closed at once.
        """
        connection = Connection(address, initiator, handshake)
        refusal = self.refusal(address, connection.remote_public_key)
        if refusal is not None:
            # Not remembered as a failure: those who come back would push out the others.
            await trio.aclose_forcefully(stream)
            return refusal
        if self.full:
            await trio.aclose_forcefully(stream)
            error = ConnectionFailed(f"there are {MAX_CONNECTIONS} connections already")
            self.record(address, error)
            return error

        def opened(connection: Connection) -> None:
            if handshake is None:
                # Only now it is known who the peer is.
                refused.append(self.refusal(address, connection.remote_public_key))
            if any(refused):
                connection.close()
            elif on_open is not None:
                on_open(connection)

        refused: list[ConnectionFailed | None] = []
        self.live.add(connection)
        try:
            await connection.run(
                stream, self._source, self._key_pair, self._wait_for_room, opened, self._world
            )
        except ConnectionFailed as error:
            if isinstance(error, PeerFault):
                self._charge(connection, error)
            self.record(address, error)
            return error
        finally:
            self.live.discard(connection)
        return next(iter(refused), None)

    def _charge(self, connection: Connection, fault: PeerFault) -> None:
        self.fault_count += 1
        now, weight = trio.current_time(), fault.error.ban_weight
        shown = connection.session is not None
        if shown or connection.handshake is None:
            # A datagram's address proves nothing before the peer has shown that it holds the keys;
            # anyone could have others banned.
            self.bans.charge(connection.address, weight, now)
        if shown:
            self.bans.charge(connection.remote_public_key.hex(), weight, now)


def _forget_frames(error: Exception) -> None:
    error.__traceback__ = error.__cause__ = error.__context__ = None
