"""A Hyperbee replicated between JavaScript and us, both ways, over TCP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio

from protocol.hyperbee import Entry
from vitra_node.storage.bee.hyperbee import Hyperbee
from vitra_node.storage.corestore import Corestore

from .js_peer import JsPeer

KEYS = 600


async def js_store(peer: JsPeer, path: Path) -> int:
    store: int = (await peer.call("store.open", path=str(path)))["store"]
    return store


async def test_we_read_theirs_block_by_block(tmp_path: Path) -> None:
    async with JsPeer() as peer, Corestore.open(None) as store, trio.open_nursery() as nursery:
        theirs = await js_store(peer, tmp_path)
        info = await peer.call("core.open", store=theirs, name="bee")
        bee = (await peer.call("bee.open", core=info["core"]))["bee"]
        puts: list[Any] = [["put", (b"%04d" % n).hex(), "76"] for n in range(KEYS)]
        await peer.call("bee.batch", bee=bee, ops=puts)
        await peer.call("bee.del", bee=bee, key=b"0100".hex())
        port = (await peer.call("net.listen", store=theirs))["port"]

        core = await store.get(key=bytes.fromhex(info["key"]))
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:

            async def replicate() -> None:
                await store.replicate(stream, initiator=True)

            nursery.start_soon(replicate)
            with trio.fail_after(30):
                await core.wait_for_length(KEYS + 2)
                ours = Hyperbee(core)
                assert await ours.get(b"0333") == Entry(334, b"0333", b"v")
                assert await ours.get(b"0100") is None
                assert core.contiguous_length < KEYS // 2
                stored = sum(core.has(n) for n in range(core.length))
                assert stored < 40
                entries = [entry.key async for entry in ours.range(gte=b"0090", lt=b"0110")]
                assert entries == [b"%04d" % n for n in range(90, 110) if n != 100]
                # What comes while we are connected is seen too.
                await peer.call("bee.put", bee=bee, key=b"new".hex(), value="01")
                await core.wait_for_length(KEYS + 3)
                found = await ours.get(b"new")
                assert found is not None
                assert found.value == b"\x01"
                assert len([entry async for entry in ours.range()]) == KEYS
            nursery.cancel_scope.cancel()


async def test_they_read_ours(tmp_path: Path) -> None:
    async with JsPeer() as peer, Corestore.open(None) as store, trio.open_nursery() as nursery:
        core = await store.get(name="bee")
        bee = Hyperbee(core)
        async with bee.batch() as batch:
            for n in range(KEYS):
                await batch.put(b"%04d" % n, b"v")
        await bee.delete(b"0100")

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def serve(stream: trio.SocketStream) -> None:
            await store.replicate(stream, initiator=False)

        nursery.start_soon(trio.serve_listeners, serve, listeners)
        port = listeners[0].socket.getsockname()[1]
        theirs = await js_store(peer, tmp_path)
        copy = (await peer.call("core.open", store=theirs, key=core.key.hex()))["core"]
        await peer.call("net.connect", port=port, store=theirs)
        await peer.call("core.wait", core=copy, length=core.length)
        reader = (await peer.call("bee.open", core=copy))["bee"]
        found = await peer.call("bee.get", bee=reader, key=b"0333".hex())
        assert found == {"seq": 334, "key": b"0333".hex(), "value": "76"}
        listing = await peer.call("bee.list", bee=reader)
        assert [bytes.fromhex(entry["key"]) for entry in listing] == [
            b"%04d" % n for n in range(KEYS) if n != 100
        ]
        assert len(await peer.call("bee.list", bee=reader, version=KEYS + 1)) == KEYS
        nursery.cancel_scope.cancel()
