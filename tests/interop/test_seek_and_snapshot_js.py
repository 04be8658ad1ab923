"""Seeking to a byte, and snapshots: the same answers as npm hypercore."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from protocol.crypto.keys import KeyPair
from vitra_node import Corestore
from vitra_node.storage.errors import BlockNotAvailable, BlockOutOfRange

from .js_peer import JsPeer
from .test_replication_js import js_core

ENCRYPTION_KEY = b"\x55" * 32


@pytest.mark.parametrize("encrypted", [False, True])
async def test_every_byte_is_where_they_find_it(tmp_path: Path, encrypted: bool) -> None:
    chance = random.Random(7)
    blocks = [bytes(chance.choice((0, 0, 1, 2, 5))) for _ in range(43)]
    options = {"encryptionKey": ENCRYPTION_KEY.hex()} if encrypted else {}
    async with JsPeer() as peer, Corestore.open(None) as store:
        theirs = await js_core(peer, tmp_path, 11, seed="07" * 32, **options)
        ours = await store.get(
            key_pair=KeyPair.from_seed(b"\x07" * 32),
            encryption_key=ENCRYPTION_KEY if encrypted else None,
        )
        await ours.append(blocks)
        info = await peer.call(
            "core.append", core=theirs["core"], blocks=[block.hex() for block in blocks]
        )
        assert info["byteLength"] == ours.byte_length == sum(map(len, blocks))
        for offset in range(ours.byte_length + 1):
            found = await peer.call(
                "core.seek", core=theirs["core"], offset=offset, options={"wait": False}
            )
            assert await ours.seek(offset) == tuple(found)
        with pytest.raises(BlockOutOfRange):
            await ours.seek(ours.byte_length + 1)


async def test_a_snapshot_shows_the_same_blocks_as_theirs(tmp_path: Path) -> None:
    async with JsPeer() as peer, Corestore.open(None) as store:
        theirs = await js_core(peer, tmp_path, 11)
        handle = theirs["core"]
        ours = await store.get(name="log")
        before = [b"%d" % n for n in range(10)]
        await ours.append(before)
        await peer.call("core.append", core=handle, blocks=[block.hex() for block in before])
        snapshot = ours.snapshot()
        copy = (await peer.call("core.snapshot", core=handle))["core"]

        await ours.append(b"later")
        await peer.call("core.append", core=handle, blocks=[b"later".hex()])
        info = await peer.call("core.info", core=copy)
        assert (info["length"], info["byteLength"]) == (snapshot.length, snapshot.byte_length)
        assert [await snapshot.get(n) for n in range(10)] == before

        await ours.truncate(6)
        await ours.append([b"new"] * 9)
        await peer.call("core.truncate", core=handle, length=6)
        await peer.call("core.append", core=handle, blocks=[b"new".hex()] * 9)
        for index in range(6):
            assert await snapshot.get(index) == before[index]
            assert await peer.call("core.get", core=copy, index=index) == before[index].hex()
        for index in range(6, 10):
            # They keep the file's old view as long as it stands; neither shows the new block.
            with pytest.raises(BlockNotAvailable):
                await snapshot.get(index)
            shown = await peer.call("core.get", core=copy, index=index)
            assert shown == before[index].hex()
