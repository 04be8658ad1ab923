"""Peers find each other by key: directly and through relays, and nobody else gets in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from protocol.dht import namespaces
from protocol.dht.addresses import Address
from protocol.dht.events import (
    Announced,
    ConnectFailed,
    ConnectionReady,
    HandshakeReceived,
)
from protocol.dht.handshake.handshake_box import HandshakeBox, Mode, encode_handshake_box
from protocol.dht.handshake.noise_payload import (
    Firewall,
    NoisePayload,
    UdxInfo,
    encode_noise_payload,
)
from protocol.dht.rpc.messages import Command, Request, encode_request
from protocol.dht.rpc.rpc import NodeConfig
from protocol.limits import MAX_HALF_OPEN_HANDSHAKES
from protocol.noise.handshake import Handshake
from tests.dht_network import BOOTSTRAP, Host, Network, build

SERVER = KeyPair.from_seed(b"\x01" * 32)
CLIENT = KeyPair.from_seed(b"\x02" * 32)


def _pair(network: Network) -> tuple[Host, Host]:
    """A listening node and another, neither sure to be reachable."""
    hosts = []
    for n in (1, 2):
        address = Address(f"172.16.{n}.1", 5000)
        config = NodeConfig((BOOTSTRAP,), ephemeral=True, local_port=5000)
        hosts.append(network.add(address, config))
    network.run_for(5)
    server, client = hosts
    server.node.listen(SERVER, network.now)
    network.pump(server)
    network.run_until(lambda: bool(server.of(Announced)))
    return server, client


def _run_connect(
    network: Network, server: Host, client: Host, *, then_open: bool | None = None
) -> list[ConnectionReady]:
    """Connect, accept everything; gives both ends' events.

    ``then_open``: what the client finds out of itself after it has said the other thing.
    """
    client.node.connect(CLIENT, SERVER.public_key, 77, network.now)
    network.pump(client)
    if then_open is not None:
        assert client.node.firewalled is then_open
        client.node._rpc.firewalled = not then_open
    answered = 0

    def done() -> bool:
        nonlocal answered
        for event in server.of(HandshakeReceived)[answered:]:
            answered += 1
            assert server.node.accept(event.session, 88, network.now)
            network.pump(server)
        return bool(client.of(ConnectionReady) or client.of(ConnectFailed))

    network.run_until(done)
    return server.of(ConnectionReady) + client.of(ConnectionReady)


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_connect_through_relays(loss: float) -> None:
    network = build(11, 20)
    network.loss = loss
    server, client = _pair(network)
    ours, theirs = _run_connect(network, server, client)
    assert ours.handshake.hash == theirs.handshake.hash
    assert ours.handshake.tx == theirs.handshake.rx
    assert ours.handshake.remote_public_key == CLIENT.public_key
    assert theirs.handshake.remote_public_key == SERVER.public_key
    assert (ours.local_stream_id, theirs.local_stream_id) == (88, 77)
    assert ours.remote.udx == UdxInfo(77)
    assert theirs.remote.udx == UdxInfo(88)
    assert ours.relayed
    assert theirs.relayed
    # Nobody knows to be reachable: the server waits, the client punches to a fresh socket of it.
    assert ours.address is None
    assert theirs.address is not None
    assert theirs.address.host == server.address.host
    assert theirs.address != server.address
    assert theirs.proven
    assert len(server.of(HandshakeReceived)) == 1


def test_server_dials_an_open_client() -> None:
    network = build(12, 12)
    server, _ = _pair(network)
    client = list(network.hosts.values())[6]
    ours, theirs = _run_connect(network, server, client)
    assert ours.address == client.address
    assert ours.remote.firewall == Firewall.OPEN
    # The client waits for the server to come.
    assert theirs.address is None


def test_a_client_that_proves_open_after_it_has_called_still_punches() -> None:
    network = build(16, 12)
    server, client = _pair(network)
    ours, theirs = _run_connect(network, server, client, then_open=True)
    # The server was told nothing of an open client, so it does not dial: nobody may wait for that.
    assert ours.remote.firewall == Firewall.UNKNOWN
    assert ours.address is None
    assert theirs.address is not None
    assert theirs.proven


def test_a_client_that_is_not_open_after_all_still_waits_to_be_dialled() -> None:
    network = build(17, 12)
    server, _ = _pair(network)
    client = list(network.hosts.values())[6]
    ours, theirs = _run_connect(network, server, client, then_open=False)
    assert ours.remote.firewall == Firewall.OPEN
    assert ours.address == client.address
    assert theirs.address is None


def test_refused_is_silent() -> None:
    network = build(13, 10)
    server, client = _pair(network)
    client.node.connect(CLIENT, SERVER.public_key, 77, network.now)
    network.pump(client)
    network.run_until(lambda: bool(server.of(HandshakeReceived)))
    server.node.refuse(server.of(HandshakeReceived)[0].session, network.now)
    network.run_until(lambda: bool(client.of(ConnectFailed)))
    assert len(server.of(HandshakeReceived)) == 1


def test_unknown_key() -> None:
    network = build(14, 10)
    _, client = _pair(network)
    attempt = client.node.connect(SERVER, CLIENT.public_key, 77, network.now)
    network.pump(client)
    network.run_until(lambda: bool(client.of(ConnectFailed)))
    (failed,) = client.of(ConnectFailed)
    assert failed == ConnectFailed(attempt, "nobody knows the way to the peer")


def test_unlisten_takes_the_way_back() -> None:
    network = build(15, 10)
    server, client = _pair(network)
    server.node.unlisten(SERVER.public_key, network.now)
    network.pump(server)
    network.run_for(3)
    client.node.connect(CLIENT, SERVER.public_key, 77, network.now)
    network.pump(client)
    network.run_until(lambda: bool(client.of(ConnectFailed)))
    assert not server.of(HandshakeReceived)


def test_relays_are_replaced() -> None:
    network = build(16, 12)
    server, client = _pair(network)
    for relay in server.node.relay_addresses(SERVER.public_key):
        network.hosts[relay].alive = False
    network.run_until(lambda: len(server.of(Announced)) > 1, 120)
    assert len(_run_connect(network, server, client)) == 2


def _message(ephemeral: bytes, **changes: object) -> bytes:
    handshake = Handshake(
        "IK",
        True,
        CLIENT,
        ephemeral_seed=ephemeral,
        remote_public_key=SERVER.public_key,
        prologue=namespaces.PEER_HANDSHAKE,
    )
    payload = replace(NoisePayload(udx=UdxInfo(5)), **changes)
    return handshake.write(encode_noise_payload(payload))


def _flood(network: Network, server: Host, count: int, ports: int, mode: Mode) -> None:
    """Well-formed first messages, faster than anybody would send them."""
    target = blake2b_256(SERVER.public_key)
    for n in range(count):
        source = Address(f"10.9.{n % 200}.9", 1000 + n % ports)
        box = HandshakeBox(mode, _message(n.to_bytes(32, "big")), peer_address=source)
        request = Request(
            n % 65536,
            server.address,
            False,
            Command.PEER_HANDSHAKE,
            target=target,
            value=encode_handshake_box(box),
        )
        data = encode_request(request)
        server.node.receive_datagram_untrusted(data, source, network.now)
        network.pump(server)


def test_flood_from_forged_addresses_costs_no_handshake() -> None:
    network = build(17, 6)
    server, _ = _pair(network)
    before = sum(v for (a, _), v in network.bytes_sent.items() if a == server.address)
    _flood(network, server, 300, 50, Mode.FROM_CLIENT)
    assert not server.of(HandshakeReceived)
    sent = sum(v for (a, _), v in network.bytes_sent.items() if a == server.address) - before
    # One ping of 11 bytes to each host, against 160 bytes of each message.
    assert sent <= 300 * 11


def test_handshakes_of_relays_not_chosen_are_dropped() -> None:
    network = build(18, 6)
    server, _ = _pair(network)
    _flood(network, server, 50, 50, Mode.FROM_RELAY)
    network.run_for(5)
    assert not server.of(HandshakeReceived)


def test_honest_client_connects_during_a_flood() -> None:
    network = build(19, 10)
    server, client = _pair(network)
    # The flood's hosts do answer pings: the worst case.
    for n in range(200):
        server.node._rpc.return_paths.prove(f"10.9.{n}.9", network.now)
    for _ in range(4):
        _flood(network, server, 400, 60, Mode.FROM_CLIENT)
        network.run_for(0.25)
    flooded = len(server.of(HandshakeReceived))
    assert flooded <= 125 + 125
    assert len(server.node._sessions.by_number) <= MAX_HALF_OPEN_HANDSHAKES
    _run_connect(network, server, client)
    assert client.of(ConnectionReady)


def test_honest_client_connects_during_a_flood_through_all_relays() -> None:
    network = build(22, 10)
    server, client = _pair(network)
    relays = server.node.relay_addresses(SERVER.public_key)
    target = blake2b_256(SERVER.public_key)
    sent = 0

    def flood(count: int) -> None:
        """From 200 networks, on through the server's own relays."""
        nonlocal sent
        for _ in range(count):
            sent += 1
            source = Address(f"10.9.{sent % 200}.9", 1000 + sent % 60)
            noise = _message(sent.to_bytes(32, "big")) if sent % 10 == 0 else bytes(200)
            box = HandshakeBox(Mode.FROM_RELAY, noise + bytes(sent % 7), peer_address=source)
            request = Request(
                sent % 65536,
                server.address,
                False,
                Command.PEER_HANDSHAKE,
                target=target,
                value=encode_handshake_box(box),
            )
            data = encode_request(request)
            relay = relays[sent % len(relays)]
            server.node.receive_datagram_untrusted(data, relay, network.now)
        network.pump(server)

    # Until the flood has had all that it gets at once.
    for _ in range(1000):
        flood(5)
        network.run_for(0.001)
    began = network.now
    client.node.connect(CLIENT, SERVER.public_key, 77, network.now)
    network.pump(client)
    answered = 0
    while not client.of(ConnectionReady):
        flood(5)
        network.run_for(0.001)
        for event in server.of(HandshakeReceived)[answered:]:
            answered += 1
            if event.remote_public_key == CLIENT.public_key:
                server.node.accept(event.session, 88, network.now)
                network.pump(server)
        assert network.now - began < 3


def test_same_message_gets_the_same_bytes() -> None:
    network = build(20, 6)
    server, _ = _pair(network)
    source = Address("10.9.9.9", 1)
    server.node._rpc.return_paths.prove(source.host, network.now)
    value = encode_handshake_box(HandshakeBox(Mode.FROM_CLIENT, _message(b"\x09" * 32)))
    target = blake2b_256(SERVER.public_key)
    request = Request(9, server.address, False, Command.PEER_HANDSHAKE, target=target, value=value)
    replies = []
    for _ in range(3):
        server.node.receive_datagram_untrusted(encode_request(request), source, network.now)
        for event in iter(server.node.next_event, None):
            assert isinstance(event, HandshakeReceived | ConnectionReady)
            if isinstance(event, HandshakeReceived):
                server.node.accept(event.session, 1, network.now)
        replies += [d.data for d in server.node.datagrams_to_send(network.now)]
    assert len(replies) == 3
    assert len(set(replies)) == 1


def test_other_version_is_told_so() -> None:
    network = build(21, 6)
    server, _ = _pair(network)
    source = Address("10.9.9.9", 1)
    server.node._rpc.return_paths.prove(source.host, network.now)
    noise = _message(b"\x09" * 32, version=2)
    value = encode_handshake_box(HandshakeBox(Mode.FROM_CLIENT, noise))
    target = blake2b_256(SERVER.public_key)
    request = Request(9, server.address, False, Command.PEER_HANDSHAKE, target=target, value=value)
    server.node.receive_datagram_untrusted(encode_request(request), source, network.now)
    assert len(server.node.datagrams_to_send(network.now)) == 1
    assert server.node.next_event() is None
