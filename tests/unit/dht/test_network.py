"""Many nodes in one network: joining, finding, storing, with loss and churn."""

from __future__ import annotations

from hashlib import blake2b

import pytest

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from protocol.dht.addresses import distance, node_id
from protocol.dht.records.encoding import sign_mutable
from protocol.dht.rpc.messages import ErrorCode
from tests.dht_network import BOOTSTRAP, Host, Network, build

TOPIC = b"\xab" * 32
KEY_PAIR = KeyPair.from_seed(b"\x07" * 32)


def _hosts(network: Network) -> list[Host]:
    return list(network.hosts.values())


def test_two_nodes() -> None:
    network = build(1, 2)
    first, second = _hosts(network)
    assert second.node.address == second.address
    assert second.node.id == node_id(second.address)
    assert second.node.nodes == [BOOTSTRAP]
    assert first.node.nodes == [second.address]


@pytest.mark.parametrize(("count", "loss"), [(100, 0.0), (40, 0.1)])
def test_nodes_find_what_others_announce_and_store(count: int, loss: float) -> None:
    network = build(3, count, loss=loss)
    hosts = _hosts(network)
    assert all(len(host.node.nodes) >= 20 for host in hosts)

    server = hosts[17]
    done = network.wait(server, server.node.announce(TOPIC, KEY_PAIR, network.now))
    assert done.stored >= 15
    client = hosts[31]
    operation = client.node.lookup(TOPIC, network.now)
    found = network.wait(client, operation)
    keys = {r.public_key for reply in client.replies(operation) for r in reply.records}
    assert keys == {KEY_PAIR.public_key}

    # The walk ends at the nodes that are in truth the nearest.
    nearest = sorted(network.hosts, key=lambda address: distance(TOPIC, node_id(address)))
    others = [address for address in nearest if address != client.address]
    missed = set(others[:10]) - set(found.closest)
    assert len(missed) <= (0 if loss == 0 else 2)

    value = sign_mutable(1, b"hello", KEY_PAIR)
    put = network.wait(server, server.node.mutable_put(value, KEY_PAIR.public_key, network.now))
    assert put.stored >= 15
    operation = client.node.mutable_get(KEY_PAIR.public_key, network.now)
    network.wait(client, operation)
    assert value in [reply.value for reply in client.replies(operation)]

    network.wait(server, server.node.immutable_put(b"for ever", network.now))
    operation = client.node.immutable_get(blake2b_256(b"for ever"), network.now)
    network.wait(client, operation)
    assert {reply.content for reply in client.replies(operation)} == {b"for ever"}


def test_unannounce() -> None:
    network = build(4, 12)
    server, client = _hosts(network)[3], _hosts(network)[5]
    network.wait(server, server.node.announce(TOPIC, KEY_PAIR, network.now))
    network.wait(server, server.node.unannounce(TOPIC, KEY_PAIR, network.now))
    operation = client.node.lookup(TOPIC, network.now)
    network.wait(client, operation)
    assert client.replies(operation) == []


def test_mutable_values_only_grow() -> None:
    network = build(5, 8)
    host, public_key = _hosts(network)[2], KEY_PAIR.public_key

    def put(seq: int, value: bytes) -> tuple[int, ...]:
        signed = sign_mutable(seq, value, KEY_PAIR)
        return network.wait(host, host.node.mutable_put(signed, public_key, network.now)).refused

    assert put(5, b"five") == ()
    assert set(put(4, b"four")) == {ErrorCode.SEQ_TOO_LOW}
    assert set(put(5, b"other")) == {ErrorCode.SEQ_REUSED}
    assert put(6, b"six") == ()
    operation = host.node.mutable_get(public_key, network.now, seq=7)
    network.wait(host, operation)
    assert host.replies(operation) == []


def test_records_expire() -> None:
    network = build(6, 6)
    server = _hosts(network)[1]
    network.wait(server, server.node.announce(TOPIC, KEY_PAIR, network.now))
    network.run_for(30 * 60)
    operation = server.node.lookup(TOPIC, network.now)
    network.wait(server, operation)
    assert server.replies(operation) == []


def test_dead_nodes_are_forgotten() -> None:
    network = build(7, 30)
    hosts = _hosts(network)
    dead = hosts[10:20]
    for host in dead:
        host.alive = False
    network.run_for(15 * 60)
    gone = {host.address for host in dead}
    for host in hosts[:10]:
        assert len(gone & set(host.node.nodes)) <= 1
    client = hosts[2]
    network.wait(client, client.node.announce(TOPIC, KEY_PAIR, network.now))
    operation = client.node.lookup(TOPIC, network.now)
    network.wait(client, operation)
    assert client.replies(operation)


def test_same_seed_same_network() -> None:
    def digest() -> str:
        network = build(8, 25, loss=0.05)
        state = blake2b(digest_size=16)
        for host in _hosts(network):
            state.update(repr((host.node.nodes, host.events)).encode())
        state.update(str(network.datagrams).encode())
        return state.hexdigest()

    assert digest() == digest()
