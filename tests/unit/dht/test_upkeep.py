"""What a node does by itself, in virtual time: keep its table alive, and find out what it is."""

from __future__ import annotations

from random import Random

import pytest

from protocol.crypto.keys import KeyPair
from protocol.dht.addresses import Address, encode_address, node_id
from protocol.dht.events import Announced, BecameEphemeral, BecamePersistent, ConnectFailed, Ready
from protocol.dht.node import DhtNode
from protocol.dht.rpc.messages import (
    Command,
    ErrorCode,
    Internal,
    Request,
    Response,
    decode_packet_untrusted,
    encode_request,
    encode_response,
)
from protocol.dht.rpc.requests import CLIENT_SOCKET, RETRIES, TIMEOUT_SECONDS
from protocol.dht.rpc.routing_table import ROW_NODES
from protocol.dht.rpc.rpc import NodeConfig
from protocol.dht.rpc.send_window import MAX_PER_SLOT, MAX_TOTAL, SLOT_SECONDS
from protocol.dht.rpc.upkeep import TICK_SECONDS
from protocol.limits import MAX_DELAYED_PINGS, MAX_SIDE_CHECKS
from tests.dht_network import BOOTSTRAP, Host, Nat, Network, build

OWN = Address("10.0.0.1", 49737)
STRANGER = Address("44.1.2.3", 999)
MINUTE = 60.0


class Alone:
    """A persistent node whose datagrams are looked at instead of delivered.

    Attributes:
      alive: who answers pings while time passes.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.alive: set[Address] = set()
        self.node = DhtNode(NodeConfig(address=OWN), Random(5).randbytes, self.now)
        self.node.start(self.now)

    def hears(self, address: Address) -> None:
        """Another node speaks to it."""
        self.node._rpc.now = self.now
        self.node._rpc.upkeep.heard(address, node_id(address), None)

    def sends(self) -> list[tuple[Address, Request | Response]]:
        """What leaves now."""
        return [
            (each.address, decode_packet_untrusted(each.data))
            for each in self.node.datagrams_to_send(self.now)
        ]

    def asked(self, command: Internal) -> list[Address]:
        """Who is asked this now."""
        return [
            to
            for to, packet in self.sends()
            if isinstance(packet, Request) and packet.internal and packet.command == command
        ]

    def takes(self, packet: Request | Response, source: Address) -> None:
        """A datagram comes in."""
        encode = encode_request(packet) if isinstance(packet, Request) else encode_response(packet)
        self.node.receive_datagram_untrusted(encode, source, self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while (at := self.node.next_timer()) <= end:
            self.now = max(self.now, at)
            self.node.handle_timer(self.now)
            if self.alive:
                for to, packet in self.sends():
                    if to in self.alive:
                        self.takes(Response(packet.tid, OWN, id=node_id(to)), to)
        self.now = end

    def proves(self, source: Address) -> None:
        """A host shows that it receives at its address."""
        self.takes(Request(1, OWN, True, Internal.FIND_NODE, target=bytes(32)), source)
        for to, packet in self.sends():
            if to == source and isinstance(packet, Request):
                self.takes(Response(packet.tid, OWN), source)
        self.sends()


def row_mates(count: int) -> list[Address]:
    """Nodes of one row of the table of ``OWN``."""
    table = Alone().node._rpc.table
    found = [Address(f"10.{n >> 8}.{n & 255}.9", 5000) for n in range(20 * count)]
    return [address for address in found if table.row_of(node_id(address)) == 0][:count]


# a full row ---------------------------------------------------------------------------------------


def full_row() -> tuple[Alone, list[Address], Address]:
    """A node with a full row, those of it that were heard first, and a newcomer."""
    *old, newcomer = row_mates(ROW_NODES + 1)
    alone = Alone()
    for half in (old[:10], old[10:]):
        for address in half:
            alone.hears(address)
        alone.wait(TICK_SECONDS)
    assert alone.sends() == []
    return alone, old[:10], newcomer


def test_a_newcomer_takes_the_place_of_a_silent_node() -> None:
    alone, old, newcomer = full_row()
    alone.hears(newcomer)
    (silent,) = alone.asked(Internal.PING)
    assert silent in old
    assert newcomer not in alone.node.nodes
    alone.wait((RETRIES + 1) * TIMEOUT_SECONDS)
    assert newcomer in alone.node.nodes
    assert silent not in alone.node.nodes


def test_a_node_that_answers_keeps_its_place() -> None:
    alone, _, newcomer = full_row()
    alone.hears(newcomer)
    ((asked, ping),) = alone.sends()
    alone.takes(Response(ping.tid, OWN, id=node_id(asked)), asked)
    alone.wait((RETRIES + 1) * TIMEOUT_SECONDS)
    assert newcomer not in alone.node.nodes
    assert asked in alone.node.nodes


def test_old_nodes_heard_lately_are_not_even_asked() -> None:
    """However many newcomers there are, they do not push out whom we have known for long."""
    *old, newcomer = row_mates(ROW_NODES + 1)
    alone = Alone()
    alone.alive = set(old)
    for address in old:
        alone.hears(address)
    alone.wait(29 * MINUTE)
    alone.hears(newcomer)
    assert len(alone.asked(Internal.PING)) == 1
    alone.wait(2 * MINUTE)
    for address in old:
        alone.hears(address)
    alone.wait(TICK_SECONDS)
    alone.hears(newcomer)
    assert alone.sends() == []
    assert set(alone.node.nodes) == set(old)


# who is gone --------------------------------------------------------------------------------------


def test_a_hint_is_looked_into_and_not_believed() -> None:
    alone = Alone()
    alive, gone = row_mates(2)
    alone.hears(alive)
    alone.hears(gone)
    alone.wait(TICK_SECONDS)
    alone.sends()
    for suspect in (alive, gone):
        hint = Request(7, OWN, True, Internal.DOWN_HINT, value=encode_address(suspect))
        alone.takes(hint, STRANGER)
    pings = {to: packet for to, packet in alone.sends() if isinstance(packet, Request)}
    assert set(pings) == {alive, gone}
    alone.takes(Response(pings[alive].tid, OWN, id=node_id(alive)), alive)
    alone.wait((RETRIES + 1) * TIMEOUT_SECONDS)
    assert alone.node.nodes == [alive]


def test_hints_of_strangers_make_it_ask_few_and_only_whom_it_knows() -> None:
    alone = Alone()
    known = row_mates(ROW_NODES)
    for address in known:
        alone.hears(address)
    alone.wait(TICK_SECONDS)
    alone.sends()
    for suspect in [*known, Address("99.9.9.9", 9)]:
        hint = Request(7, OWN, True, Internal.DOWN_HINT, value=encode_address(suspect))
        alone.takes(hint, STRANGER)
    assert len(alone.asked(Internal.PING)) == MAX_SIDE_CHECKS


def test_who_names_a_dead_node_hears_of_it() -> None:
    network = build(11, 12)
    hosts = list(network.hosts.values())
    dead = hosts[7]
    dead.alive = False
    hints: set[Address] = set()

    def watch(data: bytes, source: Address, to: Address) -> None:
        packet = decode_packet_untrusted(data)
        if isinstance(packet, Request) and packet.command == Internal.DOWN_HINT and packet.internal:
            assert packet.value == encode_address(dead.address)
            hints.add(to)

    network.watch = watch
    network.wait(hosts[3], hosts[3].node.find_node(node_id(dead.address), network.now))
    network.run_for(10)
    assert hints
    for host in hosts:
        if host.address in hints:
            assert dead.address not in host.node.nodes


def test_a_relay_is_not_blamed_for_a_server_that_is_silent() -> None:
    network = build(17, 6)
    client, server, *_ = list(network.hosts.values())[2:]
    key_pair = KeyPair.from_seed(b"\x08" * 32)
    server.node.listen(key_pair, network.now)
    network.pump(server)
    network.run_until(lambda: bool(server.of(Announced)))
    server.alive = False
    client.node.connect(KeyPair.from_seed(b"\x09" * 32), key_pair.public_key, 7, network.now)
    network.pump(client)
    alive = {a for a, host in network.hosts.items() if host.alive and host is not client}
    while not client.of(ConnectFailed):
        network.run_for(0.1)
        assert alive <= set(client.node.nodes)
    network.run_for(10)
    assert alive <= set(client.node.nodes)


# refreshing ---------------------------------------------------------------------------------------


def test_an_idle_network_is_looked_through_every_five_minutes_and_loses_nobody() -> None:
    network = build(12, 25)
    hosts = list(network.hosts.values())
    before = [set(host.node.nodes) for host in hosts]
    asked: dict[Address, set[bytes]] = {host.address: set() for host in hosts}

    def watch(data: bytes, source: Address, to: Address) -> None:
        packet = decode_packet_untrusted(data)
        if isinstance(packet, Request) and packet.command == Internal.FIND_NODE and packet.target:
            asked[source].add(packet.target)

    network.watch = watch
    network.run_for(11 * MINUTE)
    # One by one, from the end of the last query on.
    assert all(1 <= len(targets) <= 3 for targets in asked.values())
    for host, known in zip(hosts, before, strict=True):
        assert known <= set(host.node.nodes)


def test_who_knows_nobody_asks_the_bootstrap_nodes_again_and_again() -> None:
    network = Network(13)
    lonely = network.add()
    network.run_until(lambda: bool(lonely.of(Ready)))
    assert lonely.node.nodes == []
    network.add(BOOTSTRAP, NodeConfig(address=BOOTSTRAP))
    network.run_until(lambda: lonely.node.nodes == [BOOTSTRAP], MINUTE)


# what we are --------------------------------------------------------------------------------------


def adaptive(network: Network, address: Address) -> Host:
    """A node that is to find out by itself what it is."""
    config = NodeConfig((BOOTSTRAP,), None, None, client_socket=True, local_port=address.port)
    return network.add(address, config)


@pytest.mark.parametrize("count", [3, 12])
def test_a_node_that_strangers_reach_finds_out_and_serves_after_twenty_minutes(count: int) -> None:
    network = build(14, count)
    host = adaptive(network, Address("10.7.7.7", 49737))
    assert host.node.firewalled
    assert host.node._rpc.request_socket == CLIENT_SOCKET
    network.run_until(lambda: not host.node.firewalled, MINUTE)
    network.run_for(18 * MINUTE)
    assert host.node.id is None
    network.run_until(lambda: host.node.id is not None, 4 * MINUTE)
    assert host.node.id == node_id(host.address)
    assert host.of(BecamePersistent) == [BecamePersistent(host.address, node_id(host.address))]
    # From now on others know it.
    network.run_for(5 * MINUTE)
    assert any(host.address in other.node.nodes for other in network.hosts.values())


def test_a_node_behind_a_nat_stays_what_it_is() -> None:
    network = build(15, 8)
    network.nats["10.7.7.7"] = Nat("80.1.1.1")
    host = adaptive(network, Address("10.7.7.7", 49737))
    network.run_for(45 * MINUTE)
    assert host.node.firewalled
    assert host.node.id is None
    assert host.of(BecamePersistent) == []


def test_after_a_sleep_a_node_serves_nobody_before_it_has_looked_again() -> None:
    network = build(16, 8)
    host = list(network.hosts.values())[4]
    assert host.node.id is not None
    host.alive = False
    network.run_for(10 * MINUTE)
    host.alive = True
    host.node.handle_timer(network.now)
    assert host.node.id is None
    network.pump(host)
    assert host.of(BecameEphemeral)
    network.run_until(lambda: host.node.id is not None, 30 * MINUTE)
    assert host.node.id == node_id(host.address)


# requests -----------------------------------------------------------------------------------------


def test_a_request_is_sent_four_times_and_then_its_node_is_forgotten() -> None:
    alone = Alone()
    (address,) = row_mates(1)
    alone.hears(address)
    alone.node._rpc.now = alone.now
    alone.node._rpc.ping(address)
    times = []
    for _ in range(60):
        times += [alone.now for _ in alone.asked(Internal.PING)]
        alone.wait(0.1)
    assert times == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.11)
    assert alone.node.nodes == []
    assert alone.node.unanswered == 1


def test_few_requests_are_in_the_air_unless_they_are_answered() -> None:
    alone = Alone()
    rpc = alone.node._rpc
    nodes = [Address(f"10.{n >> 8}.{n & 255}.9", 5000) for n in range(400)]
    for address in nodes:
        rpc.ping(address, retries=0)
    first = alone.sends()
    assert len(first) == MAX_PER_SLOT
    alone.wait(SLOT_SECONDS + 0.01)
    assert len(alone.sends()) == MAX_TOTAL - MAX_PER_SLOT
    alone.wait(SLOT_SECONDS)
    assert alone.sends() == []
    # An answer makes room in its slot at once, and what waits goes with the next timer.
    other = Alone()
    for number, address in enumerate(nodes):
        other.node._rpc.ping(address, retries=0)
        for to, ping in other.sends():
            other.takes(Response(ping.tid, OWN), to)
        assert other.node.answered == number + 1


def test_a_delayed_ping_is_answered_then_and_only_so_many_wait() -> None:
    alone = Alone()

    def ask(milliseconds: int, tid: int = 3) -> None:
        value = milliseconds.to_bytes(4, "little")
        alone.takes(Request(tid, OWN, True, Internal.DELAYED_PING, value=value), STRANGER)

    ask(2000)
    ask(10_001)
    alone.wait(1.9)
    assert alone.sends() == []
    alone.wait(0.2)
    assert [packet.tid for _, packet in alone.sends()] == [3]
    for tid in range(MAX_DELAYED_PINGS + 100):
        ask(1000, tid)
    alone.wait(1.0)
    assert len(alone.sends()) == MAX_DELAYED_PINGS


def test_a_ping_of_another_port_is_answered_there() -> None:
    alone = Alone()
    value = (4711).to_bytes(2, "little")
    alone.takes(Request(3, OWN, True, Internal.PING_NAT, value=value), STRANGER)
    ((to, packet),) = alone.sends()
    assert to == packet.to == Address(STRANGER.host, 4711)
    alone.takes(Request(3, OWN, True, Internal.PING_NAT, value=bytes(2)), STRANGER)
    assert alone.sends() == []


@pytest.mark.parametrize(("internal", "command"), [(True, 99), (False, 99)])
def test_what_is_not_known_is_told_so(internal: bool, command: int) -> None:
    alone = Alone()
    alone.proves(STRANGER)
    alone.takes(Request(3, OWN, internal, command, target=bytes(32)), STRANGER)
    ((_, packet),) = alone.sends()
    assert isinstance(packet, Response)
    assert packet.error == ErrorCode.UNKNOWN_COMMAND


def test_an_ephemeral_node_stores_nothing() -> None:
    node = DhtNode(NodeConfig(), Random(6).randbytes, 0.0)
    alone = Alone()
    alone.node = node
    node.start(0.0)
    alone.proves(STRANGER)
    alone.takes(Request(3, OWN, False, Command.LOOKUP, target=bytes(32)), STRANGER)
    ((_, packet),) = alone.sends()
    assert isinstance(packet, Response)
    assert packet.error == ErrorCode.UNKNOWN_COMMAND
    assert packet.id is None
