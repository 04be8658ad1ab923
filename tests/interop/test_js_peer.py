"""The JavaScript peer itself: calls, events, failures, and two of them replicating over TCP."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from .js_peer import JsPeer, JsPeerError


async def test_calls_and_errors(tmp_path: Path) -> None:
    async with JsPeer() as peer:
        store = (await peer.call("store.open", path=str(tmp_path)))["store"]
        core = await peer.call("core.open", store=store, name="log")
        info = await peer.call("core.append", core=core["core"], blocks=["61", "6262"])
        assert (info["length"], info["byteLength"], info["fork"]) == (2, 3, 0)
        assert await peer.call("core.blocks", core=core["core"]) == ["61", "6262"]
        with pytest.raises(JsPeerError, match="no object has the handle 99"):
            await peer.call("core.get", core=99, index=0)
        with pytest.raises(JsPeerError, match="no method"):
            await peer.call("toString")


async def test_a_killed_peer_fails_the_calls_that_wait() -> None:
    async with JsPeer() as peer:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:

                async def waiting() -> None:
                    with pytest.raises(JsPeerError, match="ended with status -9"):
                        await peer.event("never")

                nursery.start_soon(waiting)
                peer.kill()


async def test_a_failure_of_the_test_is_not_wrapped() -> None:
    with pytest.raises(ZeroDivisionError):
        async with JsPeer():
            _ = 1 / 0


@pytest.mark.parametrize("version", [10, 11])
async def test_two_js_peers_replicate(tmp_path: Path, version: int) -> None:
    async with JsPeer() as writer, JsPeer() as reader:
        path = str(tmp_path / "w")
        core = await writer.call("core.standalone", path=path, version=version)
        await writer.call("core.fill", core=core["core"], count=10, size=20)
        port = (await writer.call("net.listen", core=core["core"]))["port"]
        store = (await reader.call("store.open", path=str(tmp_path / "r")))["store"]
        copy = (await reader.call("core.open", store=store, key=core["key"]))["core"]
        await reader.call("net.connect", port=port, store=store)
        await writer.event("open")
        await reader.call("core.wait", core=copy, length=10)
        info = await reader.call("core.download", core=copy, end=10)
        assert info["contiguousLength"] == 10
        assert info["treeHash"] == (await writer.call("core.info", core=core["core"]))["treeHash"]


async def test_bee_methods(tmp_path: Path) -> None:
    async with JsPeer() as peer:
        store = (await peer.call("store.open", path=str(tmp_path)))["store"]
        core = (await peer.call("core.open", store=store, name="bee"))["core"]
        bee = (await peer.call("bee.open", core=core))["bee"]
        await peer.call("bee.put", bee=bee, key="61", value="01")
        await peer.call("bee.batch", bee=bee, ops=[["put", "62", "02"], ["del", "61"]])
        run = await peer.call("bee.run", bee=bee, steps=[["op", ["put", "63", "03"]]])
        assert (run["start"], len(run["blocks"])) == (4, 1)
        assert await peer.call("bee.get", bee=bee, key="61") is None
        listing = await peer.call("bee.list", bee=bee, range={"gt": "62"})
        assert listing == [{"seq": 4, "key": "63", "value": "03"}]
        history = await peer.call("bee.history", bee=bee)
        assert [entry["type"] for entry in history] == ["put", "put", "del", "put"]
        assert len(await peer.call("bee.diff", bee=bee, other=2)) == 3
