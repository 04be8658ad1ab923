"""Our DHT nodes on real sockets: bootstrap, find, store, connect, replicate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio
import trio.testing

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from protocol.errors import LocalProtocolError
from tests.private_network import serving_nodes
from vitra_node import DHT, Corestore
from vitra_node.net.connections import Connections
from vitra_node.net.dht.connection import DhtConnection
from vitra_node.net.dht.server import DhtServer
from vitra_node.net.errors import ConnectionFailed

SECONDS = 20
HOST = "127.0.0.1"
TOPIC = bytes(range(32))
KEY = KeyPair.from_seed(bytes(32))


@asynccontextmanager
async def network(size: int) -> AsyncIterator[list[DHT]]:
    """Nodes that serve, then two that only ask."""
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(serving_nodes(size))
        bootstrap = [nodes[0].local_address]
        for _ in range(2):
            dht = await stack.enter_async_context(DHT.open(bootstrap, HOST, ephemeral=True))
            await dht.wait_bootstrapped()
            nodes.append(dht)
        yield nodes


async def meet(client: DHT, server: DhtServer) -> tuple[DhtConnection, DhtConnection]:
    """Connect; gives both ends."""
    accepted: list[DhtConnection] = []

    async def accept() -> None:
        accepted.append(await server.accept())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        connection = await client.connect(server.public_key)
    return connection, accepted[0]


def run(main: object) -> None:
    async def limited() -> None:
        with trio.fail_after(SECONDS):
            await main()  # type: ignore[operator]

    trio.run(limited)


def test_nodes_find_their_place() -> None:
    async def main() -> None:
        async with network(4) as nodes:
            assert all(node.bootstrapped for node in nodes)
            assert [node.id is not None for node in nodes] == [True] * 4 + [False] * 2
            assert all(node.address == node.local_address for node in nodes[:4])
            assert len(nodes[-1].nodes) == 4

    run(main)


def test_what_is_announced_is_found_until_it_is_taken_back() -> None:
    async def main() -> None:
        async with network(3) as nodes:
            asker, server = nodes[-2:]
            done = await server.announce(TOPIC, KEY, [("127.0.0.1", 9)])
            assert done.stored == 3
            lookup = asker.lookup(TOPIC)
            records = [record async for reply in lookup for record in reply.records]
            assert {record.public_key for record in records} == {KEY.public_key}
            assert records[0].relay_addresses == (("127.0.0.1", 9),)
            assert lookup.done is not None
            assert len(lookup.done.closest) == 3
            await server.unannounce(TOPIC, KEY)
            assert [r async for reply in asker.lookup(TOPIC) for r in reply.records] == []

    run(main)


def test_a_lookup_that_is_left_early_stops() -> None:
    async def main() -> None:
        async with network(3) as nodes:
            await nodes[0].announce(TOPIC)
            lookup = nodes[-1].lookup(TOPIC)
            async for _ in lookup:
                break
            lookup.close()
            assert [reply async for reply in lookup] == []
            assert len([reply async for reply in nodes[-1].lookup(TOPIC)]) >= 2

    run(main)


def test_values_are_kept() -> None:
    async def main() -> None:
        async with network(3) as nodes:
            writer, reader = nodes[-2:]
            await writer.immutable_put(b"for ever")
            assert await reader.immutable_get(blake2b_256(b"for ever")) == b"for ever"
            assert await reader.immutable_get(bytes(32)) is None
            await writer.mutable_put(b"old", 1, KEY)
            await writer.mutable_put(b"new", 2, KEY)
            found = await reader.mutable_get(KEY.public_key)
            assert found is not None
            assert (found.seq, found.value) == (2, b"new")
            assert await reader.mutable_get(KEY.public_key, seq=3) is None
            with pytest.raises(LocalProtocolError):
                await writer.immutable_put(bytes(1200))

    run(main)


def test_a_value_that_nobody_keeps_is_an_error() -> None:
    async def main() -> None:
        async with DHT.open([], HOST, ephemeral=True) as alone:
            with pytest.raises(ConnectionFailed, match="nobody keeps the value"):
                await alone.immutable_put(b"lost")

    run(main)


def test_peers_connect_by_key_and_know_each_other() -> None:
    async def main() -> None:
        async with network(3) as nodes:
            client, host = nodes[-2:]
            async with host.listen(KEY) as server:
                await server.wait_announced()
                assert len(server.relay_addresses) == 3
                ours, theirs = await meet(client, server)
                assert ours.initiator
                assert not theirs.initiator
                assert ours.remote_public_key == KEY.public_key
                assert theirs.remote_public_key == client.key_pair.public_key
                assert ours.handshake.hash == theirs.handshake.hash
                assert ours.handshake.tx == theirs.handshake.rx
                await ours.stream.send_all(b"question")
                assert await theirs.stream.receive_some() == b"question"
                await theirs.stream.send_all(b"answer")
                assert await ours.stream.receive_some() == b"answer"
            # A connection outlives the server that it came from.
            await ours.stream.send_all(b"more")
            assert await theirs.stream.receive_some() == b"more"

    run(main)


def test_who_is_not_there_is_not_reached() -> None:
    async def main() -> None:
        async with network(3) as nodes:
            client, host = nodes[-2:]
            with pytest.raises(ConnectionFailed, match="nobody knows the way"):
                await client.connect(KEY.public_key)
            with pytest.raises(ConnectionFailed, match="not a"):
                await client.connect(bytes(32))
            async with host.listen(KEY) as server:
                await server.wait_announced()
                with pytest.raises(LocalProtocolError):
                    async with host.listen(KEY):
                        pass

    run(main)


def test_without_a_network_nobody_is_reached() -> None:
    async def main() -> None:
        async with DHT.open([(HOST, 9)], HOST) as alone:
            with pytest.raises(ConnectionFailed, match="no node of the network answers"):
                await alone.connect(KEY.public_key)
            await alone.wait_bootstrapped()
            assert alone.nodes == []
            with pytest.raises(ConnectionFailed, match="no node of the network answered"):
                await alone.announce(TOPIC)
            # Listening is possible; it goes on trying.
            async with alone.listen() as server:
                assert not server.announced
                assert server.relay_addresses == ()
        with pytest.raises(ConnectionFailed, match="IPv4"):
            async with DHT.open([], "::1"):
                pass

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.02))


def test_who_uses_it_wrongly_is_told() -> None:
    async def main() -> None:
        async with network(2) as nodes:
            dht = nodes[-1]
            for topic in (b"", bytes(31), bytes(33)):
                with pytest.raises(LocalProtocolError, match="32 bytes"):
                    async for _ in dht.lookup(topic):
                        pass
                with pytest.raises(LocalProtocolError, match="32 bytes"):
                    await dht.announce(topic)
            with pytest.raises(LocalProtocolError, match="at most"):
                await dht.announce(TOPIC, relay_addresses=[("1.2.3.4", 5)] * 20)
            with pytest.raises(ConnectionFailed, match="32 bytes"):
                await dht.connect(bytes(31))
            with pytest.raises(ConnectionFailed, match="not an IPv4 address"):
                await dht.connect(KEY.public_key, relays=[("somewhere", 1)])
        for port in (0, 70000):
            with pytest.raises(ConnectionFailed, match="1 to 65535"):
                async with DHT.open([(HOST, port)], HOST):
                    pass
        with pytest.raises(ConnectionFailed, match="cannot be bound"):
            async with DHT.open([], HOST, 70000):
                pass

    run(main)


def test_after_the_end_nothing_hangs() -> None:
    async def main() -> None:
        failures: list[Exception] = []
        async with trio.open_nursery() as nursery, DHT.open([(HOST, 9)], HOST) as dht:

            async def connect() -> None:
                try:
                    await dht.connect(KEY.public_key)
                except ConnectionFailed as error:
                    failures.append(error)

            async def announce() -> None:
                try:
                    await dht.announce(TOPIC)
                except trio.ClosedResourceError as error:
                    failures.append(error)

            nursery.start_soon(connect)
            nursery.start_soon(announce)
            await trio.testing.wait_all_tasks_blocked()
        assert sorted(map(str, failures)) == ["the DHT is closed"] * 2
        with pytest.raises(trio.ClosedResourceError):
            await dht.connect(KEY.public_key)
        with pytest.raises(trio.ClosedResourceError):
            await dht.immutable_get(TOPIC)
        with pytest.raises(trio.ClosedResourceError):
            async with dht.listen():
                pass

    run(main)


def test_iterating_a_server_ends_with_it() -> None:
    async def main() -> None:
        async with network(2) as nodes, trio.open_nursery() as nursery:
            ended = trio.Event()

            async def serve(server: DhtServer) -> None:
                async for _ in server:
                    pass
                ended.set()

            async with nodes[-1].listen(KEY) as server:
                nursery.start_soon(serve, server)
                await trio.testing.wait_all_tasks_blocked()
            await ended.wait()

    run(main)


def test_who_leaves_takes_its_announces_back() -> None:
    async def main() -> None:
        async with network(3) as nodes:
            bootstrap = [nodes[0].local_address]
            async with DHT.open(bootstrap, HOST) as host, host.listen(KEY) as server:
                await server.wait_announced()
                found = [
                    r async for reply in nodes[-1].find_peer(KEY.public_key) for r in reply.records
                ]
                assert {record.public_key for record in found} == {KEY.public_key}
            assert [reply async for reply in nodes[-1].find_peer(KEY.public_key)] == []

    run(main)


def test_a_firewall_keeps_clients_out() -> None:
    async def main() -> None:
        async with network(3) as nodes:
            client, host = nodes[-2:]
            asked: list[bytes] = []

            def firewall(public_key: bytes) -> bool:
                asked.append(public_key)
                return public_key == client.key_pair.public_key

            async with host.listen(KEY, firewall=firewall) as server:
                await server.wait_announced()
                with trio.move_on_after(0.5) as scope:
                    await client.connect(KEY.public_key)
                assert scope.cancelled_caught
                assert asked == [client.key_pair.public_key]
                ours, theirs = await meet(nodes[0], server)
                assert theirs.remote_public_key == nodes[0].key_pair.public_key
                assert ours.stream.connected

    run(main)


def test_logs_replicate_over_a_connection() -> None:
    async def main() -> None:
        async with (
            network(3) as nodes,
            Corestore.open(None) as have,
            Corestore.open(None) as want,
            nodes[-1].listen(KEY) as server,
            trio.open_nursery() as nursery,
        ):
            log = await have.get(name="log")
            await log.append([b"%d" % n for n in range(100)])
            copy = await want.get(key=log.key)
            await server.wait_announced()
            for end, store in zip(await meet(nodes[-2], server), (want, have), strict=True):
                connections = Connections(store.cores, KEY, store.wait_for_room)

                async def replicate(
                    end: DhtConnection = end, connections: Connections = connections
                ) -> None:
                    await connections.run(
                        end.stream,
                        f"{end.address[0]}:{end.address[1]}",
                        initiator=end.initiator,
                        handshake=end.handshake,
                    )

                nursery.start_soon(replicate)
            assert [await copy.get(n) for n in (0, 42, 99)] == [b"0", b"42", b"99"]
            nursery.cancel_scope.cancel()

    run(main)
