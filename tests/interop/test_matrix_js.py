"""The interop matrix: {hypercore 11, hypercore 10} x {we fetch, we serve} x what, and how.

Each cell is one case of a test here: both versions, every kind of ``KINDS``, and of these tests
one for either side. No cell is missing: both versions take signatures made elsewhere for appending
and for truncating.

===================  ====================================  =========================
what                 we fetch                              we serve
===================  ====================================  =========================
full download        test_we_fetch_all                     test_we_serve_all
live append          test_we_fetch_what_is_appended        test_we_serve_what_we_append
sparse gets          test_we_fetch_single_blocks           test_we_serve_single_blocks
seek                 test_we_seek_in_what_is_not_here,     test_we_serve_seeks
                     test_we_seek_in_what_we_fetched
ranges               test_we_fetch_ranges                  test_we_serve_ranges
fork and             test_we_follow_forks                  test_we_serve_forks
reorganisation
===================  ====================================  =========================

Of the logs of several signers with patches, one signature is over a longer log than the other. We
serve seeks; our own fetch blocks instead, as ``protocol.hypercore.merkle.byte_seek`` explains.

A Corestore 7 with fifty logs on one stream, in both roles, is in ``test_matrix_corestore_js``.
``test_replication_js`` has more of following forks: refused ones, and the search for shared history
after both sides were apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import (
    Manifest,
    default_manifest,
    encode_manifest,
    manifest_key,
    multi_signer_manifest,
)
from protocol.crypto.signatures import PartialSignature
from protocol.hypercore.core import CoreChange, TreeHead
from protocol.hypercore.merkle.growth import (
    append_blocks,
    assemble_head,
    head_at,
    sign_partial,
    upgrade_nodes,
)
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.log.hypercore import Hypercore

from ..merkle_core import MemoryCore
from .js_peer import JsPeer
from .shared_js_peer import SharedProcess
from .test_replication_js import assert_same, our_node

SEEDS = [bytes([0x40 + number]) * 32 for number in range(3)]
PAIRS = [KeyPair.from_seed(seed) for seed in SEEDS]
# Two of three, not in order.
SIGNERS = (2, 0)


@dataclass(frozen=True)
class Kind:
    """A kind of log.

    Attributes:
      manifest: who may sign it.
      compat: whether its key is the public key of its writer.
      encryption_key: 32 bytes, or None.
    """

    manifest: Manifest
    compat: bool = False
    encryption_key: bytes | None = None

    @property
    def key(self) -> bytes:
        return PAIRS[0].public_key if self.compat else manifest_key(self.manifest)

    @property
    def js_options(self) -> dict[str, str]:
        return {"encryptionKey": self.encryption_key.hex()} if self.encryption_key else {}

    async def copy(self, store: Corestore) -> Hypercore:
        """Our copy of a log of theirs."""
        return await store.get(key=self.key, encryption_key=self.encryption_key)

    @property
    def is_signed_by_many(self) -> bool:
        return len(self.manifest.signers) > 1


PUBLIC_KEYS = tuple(pair.public_key for pair in PAIRS)
KINDS = {
    "v1": Kind(default_manifest(PUBLIC_KEYS[0])),
    "compat": Kind(default_manifest(PUBLIC_KEYS[0]), compat=True),
    "v0": Kind(default_manifest(PUBLIC_KEYS[0], version=0)),
    "encrypted": Kind(default_manifest(PUBLIC_KEYS[0]), encryption_key=b"\x4e" * 32),
    "encrypted-compat": Kind(
        default_manifest(PUBLIC_KEYS[0]), compat=True, encryption_key=b"\x4e" * 32
    ),
    "2-of-3": Kind(multi_signer_manifest(PUBLIC_KEYS, quorum=2)),
    "patched-2-of-3": Kind(multi_signer_manifest(PUBLIC_KEYS, quorum=2, allow_patch=True)),
    "v0-2-of-3": Kind(multi_signer_manifest(PUBLIC_KEYS, quorum=2, version=0)),
}
every_version = pytest.mark.parametrize("version", [11, 10], ids=["v11", "v10"])
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())


@pytest.fixture(scope="module")
def process() -> Iterator[SharedProcess]:
    with SharedProcess() as process:
        yield process


def values(start: int, end: int) -> list[bytes]:
    """Blocks of 0 to 49 bytes that all differ, but for the empty ones."""
    return [(b"%d " % index * 17)[: index % 50] for index in range(start, end)]


class Quorum:
    """The signers of a log that one key pair cannot sign, and the log as they know it.

    Where patches are allowed, the second of them has already seen one block more than the first,
    signs that, and sends along the nodes that lead there.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._known = MemoryCore(manifest_key(manifest), manifest)

    def append(self, blocks: list[bytes]) -> CoreChange:
        """The change that these blocks make, signed."""
        known = self._known
        start = known.head.length
        nodes, head = append_blocks(known.head, blocks)
        known.apply(CoreChange(nodes, (), head))
        return CoreChange(nodes, list(enumerate(blocks, start)), self._sign())

    def truncate(self, length: int) -> TreeHead:
        """The head of the next fork, at an earlier length, signed."""
        known = self._known
        head = head_at(known, length, known.head.fork + 1)
        known.apply(CoreChange((), (), head, truncated_to=length))
        return self._sign()

    def _sign(self) -> TreeHead:
        known, manifest, key, head = self._known, self.manifest, self._known.key, self._known.head
        first, second = (PAIRS[signer] for signer in SIGNERS)
        partials = [sign_partial(manifest, key, first, head)]
        if manifest.allow_patch:
            partials.append(self._sign_longer(second))
        else:
            partials.append(sign_partial(manifest, key, second, head))
        known.head = assemble_head(manifest, key, head, partials)
        return known.head

    def _sign_longer(self, pair: KeyPair) -> PartialSignature:
        known = self._known
        more, longer_head = append_blocks(known.head, [b"not committed yet"])
        longer = MemoryCore(known.key, known.manifest)
        longer.head, longer.nodes = known.head, dict(known.nodes)
        longer.apply(CoreChange(more, (), longer_head))
        patch = upgrade_nodes(longer, known.head.length, longer_head.length)
        assert patch is not None
        return sign_partial(self.manifest, known.key, pair, longer_head, 1, patch)


def signature_of(head: TreeHead | None) -> str | None:
    """The signature field of a head, in hex; None of no head, which one key pair signs."""
    if head is None:
        return None
    assert head.signature is not None
    return head.signature.hex()


class JsLog:
    """A log that JavaScript writes, or its copy there."""

    def __init__(self, peer: JsPeer, kind: Kind, handle: int) -> None:
        self.peer = peer
        self.handle = handle
        self._quorum = Quorum(kind.manifest) if kind.is_signed_by_many else None

    @classmethod
    async def create(cls, peer: JsPeer, path: Path, version: int, kind: Kind) -> JsLog:
        options: dict[str, Any] = {"compat": kind.compat, **kind.js_options}
        if not kind.is_signed_by_many:
            options["seed"] = SEEDS[0].hex()
        if not kind.compat:
            options["manifest"] = encode_manifest(kind.manifest).hex()
        info = await peer.call("core.standalone", path=str(path), version=version, **options)
        assert info["key"] == kind.key.hex()
        return cls(peer, kind, info["core"])

    @classmethod
    async def copy(cls, peer: JsPeer, path: Path, version: int, kind: Kind, port: int) -> JsLog:
        """A copy of a log of ours, connected with our node."""
        options: dict[str, Any] = {"key": kind.key.hex(), **kind.js_options}
        if kind.encryption_key is not None:
            # Otherwise hypercore 11.37 loses its keys when it learns what kind of log this is.
            options["compat"] = kind.compat
        info = await peer.call("core.standalone", path=str(path), version=version, **options)
        await peer.call("net.connect", port=port, core=info["core"])
        return cls(peer, kind, info["core"])

    async def call(self, method: str, **arguments: Any) -> Any:
        return await self.peer.call(method, core=self.handle, **arguments)

    async def append(self, blocks: list[bytes]) -> None:
        signed = None if self._quorum is None else self._quorum.append(blocks).head
        texts = [block.hex() for block in blocks]
        await self.call("core.append", blocks=texts, signature=signature_of(signed))

    async def truncate(self, length: int) -> None:
        signed = None if self._quorum is None else self._quorum.truncate(length)
        await self.call("core.truncate", length=length, signature=signature_of(signed))

    async def listen(self) -> int:
        port: int = (await self.call("net.listen"))["port"]
        return port

    async def get(self, index: int) -> bytes:
        return bytes.fromhex(await self.call("core.get", index=index))

    async def stored(self, length: int) -> list[int]:
        return [i for i in range(length) if await self.call("core.has", index=i)]


class OurLog:
    """A log that we write."""

    def __init__(self, core: Hypercore, kind: Kind) -> None:
        self.core = core
        self._quorum = Quorum(kind.manifest) if kind.is_signed_by_many else None

    @classmethod
    async def create(cls, store: Corestore, kind: Kind) -> OurLog:
        core = await store.get(
            key=kind.key,
            manifest=kind.manifest,
            key_pair=None if kind.is_signed_by_many else PAIRS[0],
            encryption_key=kind.encryption_key,
        )
        return cls(core, kind)

    async def append(self, blocks: list[bytes]) -> None:
        if self._quorum is None:
            await self.core.append(blocks)
        else:
            signed = self._quorum.append(blocks).head
            assert signed is not None
            assert await self.core.append_signed(blocks, signed) == self.core.length

    async def truncate(self, length: int) -> None:
        if self._quorum is None:
            await self.core.truncate(length)
        else:
            await self.core.truncate_signed(self._quorum.truncate(length))


# We fetch -----------------------------------------------------------------------------------------


@every_version
@every_kind
async def test_we_fetch_all(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer:
        theirs = await JsLog.create(peer, tmp_path, version, kind)
        await theirs.append(values(0, 300))
        async with our_node(await theirs.listen()) as node:
            core = await kind.copy(node.store)
            await core.update()
            await core.download()
            assert [core.local_block(i) for i in range(core.length)] == values(0, 300)
            await assert_same(core, peer, theirs.handle)
            assert core.manifest == kind.manifest


@every_version
@every_kind
async def test_we_fetch_what_is_appended(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer:
        theirs = await JsLog.create(peer, tmp_path, version, kind)
        async with our_node(await theirs.listen()) as node:
            core = await kind.copy(node.store)
            with core.tail():
                for step in range(1, 9):
                    # Batches of 1 to 8 blocks, so that the tree grows in every way.
                    start = core.length
                    blocks = values(start, start + step)
                    await theirs.append(blocks)
                    assert await core.get(start + step - 1) == blocks[-1]
                    await assert_same(core, peer, theirs.handle)
                await core.download()
            assert [core.local_block(i) for i in range(core.length)] == values(0, 36)


@every_version
@every_kind
async def test_we_fetch_single_blocks(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer:
        theirs = await JsLog.create(peer, tmp_path, version, kind)
        await theirs.append(values(0, 150))
        async with our_node(await theirs.listen()) as node:
            core = await kind.copy(node.store)
            for index in (149, 3, 77, 128, 64):
                assert [await core.get(index)] == values(index, index + 1)
            assert [i for i in range(150) if core.has(i)] == [3, 64, 77, 128, 149]
            await assert_same(core, peer, theirs.handle)


@every_version
@every_kind
async def test_we_seek_in_what_we_fetched(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer:
        theirs = await JsLog.create(peer, tmp_path, version, kind)
        blocks = values(1, 200)
        await theirs.append(blocks)
        async with our_node(await theirs.listen()) as node:
            core = await kind.copy(node.store)
            await core.update()
            await core.download()
            for offset in (0, 1, 777, sum(map(len, blocks)) // 2, sum(map(len, blocks)) - 1):
                found = await theirs.call("core.seek", offset=offset)
                assert list(await core.seek(offset)) == found


@every_version
@every_kind
async def test_we_seek_in_what_is_not_here(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer:
        theirs = await JsLog.create(peer, tmp_path, version, kind)
        blocks = values(1, 400)
        await theirs.append(blocks)
        async with our_node(await theirs.listen()) as node:
            core = await kind.copy(node.store)
            await core.update()
            for offset in (777, sum(map(len, blocks)) // 2, sum(map(len, blocks)) - 1):
                found = await theirs.call("core.seek", offset=offset)
                assert list(await core.seek(offset)) == found
                assert await core.seek(offset, wait=False) == tuple(found)
            assert len([i for i in range(core.length) if core.has(i)]) <= 30


@every_version
@every_kind
async def test_we_fetch_ranges(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer:
        theirs = await JsLog.create(peer, tmp_path, version, kind)
        await theirs.append(values(0, 300))
        async with our_node(await theirs.listen()) as node:
            core = await kind.copy(node.store)
            await core.download(200, 230)
            await core.download(17, 19)
            stored = [i for i in range(300) if core.has(i)]
            # The head comes with the first block that was wanted, so there is nothing else.
            assert stored == [17, 18, *range(200, 230)]
            assert [core.local_block(i) for i in range(200, 230)] == values(200, 230)


@every_version
@every_kind
async def test_we_follow_forks(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer:
        theirs = await JsLog.create(peer, tmp_path, version, kind)
        await theirs.append(values(0, 60))
        async with our_node(await theirs.listen()) as node:
            core = await kind.copy(node.store)
            await core.update()
            await core.download()
            changes = core.changes()
            for fork, kept in enumerate((37, 32, 5), start=1):
                await theirs.truncate(kept)
                new = [b"fork %d" % fork] * 30
                await theirs.append(new)
                while (core.fork, core.length) != (fork, kept + 30):
                    await anext(changes)
                assert core.contiguous_length >= kept
                await core.download()
                blocks = [core.local_block(i) for i in range(core.length)]
                assert blocks == [*values(0, 5), *blocks[5:kept], *new]
                await assert_same(core, peer, theirs.handle)


# We serve -----------------------------------------------------------------------------------------


@every_version
@every_kind
async def test_we_serve_all(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer, our_node() as node:
        ours = await OurLog.create(node.store, kind)
        await ours.append(values(0, 300))
        copy = await JsLog.copy(peer, tmp_path, version, kind, node.port)
        await copy.call("core.update")
        info = await copy.call("core.download", end=300)
        assert info["contiguousLength"] == 300
        assert await copy.call("core.blocks") == [block.hex() for block in values(0, 300)]
        await assert_same(ours.core, peer, copy.handle)


@every_version
@every_kind
async def test_we_serve_what_we_append(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer, our_node() as node:
        ours = await OurLog.create(node.store, kind)
        copy = await JsLog.copy(peer, tmp_path, version, kind, node.port)
        for step in range(1, 9):
            start = ours.core.length
            blocks = values(start, start + step)
            await ours.append(blocks)
            assert await copy.get(start + step - 1) == blocks[-1]
            await assert_same(ours.core, peer, copy.handle)
        assert await copy.call("core.blocks") == [block.hex() for block in values(0, 36)]


@every_version
@every_kind
async def test_we_serve_single_blocks(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer, our_node() as node:
        ours = await OurLog.create(node.store, kind)
        await ours.append(values(0, 150))
        copy = await JsLog.copy(peer, tmp_path, version, kind, node.port)
        for index in (149, 3, 77, 128, 64):
            assert [await copy.get(index)] == values(index, index + 1)
        assert await copy.stored(150) == [3, 64, 77, 128, 149]
        await assert_same(ours.core, peer, copy.handle)


@every_version
@every_kind
async def test_we_serve_ranges(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer, our_node() as node:
        ours = await OurLog.create(node.store, kind)
        await ours.append(values(0, 300))
        copy = await JsLog.copy(peer, tmp_path, version, kind, node.port)
        await copy.call("core.update")
        await copy.call("core.download", start=200, end=230)
        await copy.call("core.download", start=17, end=19)
        # Version 11 fetches the last block to tell its tree hash, which is a part of every answer.
        stored = [i for i in await copy.stored(300) if i != 299]
        assert stored == [17, 18, *range(200, 230)]


@every_version
@every_kind
async def test_we_serve_seeks(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer, our_node() as node:
        ours = await OurLog.create(node.store, kind)
        blocks = values(1, 200)
        await ours.append(blocks)
        copy = await JsLog.copy(peer, tmp_path, version, kind, node.port)
        await copy.call("core.update")
        for index in (198, 0, 1, 48, 120, 127, 128):
            start = sum(map(len, blocks[:index]))
            inside = len(blocks[index]) // 2
            assert await copy.call("core.seek", offset=start + inside) == [index, inside]
        await assert_same(ours.core, peer, copy.handle)


@every_version
@every_kind
async def test_we_serve_forks(
    process: SharedProcess, tmp_path: Path, version: int, kind: Kind
) -> None:
    async with process.peer() as peer, our_node() as node:
        ours = await OurLog.create(node.store, kind)
        await ours.append(values(0, 60))
        copy = await JsLog.copy(peer, tmp_path, version, kind, node.port)
        await copy.call("core.update")
        await copy.call("core.download", end=60)
        for fork, kept in enumerate((37, 32, 5), start=1):
            await ours.truncate(kept)
            new = [b"fork %d" % fork] * 30
            await ours.append(new)
            await copy.call("core.wait", fork=fork, length=kept + 30)
            info = await copy.call("core.download", end=kept + 30)
            assert info["contiguousLength"] == kept + 30
            blocks = [ours.core.local_block(i) for i in range(ours.core.length)]
            assert await copy.call("core.blocks") == [(block or b"").hex() for block in blocks]
            await assert_same(ours.core, peer, copy.handle)
