"""Encrypted logs between us and npm hypercore, both ways, and as neither can read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from protocol.crypto.keys import KeyPair
from vitra_node.storage.bee.hyperbee import Hyperbee

from .js_peer import JsPeer
from .test_replication_js import OurNode, assert_same, js_core, our_node

ENCRYPTION_KEY = b"\x55" * 32
BLOCKS = [b"", b"a", b"hello", b"x" * 32, b"y" * 33, b"z" * 5000, *(b"%d" % n for n in range(60))]

WRITERS = [
    pytest.param(11, {}, id="v11"),
    pytest.param(11, {"compat": True}, id="v11-compat"),
    pytest.param(10, {}, id="v10-compat"),
]


@pytest.mark.parametrize(("version", "options"), WRITERS)
async def test_we_read_theirs(tmp_path: Path, version: int, options: dict[str, Any]) -> None:
    async with JsPeer() as writer:
        theirs = await js_core(
            writer, tmp_path, version, encryptionKey=ENCRYPTION_KEY.hex(), **options
        )
        # The blocks after a truncation are encrypted under the next fork.
        await writer.call("core.append", core=theirs["core"], blocks=["00"] * 40)
        await writer.call("core.truncate", core=theirs["core"], length=0)
        blocks = [block.hex() for block in BLOCKS]
        info = await writer.call("core.append", core=theirs["core"], blocks=blocks)
        port = (await writer.call("net.listen", core=theirs["core"]))["port"]
        async with our_node(port) as node:
            core = await node.store.get(
                key=bytes.fromhex(theirs["key"]), encryption_key=ENCRYPTION_KEY
            )
            await core.update()
            assert await core.get(2) == b"hello"
            await core.download()
            assert [core.local_block(i) for i in range(core.length)] == BLOCKS
            assert (core.fork, core.byte_length) == (1, info["byteLength"])
            await assert_same(core, writer, theirs["core"])


async def read_ours(node: OurNode, reader: JsPeer, copy: dict[str, Any], length: int) -> list[str]:
    await reader.call("net.connect", port=node.port, core=copy["core"])
    await reader.call("core.wait", core=copy["core"], length=length, fork=1)
    blocks: list[str] = await reader.call("core.blocks", core=copy["core"], end=length)
    return blocks


@pytest.mark.parametrize(("version", "compat"), [(11, False), (11, True), (10, True)])
async def test_they_read_ours(tmp_path: Path, version: int, compat: bool) -> None:
    async with JsPeer() as reader, our_node() as node:
        pair = KeyPair.from_seed(b"\x33" * 32)
        core = await node.store.get(key_pair=pair, compat=compat, encryption_key=ENCRYPTION_KEY)
        await core.append([b"gone", b"too"])
        await core.truncate(0)
        await core.append(BLOCKS[0])
        await core.append(BLOCKS[1:])
        assert [await core.get(i) for i in range(core.length)] == BLOCKS
        options = {"key": core.key.hex(), "encryptionKey": ENCRYPTION_KEY.hex(), "compat": compat}
        # Without `compat`, hypercore 11.37 loses its keys when it learns what kind of log this is.
        copy = await js_core(reader, tmp_path, version, **options)
        blocks = await read_ours(node, reader, copy, len(BLOCKS))
        assert blocks == [block.hex() for block in BLOCKS]
        await assert_same(core, reader, copy["core"])
        raw = [await reader.call("core.raw", core=copy["core"], index=i) for i in range(6)]
        stored = [core.storage.block(i) for i in range(6)]
        assert raw == [block.hex() for block in stored if block is not None]


async def test_a_copy_without_the_key_holds_what_it_cannot_read(tmp_path: Path) -> None:
    async with JsPeer() as reader, our_node() as node:
        core = await node.store.get(name="secret", encryption_key=ENCRYPTION_KEY)
        await core.append([])
        await core.append(BLOCKS)
        await core.truncate(len(BLOCKS) - 1)
        await core.append(BLOCKS[-1])
        copy = await js_core(reader, tmp_path, 11, key=core.key.hex())
        blocks = await read_ours(node, reader, copy, len(BLOCKS))
        assert blocks[5] != BLOCKS[5].hex()
        assert [len(block) // 2 for block in blocks] == [len(block) + 8 for block in BLOCKS]


async def test_the_same_log_has_the_same_bytes_in_both(tmp_path: Path) -> None:
    async with JsPeer() as writer, our_node() as node:
        seed = b"\x34" * 32
        theirs = await js_core(
            writer, tmp_path, 11, seed=seed.hex(), encryptionKey=ENCRYPTION_KEY.hex()
        )
        ours = await node.store.get(key_pair=KeyPair.from_seed(seed), encryption_key=ENCRYPTION_KEY)
        blocks = [block.hex() for block in BLOCKS]
        info = await writer.call("core.append", core=theirs["core"], blocks=blocks)
        await ours.append(BLOCKS)
        assert ours.key.hex() == theirs["key"]
        assert ours.head.hash().hex() == info["treeHash"]
        assert ours.byte_length == info["byteLength"]


async def test_an_encrypted_hyperbee(tmp_path: Path) -> None:
    async with JsPeer() as writer:
        store = (await writer.call("store.open", path=str(tmp_path)))["store"]
        theirs = await writer.call(
            "core.open", store=store, name="bee", encryptionKey=ENCRYPTION_KEY.hex()
        )
        bee = (await writer.call("bee.open", core=theirs["core"]))["bee"]
        puts: list[Any] = [["put", (b"%03d" % n).hex(), "76"] for n in range(100)]
        await writer.call("bee.batch", bee=bee, ops=puts)
        port = (await writer.call("net.listen", store=store))["port"]
        async with our_node(port) as node:
            core = await node.store.get(
                key=bytes.fromhex(theirs["key"]), encryption_key=ENCRYPTION_KEY
            )
            await core.update()
            entries = [entry.key async for entry in Hyperbee(core).range()]
            assert entries == [b"%03d" % n for n in range(100)]
