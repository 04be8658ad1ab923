"""Logs whose manifests say more than who signs: linked logs, user data, a prologue, or no signer.

With hypercore 11 and 10, in both roles. Hypercore 10 knows manifests up to version 1; it ends the
connection over newer ones, and no peer is blamed for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import Manifest, Prologue, default_manifest, manifest_key
from protocol.hypercore.core import EMPTY_HEAD
from protocol.hypercore.merkle.growth import append_blocks
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.log.hypercore import Hypercore

from .js_peer import JsPeer
from .shared_js_peer import SharedProcess
from .test_matrix_js import SEEDS, JsLog, Kind, values
from .test_replication_js import assert_same, our_node

PAIR = KeyPair.from_seed(SEEDS[0])
PLAIN = default_manifest(PAIR.public_key)
BEGINNING = values(1, 14)
_, BEGUN = append_blocks(EMPTY_HEAD, BEGINNING)
PROLOGUE = Prologue(BEGUN.hash(), BEGUN.length)

NEWER = {
    "v2": replace(
        PLAIN, version=2, linked=(b"\x51" * 32, b"\x52" * 32), user_data=b"for a program"
    ),
    "v3": replace(PLAIN, version=3, linked=(b"\x51" * 32,), prologue=PROLOGUE),
}
OLDER = {
    "prologue": replace(PLAIN, prologue=PROLOGUE),
    "static": Manifest(1, (), 0, prologue=PROLOGUE),
}
CASES = [
    pytest.param(version, manifest, id=f"{name}-hypercore{version}")
    for version, manifests in ((11, OLDER | NEWER), (10, OLDER))
    for name, manifest in manifests.items()
]


@pytest.fixture(scope="module")
def process() -> Iterator[SharedProcess]:
    with SharedProcess() as process:
        yield process


async def written_by_javascript(
    peer: JsPeer, path: Path, version: int, manifest: Manifest
) -> JsLog:
    log = await JsLog.create(peer, path / "log", version, Kind(manifest))
    if manifest.prologue is None:
        await log.append(BEGINNING)
    else:
        source = await JsLog.create(peer, path / "source", version, Kind(PLAIN))
        await source.append(BEGINNING)
        await log.call("core.copyPrologue", **{"from": source.handle})
    if manifest.signers:
        await log.append([b"after it"])
    return log


async def written_by_us(store: Corestore, manifest: Manifest) -> Hypercore:
    if manifest.signers:
        core = await store.get(key_pair=PAIR, manifest=manifest)
        await core.append(BEGINNING)
        await core.append(b"after it")
    else:
        core = await store.get(manifest=manifest)
        await core.append_signed(BEGINNING, BEGUN)
    return core


@pytest.mark.parametrize(("version", "manifest"), CASES)
async def test_we_fetch(
    process: SharedProcess, tmp_path: Path, version: int, manifest: Manifest
) -> None:
    async with process.peer() as peer:
        theirs = await written_by_javascript(peer, tmp_path, version, manifest)
        async with our_node(await theirs.listen()) as node:
            core = await node.store.get(key=manifest_key(manifest))
            await core.update()
            await core.download()
            assert core.manifest == manifest
            blocks = [*BEGINNING, b"after it"] if manifest.signers else BEGINNING
            assert [core.local_block(i) for i in range(core.length)] == blocks
            await assert_same(core, peer, theirs.handle)


@pytest.mark.parametrize(("version", "manifest"), CASES)
async def test_we_serve(
    process: SharedProcess, tmp_path: Path, version: int, manifest: Manifest
) -> None:
    async with process.peer() as peer, our_node() as node:
        ours = await written_by_us(node.store, manifest)
        copy = await JsLog.copy(peer, tmp_path, version, Kind(manifest), node.port)
        await copy.call("core.update")
        await copy.call("core.download", end=ours.length)
        blocks = [*BEGINNING, b"after it"] if manifest.signers else BEGINNING
        assert await copy.call("core.blocks") == [block.hex() for block in blocks]
        await assert_same(ours, peer, copy.handle)


@pytest.mark.parametrize("manifest", NEWER.values(), ids=NEWER.keys())
async def test_hypercore_10_refuses_what_it_does_not_know(
    process: SharedProcess, tmp_path: Path, manifest: Manifest
) -> None:
    async with process.peer() as peer, our_node() as node:
        await written_by_us(node.store, manifest)
        await JsLog.copy(peer, tmp_path, 10, Kind(manifest), node.port)
        failure = await peer.event("error")
        assert failure["message"] == f"Unknown version: {manifest.version}"
