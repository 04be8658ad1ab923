"""A key that listens: the connections of those who found it in the DHT."""

from __future__ import annotations

from collections.abc import Callable

import trio

from protocol.crypto.keys import KeyPair
from protocol.dht.events import Announced, ConnectionReady, HandshakeReceived, RelayWanted
from protocol.limits import MAX_HALF_OPEN_HANDSHAKES, PUNCHED_MEETING_SECONDS

from ..errors import ConnectionFailed
from ..udx.endpoint import UdxEndpoint
from ..udx.udp import SocketAddress
from .connection import DhtConnection, Meeting
from .pump import DhtPump, ServerEvent

Firewall = Callable[[bytes], bool]

# Connections that nobody has taken; more handshakes are not answered until somebody does.
MAX_UNTAKEN_CONNECTIONS = 64


class DhtServer:
    """Made by ``DHT.listen``; iterate it for its connections.

    Attributes:
      key_pair: the key.
    """

    def __init__(
        self,
        pump: DhtPump,
        endpoint: UdxEndpoint,
        key_pair: KeyPair,
        firewall: Firewall | None,
        nursery: trio.Nursery,
    ) -> None:
        self.key_pair = key_pair
        self._pump = pump
        self._endpoint = endpoint
        self._firewall = firewall
        self._nursery = nursery
        self._announced = trio.Event()
        # By number of the session; the oldest gives way when there are too many.
        self._meetings: dict[int, tuple[Meeting, trio.CancelScope]] = {}
        self._give, self._take = trio.open_memory_channel[DhtConnection](MAX_UNTAKEN_CONNECTIONS)

    @property
    def public_key(self) -> bytes:
        """The key that clients connect to, 32 bytes."""
        return self.key_pair.public_key

    @property
    def relay_addresses(self) -> tuple[SocketAddress, ...]:
        """Where clients are introduced: at our own address if it is open, and by nodes.

        Three at most, for the records of topics. Empty before announcing.
        """
        return self._pump.node.relay_addresses(self.public_key)

    @property
    def announced(self) -> bool:
        """Whether the key has been announced."""
        return self._announced.is_set()

    async def wait_announced(self) -> None:
        """Wait until clients can find the key; for ever when there is no network."""
        await self._announced.wait()

    async def accept(self) -> DhtConnection:
        """The next connection.

        Raises:
          trio.ClosedResourceError: it listens no more; iterating ends instead.
        """
        while True:
            connection = await self._take.receive()
            # It may have broken while nobody took it.
            if connection.stream.close_reason is None or connection.stream.protocol.unread_bytes:
                return connection

    def __aiter__(self) -> DhtServer:
        return self

    async def __anext__(self) -> DhtConnection:
        try:
            return await self.accept()
        except trio.ClosedResourceError:
            raise StopAsyncIteration from None

    # for the pump ---------------------------------------------------------------------------------

    def take(self, event: ServerEvent) -> None:
        """Something happened to this key."""
        match event:
            case Announced():
                self._announced.set()
            case HandshakeReceived():
                self._answer(event)
            case ConnectionReady(session=int(session)):
                meeting, scope = self._meetings[session]
                meeting.take(event, self._pump.socket_of(event))
                self._nursery.start_soon(self._meet, session, meeting, scope)
            case RelayWanted(session=int(session)):
                self._pump.on_relay(event, self._meetings[session][0])

    def _answer(self, event: HandshakeReceived) -> None:
        node, now = self._pump.node, trio.current_time()
        untaken = self._give.statistics().current_buffer_used
        if untaken >= MAX_UNTAKEN_CONNECTIONS or self._refuses(event.remote_public_key):
            node.refuse(event.session, now)
            return
        if len(self._meetings) >= MAX_HALF_OPEN_HANDSHAKES:
            self._meetings[next(iter(self._meetings))][1].cancel()
        meeting = Meeting(self._endpoint)
        self._meetings[event.session] = (meeting, trio.CancelScope())
        if not node.accept(event.session, meeting.stream.stream_id, now):
            del self._meetings[event.session]
            meeting.give_up()

    def _refuses(self, public_key: bytes) -> bool:
        return self._firewall is not None and self._firewall(public_key)

    async def _meet(self, session: int, meeting: Meeting, scope: trio.CancelScope) -> None:
        met = False
        try:
            with scope:
                self._give.send_nowait(await meeting.meet())
                met = True
                # What leads to a direct way is needed until there is one.
                with trio.move_on_after(PUNCHED_MEETING_SECONDS):
                    await meeting.wait_direct()
        except (ConnectionFailed, trio.WouldBlock, trio.BrokenResourceError):
            # A client that does not come is no news, and one too many comes again.
            pass
        finally:
            if not met:
                meeting.give_up()
            del self._meetings[session]
            self._pump.node.settled(session, trio.current_time())
            self._pump.pump()

    def close(self) -> None:
        """Nobody takes connections any more; those not taken end."""
        for _, scope in self._meetings.values():
            scope.cancel()
        while True:
            try:
                self._take.receive_nowait().stream.destroy()
            except trio.WouldBlock:
                break
        self._take.close()
