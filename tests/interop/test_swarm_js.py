"""Our swarm and npm hyperswarm on one topic: they meet, keep one connection, and replicate.

``VITRA_TEST_SWARM_ROUNDS=50`` plays every test that often; once by default.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from protocol.crypto.keys import KeyPair
from vitra_node import Corestore, Database, Swarm

from ..contract_sources import COUNTER
from .js_peer import JsPeer

SECONDS = 90
ROUNDS = int(os.environ.get("VITRA_TEST_SWARM_ROUNDS", "1"))
HOST = "127.0.0.1"
TOPIC = bytes(range(32))
# The smallest network of theirs that stores anything, and one in which nodes know not all others.
SIZES = (3, 10)
SMALL, LARGE = sorted(
    (bytes([n]) * 32 for n in (1, 2)), key=lambda seed: KeyPair.from_seed(seed).public_key
)


@pytest.fixture(autouse=True, params=range(ROUNDS))
def round_number(request: pytest.FixtureRequest) -> int:
    """Which time it is."""
    number: int = request.param
    return number


@asynccontextmanager
async def js_network(size: int = 3) -> AsyncIterator[tuple[JsPeer, list[tuple[str, int]]]]:
    with trio.fail_after(SECONDS):
        async with JsPeer("swarm_peer.mjs") as js:
            network = await js.call("testnet", size=size)
            yield js, [(network["host"], network["port"])]


async def js_swarm(
    js: JsPeer, bootstrap: list[tuple[str, int]], path: Path, seed: bytes | None = None
) -> dict[str, Any]:
    store = await js.call("store", path=str(path))
    seeded = None if seed is None else seed.hex()
    opened = await js.call("open", bootstrap=bootstrap, store=store["store"], seed=seeded)
    return {**opened, **store}


async def connected(swarm: Swarm, *keys: str) -> None:
    """Wait until the swarm is connected with exactly these keys."""
    while {each.peer.public_key.hex() for each in swarm.connections} != set(keys):
        await swarm.wait_changed()


SERVER, CLIENT, BOTH = (
    {"server": True, "client": False},
    {"server": False, "client": True},
    {"server": True, "client": True},
)


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
async def test_they_find_each_other(
    size: int,
    we_are: dict[str, bool],
    they_are: dict[str, bool],
    we_come_first: bool,
    tmp_path: Path,
) -> None:
    async with (
        js_network(size) as (js, bootstrap),
        Corestore.open(None) as store,
        Swarm.open(store, bootstrap=bootstrap) as ours,
    ):
        theirs = await js_swarm(js, bootstrap, tmp_path)

        async def join_ours() -> None:
            await ours.join(TOPIC, **we_are)
            await ours.flush()

        async def join_theirs() -> None:
            await js.call("join", swarm=theirs["swarm"], topic=TOPIC.hex(), **they_are)
            await js.call("flushed", swarm=theirs["swarm"], topic=TOPIC.hex())

        for join in (join_ours, join_theirs) if we_come_first else (join_theirs, join_ours):
            await join()
        await connected(ours, theirs["key"])
        await js.event("connection", key=ours.key_pair.public_key.hex())
        (connection,) = ours.connections
        (other,) = await js.call("connections", swarm=theirs["swarm"])
        assert other["key"] == ours.key_pair.public_key.hex()
        assert other["initiator"] is not connection.connection.initiator
        if not we_are["server"] or not they_are["server"]:
            assert connection.connection.initiator is we_are["client"]


@pytest.mark.parametrize("server_is_theirs", [False, True], ids=["our-server", "their-server"])
async def test_a_client_of_theirs_finds_a_later_server_when_it_looks_again(
    server_is_theirs: bool, tmp_path: Path
) -> None:
    """A server cannot call who only looks, for clients are not announced; theirs is no better."""
    async with (
        js_network() as (js, bootstrap),
        Corestore.open(None) as store,
        Swarm.open(store, bootstrap=bootstrap) as ours,
    ):
        client = await js_swarm(js, bootstrap, tmp_path / "client")
        joined = await js.call("join", swarm=client["swarm"], topic=TOPIC.hex(), **CLIENT)
        await js.call("flushed", swarm=client["swarm"], topic=TOPIC.hex())
        if server_is_theirs:
            server = await js_swarm(js, bootstrap, tmp_path / "server")
            key = server["key"]
            await js.call("join", swarm=server["swarm"], topic=TOPIC.hex(), **SERVER)
            await js.call("flush", swarm=server["swarm"])
        else:
            key = ours.key_pair.public_key.hex()
            await ours.join(TOPIC, **SERVER)
            await ours.flush()
        # All that either does before that time is done.
        assert await js.call("connections", swarm=client["swarm"]) == []
        await js.call("refresh", session=joined["session"])
        seen = await js.event("connection", swarm=client["swarm"], key=key)
        assert seen["initiator"]
        if not server_is_theirs:
            await connected(ours, client["key"])


@pytest.mark.parametrize("ours_is_larger", [True, False])
async def test_both_joining_at_once_end_with_one_connection(
    ours_is_larger: bool, tmp_path: Path
) -> None:
    our_seed, their_seed = (LARGE, SMALL) if ours_is_larger else (SMALL, LARGE)
    async with (
        js_network() as (js, bootstrap),
        Corestore.open(None) as store,
        Swarm.open(store, bootstrap=bootstrap, key_pair=KeyPair.from_seed(our_seed)) as ours,
    ):
        theirs = await js_swarm(js, bootstrap, tmp_path, their_seed)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ours.join, TOPIC)
            await js.call(
                "join", swarm=theirs["swarm"], topic=TOPIC.hex(), server=True, client=True
            )
        await js.call("flush", swarm=theirs["swarm"])
        await ours.flush()
        while True:
            await connected(ours, theirs["key"])
            (near,) = ours.connections
            far = await js.call("connections", swarm=theirs["swarm"])
            assert near.connection.handshake is not None
            # One may still be closing while the other is open already.
            if [each["handshake"] for each in far] == [near.connection.handshake.hash.hex()]:
                break
            await trio.sleep(0.05)
        assert near.connection.initiator is not far[0]["initiator"]


async def test_killing_one_side_leads_to_reconnection(tmp_path: Path) -> None:
    async with (
        js_network() as (_, bootstrap),
        Corestore.open(None) as store,
        Swarm.open(store, bootstrap=bootstrap) as ours,
    ):
        await ours.join(TOPIC)
        await ours.flush()
        for life in range(2):
            async with JsPeer("swarm_peer.mjs") as js:
                theirs = await js_swarm(js, bootstrap, tmp_path / str(life), SMALL)
                await js.call(
                    "join", swarm=theirs["swarm"], topic=TOPIC.hex(), server=True, client=True
                )
                await js.event("connection", key=ours.key_pair.public_key.hex())
                await connected(ours, theirs["key"])
                js.kill()


async def test_their_corestore_gets_a_whole_index_by_its_key(tmp_path: Path) -> None:
    async with (
        js_network() as (js, bootstrap),
        Database.create(tmp_path / "ours", contract=COUNTER) as database,
    ):
        for _ in range(20):
            await (await database.call("increment")).when_processed()
        await (await database.swarm(bootstrap)).flush()
        core = database.index.core
        theirs = await js_swarm(js, bootstrap, tmp_path / "theirs")
        copy = await js.call("core", store=theirs["store"], key=core.key.hex())
        await js.call(
            "join", swarm=theirs["swarm"], topic=core.discovery_key.hex(), server=False, client=True
        )
        blocks = await js.call("read", core=copy["core"], length=core.length)
        assert blocks == [(await core.get(seq)).hex() for seq in range(core.length)]


async def test_our_corestore_gets_a_whole_log_of_theirs_by_its_key(tmp_path: Path) -> None:
    async with js_network() as (js, bootstrap):
        theirs = await js_swarm(js, bootstrap, tmp_path)
        written = [f"block {n}" for n in range(200)]
        log = await js.call("core", store=theirs["store"], name="log", append=written)
        await js.call(
            "join", swarm=theirs["swarm"], topic=log["discoveryKey"], server=True, client=False
        )
        await js.call("flush", swarm=theirs["swarm"])
        async with (
            Corestore.open(None) as store,
            Swarm.open(store, bootstrap=bootstrap) as ours,
        ):
            core = await store.get(key=bytes.fromhex(log["key"]))
            await ours.join(core.discovery_key, server=False)
            assert [(await core.get(seq)).decode() for seq in range(200)] == written
