"""The real world's streams, and that a node draws from the world it was given."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from protocol.crypto.keys import KeyPair
from vitra_node.config import Address
from vitra_node.net.dht.dht import DHT
from vitra_node.storage.corestore import Corestore
from vitra_node.world import REAL_WORLD, RealWorld

HOST = "127.0.0.1"


class LoadedDice(RealWorld):
    """The real world, with chance that repeats itself and a date of its own."""

    def __init__(self) -> None:
        self.drawn = 0

    def random_bytes(self, count: int) -> bytes:
        """Numbers that count up."""
        self.drawn += 1
        return self.drawn.to_bytes(count, "big")

    def unix_time(self) -> float:
        """A day in 1970."""
        return 1000.0


async def test_streams_of_the_real_world_reach_each_other() -> None:
    peers: list[Address] = []

    async def answer(stream: trio.abc.Stream, peer: Address) -> None:
        peers.append(peer)
        async with stream:
            await stream.send_all(b"hello")

    async with trio.open_nursery() as nursery:
        serve = partial(REAL_WORLD.serve_streams, HOST, 0, answer)
        bound: list[Address] = await nursery.start(serve)
        stream = await REAL_WORLD.open_stream(bound[0].host, bound[0].port)
        async with stream:
            assert await stream.receive_some() == b"hello"
        nursery.cancel_scope.cancel()
    assert [peer.host for peer in peers] == [HOST]


async def test_an_address_of_another_host_cannot_be_listened_on() -> None:
    async def never(_stream: trio.abc.Stream, _peer: Address) -> None:
        raise AssertionError

    with pytest.raises(OSError):
        await REAL_WORLD.serve_streams("192.0.2.1", 0, never)


async def test_the_keys_of_a_node_come_from_its_world() -> None:
    async with DHT.open((), HOST, world=LoadedDice()) as dht:
        assert dht.key_pair == KeyPair.from_seed((1).to_bytes(32, "big"))
    async with Corestore.open(None, world=LoadedDice()) as store:
        assert store.cores.primary_key == (1).to_bytes(32, "big")
