"""Heads and proofs in a store: kept over restarts, binding for ourselves too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from protocol.crypto.keys import KeyPair
from protocol.errors import ProofError, RecordError
from protocol.hypercore.heads.contradiction import Rewrite, Truncation
from protocol.hypercore.heads.heads_table import Heads
from protocol.transparency.proofs.log_frauds import (
    BlockRewriteFraudProof,
    LogForkFraudProof,
    log_fraud_proof,
)
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.errors import LogViolated, NotWritable, WriterConflict
from vitra_node.storage.log.heads import LogHeads
from vitra_node.storage.log.hypercore import Hypercore

from ...replication_nodes import WRITER, MemoryCore

OURS = [b"ours %d" % i for i in range(8)]
THEIRS = [*OURS[:5], b"theirs 5", b"theirs 6", b"theirs 7"]


def heads_of(core: Hypercore) -> LogHeads:
    assert core.heads is not None
    return core.heads


@asynccontextmanager
async def replicating(one: Corestore, other: Corestore) -> AsyncIterator[None]:
    left, right = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: one.replicate(left, initiator=True))
        nursery.start_soon(lambda: other.replicate(right, initiator=False))
        yield
        nursery.cancel_scope.cancel()


async def test_a_head_ahead_of_our_tree_is_remembered(tmp_path: Path) -> None:
    history = MemoryCore.writable(OURS)
    for _ in range(2):
        async with Corestore.open(tmp_path) as store:
            core = await store.get(key=history.key, allow_truncation=False)
            heads_of(core).see_untrusted(history.head, history.manifest)
            assert heads_of(core).ahead == [history.head]
    async with Corestore.open(tmp_path) as store:
        core = await store.get(key=history.key, allow_truncation=False)
        assert heads_of(core).ahead == [history.head]
        heads_of(core).see_untrusted(MemoryCore.writable(THEIRS).head, history.manifest)
        assert isinstance(heads_of(core).proof, BlockRewriteFraudProof)
    async with Corestore.open(tmp_path) as store:
        proof = heads_of(await store.get(key=history.key, allow_truncation=False)).proof
        assert proof is not None
        proof.check_untrusted(history.key)
        assert await store.get(key=history.key) is not None


async def test_a_proof_freezes_a_log_of_our_own(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        core = await store.get(key_pair=WRITER, allow_truncation=False)
        await core.append(OURS)
        told: list[object] = []
        heads_of(core).on_proof(told.append)
        heads_of(core).see_untrusted(MemoryCore.writable(THEIRS).head, None)
        assert told == [heads_of(core).proof]
        with pytest.raises(LogViolated):
            await core.append(b"more")
        assert core.length == len(OURS)
        again: list[object] = []
        heads_of(core).on_proof(again.append)
        assert again == told


async def test_nothing_is_appended_while_a_peer_knows_more_of_our_own_log() -> None:
    """This copy is an old one: whatever it wrote now would be a second history."""
    newer = MemoryCore.writable([*OURS, b"8", b"9"])
    async with Corestore.open(None) as store, Corestore.open(None) as other:
        core = await store.get(key_pair=WRITER, allow_truncation=False)
        await core.append(OURS)
        heads_of(core).see_untrusted(newer.head, None)
        with pytest.raises(WriterConflict, match="10 blocks"):
            await core.append(b"8")
        source = await other.get(key_pair=WRITER)
        await source.append([*OURS, b"8", b"9"])
        async with replicating(store, other):
            await core.wait_for_length(10)
        assert await core.append(b"10") == 11
        assert heads_of(core).proof is None


async def test_a_log_that_may_never_be_truncated_is_so_whoever_opens_it(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        core = await store.get(name="log", allow_truncation=False)
        await core.append(OURS)
        with pytest.raises(NotWritable, match="never be truncated"):
            await core.truncate(3)
        key, id_ = core.key, core.discovery_key
    async with Corestore.open(tmp_path) as store:
        # A peer asks for it before the program does.
        assert store.cores.find(id_) is not None
        core = await store.get(key=key)
        assert core.heads is not None
        with pytest.raises(NotWritable):
            await core.truncate(3)


async def test_a_log_that_a_peer_asked_for_first_is_guarded_once_the_program_says_so() -> None:
    history = MemoryCore.writable(OURS)
    async with Corestore.open(None) as store, Corestore.open(None) as other:
        source = await other.get(key_pair=WRITER)
        await source.append(OURS)
        core = await store.get(key=history.key)
        async with replicating(store, other):
            await core.wait_for_length(8)
            assert await store.get(key=history.key, allow_truncation=False) is core
            assert core.heads is not None
            await source.truncate(4)
            await source.append(b"new")
            while core.heads.proof is None:
                await core.wait_for_activity()
        assert isinstance(core.heads.proof, LogForkFraudProof)
        assert (core.length, core.fork) == (8, 0)


async def test_proofs_of_strangers_are_checked() -> None:
    history = MemoryCore.writable(OURS)
    found = Heads(history).see_untrusted(MemoryCore.writable(THEIRS).head)
    assert isinstance(found, Rewrite)
    proof = log_fraud_proof(history.key, history.manifest, found)
    async with Corestore.open(None) as store:
        other = KeyPair.from_seed(b"\x08" * 32)
        stranger = heads_of(await store.get(key_pair=other, allow_truncation=False))
        with pytest.raises(ProofError):
            stranger.take_proof_untrusted(proof.to_json())
        with pytest.raises(RecordError):
            stranger.take_proof_untrusted("{}")
        heads = heads_of(await store.get(key=history.key, allow_truncation=False))
        heads.take_proof_untrusted(proof.to_json())
        assert heads.proof == proof


async def test_a_log_that_was_truncated_before_is_no_log_of_a_database() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(key_pair=WRITER)
        await core.append(OURS)
        await core.truncate(4)
        core = await store.get(key_pair=WRITER, allow_truncation=False)
        proof = heads_of(core).proof
        assert isinstance(proof, LogForkFraudProof)
        assert proof.truncation == Truncation(core.head, None)
        proof.check_untrusted(core.key)
