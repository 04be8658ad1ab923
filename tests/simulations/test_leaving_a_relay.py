"""A stream meets its peer at a blind relay and leaves it, in a simulated network with losses.

The relay, the byte that a hole punch ends with, and which way is open are the test's; meeting and
streams are the node's own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
import trio

from protocol.dht.addresses import Address
from protocol.dht.events import ConnectFailed, ConnectionReady, RelayWanted
from protocol.dht.handshake.noise_payload import NoisePayload, RelayThrough, UdxInfo
from protocol.noise.handshake import HandshakeResult
from protocol.udx.other_way import GREETING_SECONDS, MAX_WAY_GREETINGS
from protocol.udx.packets import is_udx, relayed
from simulations.chance import chance
from simulations.clock import run
from simulations.host import Host
from simulations.journal import Journal
from simulations.network.nat import NatKind
from simulations.simulation import Simulation
from vitra_node.net.dht.connection import Meeting
from vitra_node.net.udx.endpoint import UdxEndpoint
from vitra_node.net.udx.udp import DatagramSocket, SocketAddress

SEEDS = range(20)
BAD = {"loss": 0.1, "duplication": 0.05, "reordering": 0.1}
RELAY_IDS = (7001, 7002)
PATIENCE_SECONDS = 120.0
_HANDSHAKE = HandshakeResult(bytes(32), bytes(32), bytes(64), bytes(32))


@dataclass
class Side:
    """One peer: a socket that its relay knows, and one that a punch opened."""

    endpoint: UdxEndpoint
    meeting: Meeting
    at_relay: DatagramSocket
    punched: DatagramSocket

    @property
    def stream_id(self) -> int:
        return self.meeting.stream.stream_id


@dataclass
class Table:
    """Everything at one place."""

    simulation: Simulation
    sides: list[Side]
    relay: SocketAddress
    hosts: tuple[Host, ...]

    def name_relay(self, number: int) -> None:
        """The handshake named it, and a connection to it stands."""
        side, peer = self.sides[number], self.sides[1 - number]
        wanted = RelayWanted(
            None,
            None,
            bytes(32),
            _HANDSHAKE,
            side.stream_id,
            NoisePayload(udx=UdxInfo(peer.stream_id)),
            RelayThrough(bytes(32), bytes(32)),
            number == 0,
        )
        side.meeting.want_relay(wanted)
        side.meeting.expect_relay(side.at_relay, self.relay)
        # A server hears of the way only by the client's packets.
        if number == 1:
            side.meeting.take(self.ready(number, None), None)

    def ready(self, number: int, address: SocketAddress | None) -> ConnectionReady:
        side, peer = self.sides[number], self.sides[1 - number]
        return ConnectionReady(
            attempt=None if number else 1,
            session=number or None,
            local_public_key=bytes(32),
            handshake=_HANDSHAKE,
            local_stream_id=side.stream_id,
            remote=NoisePayload(udx=UdxInfo(peer.stream_id)),
            address=None if address is None else Address(*address),
            proven=True,
            socket=0,
            relayed=True,
            seconds=PATIENCE_SECONDS,
        )

    def pair(self, number: int) -> None:
        """The relay's answer arrives."""
        self.sides[number].meeting.take_relay(
            self.sides[number].at_relay, RELAY_IDS[number], self.relay
        )

    async def punch(self) -> None:
        """Both send from their punched sockets, and the client hears of it."""
        for side, peer in zip(self.sides, reversed(self.sides), strict=True):
            side.punched.send([(b"\0", self.seen_at(peer))])
        await trio.sleep(1)
        client, server = self.sides
        client.meeting.take(self.ready(0, self.seen_at(server)), client.punched)

    def seen_at(self, side: Side) -> SocketAddress:
        """A consistent NAT keeps the port."""
        host = self.hosts[self.sides.index(side)]
        assert host.place.nat is not None
        return host.place.nat.public, side.punched.address[1]


def play(seed: int, story: Callable[[Table], Awaitable[None]], **conditions: float) -> None:
    """Set the table behind two NATs, with a public relay, and play."""

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            simulation = Simulation(seed, 3, Journal(), nursery)
            simulation.network.conditions = replace(simulation.network.conditions, **conditions)
            public = simulation.host()
            hosts = tuple(simulation.host(nat=simulation.nat(NatKind.CONSISTENT)) for _ in range(2))
            for host in (public, *hosts):
                simulation.network.plug(host.place)
            async with (
                UdxEndpoint(hosts[0].world) as one,
                UdxEndpoint(hosts[1].world) as two,
            ):
                sides = [
                    Side(
                        endpoint,
                        Meeting(endpoint),
                        endpoint.bind(host.address, 5000),
                        endpoint.bind(host.address, 6000),
                    )
                    for endpoint, host in zip((one, two), hosts, strict=True)
                ]
                carrier = public.world.bind_datagrams(public.address, 4000)
                nursery.start_soon(carry, carrier, [side.stream_id for side in sides])
                table = Table(simulation, sides, (public.address, 4000), hosts)
                with trio.fail_after(PATIENCE_SECONDS * 2):
                    await story(table)
                for side in sides:
                    side.meeting.give_up()
            nursery.cancel_scope.cancel()

    run(main, chance(seed, "scheduler"))


async def carry(socket: DatagramSocket, stream_ids: list[int]) -> None:
    """A blind relay, once it has both peers."""
    known: dict[int, SocketAddress] = {}
    while True:
        for data, source in await socket.receive():
            stream = int.from_bytes(data[4:8], "little")
            if not is_udx(data) or stream not in RELAY_IDS:
                continue
            number = RELAY_IDS.index(stream)
            known[number] = source
            if 1 - number in known:
                socket.send([(relayed(data, stream_ids[1 - number]), known[1 - number])])


async def talk(table: Table, message: bytes) -> None:
    """Bytes pass in both directions."""
    for near, far in (table.sides, reversed(table.sides)):
        await near.meeting.stream.send_all(message)
        heard = b""
        while len(heard) < len(message):
            heard += await far.meeting.stream.receive_some()
        assert heard == message


async def meet_at_relay(table: Table) -> None:
    for number in (0, 1):
        # For the relay to know where both are, as it does from their connections to it.
        table.sides[number].at_relay.send([(b"\0", table.relay)])
        table.name_relay(number)
    for number in (0, 1):
        table.pair(number)
    for side in table.sides:
        await side.meeting.stream.wait_heard()
    await talk(table, b"by the relay")
    assert all(side.meeting.stream.remote_address == table.relay for side in table.sides)


@pytest.mark.parametrize("seed", SEEDS)
def test_it_goes_the_direct_way_when_there_is_one(seed: int) -> None:
    async def story(table: Table) -> None:
        await meet_at_relay(table)
        await table.punch()
        client, server = (side.meeting.stream for side in table.sides)
        await client.wait_moved()
        await server.wait_moved()
        await talk(table, bytes(20_000))
        assert client.remote_address == table.seen_at(table.sides[1])
        assert server.remote_address == table.seen_at(table.sides[0])

    play(seed, story, **BAD)


@pytest.mark.parametrize("seed", SEEDS)
def test_it_stays_where_the_peer_does_not_listen_any_more(seed: int) -> None:
    async def story(table: Table) -> None:
        await meet_at_relay(table)
        server = table.sides[1]
        # Its last try was heard, and it has closed the socket.
        server.endpoint.close_socket(server.punched)
        await table.punch()
        await trio.sleep(GREETING_SECONDS * (MAX_WAY_GREETINGS + 1))
        client = table.sides[0]
        client.endpoint.release_socket(client.punched)
        assert not client.meeting.stream.protocol.trying_way
        await talk(table, bytes(20_000))
        assert client.meeting.stream.remote_address == table.relay

    play(seed, story, **BAD)


def test_a_socket_that_is_tried_stays_open_for_its_stream() -> None:
    async def story(table: Table) -> None:
        await meet_at_relay(table)
        await table.punch()
        client = table.sides[0]
        # The hole punch is over, and lets it go.
        client.endpoint.release_socket(client.punched)
        await client.meeting.stream.wait_moved()
        await talk(table, b"by the way")

    play(1, story)


@pytest.mark.parametrize("direct", [True, False])
def test_a_relay_that_told_the_peer_first_is_not_taken_for_the_peer(direct: bool) -> None:
    async def story(table: Table) -> None:
        for number in (0, 1):
            table.name_relay(number)
        # Both are told, but the answer to the client is lost and comes late; the server's packets
        # come meanwhile, by a relay that knows where the client's connection is.
        client = table.sides[0]
        client.at_relay.send([(client_greeting(), table.relay)])
        await trio.sleep(1)
        table.pair(1)
        await trio.sleep(1)
        assert not client.meeting.stream.connected
        table.pair(0)
        await talk(table, b"by the relay")
        assert client.meeting.stream.remote_address == table.relay
        if direct:
            await table.punch()
            await client.meeting.stream.wait_moved()
            await talk(table, b"directly")

    def client_greeting() -> bytes:
        packet = bytearray(20)
        packet[0:2] = b"\xff\x01"
        packet[4:8] = RELAY_IDS[0].to_bytes(4, "little")
        return bytes(packet)

    play(1, story)


def test_a_relay_that_fails_leaves_the_reason_of_the_direct_way() -> None:
    async def story(table: Table) -> None:
        table.name_relay(0)
        client = table.sides[0]
        client.meeting.take(ConnectFailed(1, "no way through"), None)
        client.meeting.lose_relay()
        with pytest.raises(Exception, match="no way through"):
            await client.meeting.meet()

    play(1, story)
