"""Our logs and those of npm hypercore, each downloading from the other over TCP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from protocol.crypto.keys import KeyPair
from vitra_node.config import Address
from vitra_node.net.connections import Connections
from vitra_node.net.tcp import connect_tcp, serve_tcp
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.log.hypercore import Hypercore

from .js_peer import JsPeer

LOCAL = Address("127.0.0.1", 0)
TIMEOUT_SECONDS = 60


class OurNode:
    """A store of ours, listening on TCP."""

    def __init__(self, store: Corestore, connections: Connections, port: int) -> None:
        self.store = store
        self.connections = connections
        self.port = port


@asynccontextmanager
async def our_node(connect_to: int | None = None) -> AsyncIterator[OurNode]:
    """A memory store that listens, and connects to a port if one is given."""
    with trio.fail_after(TIMEOUT_SECONDS):
        async with Corestore.open(None) as store, trio.open_nursery() as nursery:
            connections = Connections(store.cores, KeyPair.from_seed(b"\x31" * 32))
            bound = await nursery.start(serve_tcp, LOCAL, connections)
            if connect_to is not None:
                nursery.start_soon(connect_tcp, Address("127.0.0.1", connect_to), connections)
            yield OurNode(store, connections, bound[0].port)
            assert [f.error for f in connections.failures] == []
            nursery.cancel_scope.cancel()


def value(index: int, size: int) -> bytes:
    """What ``core.fill`` appends."""
    return bytes([index & 0xFF]) * size


async def js_core(peer: JsPeer, path: Path, version: int, **options: Any) -> dict[str, Any]:
    core: dict[str, Any] = await peer.call(
        "core.standalone", path=str(path), version=version, **options
    )
    return core


async def assert_same(core: Hypercore, peer: JsPeer, handle: int) -> None:
    info = await peer.call("core.info", core=handle)
    assert core.head.hash().hex() == info["treeHash"]
    assert (core.length, core.fork) == (info["length"], info["fork"])


WRITERS = [
    pytest.param(11, {}, id="v11"),
    pytest.param(11, {"compat": True}, id="v11-compat"),
    pytest.param(10, {}, id="v10-compat"),
    pytest.param(10, {"compat": False}, id="v10-manifest"),
]


@pytest.mark.parametrize(("version", "options"), WRITERS)
async def test_we_download_a_javascript_core(
    tmp_path: Path, version: int, options: dict[str, Any]
) -> None:
    async with JsPeer() as writer:
        theirs = await js_core(writer, tmp_path, version, **options)
        await writer.call("core.fill", core=theirs["core"], count=1000, size=30)
        port = (await writer.call("net.listen", core=theirs["core"]))["port"]
        async with our_node(port) as node:
            core = await node.store.get(key=bytes.fromhex(theirs["key"]))
            await core.update()
            await core.download()
            assert core.contiguous_length == 1000
            for index in range(1000):
                assert core.local_block(index) == value(index, 30)
            await assert_same(core, writer, theirs["core"])


@pytest.mark.parametrize("version", [11, 10])
@pytest.mark.parametrize("compat", [False, True])
async def test_javascript_downloads_our_core(tmp_path: Path, version: int, compat: bool) -> None:
    async with JsPeer() as reader, our_node() as node:
        pair = KeyPair.from_seed(b"\x32" * 32)
        core = await node.store.get(key_pair=pair, compat=compat)
        await core.append([value(index, 30) for index in range(1000)])
        copy = await js_core(reader, tmp_path, version, key=core.key.hex())
        await reader.call("net.connect", port=node.port, core=copy["core"])
        await reader.call("core.update", core=copy["core"])
        info = await reader.call("core.download", core=copy["core"], end=1000)
        assert info["contiguousLength"] == 1000
        blocks = await reader.call("core.blocks", core=copy["core"])
        assert blocks == [value(index, 30).hex() for index in range(1000)]
        await assert_same(core, reader, copy["core"])


async def test_appends_arrive_live_from_javascript(tmp_path: Path) -> None:
    async with JsPeer() as writer:
        store = (await writer.call("store.open", path=str(tmp_path)))["store"]
        theirs = await writer.call("core.open", store=store, name="log")
        port = (await writer.call("net.listen", store=store))["port"]
        async with our_node(port) as node:
            core = await node.store.get(key=bytes.fromhex(theirs["key"]))
            for step in range(1, 6):
                await writer.call("core.fill", core=theirs["core"], count=3, size=10)
                assert await core.get(3 * step - 1) == value(3 * step - 1, 10)
                await assert_same(core, writer, theirs["core"])
            await core.download()


@pytest.mark.parametrize("version", [11, 10])
async def test_our_appends_arrive_live_in_javascript(tmp_path: Path, version: int) -> None:
    async with JsPeer() as reader, our_node() as node:
        core = await node.store.get(name="log")
        copy = await js_core(reader, tmp_path, version, key=core.key.hex())
        await reader.call("net.connect", port=node.port, core=copy["core"])
        for step in range(1, 6):
            await core.append([value(index, 10) for index in range(3 * step - 3, 3 * step)])
            last = await reader.call("core.get", core=copy["core"], index=3 * step - 1)
            assert bytes.fromhex(last) == value(3 * step - 1, 10)
            await assert_same(core, reader, copy["core"])


async def test_stores_share_several_logs_both_ways(tmp_path: Path) -> None:
    async with JsPeer() as peer, our_node() as node:
        store = (await peer.call("store.open", path=str(tmp_path)))["store"]
        await peer.call("net.connect", port=node.port, store=store)
        ours = [await node.store.get(name=name) for name in ("a", "b")]
        theirs = [await peer.call("core.open", store=store, name=name) for name in ("c", "d")]
        for index, core in enumerate(ours):
            await core.append([b"ours %d" % index])
            copy = await peer.call("core.open", store=store, key=core.key.hex())
            block = await peer.call("core.get", core=copy["core"], index=0)
            assert bytes.fromhex(block) == b"ours %d" % index
        for index, core in enumerate(theirs):
            await peer.call("core.append", core=core["core"], blocks=[bytes([index]).hex()])
            copy = await node.store.get(key=bytes.fromhex(core["key"]))
            assert await copy.get(0) == bytes([index])


async def test_single_blocks_of_a_sparse_javascript_copy(tmp_path: Path) -> None:
    """The copy announces by bitfield, and only when it is asked."""
    async with JsPeer() as writer, JsPeer() as middle:
        theirs = await js_core(writer, tmp_path / "w", 11)
        await writer.call("core.fill", core=theirs["core"], count=100, size=10)
        port = (await writer.call("net.listen", core=theirs["core"]))["port"]
        copy = await js_core(middle, tmp_path / "m", 11, key=theirs["key"])
        stream = (await middle.call("net.connect", port=port, core=copy["core"]))["stream"]
        for index in (5, 40, 77):
            await middle.call("core.get", core=copy["core"], index=index)
        await middle.call("net.close", stream=stream)
        port = (await middle.call("net.listen", core=copy["core"]))["port"]
        async with our_node(port) as node:
            core = await node.store.get(key=bytes.fromhex(theirs["key"]))
            for index in (77, 5, 40):
                assert await core.get(index) == value(index, 10)
            await assert_same(core, writer, theirs["core"])


@pytest.mark.parametrize("version", [11, 10])
async def test_we_follow_a_truncation(tmp_path: Path, version: int) -> None:
    async with JsPeer() as writer:
        theirs = await js_core(writer, tmp_path, version)
        await writer.call("core.fill", core=theirs["core"], count=20, size=10)
        port = (await writer.call("net.listen", core=theirs["core"]))["port"]
        async with our_node(port) as node:
            core = await node.store.get(key=bytes.fromhex(theirs["key"]))
            await core.update()
            await core.download()
            changes = core.changes()
            await writer.call("core.truncate", core=theirs["core"], length=11)
            await writer.call("core.append", core=theirs["core"], blocks=["aa", "bb", "cc"])
            while (core.fork, core.length) != (1, 14):
                await anext(changes)
            assert await core.get(13) == b"\xcc"
            assert core.contiguous_length >= 11
            await core.download()
            await assert_same(core, writer, theirs["core"])


@pytest.mark.parametrize("version", [11, 10])
async def test_javascript_follows_our_truncation(tmp_path: Path, version: int) -> None:
    async with JsPeer() as reader, our_node() as node:
        core = await node.store.get(name="log")
        await core.append([value(index, 10) for index in range(20)])
        copy = await js_core(reader, tmp_path, version, key=core.key.hex())
        await reader.call("net.connect", port=node.port, core=copy["core"])
        await reader.call("core.update", core=copy["core"])
        await reader.call("core.download", core=copy["core"], end=20)
        await core.truncate(11)
        await core.append([b"\xaa%d" % index for index in range(11, 25)])
        # A block past the old end, because only the new history has it.
        for index in (24, 12):
            block = await reader.call("core.get", core=copy["core"], index=index)
            assert bytes.fromhex(block) == b"\xaa%d" % index
        await assert_same(core, reader, copy["core"])


async def test_a_refused_truncation_is_reported(tmp_path: Path) -> None:
    async with JsPeer() as writer:
        theirs = await js_core(writer, tmp_path, 11)
        await writer.call("core.fill", core=theirs["core"], count=20, size=10)
        port = (await writer.call("net.listen", core=theirs["core"]))["port"]
        async with our_node(port) as node:
            key = bytes.fromhex(theirs["key"])
            core = await node.store.get(key=key, allow_truncation=False)
            await core.update()
            await core.download()
            before = core.head
            seen = trio.Event()
            forks = []
            core.on_fork(lambda fork: (forks.append(fork), seen.set()))
            await writer.call("core.truncate", core=theirs["core"], length=11)
            await seen.wait()
            assert (forks[0].fork, forks[0].length) == (1, 11)
            assert forks[0].head is not None
            assert core.head == before
            assert core.contiguous_length == 20


@pytest.mark.parametrize("version", [11, 10])
async def test_we_search_for_what_two_histories_share(tmp_path: Path, version: int) -> None:
    """Truncated and grown again while we were away, so that hash requests are needed."""
    async with JsPeer() as writer:
        theirs = await js_core(writer, tmp_path, version)
        await writer.call("core.fill", core=theirs["core"], count=60, size=10)
        first = await writer.call("net.listen", core=theirs["core"])
        async with our_node() as node:
            core = await node.store.get(key=bytes.fromhex(theirs["key"]))
            async with trio.open_nursery() as nursery:
                address = Address("127.0.0.1", first["port"])
                nursery.start_soon(connect_tcp, address, node.connections)
                await core.update()
                await core.download()
                nursery.cancel_scope.cancel()
            await writer.call("core.truncate", core=theirs["core"], length=37)
            blocks = [bytes([index]).hex() for index in range(30)]
            await writer.call("core.append", core=theirs["core"], blocks=blocks)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connect_tcp, address, node.connections)
                assert await core.get(66) == bytes([29])
                assert core.fork == 1
                assert core.contiguous_length >= 37
                await core.download()
                await assert_same(core, writer, theirs["core"])
                nursery.cancel_scope.cancel()


@pytest.mark.parametrize("version", [11, 10])
async def test_javascript_searches_for_what_two_histories_share(
    tmp_path: Path, version: int
) -> None:
    async with JsPeer() as reader, our_node() as node:
        core = await node.store.get(name="log")
        await core.append([value(index, 10) for index in range(60)])
        copy = await js_core(reader, tmp_path, version, key=core.key.hex())
        stream = await reader.call("net.connect", port=node.port, core=copy["core"])
        await reader.call("core.update", core=copy["core"])
        await reader.call("core.download", core=copy["core"], end=60)
        await reader.call("net.close", stream=stream["stream"])
        while node.connections.live:
            await trio.testing.wait_all_tasks_blocked(0.01)
        node.connections.failures.clear()
        await core.truncate(37)
        await core.append([b"new %d" % index for index in range(30)])
        await reader.call("net.connect", port=node.port, core=copy["core"])
        for index in (66, 37):
            block = await reader.call("core.get", core=copy["core"], index=index)
            assert bytes.fromhex(block) == b"new %d" % (index - 37)
        info = await reader.call("core.download", core=copy["core"], end=67)
        assert info["contiguousLength"] == 67
        await assert_same(core, reader, copy["core"])
