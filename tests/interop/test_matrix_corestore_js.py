"""Fifty logs of a Corestore 7 on one stream with a store of ours, in both roles."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from vitra_node.storage.corestore import Corestore

from .js_peer import JsPeer
from .test_replication_js import our_node

LOGS = 50


def blocks_of(number: int) -> list[bytes]:
    """A log of every length from 1 to ``LOGS``."""
    return [b"log %d block %d" % (number, index) for index in range(number + 1)]


async def write_theirs(peer: JsPeer, store: int) -> list[str]:
    keys = []
    for number in range(LOGS):
        core = await peer.call("core.open", store=store, name=f"theirs {number}")
        texts = [block.hex() for block in blocks_of(number)]
        await peer.call("core.append", core=core["core"], blocks=texts)
        keys.append(core["key"])
    return keys


async def fetch_theirs(ours: Corestore, keys: list[str]) -> None:
    async def fetch(number: int, key: str) -> None:
        core = await ours.get(key=bytes.fromhex(key))
        await core.update()
        await core.download()
        assert [core.local_block(i) for i in range(core.length)] == blocks_of(number)

    async with trio.open_nursery() as nursery:
        for number, key in enumerate(keys):
            nursery.start_soon(fetch, number, key)


async def write_ours(ours: Corestore) -> list[str]:
    cores = [await ours.get(name=f"ours {number}") for number in range(LOGS)]
    for number, core in enumerate(cores):
        await core.append(blocks_of(number))
    return [core.key.hex() for core in cores]


async def fetch_ours(peer: JsPeer, store: int, keys: list[str]) -> None:
    async def fetch(number: int, key: str) -> None:
        core = (await peer.call("core.open", store=store, key=key))["core"]
        await peer.call("core.update", core=core)
        await peer.call("core.download", core=core, end=number + 1)
        texts = await peer.call("core.blocks", core=core)
        assert texts == [block.hex() for block in blocks_of(number)]

    async with trio.open_nursery() as nursery:
        for number, key in enumerate(keys):
            nursery.start_soon(fetch, number, key)


@pytest.mark.parametrize("roles", ["fetch", "serve", "both"])
@pytest.mark.parametrize("we_connect", [True, False], ids=["we-connect", "they-connect"])
async def test_fifty_logs_on_one_stream(tmp_path: Path, roles: str, we_connect: bool) -> None:
    async with JsPeer() as peer:
        store = (await peer.call("store.open", path=str(tmp_path)))["store"]
        their_keys = await write_theirs(peer, store) if roles != "serve" else []
        port = None
        if we_connect:
            port = (await peer.call("net.listen", store=store))["port"]
        async with our_node(port) as node:
            our_keys = await write_ours(node.store) if roles != "fetch" else []
            if not we_connect:
                await peer.call("net.connect", port=node.port, store=store)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fetch_theirs, node.store, their_keys)
                nursery.start_soon(fetch_ours, peer, store, our_keys)
            assert len(node.connections.live) == 1
