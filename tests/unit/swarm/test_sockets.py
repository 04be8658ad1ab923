"""Swarms on real sockets, in a network of our own DHT nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from protocol.crypto.keys import KeyPair
from protocol.errors import LocalProtocolError
from tests.private_network import smallest_network
from vitra_node import DHT, Corestore, Swarm
from vitra_node.net.connections import Connections

SECONDS = 30
HOST = "127.0.0.1"
TOPIC = bytes(range(32))


@asynccontextmanager
async def network() -> AsyncIterator[list[tuple[str, int]]]:
    """The smallest one, for a limited time."""
    with trio.fail_after(SECONDS):
        async with smallest_network() as bootstrap:
            yield bootstrap


@asynccontextmanager
async def swarm_of(
    store: Corestore, bootstrap: list[tuple[str, int]], seed: int | None = None, **options: object
) -> AsyncIterator[Swarm]:
    pair = None if seed is None else KeyPair.from_seed(bytes([seed]) * 32)
    async with Swarm.open(store, bootstrap=bootstrap, host=HOST, key_pair=pair, **options) as swarm:
        yield swarm


async def until(swarm: Swarm, condition: Callable[[], bool]) -> None:
    while not condition():
        await swarm.wait_changed()


async def test_what_was_joined_is_found_and_replicated() -> None:
    async with (
        network() as bootstrap,
        Corestore.open(None) as ours,
        Corestore.open(None) as theirs,
        swarm_of(ours, bootstrap) as serving,
        swarm_of(theirs, bootstrap) as asking,
    ):
        core = await ours.get(name="log")
        await core.append([b"a", b"b"])
        await serving.join(core.discovery_key, client=False)
        await serving.flush()
        copy = await theirs.get(key=core.key)
        await asking.join(copy.discovery_key, server=False)
        assert await copy.get(1) == b"b"
        await asking.flush()
        (connection,) = asking.connections
        assert connection.peer.public_key == serving.key_pair.public_key
        assert list(connection.peer.topics) == [core.discovery_key]
        assert connection.connection.initiator
        await until(serving, lambda: bool(serving.connections))
        (other,) = serving.connections
        assert other.peer.public_key == asking.key_pair.public_key
        assert not other.connection.initiator


async def test_both_joining_at_once_end_with_one_connection() -> None:
    async with (
        network() as bootstrap,
        Corestore.open(None) as ours,
        Corestore.open(None) as theirs,
        swarm_of(ours, bootstrap) as one,
        swarm_of(theirs, bootstrap) as two,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(one.join, TOPIC)
        nursery.start_soon(two.join, TOPIC)
        await until(one, lambda: bool(one.connections))
        await until(two, lambda: bool(two.connections))
        await one.flush()
        await two.flush()
        (near,), (far,) = one.connections, two.connections
        # Both hold the ends of the same connection, and its caller is the one with the larger key.
        assert near.connection.handshake.hash == far.connection.handshake.hash
        if one.key_pair.public_key > two.key_pair.public_key:
            assert near.connection.initiator
        else:
            assert far.connection.initiator


async def test_the_key_of_a_store_is_the_same_after_a_restart(tmp_path: object) -> None:
    keys = []
    for _ in range(2):
        async with (
            network() as bootstrap,
            Corestore.open(f"{tmp_path}/store") as store,
            swarm_of(store, bootstrap) as swarm,
        ):
            keys.append(swarm.key_pair.public_key)
    assert keys[0] == keys[1]


async def test_leaving_takes_the_announce_back() -> None:
    async with (
        network() as bootstrap,
        Corestore.open(None) as store,
        swarm_of(store, bootstrap) as swarm,
        DHT.open(bootstrap, HOST) as asker,
    ):
        session = await swarm.join(TOPIC)
        await swarm.flush()
        assert [r async for reply in asker.lookup(TOPIC) for r in reply.records]
        session.leave()
        await until(swarm, lambda: not swarm.topics)
        assert not [r async for reply in asker.lookup(TOPIC) for r in reply.records]


async def test_closing_takes_the_announces_back() -> None:
    async with network() as bootstrap, DHT.open(bootstrap, HOST) as asker:
        async with Corestore.open(None) as store, swarm_of(store, bootstrap) as swarm:
            await swarm.join(TOPIC)
            await swarm.flush()
        assert not [r async for reply in asker.lookup(TOPIC) for r in reply.records]
        assert not [
            r async for reply in asker.find_peer(swarm.key_pair.public_key) for r in reply.records
        ]


async def test_suspending_and_resuming() -> None:
    async with (
        network() as bootstrap,
        Corestore.open(None) as ours,
        Corestore.open(None) as theirs,
        swarm_of(ours, bootstrap) as one,
        swarm_of(theirs, bootstrap) as two,
    ):
        await one.join(TOPIC)
        await one.flush()
        await two.join(TOPIC)
        await until(two, lambda: bool(two.connections))
        await one.suspend()
        assert one.connections == []
        await until(two, lambda: not two.connections)
        await one.resume()
        await until(one, lambda: bool(one.connections))
        await until(two, lambda: bool(two.connections))


async def test_who_is_banned_by_key_is_refused_over_the_swarm() -> None:
    async with (
        network() as bootstrap,
        Corestore.open(None) as ours,
        Corestore.open(None) as theirs,
    ):
        connections = Connections(ours.cores, KeyPair.from_seed(bytes(32)))
        async with (
            swarm_of(ours, bootstrap, connections=connections) as one,
            swarm_of(theirs, bootstrap) as two,
        ):
            connections.bans.charge(two.key_pair.public_key.hex(), 1000.0, trio.current_time())
            await one.join(TOPIC)
            await one.flush()
            await two.join(TOPIC, server=False)
            await two.flush()
            assert one.connections == two.connections == []
            (peer,) = two.peers
            assert peer.failure


async def test_a_firewall_decides_who_may_come() -> None:
    async with (
        network() as bootstrap,
        Corestore.open(None) as ours,
        Corestore.open(None) as theirs,
        swarm_of(theirs, bootstrap) as two,
        swarm_of(ours, bootstrap, firewall=lambda key: key == two.key_pair.public_key) as one,
    ):
        await one.join(TOPIC)
        await one.flush()
        await two.join(TOPIC)
        await two.flush()
        await one.join(bytes(32))
        assert one.connections == two.connections == []


async def test_a_peer_can_be_joined_by_its_key() -> None:
    async with (
        network() as bootstrap,
        Corestore.open(None) as ours,
        Corestore.open(None) as theirs,
        swarm_of(ours, bootstrap) as one,
        swarm_of(theirs, bootstrap) as two,
    ):
        await one.join(TOPIC, client=False)
        await one.flush()
        two.join_peer(one.key_pair.public_key)
        await until(two, lambda: bool(two.connections))
        two.ban(one.key_pair.public_key)
        await until(two, lambda: not two.connections)
        await until(one, lambda: not one.connections)


async def test_without_a_network_a_flush_ends_and_says_why() -> None:
    with trio.fail_after(SECONDS):
        async with (
            Corestore.open(None) as store,
            swarm_of(store, [(HOST, 9)]) as swarm,
        ):
            await swarm.join(TOPIC, server=False)
            await swarm.flush()
            (topic,) = swarm.topics
            assert topic.failure == "no node of the network answered"
            assert topic.looked_up_at is None


async def test_a_topic_has_32_bytes() -> None:
    async with (
        network() as bootstrap,
        Corestore.open(None) as store,
        swarm_of(store, bootstrap) as swarm,
    ):
        with pytest.raises(LocalProtocolError):
            await swarm.join(b"short")
