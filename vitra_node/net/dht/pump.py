"""Sockets, timer and events of one ``DhtNode``. It moves them and decides nothing.

datagram, timer, call of ours --> node --> datagrams to its sockets
                                       '-> events to whoever waits for them
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from protocol.dht.addresses import Address
from protocol.dht.events import (
    Announced,
    ConnectFailed,
    ConnectionReady,
    Event,
    HandshakeReceived,
    OperationDone,
    Ready,
    RelayWanted,
    Reply,
    SocketUnwanted,
    SocketWanted,
)
from protocol.dht.node import DhtNode

from ..errors import ConnectionFailed
from ..udx.endpoint import DatagramHandler, UdxEndpoint
from ..udx.udp import Datagram as SocketDatagram
from ..udx.udp import DatagramSocket, SocketAddress
from .connection import Meeting
from .running import Running

log = logging.getLogger("vitra.net")

ServerEvent = Announced | HandshakeReceived | ConnectionReady | RelayWanted


class DhtPump:
    """Call ``pump`` after every call of the node.

    Attributes:
      node: the node.
      ready: set once the node has looked for its place.
      closed: whether the sockets are gone.
      operations: by number.
      attempts: by number.
      servers: who takes the events of a listening key.
      on_relay: tries a blind relay for a meeting.
    """

    def __init__(
        self,
        node: DhtNode,
        endpoint: UdxEndpoint,
        sockets: dict[int, DatagramSocket],
        bind: Callable[[], DatagramSocket],
    ) -> None:
        """Read the sockets from now on.

        Args:
          sockets: by the node's numbers for them.
          bind: gives a further one, on any port.
        """
        self.node = node
        self.ready = trio.Event()
        self.closed = False
        self.operations: dict[int, Running] = {}
        self.attempts: dict[int, Meeting] = {}
        self.servers: dict[bytes, Callable[[ServerEvent], None]] = {}
        self.on_relay: Callable[[RelayWanted, Meeting], None] = _no_relay
        self._endpoint = endpoint
        self._sockets = sockets
        self._bind = bind
        self._pumping = False
        self._sleep = trio.CancelScope()
        self._no_farewells = trio.Event()
        for number, socket in sockets.items():
            endpoint.attach(socket, self._receiver(number))

    def _receiver(self, socket: int) -> DatagramHandler:
        receive = self.node.receive_datagram_untrusted

        def take(data: bytes, address: SocketAddress, _socket: DatagramSocket) -> None:
            receive(data, address, trio.current_time(), socket)
            self.pump()

        return take

    async def run_timer(self) -> None:
        """Wake the node when it wants, for ever."""
        while True:
            with trio.CancelScope(deadline=self.node.next_timer()) as self._sleep:
                await trio.sleep_forever()
            self.node.handle_timer(trio.current_time())
            self.pump()

    def check_open(self) -> None:
        """Whether the node still has its sockets.

        Raises:
          trio.ClosedResourceError: it was left.
        """
        if self.closed:
            raise trio.ClosedResourceError("the DHT is closed")

    def close(self) -> None:
        """Nothing happens any more; whoever waits is told."""
        self.closed = True
        for running in list(self.operations.values()):
            running.stop()
        for number, meeting in list(self.attempts.items()):
            meeting.take(ConnectFailed(number, "the DHT is closed"), None)
            meeting.lose_relay()
        self.operations.clear()
        self.attempts.clear()

    async def wait_farewells(self) -> None:
        """Wait until all announces that are to be taken back are."""
        while self.node.farewells:
            self._no_farewells = trio.Event()
            await self._no_farewells.wait()

    def pump(self) -> None:
        """Carry out what the node wants."""
        if self._pumping:
            # Called by a receiver of an event; the loop below goes on.
            return
        self._pumping = True
        try:
            node = self.node
            while True:
                while (event := node.next_event()) is not None:
                    self._hand_out(event)
                datagrams = node.datagrams_to_send(trio.current_time())
                if not datagrams:
                    break
                batches: dict[tuple[int, int], list[SocketDatagram]] = {}
                for data, address, number, hops in datagrams:
                    batches.setdefault((number, hops), []).append((data, address))
                for (number, hops), batch in batches.items():
                    socket = self._sockets.get(number)
                    # One that could not be opened loses what it should send.
                    if socket is not None:
                        socket.send(batch, hops)
            self._sleep.deadline = node.next_timer()
            if not node.farewells:
                self._no_farewells.set()
        finally:
            self._pumping = False

    def _hand_out(self, event: Event) -> None:
        match event:
            case Ready():
                self.ready.set()
            case Reply(operation=operation):
                self._take(self.operations.get(operation), event)
            case OperationDone(operation=operation):
                self._take(self.operations.pop(operation, None), event)
            case ConnectFailed(attempt=number) | ConnectionReady(attempt=int(number)):
                meeting = self.attempts.pop(number, None)
                if meeting is not None:
                    meeting.take(event, self.socket_of(event))
            case RelayWanted(attempt=int(number)):
                if number in self.attempts:
                    self.on_relay(event, self.attempts[number])
            case (
                ConnectionReady(local_public_key=key)
                | HandshakeReceived(local_public_key=key)
                | RelayWanted(local_public_key=key)
            ):
                self._tell_server(key, event)
            case Announced(public_key=key):
                self._tell_server(key, event)
            case SocketWanted(socket=number):
                self._open_socket(number)
            case SocketUnwanted(socket=number):
                socket = self._sockets.pop(number, None)
                if socket is not None:
                    self._endpoint.release_socket(socket)

    def _open_socket(self, number: int) -> None:
        try:
            socket = self._bind()
        except ConnectionFailed as error:
            log.warning("a socket for a hole punch could not be opened: %s", error)
            return
        self._sockets[number] = socket
        self._endpoint.attach(socket, self._receiver(number))

    def socket_of(self, event: ConnectionReady | ConnectFailed) -> DatagramSocket | None:
        """The socket to connect from."""
        return None if isinstance(event, ConnectFailed) else self._sockets.get(event.socket)

    @staticmethod
    def _take(running: Running | None, event: Reply | OperationDone) -> None:
        if running is not None:
            running.take(event)

    def _tell_server(self, key: bytes, event: ServerEvent) -> None:
        take = self.servers.get(key)
        if take is not None:
            take(event)


def _no_relay(_event: RelayWanted, meeting: Meeting) -> None:
    meeting.lose_relay()


def as_address(address: tuple[str, int]) -> Address:
    """A pair as the node wants it."""
    return Address(address[0], address[1])
