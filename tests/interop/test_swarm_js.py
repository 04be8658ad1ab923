"""Our swarm and npm hyperswarm on one topic: they meet, keep one connection, and replicate.

Every story is played three times, each time by new swarms on a topic of its own, in one network of
theirs; ``VITRA_TEST_SWARM_ROUNDS=50`` plays it that often. Up to three rounds run at a time, for
most of one is waiting for the next look-up or call.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from protocol.crypto.hashes import blake2b_256
from protocol.crypto.keys import KeyPair
from vitra_node import Corestore, Database, Swarm

from ..contract_sources import COUNTER
from .js_peer import JsPeer

ROUNDS = int(os.environ.get("VITRA_TEST_SWARM_ROUNDS", "3"))
ROUNDS_AT_ONCE = 3
# For all rounds of one test; far more than they take.
SECONDS = 120 + 20 * ROUNDS
# The smallest network of theirs that stores anything, and one in which nodes know not all others.
SIZES = (3, 10)

SERVER, CLIENT, BOTH = (
    {"server": True, "client": False},
    {"server": False, "client": True},
    {"server": True, "client": True},
)


@dataclass(frozen=True)
class Round:
    """One time that a story is played.

    Attributes:
      js: the process in which the network of theirs runs.
      bootstrap: of that network.
      number: counts from 0.
      directory: empty.
    """

    js: JsPeer
    bootstrap: list[tuple[str, int]]
    number: int
    directory: Path

    @property
    def topic(self) -> bytes:
        """That no other round has."""
        return blake2b_256(b"topic %d" % self.number)

    def seeds(self) -> tuple[bytes, bytes]:
        """Of the smaller and the larger of two keys that no other round has."""
        both = [blake2b_256(b"key %d %d" % (which, self.number)) for which in (1, 2)]
        smaller, larger = sorted(both, key=lambda seed: KeyPair.from_seed(seed).public_key)
        return smaller, larger

    @asynccontextmanager
    async def our_swarm(self, seed: bytes | None = None) -> AsyncIterator[Swarm]:
        """One of ours, with a store in memory."""
        key_pair = None if seed is None else KeyPair.from_seed(seed)
        async with (
            Corestore.open(None) as store,
            Swarm.open(store, bootstrap=self.bootstrap, key_pair=key_pair) as ours,
        ):
            yield ours

    async def their_swarm(
        self, name: str = "theirs", seed: bytes | None = None, js: JsPeer | None = None
    ) -> Theirs:
        """One of theirs with a store, in their process or in another one."""
        js = js or self.js
        store = await js.call("store", path=str(self.directory / name))
        seeded = None if seed is None else seed.hex()
        opened = await js.call("open", bootstrap=self.bootstrap, store=store["store"], seed=seeded)
        return Theirs(js, opened["swarm"], store["store"], opened["key"])


@dataclass(frozen=True)
class Theirs:
    """A swarm in a process of theirs.

    Attributes:
      key: public, as hex.
    """

    js: JsPeer
    swarm: int
    store: int
    key: str

    async def call(self, method: str, **args: Any) -> Any:
        """A method that is about the swarm."""
        return await self.js.call(method, swarm=self.swarm, **args)

    async def join(self, topic: bytes, **roles: bool) -> Any:
        """Join a topic."""
        return await self.call("join", topic=topic.hex(), **roles)

    async def connection(self, key: str) -> Any:
        """Wait for a connection with a key."""
        return await self.js.event("connection", swarm=self.swarm, key=key)

    async def close(self) -> None:
        """With its store."""
        await self.call("close", store=self.store)


Story = Callable[[Round], Awaitable[None]]


def play(story: Story, directory: Path, *, size: int = 3) -> None:
    """Play every round of a story in a network of theirs."""

    async def one(js: JsPeer, port: int, number: int, limit: trio.CapacityLimiter) -> None:
        async with limit:
            path = directory / str(number)
            path.mkdir()
            await story(Round(js, [("127.0.0.1", port)], number, path))

    async def all_of_them() -> None:
        limit = trio.CapacityLimiter(ROUNDS_AT_ONCE)
        with trio.fail_after(SECONDS):
            async with JsPeer("swarm_peer.mjs") as js:
                port = (await js.call("testnet", size=size))["port"]
                async with trio.open_nursery() as nursery:
                    for number in range(ROUNDS):
                        nursery.start_soon(one, js, port, number, limit)

    trio.run(all_of_them)


async def connected(swarm: Swarm, *keys: str) -> None:
    """Wait until the swarm is connected with exactly these keys."""
    while {each.peer.public_key.hex() for each in swarm.connections} != set(keys):
        await swarm.wait_changed()


# A client of theirs that is there before any server looks again after ten minutes only: that order
# is the next test. Ours looks again after seconds.
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("we_are", "they_are", "we_come_first"),
    [
        (SERVER, CLIENT, True),
        (CLIENT, SERVER, True),
        (CLIENT, SERVER, False),
        (BOTH, BOTH, True),
        (BOTH, BOTH, False),
    ],
)
def test_they_find_each_other(
    size: int,
    we_are: dict[str, bool],
    they_are: dict[str, bool],
    we_come_first: bool,
    tmp_path: Path,
) -> None:
    async def story(this: Round) -> None:
        async with this.our_swarm() as ours:
            theirs = await this.their_swarm()

            async def join_ours() -> None:
                await ours.join(this.topic, **we_are)
                await ours.flush()

            async def join_theirs() -> None:
                await theirs.join(this.topic, **they_are)
                await theirs.call("flushed", topic=this.topic.hex())

            for join in (join_ours, join_theirs) if we_come_first else (join_theirs, join_ours):
                await join()
            await connected(ours, theirs.key)
            await theirs.connection(ours.key_pair.public_key.hex())
            (connection,) = ours.connections
            (other,) = await theirs.call("connections")
            assert other["key"] == ours.key_pair.public_key.hex()
            assert other["initiator"] is not connection.connection.initiator
            if not we_are["server"] or not they_are["server"]:
                assert connection.connection.initiator is we_are["client"]
            await theirs.close()

    play(story, tmp_path, size=size)


@pytest.mark.parametrize("server_is_theirs", [False, True], ids=["our-server", "their-server"])
def test_a_client_of_theirs_finds_a_later_server_when_it_looks_again(
    server_is_theirs: bool, tmp_path: Path
) -> None:
    """A server cannot call who only looks, for clients are not announced; theirs is no better."""

    async def story(this: Round) -> None:
        async with this.our_swarm() as ours:
            client = await this.their_swarm("client")
            joined = await client.join(this.topic, **CLIENT)
            await client.call("flushed", topic=this.topic.hex())
            server = await this.their_swarm("server") if server_is_theirs else None
            if server is not None:
                key = server.key
                await server.join(this.topic, **SERVER)
                await server.call("flush")
            else:
                key = ours.key_pair.public_key.hex()
                await ours.join(this.topic, **SERVER)
                await ours.flush()
            # All that either does before that time is done.
            assert await client.call("connections") == []
            await this.js.call("refresh", session=joined["session"])
            assert (await client.connection(key))["initiator"]
            if server is None:
                await connected(ours, client.key)
            else:
                await server.close()
            await client.close()

    play(story, tmp_path)


@pytest.mark.parametrize("ours_is_larger", [True, False])
def test_both_joining_at_once_end_with_one_connection(ours_is_larger: bool, tmp_path: Path) -> None:
    async def story(this: Round) -> None:
        smaller, larger = this.seeds()
        our_seed, their_seed = (larger, smaller) if ours_is_larger else (smaller, larger)
        async with this.our_swarm(our_seed) as ours:
            theirs = await this.their_swarm(seed=their_seed)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ours.join, this.topic)
                await theirs.join(this.topic, **BOTH)
            await theirs.call("flush")
            await ours.flush()
            while True:
                await connected(ours, theirs.key)
                (near,) = ours.connections
                far = await theirs.call("connections")
                assert near.connection.handshake is not None
                # One may still be closing while the other is open already.
                if [each["handshake"] for each in far] == [near.connection.handshake.hash.hex()]:
                    break
                await trio.sleep(0.05)
            assert near.connection.initiator is not far[0]["initiator"]
            await theirs.close()

    play(story, tmp_path)


def test_killing_one_side_leads_to_reconnection(tmp_path: Path) -> None:
    async def story(this: Round) -> None:
        seed, _ = this.seeds()
        async with this.our_swarm() as ours:
            await ours.join(this.topic)
            await ours.flush()
            for life in range(2):
                async with JsPeer("swarm_peer.mjs") as js:
                    theirs = await this.their_swarm(str(life), seed, js)
                    await theirs.join(this.topic, **BOTH)
                    await theirs.connection(ours.key_pair.public_key.hex())
                    await connected(ours, theirs.key)
                    js.kill()

    play(story, tmp_path)


def test_their_corestore_gets_a_whole_index_by_its_key(tmp_path: Path) -> None:
    async def story(this: Round) -> None:
        async with Database.create(this.directory / "ours", contract=COUNTER) as database:
            for _ in range(20):
                await (await database.call("increment")).when_processed()
            await (await database.swarm(this.bootstrap)).flush()
            core = database.index.core
            theirs = await this.their_swarm()
            copy = await this.js.call("core", store=theirs.store, key=core.key.hex())
            await theirs.join(core.discovery_key, **CLIENT)
            blocks = await this.js.call("read", core=copy["core"], length=core.length)
            assert blocks == [(await core.get(seq)).hex() for seq in range(core.length)]
            await theirs.close()

    play(story, tmp_path)


def test_our_corestore_gets_a_whole_log_of_theirs_by_its_key(tmp_path: Path) -> None:
    async def story(this: Round) -> None:
        theirs = await this.their_swarm()
        written = [f"block {n}" for n in range(200)]
        log = await this.js.call("core", store=theirs.store, name="log", append=written)
        await theirs.join(bytes.fromhex(log["discoveryKey"]), **SERVER)
        await theirs.call("flush")
        async with (
            Corestore.open(None) as store,
            Swarm.open(store, bootstrap=this.bootstrap) as ours,
        ):
            core = await store.get(key=bytes.fromhex(log["key"]))
            await ours.join(core.discovery_key, server=False)
            assert [(await core.get(seq)).decode() for seq in range(200)] == written
        await theirs.close()

    play(story, tmp_path)
