"""Logs of several signers: appended to with the signatures of a quorum, and with nothing less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import manifest_key, multi_signer_manifest
from protocol.hypercore.core import TreeHead
from protocol.hypercore.merkle import append_blocks, assemble_head, sign_partial
from vitra_node import Corestore
from vitra_node.storage.errors import NotWritable
from vitra_node.storage.fsck import check_directory

PAIRS = [KeyPair.from_seed(bytes([seed]) * 32) for seed in (1, 2, 3)]
MANIFEST = multi_signer_manifest(tuple(pair.public_key for pair in PAIRS), quorum=2)
KEY = manifest_key(MANIFEST)


def signed(before: TreeHead, blocks: list[bytes], pairs: list[KeyPair]) -> TreeHead:
    _, head = append_blocks(before, blocks)
    partials = [sign_partial(MANIFEST, KEY, pair, head) for pair in pairs]
    return assemble_head(MANIFEST, KEY, head, partials)


async def test_a_quorum_appends_and_what_it_signed_is_durable(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        core = await store.get(manifest=MANIFEST)
        assert not core.writable
        for pairs in (PAIRS[:2], PAIRS[1:], [PAIRS[2], PAIRS[0]]):
            blocks = [b"a%d" % core.length, b"b"]
            assert await core.append_signed(blocks, signed(core.head, blocks, pairs)) == core.length
        head = core.head
    assert list(check_directory(tmp_path)) == []
    async with Corestore.open(tmp_path) as store:
        core = await store.get(key=KEY)
        assert core.head == head
        assert [await core.get(i) for i in range(6)] == [b"a0", b"b", b"a2", b"b", b"a4", b"b"]


async def test_less_than_a_quorum_appends_nothing() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(manifest=MANIFEST)
        good = signed(core.head, [b"a"], PAIRS[:2])
        assert good.signature is not None
        damaged = replace(good, signature=good.signature[:-1] + bytes([good.signature[-1] ^ 1]))
        for blocks, head, why in (
            ([b"a"], damaged, "not signed"),
            ([b"a"], replace(good, signature=None), "not signed"),
            ([b"b"], good, "not the head"),
            ([b"a", b"b"], good, "not the head"),
            ([b"a"], replace(good, fork=1), "not the head"),
        ):
            with pytest.raises(NotWritable, match=why):
                await core.append_signed(blocks, head)
        assert core.length == 0
        assert await core.append_signed(b"a", good) == 1
        with pytest.raises(NotWritable, match="not the head"):
            await core.append_signed(b"a", good)
