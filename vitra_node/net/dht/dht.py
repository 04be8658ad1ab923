"""The distributed hash table: find peers by topic or key, connect to them, be found.

    async with DHT.open() as dht:
        async for reply in dht.lookup(topic):
            for peer in reply.records:
                connection = await dht.connect(peer.public_key, relays=peer.relay_addresses)

        async with dht.listen() as server:
            await dht.announce(topic, server.key_pair, server.relay_addresses)
            async for connection in server: ...

One server socket carries the DHT and all streams; a second one asks while it is not known whether
strangers reach the first.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import trio

from protocol.crypto.keys import SEED_BYTES, KeyPair
from protocol.dht.addresses import Address, is_reserved
from protocol.dht.events import OperationDone, RelayWanted
from protocol.dht.handshake.noise_payload import Firewall as Nat
from protocol.dht.node import DhtNode
from protocol.dht.records.encoding import MutableValue, sign_mutable
from protocol.dht.rpc.requests import CLIENT_SOCKET, SERVER_SOCKET
from protocol.dht.rpc.rpc import NodeConfig
from protocol.errors import ProtocolError
from protocol.mux.blind_relay import Pair
from protocol.noise.secret_stream import STREAM_HEADER_BYTES

from ...nursery import open_owned_nursery
from ...world import REAL_WORLD, World
from ..errors import ConnectionFailed
from ..udx.endpoint import UdxEndpoint
from ..udx.udp import DatagramSocket, SocketAddress
from .bootstrap import PUBLIC_BOOTSTRAP, local_hosts, resolve
from .connection import DhtConnection, Meeting
from .lookup import Lookup
from .pump import DhtPump, as_address
from .relay_link import hold_link
from .server import DhtServer, Firewall

log = logging.getLogger("vitra.net")

# How long leaving waits for the nodes that are told that a key is not served any more.
FAREWELL_SECONDS = 1.0

Addresses = Iterable[tuple[str, int]]


class DHT:
    """A node of HyperDHT, made by ``DHT.open``.

    Attributes:
      key_pair: who we are where no other key is given.
    """

    def __init__(
        self,
        pump: DhtPump,
        endpoint: UdxEndpoint,
        sockets: dict[int, DatagramSocket],
        key_pair: KeyPair,
        nursery: trio.Nursery,
        world: World,
    ) -> None:
        self.key_pair = key_pair
        self._world = world
        self._pump = pump
        self._node = pump.node
        self._endpoint = endpoint
        self._sockets = sockets
        self._nursery = nursery
        pump.on_relay = self._try_relay

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        bootstrap: Addresses | None = None,
        host: str = "0.0.0.0",
        port: int = 0,
        *,
        key_pair: KeyPair | None = None,
        address: tuple[str, int] | None = None,
        ephemeral: bool | None = None,
        firewalled: bool | None = None,
        world: World = REAL_WORLD,
    ) -> AsyncIterator[DHT]:
        """Take part in a network.

        Args:
          bootstrap: nodes to ask first; None for the public network, empty to begin one of our own.
          host, port: to bind to; port 0 for any.
          key_pair: a fresh one by default.
          address: ours as others see it, if it is known: the node serves others at once. A node
            that begins a network on one host needs not give it.
          ephemeral: True: never serve others. False: as soon as our address is known. None: after
            20 minutes of having been reachable.
          firewalled: False when strangers are known to reach the port, True when they are known not
            to. None to find out.
          world: where chance, date and sockets come from.

        Resource handling:
          Owns two sockets and its tasks; all streams, servers and announced keys end on leaving,
          which takes up to ``FAREWELL_SECONDS`` and ``udx.EXIT_SECONDS`` for what is under way.

        Raises:
          ConnectionFailed: the port cannot be bound, or no bootstrap node has an address.
        """
        if ":" in host:
            raise ConnectionFailed(f"{host} cannot be bound: this network has IPv4 addresses only")
        pair = key_pair or KeyPair.from_seed(world.random_bytes(SEED_BYTES))
        nodes = await resolve(PUBLIC_BOOTSTRAP if bootstrap is None else bootstrap)
        async with UdxEndpoint(world) as endpoint:
            bound = {SERVER_SOCKET: world.bind_datagrams(host, port)}
            try:
                bound[CLIENT_SOCKET] = world.bind_datagrams(host, 0)
            except ConnectionFailed:
                bound[SERVER_SOCKET].close()
                raise
            server = as_address(bound[SERVER_SOCKET].address)
            own = None if address is None else as_address(address)
            if own is None and not nodes and ephemeral is not True and server.host != "0.0.0.0":
                own = server
            known = nodes or (own or server,)
            config = NodeConfig(
                bootstrap=nodes,
                address=own,
                ephemeral=ephemeral,
                firewalled=firewalled is not False,
                check_reachability=firewalled is None,
                client_socket=True,
                local_port=server.port,
                local_hosts=local_hosts(server.host),
                # A private network may well live in one /24.
                limit_subnets=not all(is_reserved(node.host) for node in known),
                unix_time_at_zero=world.unix_time() - trio.current_time(),
            )
            node = DhtNode(config, world.random_bytes, trio.current_time())
            pump = DhtPump(node, endpoint, bound, lambda: world.bind_datagrams(host, 0))
            async with open_owned_nursery() as nursery:
                nursery.start_soon(pump.run_timer)
                pump.node.start(trio.current_time())
                pump.pump()
                try:
                    yield cls(pump, endpoint, bound, pair, nursery, world)
                    with trio.move_on_after(FAREWELL_SECONDS):
                        await pump.wait_farewells()
                finally:
                    pump.close()

    # ourselves ------------------------------------------------------------------------------------

    @property
    def local_address(self) -> SocketAddress:
        """Where the server socket is bound."""
        return self._sockets[SERVER_SOCKET].address

    @property
    def address(self) -> SocketAddress | None:
        """Our public address, as configured or as most others see it."""
        return self._node.address

    @property
    def id(self) -> bytes | None:
        """Our node id, 32 bytes, while we serve others."""
        return self._node.id

    @property
    def nodes(self) -> list[Address]:
        """The nodes we know."""
        return self._node.nodes

    @property
    def firewalled(self) -> bool:
        """Whether strangers are not known to reach our server socket."""
        return self._node.firewalled

    @property
    def nat(self) -> Nat:
        """``OPEN``, ``CONSISTENT`` (peers can punch to us), ``RANDOM``, or ``UNKNOWN`` so far."""
        return self._node.nat

    @property
    def answered(self) -> tuple[int, int]:
        """How many of our requests were answered so far, and how many given up."""
        return self._node.answered, self._node.unanswered

    @property
    def punches(self) -> tuple[int, int]:
        """How many hole punches led to a peer that we called so far, and how many did not."""
        return self._node.punches

    @property
    def bootstrapped(self) -> bool:
        """Whether we have looked for our place in the network."""
        return self._node.bootstrapped

    async def wait_bootstrapped(self) -> None:
        """Wait until ``bootstrapped``; ``nodes`` is empty then when nobody answered."""
        await self._pump.ready.wait()

    # operations -----------------------------------------------------------------------------------

    def lookup(self, topic: bytes, nodes: Addresses = ()) -> Lookup:
        """Find who serves a topic (32 bytes); iterate it for the nodes' replies.

        ``nodes`` to begin with: ``closest`` of an earlier lookup or announce.
        """
        return self._start(lambda now: self._node.lookup(topic, now, _tuple(nodes)))

    def find_peer(self, public_key: bytes, nodes: Addresses = ()) -> Lookup:
        """Find the nodes that know the way to a key; iterate it for their replies."""
        return self._start(lambda now: self._node.find_peer(public_key, now, _tuple(nodes)))

    def find_node(self, target: bytes) -> Lookup:
        """Find the nodes nearest to 32 bytes: ``closest`` when it is done."""
        return self._start(lambda now: self._node.find_node(target, now))

    async def announce(
        self,
        topic: bytes,
        key_pair: KeyPair | None = None,
        relay_addresses: Addresses = (),
        *,
        clear: bool = False,
        bump: int = 0,
        nodes: Addresses = (),
    ) -> OperationDone:
        """Say at the nodes nearest to a topic that a key serves it; they forget it in 20 minutes.

        Args:
          relay_addresses: nodes that introduce clients to it, such as the server's.
          clear: whether to take back first what further nodes still say of the key.
          bump: milliseconds since 1970 to be told to readers, or 0.

        Raises:
          ConnectionFailed: no node took it.
        """
        pair = key_pair or self.key_pair
        relays = _tuple(relay_addresses)
        done = await self._finish(
            lambda now: self._node.announce(
                topic, pair, now, relays, clear=clear, bump=bump, nodes=_tuple(nodes)
            )
        )
        return _stored(done, "the announcement")

    async def unannounce(
        self, topic: bytes, key_pair: KeyPair | None = None, nodes: Addresses = ()
    ) -> OperationDone:
        """Take back what nodes say of a key and a topic."""
        pair = key_pair or self.key_pair
        return await self._finish(
            lambda now: self._node.unannounce(topic, pair, now, _tuple(nodes))
        )

    async def mutable_put(
        self, value: bytes, seq: int = 0, key_pair: KeyPair | None = None
    ) -> OperationDone:
        """Store a value under our key for 48 hours; a higher ``seq`` replaces a lower one.

        Raises:
          LocalProtocolError: it does not fit into a datagram.
          ConnectionFailed: no node took it.
        """
        pair = key_pair or self.key_pair
        signed = sign_mutable(seq, value, pair)
        done = await self._finish(lambda now: self._node.mutable_put(signed, pair.public_key, now))
        return _stored(done, "the value")

    async def mutable_get(self, public_key: bytes, seq: int = 0) -> MutableValue | None:
        """The newest value under a key, with at least this ``seq``; None if there is none."""
        newest: MutableValue | None = None
        async for reply in self._start(lambda now: self._node.mutable_get(public_key, now, seq)):
            if reply.value is not None and (newest is None or reply.value.seq > newest.seq):
                newest = reply.value
        return newest

    async def immutable_put(self, value: bytes) -> OperationDone:
        """Store a value under its hash for 48 hours.

        Raises:
          LocalProtocolError: it does not fit into a datagram.
          ConnectionFailed: no node took it.
        """
        done = await self._finish(lambda now: self._node.immutable_put(value, now))
        return _stored(done, "the value")

    async def immutable_get(self, target: bytes) -> bytes | None:
        """The value with this 32-byte hash (BLAKE2b); None if nobody has it."""
        lookup = self._start(lambda now: self._node.immutable_get(target, now))
        try:
            async for reply in lookup:
                if reply.content is not None:
                    return reply.content
        finally:
            lookup.close()
        return None

    def _start(self, begin: Callable[[float], int]) -> Lookup:
        return Lookup(self._pump, begin)

    async def _finish(self, begin: Callable[[float], int]) -> OperationDone:
        lookup = self._start(begin)
        try:
            async for _ in lookup:
                pass
        finally:
            lookup.close()
        assert lookup.done is not None
        return lookup.done

    # connections ----------------------------------------------------------------------------------

    async def connect(
        self,
        public_key: bytes,
        key_pair: KeyPair | None = None,
        relays: Addresses = (),
        *,
        relay_through: bytes | None = None,
    ) -> DhtConnection:
        """Connect to a listening key.

        Args:
          key_pair: who we are to it.
          relays: nodes that may know the way, such as ``relay_addresses`` of a topic's record.
          relay_through: key of a blind relay to meet at if the direct way takes longer; the
            connection moves to the direct way if there is one.

        Raises:
          ConnectionFailed: it was not found, refused, or could not be reached; the text says which.
          trio.ClosedResourceError: the DHT was left before.
        """
        self._pump.check_open()
        meeting = Meeting(self._endpoint)
        number: int | None = None
        met = False
        try:
            number = self._node.connect(
                key_pair or self.key_pair,
                public_key,
                meeting.stream.stream_id,
                trio.current_time(),
                _tuple(relays),
                relay_through,
            )
            self._pump.attempts[number] = meeting
            self._pump.pump()
            connection = await meeting.meet()
            met = True
        except ProtocolError as error:
            raise ConnectionFailed(str(error)) from error
        finally:
            # One that stands may still find a better way.
            if not met:
                if number is not None and self._pump.attempts.pop(number, None) is not None:
                    self._node.cancel_connect(number)
                    self._pump.pump()
                meeting.give_up()
        return connection

    @asynccontextmanager
    async def listen(
        self,
        key_pair: KeyPair | None = None,
        *,
        firewall: Firewall | None = None,
        relay_through: bytes | None = None,
    ) -> AsyncIterator[DhtServer]:
        """Be found and connected to under a key, which is announced and kept announced.

        Args:
          firewall: asked for each client's public key; true refuses the client, which then learns
            nothing, not even that we are here.
          relay_through: key of a blind relay to meet clients at that have no direct way yet.

        Resource handling:
          On leaving, the key's announces are taken back, and connections that nobody took end.
          Those that were taken live on.

        Raises:
          LocalProtocolError: the key listens already.
        """
        pair = key_pair or self.key_pair
        self._pump.check_open()
        self._node.listen(pair, trio.current_time(), relay_through)
        async with open_owned_nursery() as nursery:
            server = DhtServer(self._pump, self._endpoint, pair, firewall, nursery)
            self._pump.servers[pair.public_key] = server.take
            self._pump.pump()
            try:
                yield server
            finally:
                del self._pump.servers[pair.public_key]
                self._node.unlisten(pair.public_key, trio.current_time())
                server.close()
                self._pump.pump()

    def _try_relay(self, event: RelayWanted, meeting: Meeting) -> None:
        meeting.want_relay(event)
        self._nursery.start_soon(self._meet_at_relay, event, meeting)

    async def _meet_at_relay(self, event: RelayWanted, meeting: Meeting) -> None:
        pair = Pair(event.is_initiator, event.relay.token, event.local_stream_id)
        try:
            connection = await self.connect(event.relay.public_key)
            header = self._world.random_bytes(STREAM_HEADER_BYTES)
            await hold_link(connection, meeting, self.key_pair.public_key, pair, header)
        except ConnectionFailed as error:
            log.info("a relay is of no use: %s", error)
            meeting.lose_relay()


def _tuple(nodes: Addresses) -> tuple[Address, ...]:
    return tuple(map(as_address, nodes))


def _stored(done: OperationDone, what: str) -> OperationDone:
    if done.stored:
        return done
    if not done.closest:
        raise ConnectionFailed(f"no node of the network answered, so nobody keeps {what}")
    raise ConnectionFailed(f"{len(done.closest)} nodes answered, but none of them keeps {what}")
