"""Our DHT node in networks of npm ``hyperdht``, and theirs in networks of ours.

``VITRA_TEST_DHT_ROUNDS=50`` repeats every connection that often; 3 times by default.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from vitra_node import DHT
from vitra_node.net.dht.server import DhtServer
from vitra_node.net.errors import ConnectionFailed

from ..private_network import serving_nodes
from ..secret_talk import Talk
from .js_peer import JsPeer, JsPeerError

ROUNDS = int(os.environ.get("VITRA_TEST_DHT_ROUNDS", "3"))
SECONDS = 40 + 3 * ROUNDS
HOST = "127.0.0.1"
SIZES = (3, 10, 20)

# How a JavaScript node is made to be sure that strangers reach it, or that they do not.
JS_OPEN = {"firewalled": False}
JS_FIREWALLED = {"quickFirewall": False}


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with trio.fail_after(SECONDS):
            await main()

    trio.run(limited)


async def echo(server: DhtServer) -> None:
    """Say everything back to all clients."""
    async with trio.open_nursery() as nursery:

        async def answer(talk: Talk) -> None:
            async with talk:
                while (message := await talk.receive()) is not None:
                    await talk.send(message)

        async for connection in server:
            nursery.start_soon(answer, Talk(connection))


@asynccontextmanager
async def js_network(size: int, **options: Any) -> AsyncIterator[tuple[JsPeer, int, Any]]:
    """A network of theirs: the process, a node more that only asks, the bootstrap addresses."""
    async with JsPeer("dht_peer.mjs") as js:
        network = await js.call("testnet", size=size)
        bootstrap = [(network["host"], network["port"])]
        node = await js.call("open", bootstrap=bootstrap, **options)
        yield js, node["node"], bootstrap


@pytest.mark.parametrize("size", SIZES)
def test_we_find_our_place_and_what_they_announce(size: int) -> None:
    async def main() -> None:
        async with (
            js_network(size, **JS_OPEN) as (js, node, bootstrap),
            DHT.open(bootstrap, HOST) as dht,
        ):
            await dht.wait_bootstrapped()
            # Their first node never learns its address, so it is in nobody's table.
            assert len(dht.nodes) >= size - 1
            for number in range(ROUNDS):
                topic = blake2b_256(b"topic %d" % number)
                key_pair = KeyPair.from_seed(blake2b_256(b"key %d" % number))
                relay = (HOST, 1000 + number)
                done = await dht.announce(topic, key_pair, [relay])
                assert done.stored >= size - 1
                seen = await js.call("lookup", node=node, topic=topic.hex())
                assert len(seen) >= size - 1
                for reply in seen:
                    assert reply["key"] == key_pair.public_key.hex()
                    assert reply["relays"] == [list(relay)]
                await js.call("announce", node=node, topic=topic.hex(), seed=bytes(32).hex())
                records = [r async for reply in dht.lookup(topic) for r in reply.records]
                theirs = KeyPair.from_seed(bytes(32)).public_key
                assert {r.public_key for r in records} == {key_pair.public_key, theirs}
                await dht.unannounce(topic, key_pair)
                left = await js.call("lookup", node=node, topic=topic.hex())
                assert {reply["key"] for reply in left} == {theirs.hex()}

    run(main)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theirs", [JS_OPEN, JS_FIREWALLED], ids=["open", "firewalled"])
@pytest.mark.parametrize("ours", [False, True], ids=["ours-open", "ours-firewalled"])
def test_we_connect_to_their_server(size: int, theirs: dict[str, bool], ours: bool) -> None:
    async def main() -> None:
        async with (
            js_network(size, **theirs) as (js, node, bootstrap),
            DHT.open(bootstrap, HOST, firewalled=ours) as dht,
        ):
            await dht.wait_bootstrapped()
            for number in range(ROUNDS):
                server = await js.call("listen", node=node, echo=True)
                async with Talk(await dht.connect(bytes.fromhex(server["key"]))) as talk:
                    message = b"%d" % number * 1000
                    await talk.send(message)
                    assert await talk.receive() == message
                    seen = await js.event("connection", server=server["server"])
                    assert seen["key"] == dht.key_pair.public_key.hex()
                await js.call("unlisten", server=server["server"])

    run(main)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theirs", [JS_OPEN, JS_FIREWALLED], ids=["open", "firewalled"])
@pytest.mark.parametrize("ours", [False, True], ids=["ours-open", "ours-firewalled"])
def test_they_connect_to_our_server(size: int, theirs: dict[str, bool], ours: bool) -> None:
    async def main() -> None:
        async with (
            js_network(size, **theirs) as (js, node, bootstrap),
            DHT.open(bootstrap, HOST, firewalled=ours) as dht,
        ):
            await dht.wait_bootstrapped()
            for number in range(ROUNDS):
                key_pair = KeyPair.from_seed(blake2b_256(b"key %d" % number))
                async with (
                    dht.listen(key_pair) as server,
                    trio.open_nursery() as nursery,
                ):
                    nursery.start_soon(echo, server)
                    await server.wait_announced()
                    key = key_pair.public_key.hex()
                    stream = (await js.call("connect", node=node, key=key))["stream"]
                    await js.call("write", stream=stream, data="ab" * 1000)
                    assert (await js.event("data", stream=stream))["data"] == "ab" * 1000
                    await js.call("end", stream=stream)
                    assert (await js.event("close", stream=stream))["code"] is None
                    nursery.cancel_scope.cancel()

    run(main)


def test_relays_of_a_record_spare_the_search() -> None:
    async def main() -> None:
        async with (
            js_network(10, **JS_OPEN) as (js, node, bootstrap),
            DHT.open(bootstrap, HOST) as dht,
        ):
            server = await js.call("listen", node=node, echo=True)
            relays = [(host, port) for host, port in server["relays"]]
            async with Talk(await dht.connect(bytes.fromhex(server["key"]), relays=relays)) as talk:
                await talk.send(b"quick")
                assert await talk.receive() == b"quick"

    run(main)


def test_who_left_or_never_came_is_not_found() -> None:
    async def main() -> None:
        async with (
            js_network(3, **JS_OPEN) as (js, node, bootstrap),
            DHT.open(bootstrap, HOST) as dht,
        ):
            server = await js.call("listen", node=node, echo=True)
            key = bytes.fromhex(server["key"])
            await js.call("unlisten", server=server["server"])
            with pytest.raises(ConnectionFailed, match="nobody knows the way to the peer"):
                await dht.connect(key)
            async with dht.listen() as ours:
                await ours.wait_announced()
            with pytest.raises(JsPeerError) as refused:
                await js.call("connect", node=node, key=dht.key_pair.public_key.hex())
            assert refused.value.code in ("PEER_NOT_FOUND", "PEER_CONNECTION_FAILED")

    run(main)


def test_our_network_keeps_what_they_store() -> None:
    async def main() -> None:
        async with (
            serving_nodes(10) as nodes,
            JsPeer("dht_peer.mjs") as writing,
            JsPeer("dht_peer.mjs") as reading,
        ):
            bootstrap = [nodes[0].local_address]
            writer = (await writing.call("open", bootstrap=bootstrap))["node"]
            reader = (await reading.call("open", bootstrap=bootstrap))["node"]
            for number in range(ROUNDS):
                topic = blake2b_256(b"topic %d" % number).hex()
                seed = blake2b_256(b"key %d" % number).hex()
                key = KeyPair.from_seed(bytes.fromhex(seed)).public_key
                await writing.call(
                    "announce", node=writer, topic=topic, seed=seed, relays=[[HOST, 9]]
                )
                found = await reading.call("lookup", node=reader, topic=topic)
                assert len(found) == 10
                assert all(r["key"] == key.hex() and r["relays"] == [[HOST, 9]] for r in found)
                await writing.call("unannounce", node=writer, topic=topic, seed=seed)
                assert await reading.call("lookup", node=reader, topic=topic) == []

                value = b"value %d" % number
                put = await writing.call("immutablePut", node=writer, value=value.hex())
                assert put["hash"] == blake2b_256(value).hex()
                got = await reading.call("immutableGet", node=reader, hash=put["hash"])
                assert got == value.hex()
                for seq, value in enumerate((b"old", b"new")):
                    await writing.call(
                        "mutablePut", node=writer, seed=seed, value=value.hex(), seq=seq
                    )
                got = await reading.call("mutableGet", node=reader, key=key.hex())
                assert got == {"seq": 1, "value": b"new".hex()}
                ours = await nodes[-1].mutable_get(key)
                assert ours is not None
                assert (ours.seq, ours.value) == (1, b"new")

    run(main)


@pytest.mark.parametrize(
    "options", [JS_OPEN, JS_FIREWALLED, {}], ids=["open", "firewalled", "by-chance"]
)
def test_they_meet_through_our_relays(options: dict[str, bool]) -> None:
    async def main() -> None:
        async with (
            serving_nodes(10) as nodes,
            JsPeer("dht_peer.mjs") as serving,
            JsPeer("dht_peer.mjs") as calling,
        ):
            bootstrap = [nodes[0].local_address]
            host = (await serving.call("open", bootstrap=bootstrap, **options))["node"]
            client = (await calling.call("open", bootstrap=bootstrap, **options))["node"]
            for _ in range(ROUNDS):
                server = await serving.call("listen", node=host, echo=True)
                assert len(server["relays"]) >= 3
                call = await calling.call("connect", node=client, key=server["key"])
                await calling.call("write", stream=call["stream"], data="abcd")
                assert (await calling.event("data", stream=call["stream"]))["data"] == "abcd"
                await calling.call("end", stream=call["stream"])
                await calling.event("close", stream=call["stream"])
                await serving.call("unlisten", server=server["server"])

    run(main)
