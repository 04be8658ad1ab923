"""Hole punching in a simulated network: NATs of both kinds, limits, and those who misuse it."""

from __future__ import annotations

import pytest

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from protocol.dht.addresses import Address
from protocol.dht.events import (
    Announced,
    ConnectFailed,
    ConnectionReady,
    HandshakeReceived,
    RelayWanted,
    SocketUnwanted,
    SocketWanted,
)
from protocol.dht.handshake.handshake_box import HolepunchBox, Mode, encode_holepunch_box
from protocol.dht.handshake.noise_payload import Firewall
from protocol.dht.punching.holepunch_payload import (
    HolepunchPayload,
    holepunch_secret,
    seal_holepunch,
)
from protocol.dht.punching.nat_probe import NatProbe
from protocol.dht.punching.punch_rounds import CANNOT, UNKNOWN_NAT
from protocol.dht.punching.puncher import PUNCH
from protocol.dht.rpc.messages import Command, Request, encode_request
from protocol.dht.rpc.rpc import NodeConfig
from protocol.limits import MAX_PUNCH_ROUNDS, MAX_PUNCHERS
from tests.dht_network import BOOTSTRAP, Host, Nat, Network, build

SERVER = KeyPair.from_seed(b"\x01" * 32)
CLIENT = KeyPair.from_seed(b"\x02" * 32)
PUBLIC = {"server": "5.9.1.1", "client": "5.9.2.1", "other": "5.9.3.1"}


def add(network: Network, name: str, *, random: bool) -> Host:
    """A node behind a NAT of its own."""
    inside = f"10.200.{len(network.nats)}.2"
    draw = network.random.randrange if random else None
    network.nats[inside] = Nat(PUBLIC[name], draw)
    config = NodeConfig((BOOTSTRAP,), ephemeral=True, local_port=5000, local_hosts=(inside,))
    return network.add(Address(inside, 5000), config)


def listen(network: Network, server: Host) -> None:
    network.run_for(5)
    server.node.listen(SERVER, network.now)
    network.pump(server)
    network.run_until(lambda: bool(server.of(Announced)))


def connect(
    network: Network, server: Host, client: Host, key_pair: KeyPair = CLIENT
) -> ConnectionReady | ConnectFailed:
    """Connect; gives how it ended for the client."""
    before = len(client.of(ConnectionReady)) + len(client.of(ConnectFailed))
    client.node.connect(key_pair, SERVER.public_key, 77, network.now)
    network.pump(client)
    answered = len(server.of(HandshakeReceived))

    def done() -> bool:
        nonlocal answered
        for event in server.of(HandshakeReceived)[answered:]:
            answered += 1
            server.node.accept(event.session, 88, network.now)
            network.pump(server)
        return len(client.of(ConnectionReady)) + len(client.of(ConnectFailed)) > before

    network.run_until(done, 120)
    outcomes = [e for e in client.events if isinstance(e, ConnectionReady | ConnectFailed)]
    return outcomes[-1]


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_two_consistent_nats(loss: float) -> None:
    network = build(31, 12)
    server, client = (add(network, name, random=False) for name in ("server", "client"))
    listen(network, server)
    network.loss = loss
    began = network.now
    ready = connect(network, server, client)
    assert isinstance(ready, ConnectionReady)
    assert ready.address is not None
    assert ready.address.host == PUBLIC["server"]
    assert ready.proven
    assert loss or network.now - began < 2
    # The way leads to the server: its NAT has a port for the client's socket there.
    nat = network.nats[server.address.host]
    inside = nat.inwards(
        network.nats[client.address.host].outwards(
            network.source_of(client, ready.socket), ready.address
        ),
        ready.address,
    )
    assert inside is not None
    assert inside.host == server.address.host
    # The client's other sockets are gone, and this one is the stream's from here on.
    network.run_for(1)
    wanted = [event.socket for event in client.of(SocketWanted)]
    assert sorted(wanted) == sorted(event.socket for event in client.of(SocketUnwanted))


@pytest.mark.parametrize(("server_is_random", "client_is_random"), [(True, False), (False, True)])
def test_one_random_nat(server_is_random: bool, client_is_random: bool) -> None:
    network = build(32, 12)
    server = add(network, "server", random=server_is_random)
    client = add(network, "client", random=client_is_random)
    listen(network, server)
    ready = connect(network, server, client)
    assert isinstance(ready, ConnectionReady)
    assert ready.address is not None
    assert ready.address.host == PUBLIC["server"]


def test_two_random_nats_cannot() -> None:
    network = build(33, 12)
    server, client = (add(network, name, random=True) for name in ("server", "client"))
    listen(network, server)
    failed = connect(network, server, client)
    assert isinstance(failed, ConnectFailed)
    assert failed.reason == CANNOT


def test_a_server_busy_with_many_ports_says_so() -> None:
    network = build(34, 12)
    server = add(network, "server", random=True)
    client, other = (add(network, name, random=False) for name in ("client", "other"))
    listen(network, server)
    assert isinstance(connect(network, server, client), ConnectionReady)
    failed = connect(network, server, other, KeyPair.from_seed(b"\x03" * 32))
    assert isinstance(failed, ConnectFailed)
    assert "try again later" in failed.reason


def test_a_network_too_small_to_judge_nats_tries_the_address_as_it_is() -> None:
    network = build(35, 3)
    server, client = (add(network, name, random=False) for name in ("server", "client"))
    listen(network, server)
    outcome = connect(network, server, client)
    if isinstance(outcome, ConnectFailed):
        assert outcome.reason != UNKNOWN_NAT
    else:
        assert outcome.address is not None


def test_a_relay_is_named_by_either_side() -> None:
    network = build(36, 12)
    server, client = (add(network, name, random=False) for name in ("server", "client"))
    relay = KeyPair.from_seed(b"\x07" * 32).public_key
    listen(network, server)
    client.node.connect(CLIENT, SERVER.public_key, 77, network.now, relay_through=relay)
    network.pump(client)
    network.run_until(lambda: bool(server.of(HandshakeReceived)))
    server.node.accept(server.of(HandshakeReceived)[0].session, 88, network.now)
    network.pump(server)
    network.run_until(lambda: bool(client.of(ConnectionReady)))
    (ours,), (theirs,) = client.of(RelayWanted), server.of(RelayWanted)
    assert ours.relay == theirs.relay
    assert ours.relay.public_key == relay
    assert ours.is_initiator
    assert not theirs.is_initiator
    assert ours.handshake.hash == theirs.handshake.hash


# limits -------------------------------------------------------------------------------------------


def _offers(network: Network, server: Host, count: int) -> list[ConnectionReady]:
    """Handshakes of many clients, each of which then falls silent."""
    for number in range(count):
        config = NodeConfig((BOOTSTRAP,), ephemeral=True)
        client = network.add(Address(f"172.16.{number}.1", 5000), config)
        network.run_for(1)
        pair = KeyPair.from_seed(number.to_bytes(32, "big"))
        client.node.connect(pair, SERVER.public_key, 100 + number, network.now)
        network.pump(client)
        network.run_until(lambda n=number: len(server.of(HandshakeReceived)) > n)  # type: ignore[misc]
        client.alive = False
        session = server.of(HandshakeReceived)[number].session
        server.node.accept(session, 200 + number, network.now)
        network.pump(server)
    return server.of(ConnectionReady)


def _message(
    network: Network, server: Host, offer: ConnectionReady, payload: HolepunchPayload
) -> None:
    """A client's message, as a node passes it on."""
    sealed = seal_holepunch(payload, holepunch_secret(offer.handshake.hash), bytes(24))
    assert offer.session is not None
    box = HolepunchBox(Mode.FROM_RELAY, offer.session, sealed, Address("5.9.2.1", 7))
    value = encode_holepunch_box(box)
    target = blake2b_256(SERVER.public_key)
    request = Request(1, server.address, False, Command.PEER_HOLEPUNCH, None, None, target, value)
    server.node.receive_datagram_untrusted(encode_request(request), BOOTSTRAP, network.now)
    network.pump(server)


def test_sockets_are_bounded_however_many_clients_prove_themselves() -> None:
    network = build(37, 12)
    server = add(network, "server", random=False)
    listen(network, server)
    offers = _offers(network, server, MAX_PUNCHERS + 8)
    most = 0
    for offer in offers:
        for number in range(MAX_PUNCH_ROUNDS * 2):
            _message(network, server, offer, HolepunchPayload(round=number))
            still_open = len(server.of(SocketWanted)) - len(server.of(SocketUnwanted))
            most = max(most, still_open)
    assert most == MAX_PUNCHERS


def test_messages_that_do_not_open_cost_no_socket_and_get_no_answer() -> None:
    network = build(38, 12)
    server = add(network, "server", random=False)
    listen(network, server)
    (offer,) = _offers(network, server, 1)
    opened = len(server.of(SocketWanted))
    assert offer.session is not None
    target = blake2b_256(SERVER.public_key)
    for payload in (b"", bytes(40), bytes(200), PUNCH):
        box = encode_holepunch_box(
            HolepunchBox(Mode.FROM_RELAY, offer.session, payload, Address("5.9.2.1", 7))
        )
        request = Request(1, server.address, False, Command.PEER_HOLEPUNCH, None, None, target, box)
        server.node.receive_datagram_untrusted(encode_request(request), BOOTSTRAP, network.now)
        assert server.node.datagrams_to_send(network.now) == []
    assert len(server.of(SocketWanted)) == opened


# verdicts -----------------------------------------------------------------------------------------

A, B = "5.0.0.1", "5.0.0.2"


@pytest.mark.parametrize(
    ("samples", "firewall", "addresses"),
    [
        ([(A, 1), (A, 1)], Firewall.UNKNOWN, None),
        ([(A, 1), (A, 1), (A, 1)], Firewall.CONSISTENT, ((A, 1),)),
        ([(A, 1), (A, 2), (A, 3)], Firewall.RANDOM, ((A, 0),)),
        ([(A, 1), (A, 2), (A, 1)], Firewall.UNKNOWN, None),
        ([(A, 1), (A, 2), (A, 1), (A, 2)], Firewall.RANDOM, ((A, 0),)),
        ([(A, 1), (B, 2), (A, 1), (B, 2)], Firewall.CONSISTENT, ((A, 1), (B, 2))),
        ([(A, 1), (A, 2), (A, 1), (A, 1)], Firewall.CONSISTENT, ((A, 1), (A, 2))),
    ],
)
def test_verdicts(samples: list[tuple[str, int]], firewall: Firewall, addresses: object) -> None:
    network = build(39, 2)
    host = network.hosts[BOOTSTRAP]
    told: list[bool] = []
    probe = NatProbe(host.node._rpc, 2, lambda: told.append(True))
    for number, sample in enumerate(samples):
        probe.add(Address(*sample), Address("5.0.9.9", number + 1))
        # A node's second word does not count.
        probe.add(Address("5.0.0.9", 9), Address("5.0.9.9", number + 1))
    assert probe.firewall == firewall
    assert probe.addresses == addresses
    assert len(told) == (1 if len(samples) >= 4 or firewall == Firewall.CONSISTENT else 0)
