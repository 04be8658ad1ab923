"""A node of HyperDHT: everything in this package behind one door.

The shell hands in datagrams and the time, sends what ``datagrams_to_send`` gives, and takes events
until there are none, after every call. It decides about ``HandshakeReceived`` and connects the UDX
streams of ``ConnectionReady``.

Wire facts: specs/13-dht.md; npm ``hyperdht``.
"""

from __future__ import annotations

from ..crypto.keys import KeyPair
from ..errors import LocalProtocolError, RemoteProtocolError
from ..limits import MAX_CONNECT_ATTEMPTS, MAX_DHT_RELAYS
from .addresses import Address
from .events import Event
from .handshake.connecting import Connect
from .handshake.listening import Server, Sessions
from .handshake.noise_payload import Firewall
from .handshake.router import Router
from .queries.operations import Operations
from .records.encoding import MutableValue
from .records.store import Store
from .rpc.messages import Command
from .rpc.requests import SERVER_SOCKET, Datagram, RandomBytes
from .rpc.rpc import Incoming, NodeConfig, Rpc


class DhtNode:
    """One node.

    Args:
      config: how to take part.
      random_bytes: gives so many random bytes, of cryptographic quality.
      now: seconds, of any clock that does not go back; the same clock in every call.
    """

    def __init__(self, config: NodeConfig, random_bytes: RandomBytes, now: float) -> None:
        self._rpc = Rpc(config, random_bytes, self._handle_untrusted, now)
        self._store = Store(self._rpc)
        self._router = Router(self._rpc, self._store)
        self._sessions = Sessions()
        self._servers: dict[bytes, Server] = {}
        self._operations = Operations(self._rpc)
        self._connects: dict[int, Connect] = {}
        self._attempts = 0

    # ourselves ------------------------------------------------------------------------------------

    @property
    def id(self) -> bytes | None:
        """Our node id, 32 bytes, while the node is persistent."""
        return self._rpc.id

    @property
    def address(self) -> Address | None:
        """Our public address, as configured or as most others see it."""
        return self._rpc.address

    @property
    def host(self) -> str | None:
        """Our public host, also where every peer sees another port of ours."""
        address = self._rpc.address
        return self._rpc.nat.host if address is None else address.host

    @property
    def firewalled(self) -> bool:
        """Whether strangers are not known to reach our server socket."""
        return self._rpc.firewalled

    @property
    def nat(self) -> Firewall:
        """What is before our sockets: nothing, a NAT that keeps its word, one that does not."""
        if not self._rpc.firewalled:
            return Firewall.OPEN
        if self._rpc.address is not None:
            return Firewall.CONSISTENT
        return Firewall.UNKNOWN if self._rpc.nat.host is None else Firewall.RANDOM

    @property
    def bootstrapped(self) -> bool:
        """Whether the node has looked for its place."""
        return self._rpc.upkeep.bootstrapped

    @property
    def nodes(self) -> list[Address]:
        """All nodes of the routing table."""
        return [node.address for node in self._rpc.table]

    @property
    def punches(self) -> tuple[int, int]:
        """How many hole punches led to a peer that we called so far, and how many did not."""
        return self._rpc.sockets.opened, self._rpc.sockets.missed

    @property
    def answered(self) -> int:
        """How many of our requests were answered so far."""
        return self._rpc.requests.answered

    @property
    def unanswered(self) -> int:
        """How many of our requests were given up so far."""
        return self._rpc.requests.unanswered

    @property
    def farewells(self) -> int:
        """How many announces are being taken back at present."""
        return self._rpc.farewells

    def start(self, now: float) -> None:
        """Look for our place in the network; ``Ready`` follows."""
        self._rpc.now = now
        self._rpc.upkeep.start()

    # bytes and time -------------------------------------------------------------------------------

    def receive_datagram_untrusted(
        self, data: bytes, addr: tuple[str, int], now: float, socket: int = SERVER_SOCKET
    ) -> None:
        """Take a datagram that arrived at a socket. Whatever it holds, nothing is raised."""
        self._rpc.now = now
        self._rpc.receive_datagram_untrusted(data, Address(*addr), socket)

    def datagrams_to_send(self, now: float) -> list[Datagram]:
        """Everything to be sent now."""
        self._rpc.now = now
        outbox = self._rpc.outbox
        datagrams = list(outbox)
        outbox.clear()
        return datagrams

    def next_event(self) -> Event | None:
        """The next thing for the shell to know; None when there is nothing for now."""
        events = self._rpc.events
        return events.popleft() if events else None

    def next_timer(self) -> float:
        """When ``handle_timer`` should be called at the latest."""
        times = [self._rpc.next_timer()]
        for server in self._servers.values():
            time = server.announcer.next_timer()
            if time is not None:
                times.append(time)
        return min(times)

    def handle_timer(self, now: float) -> None:
        """Time has passed."""
        self._rpc.now = now
        self._rpc.handle_timer()
        for server in list(self._servers.values()):
            server.announcer.handle_timer()
        for attempt in [a for a, connect in self._connects.items() if connect.done]:
            del self._connects[attempt]

    def _handle_untrusted(self, incoming: Incoming) -> None:
        """A request of HyperDHT. One that makes no sense gets no answer, as upstream."""
        try:
            if incoming.request.command == Command.PEER_HANDSHAKE:
                self._router.take_handshake_untrusted(incoming)
            elif incoming.request.command == Command.PEER_HOLEPUNCH:
                self._router.take_holepunch_untrusted(incoming)
            else:
                self._store.handle_untrusted(incoming)
        except RemoteProtocolError:
            pass

    # operations; each gives its number, and ends with ``OperationDone`` ---------------------------

    def find_node(self, target: bytes, now: float) -> int:
        """Find the nodes nearest to 32 bytes."""
        self._rpc.now = now
        return self._operations.find_node(target)

    def find_peer(self, public_key: bytes, now: float, nodes: tuple[Address, ...] = ()) -> int:
        """Find the nodes that know the way to a key."""
        self._rpc.now = now
        return self._operations.find_peer(public_key, nodes)

    def lookup(self, target: bytes, now: float, nodes: tuple[Address, ...] = ()) -> int:
        """Find the peers that serve a topic."""
        self._rpc.now = now
        return self._operations.lookup(target, nodes)

    def announce(
        self,
        target: bytes,
        key_pair: KeyPair,
        now: float,
        relay_addresses: tuple[Address, ...] = (),
        *,
        bump: int = 0,
        clear: bool = False,
        nodes: tuple[Address, ...] = (),
    ) -> int:
        """Say at the nodes nearest to a topic that this key serves it.

        Args:
          target: the topic, 32 bytes.
          key_pair: of the server.
          relay_addresses: nodes that introduce clients to it.
          bump: milliseconds since 1970 to be told to readers, or 0.
          clear: whether to take back first what further nodes still say of the key.
          nodes: to begin with, from an earlier run.
        """
        self._rpc.now = now
        return self._operations.announce(
            target, key_pair, relay_addresses, bump=bump, clear=clear, nodes=nodes
        )

    def unannounce(
        self, target: bytes, key_pair: KeyPair, now: float, nodes: tuple[Address, ...] = ()
    ) -> int:
        """Take back what nodes say of this key."""
        self._rpc.now = now
        return self._operations.unannounce(target, key_pair, nodes)

    def mutable_put(self, value: MutableValue, public_key: bytes, now: float) -> int:
        """Store a signed value (``records.sign_mutable``)."""
        self._rpc.now = now
        return self._operations.mutable_put(value, public_key)

    def mutable_get(self, public_key: bytes, now: float, seq: int = 0) -> int:
        """Fetch the values of a key with at least this number."""
        self._rpc.now = now
        return self._operations.mutable_get(public_key, seq)

    def immutable_put(self, value: bytes, now: float) -> int:
        """Store a value under its hash.

        Raises:
          LocalProtocolError: it does not fit into a datagram.
        """
        self._rpc.now = now
        return self._operations.immutable_put(value)

    def immutable_get(self, target: bytes, now: float) -> int:
        """Fetch the value with this 32-byte hash."""
        self._rpc.now = now
        return self._operations.immutable_get(target)

    def cancel(self, operation: int) -> None:
        """Stop an operation; nothing more comes with its number."""
        self._operations.cancel(operation)

    # connections ----------------------------------------------------------------------------------

    def connect(
        self,
        key_pair: KeyPair,
        public_key: bytes,
        stream_id: int,
        now: float,
        relays: tuple[Address, ...] = (),
        relay_through: bytes | None = None,
    ) -> int:
        """Find a peer by key; ``ConnectionReady`` or ``ConnectFailed`` follows.

        Args:
          key_pair: ours.
          public_key: the peer's, 32 bytes.
          stream_id: our end of the UDX stream, a free id.
          relays: nodes that may know the way, such as those of a topic's record.
          relay_through: key of a blind relay to meet at while the direct way is looked for.

        Raises:
          HandshakeError: the public key is not one.
          LocalProtocolError: too many attempts are on their way.
        """
        self._rpc.now = now
        running = sum(not connect.done for connect in self._connects.values())
        if running >= MAX_CONNECT_ATTEMPTS:
            raise LocalProtocolError("too many connections are being opened")
        self._attempts += 1
        connect = Connect(
            self._rpc, self._attempts, key_pair, public_key, stream_id, relays, relay_through
        )
        self._connects[self._attempts] = connect
        connect.start()
        return self._attempts

    def cancel_connect(self, attempt: int) -> None:
        """Stop an attempt; no event comes for it."""
        connect = self._connects.pop(attempt, None)
        if connect is not None:
            connect.cancel()

    def listen(self, key_pair: KeyPair, now: float, relay_through: bytes | None = None) -> None:
        """Announce a key and take its handshakes; ``Announced`` follows, now and again.

        ``relay_through``: key of a blind relay to meet clients at that have no direct way yet.

        Raises:
          LocalProtocolError: the key listens already.
        """
        self._rpc.now = now
        if key_pair.public_key in self._servers:
            raise LocalProtocolError("this key listens already")
        server = Server(self._rpc, self._sessions, key_pair, relay_through)
        self._servers[key_pair.public_key] = server
        self._router.servers[server.target] = server
        server.announcer.start()

    def unlisten(self, public_key: bytes, now: float) -> None:
        """Take the announces of a key back and answer no more handshakes."""
        self._rpc.now = now
        server = self._servers.pop(public_key, None)
        if server is not None:
            del self._router.servers[server.target]
            server.close()

    def relay_addresses(self, public_key: bytes) -> tuple[Address, ...]:
        """Where clients of a listening key are introduced: first by us if we are open."""
        server = self._servers.get(public_key)
        if server is None or not server.announcer.relays:
            return ()
        relays = tuple(route.relay_address for route in server.announcer.relays)
        address = None if self.firewalled else self.address
        own = () if address is None else (address,)
        return (own + relays)[:MAX_DHT_RELAYS]

    def accept(self, session: int, stream_id: int, now: float) -> bool:
        """Answer a ``HandshakeReceived``; ``ConnectionReady`` follows. False: it is too late.

        Raises:
          LocalProtocolError: it was decided already.
        """
        self._rpc.now = now
        found = self._sessions.take(session)
        if found is None:
            return False
        server, handshake = found
        server.accept(handshake, stream_id)
        return True

    def refuse(self, session: int, now: float) -> None:
        """Never answer this handshake."""
        self._rpc.now = now
        found = self._sessions.take(session)
        if found is not None:
            found[0].refuse(found[1])

    def settled(self, session: int, now: float) -> None:
        """The connection of a session is there, or failed."""
        self._rpc.now = now
        found = self._sessions.take(session)
        if found is not None:
            found[0].settle(found[1])
