"""Peers whose handshake is sound and whose payload says anything: the other side stays whole."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.crypto.keys import KeyPair
from protocol.dht.addresses import Address
from protocol.dht.events import Announced, ConnectFailed, ConnectionReady, HandshakeReceived
from protocol.dht.handshake.connecting import Connect
from protocol.dht.handshake.listening import Server
from protocol.dht.handshake.noise_payload import (
    HolepunchInfo,
    NoisePayload,
    RelayRoute,
    RelayThrough,
    UdxInfo,
)
from protocol.dht.rpc.rpc import NodeConfig
from tests.dht_network import BOOTSTRAP, build

SERVER = KeyPair.from_seed(b"\x01" * 32)
CLIENT = KeyPair.from_seed(b"\x02" * 32)

ADDRESSES = st.builds(
    Address,
    st.sampled_from(
        ["0.0.0.0", "127.0.0.1", "10.1.0.7", "8.8.8.8", "255.255.255.255", "172.16.1.1"]
    ),
    st.sampled_from([0, 1, 5000, 40001, 65535]),
)
LISTS = st.lists(ADDRESSES, max_size=5).map(tuple)
ROUTES = st.lists(st.builds(RelayRoute, ADDRESSES | st.just(BOOTSTRAP), ADDRESSES), max_size=3)
PAYLOADS = st.builds(
    NoisePayload,
    version=st.sampled_from([1, 1, 1, 2]),
    error=st.sampled_from([0, 0, 0, 0, 1, 3, 77]),
    firewall=st.integers(0, 5),
    holepunch=st.none() | st.builds(HolepunchInfo, st.integers(0, 2**50), ROUTES.map(tuple)),
    addresses4=LISTS,
    udx=st.none() | st.builds(UdxInfo, st.integers(0, 2**32 - 1), st.booleans()),
    secret_stream=st.booleans(),
    relay_through=st.none()
    | st.builds(
        RelayThrough,
        st.binary(min_size=32, max_size=32),
        st.binary(min_size=32, max_size=32),
    ),
    relay_addresses=LISTS,
)


@settings(max_examples=40)
@given(st.none() | PAYLOADS, st.none() | PAYLOADS)
def test_no_payload_breaks_the_other_side(
    from_client: NoisePayload | None, from_server: NoisePayload | None
) -> None:
    network = build(51, 6)
    hosts = []
    for number in (1, 2):
        address = Address(f"172.16.{number}.1", 5000)
        config = NodeConfig(
            (BOOTSTRAP,), ephemeral=True, local_port=5000, local_hosts=(address.host,)
        )
        hosts.append(network.add(address, config))
    server, client = hosts
    network.run_for(5)
    server.node.listen(SERVER, network.now)
    network.pump(server)
    network.run_until(lambda: bool(server.of(Announced)))

    own, answer = Connect._own_payload, Server._payload
    with (
        patch.object(Connect, "_own_payload", lambda c: from_client or own(c)),
        patch.object(Server, "_payload", lambda s, n, i: from_server or answer(s, n, i)),
    ):
        client.node.connect(CLIENT, SERVER.public_key, 77, network.now)
        network.pump(client)
        answered = 0

        def done() -> bool:
            nonlocal answered
            for event in server.of(HandshakeReceived)[answered:]:
                answered += 1
                server.node.accept(event.session, 88, network.now)
                network.pump(server)
            return bool(client.of(ConnectionReady) or client.of(ConnectFailed))

        network.run_until(done, 120)
        network.run_for(5)
    assert len(client.of(ConnectionReady)) + len(client.of(ConnectFailed)) == 1
    for ready in (*client.of(ConnectionReady), *server.of(ConnectionReady)):
        assert ready.remote.udx is not None
    assert client.node._rpc.sockets.open_punchers == 0
    # Both still serve.
    lookup = client.node.find_node(bytes(32), network.now)
    assert network.wait(client, lookup).closest
    lookup = server.node.find_node(bytes(32), network.now)
    assert network.wait(server, lookup).closest
