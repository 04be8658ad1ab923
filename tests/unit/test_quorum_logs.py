"""Logs of several signers: written with the signatures of a quorum, and with nothing less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import manifest_key, multi_signer_manifest
from protocol.hypercore.core import TreeHead
from protocol.hypercore.merkle import append_blocks, assemble_head, head_at, sign_partial
from vitra_node import Corestore
from vitra_node.storage.errors import BlockOutOfRange, NotWritable
from vitra_node.storage.fsck import check_directory

PAIRS = [KeyPair.from_seed(bytes([seed]) * 32) for seed in (1, 2, 3)]
MANIFEST = multi_signer_manifest(tuple(pair.public_key for pair in PAIRS), quorum=2)
KEY = manifest_key(MANIFEST)


def signed(before: TreeHead, blocks: list[bytes], pairs: list[KeyPair]) -> TreeHead:
    _, head = append_blocks(before, blocks)
    return with_signatures(head, pairs)


def with_signatures(head: TreeHead, pairs: list[KeyPair]) -> TreeHead:
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


async def test_a_quorum_truncates_and_goes_on(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        core = await store.get(manifest=MANIFEST)
        first = [b"%d" % index for index in range(7)]
        await core.append_signed(first, signed(core.head, first, PAIRS[:2]))
        for length in (5, 0):
            head = with_signatures(head_at(core.storage, length, core.fork + 1), PAIRS[1:])
            await core.truncate_signed(head)
            assert (core.head, core.contiguous_length) == (head, length)
            new = [b"fork %d" % core.fork] * 3
            assert await core.append_signed(new, signed(core.head, new, PAIRS[:2])) == length + 3
        head = core.head
    assert list(check_directory(tmp_path)) == []
    async with Corestore.open(tmp_path) as store:
        core = await store.get(key=KEY)
        assert (core.head, core.fork) == (head, 2)
        assert [await core.get(i) for i in range(3)] == [b"fork 2"] * 3


async def test_less_than_a_quorum_truncates_nothing() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(manifest=MANIFEST)
        blocks = [b"a", b"b", b"c"]
        await core.append_signed(blocks, signed(core.head, blocks, PAIRS[:2]))
        before = core.head
        good = with_signatures(head_at(core.storage, 2, 1), PAIRS[:2])
        other = with_signatures(replace(good, byte_length=3), PAIRS[:2])
        for head, why in (
            (replace(good, signature=before.signature), "not signed"),
            (replace(good, signature=None), "not signed"),
            (with_signatures(head_at(core.storage, 2, 0), PAIRS[:2]), "does not follow"),
            (replace(good, fork=2), "not signed"),
            (other, "not a head"),
        ):
            with pytest.raises(NotWritable, match=why):
                await core.truncate_signed(head)
        longer = signed(replace(before, fork=1), [b"d"], PAIRS[:2])
        with pytest.raises(BlockOutOfRange):
            await core.truncate_signed(longer)
        assert core.head is before
        # No key pair here can do it alone, not even one of the signers'.
        with pytest.raises(NotWritable, match="cannot sign"):
            await core.truncate(2)
        await core.truncate_signed(good)
        assert core.head == good


async def test_a_log_that_may_never_be_truncated_is_not() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(manifest=MANIFEST, allow_truncation=False)
        await core.append_signed(b"a", signed(core.head, [b"a"], PAIRS[:2]))
        with pytest.raises(NotWritable, match="never be truncated"):
            await core.truncate_signed(with_signatures(head_at(core.storage, 0, 1), PAIRS[:2]))
        assert core.length == 1
