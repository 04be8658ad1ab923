"""Logs of a database beside live hypercore and corestore: our own channel disturbs nothing, and a
JavaScript writer that truncates is convicted like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from protocol.transparency.proofs.log_frauds import BlockRewriteFraudProof, LogForkFraudProof
from vitra_node.config import Address
from vitra_node.net.tcp import connect_tcp
from vitra_node.storage.log.hypercore import Hypercore

from .js_peer import JsPeer
from .test_replication_js import assert_same, our_node


def texts(count: int, start: int = 0, word: str = "block") -> list[str]:
    return [f"{word} {i}".encode().hex() for i in range(start, start + count)]


async def proven(core: Hypercore) -> LogForkFraudProof | BlockRewriteFraudProof:
    assert core.heads is not None
    while core.heads.proof is None:
        await core.wait_for_activity()
    core.heads.proof.check_untrusted(core.key)
    return core.heads.proof


@pytest.mark.parametrize("we_connect", [True, False], ids=["we-connect", "they-connect"])
async def test_javascript_replicates_as_if_there_were_no_gossip(
    tmp_path: Path, we_connect: bool
) -> None:
    async with JsPeer() as peer:
        store = (await peer.call("store.open", path=str(tmp_path)))["store"]
        port = (await peer.call("net.listen", store=store))["port"] if we_connect else None
        async with our_node(port) as node:
            ours = await node.store.get(name="ours", allow_truncation=False)
            await ours.append([b"ours %d" % i for i in range(20)])
            if not we_connect:
                await peer.call("net.connect", port=node.port, store=store)
            theirs = await peer.call("core.open", store=store, name="theirs")
            await peer.call("core.append", core=theirs["core"], blocks=texts(20))
            copy = (await peer.call("core.open", store=store, key=ours.key.hex()))["core"]
            reading = await node.store.get(key=bytes.fromhex(theirs["key"]), allow_truncation=False)
            # Both logs go on growing while the heads of both are offered to the peer.
            for round_ in range(1, 4):
                await ours.append([b"more %d" % round_])
                blocks = texts(5, 20 * round_, "more")
                await peer.call("core.append", core=theirs["core"], blocks=blocks)
                await reading.wait_for_length(20 + 5 * round_)
                await reading.download()
                await peer.call("core.wait", core=copy, length=ours.length)
                await peer.call("core.download", core=copy, end=ours.length)
            await assert_same(ours, peer, copy)
            await assert_same(reading, peer, theirs["core"])
            assert reading.heads is not None
            assert reading.heads.proof is None
            assert len(node.connections.live) == 1
            assert node.connections.fault_count == 0


async def test_a_javascript_writer_that_truncates_is_convicted_and_the_rest_goes_on(
    tmp_path: Path,
) -> None:
    async with JsPeer() as peer:
        store = (await peer.call("store.open", path=str(tmp_path)))["store"]
        port = (await peer.call("net.listen", store=store))["port"]
        async with our_node(port) as node:
            bad = await peer.call("core.open", store=store, name="bad")
            good = await peer.call("core.open", store=store, name="good")
            for core in (bad, good):
                await peer.call("core.append", core=core["core"], blocks=texts(20))
            broken = await node.store.get(key=bytes.fromhex(bad["key"]), allow_truncation=False)
            sound = await node.store.get(key=bytes.fromhex(good["key"]), allow_truncation=False)
            for reader in (broken, sound):
                await reader.wait_for_length(20)
                await reader.download()
            await peer.call("core.truncate", core=bad["core"], length=11)
            await peer.call("core.append", core=bad["core"], blocks=texts(30, 11, "new"))
            proof = await proven(broken)
            assert isinstance(proof, LogForkFraudProof)
            assert proof.truncation.head.fork == 1
            assert proof.truncation.before == broken.head
            assert (broken.length, broken.fork) == (20, 0)
            assert [broken.local_block(i) for i in (0, 19)] == [b"block 0", b"block 19"]
            await peer.call("core.append", core=good["core"], blocks=texts(5, 20))
            await sound.wait_for_length(25)
            await sound.download()
            await assert_same(sound, peer, good["core"])


@pytest.mark.parametrize("length", [7, 20, 33], ids=["shorter", "equal", "longer"])
async def test_a_javascript_peer_with_another_history_is_found_whatever_its_length(
    tmp_path: Path, length: int
) -> None:
    """Two stores with one key pair: what a writer does who shows two histories."""
    seed = "5a" * 32
    async with JsPeer() as one, JsPeer() as other:
        cores = []
        for number, peer in enumerate((one, other)):
            path = str(tmp_path / str(number))
            store = await peer.call("store.open", path=path, primaryKey=seed)
            core = await peer.call("core.open", store=store["store"], name="log")
            port = (await peer.call("net.listen", store=store["store"]))["port"]
            cores.append((core, port))
        assert cores[0][0]["key"] == cores[1][0]["key"]
        await one.call("core.append", core=cores[0][0]["core"], blocks=texts(20))
        await other.call("core.append", core=cores[1][0]["core"], blocks=texts(length, 0, "other"))
        async with our_node(cores[0][1]) as node:
            core = await node.store.get(
                key=bytes.fromhex(cores[0][0]["key"]), allow_truncation=False
            )
            await core.wait_for_length(20)
            await core.download()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connect_tcp, Address("127.0.0.1", cores[1][1]), node.connections)
                assert isinstance(await proven(core), BlockRewriteFraudProof)
                assert node.connections.fault_count == 0
                nursery.cancel_scope.cancel()
            assert core.length == 20
