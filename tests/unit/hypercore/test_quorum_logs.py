"""Logs of several signers: written with the signatures of a quorum, and with nothing less."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import manifest_key, multi_signer_manifest
from protocol.hypercore.core import EMPTY_HEAD, TreeHead
from protocol.hypercore.merkle.growth import append_blocks, assemble_head, head_at, sign_partial
from vitra_node import Corestore
from vitra_node.storage.care.fsck import check_directory
from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.memory_environment import MemoryEnvironment
from vitra_node.storage.errors import BlockOutOfRange, LogViolated, NotWritable

from ..storage.test_corestore_replication import connected

PAIRS = [KeyPair.from_seed(bytes([seed]) * 32) for seed in (1, 2, 3)]
MANIFEST = multi_signer_manifest(tuple(pair.public_key for pair in PAIRS), quorum=2)
KEY = manifest_key(MANIFEST)


def signed(before: TreeHead, blocks: list[bytes], pairs: list[KeyPair]) -> TreeHead:
    _, head = append_blocks(before, blocks)
    return with_signatures(head, pairs)


def with_signatures(head: TreeHead, pairs: list[KeyPair]) -> TreeHead:
    partials = [sign_partial(MANIFEST, KEY, pair, head) for pair in pairs]
    return assemble_head(MANIFEST, KEY, head, partials)


def limited(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A test that would wait for ever where replication ended."""

    @functools.wraps(test)
    async def run(*args: Any, **named: Any) -> None:
        with trio.fail_after(60):
            await test(*args, **named)

    return run


may_be_truncated = pytest.mark.parametrize(
    "allow_truncation", [True, False], ids=["may be truncated", "may never be"]
)


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
        # Once more changes nothing; a quorum is needed all the same.
        assert await core.append_signed(b"a", good) == 1
        with pytest.raises(NotWritable, match="not signed"):
            await core.append_signed(b"a", damaged)
        with pytest.raises(NotWritable, match="not the head"):
            await core.append_signed(b"b", good)
        assert core.head == good


@may_be_truncated
@limited
async def test_every_signer_hands_in_what_all_agreed_on(
    tmp_path: Path, allow_truncation: bool
) -> None:
    """At the same time, or when a peer has brought it already, with or without its blocks."""
    before, steps = EMPTY_HEAD, []
    for number in range(30):
        blocks = [b"%d of step %d" % (i, number) for i in range(number % 4 + 1)]
        before = signed(before, blocks, PAIRS[:2])
        steps.append((blocks, before))
    async with Corestore.open(tmp_path / "one") as one, Corestore.open(tmp_path / "two") as two:
        logs = [
            await store.get(manifest=MANIFEST, allow_truncation=allow_truncation)
            for store in (one, two)
        ]
        async with connected(one, two):
            for number, (blocks, head) in enumerate(steps):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(logs[0].append_signed, blocks, head)
                    if number % 3 == 0:
                        await logs[1].wait_for_length(head.length)
                    elif number % 3 == 1:
                        await logs[1].get(head.length - 1)
                    nursery.start_soon(logs[1].append_signed, blocks, head)
                assert [log.head for log in logs] == [head, head]
                assert [log.contiguous_length for log in logs] == [head.length] * 2
            assert [log.peer_count for log in logs] == [1, 1]
        expected = [block for blocks, _ in steps for block in blocks]
        for log in logs:
            assert [await log.get(i) for i in range(log.length)] == expected
            # What is there is not taken for what is not.
            with pytest.raises(NotWritable):
                await log.append_signed([b"another"], steps[-1][1])
    for name in ("one", "two"):
        assert list(check_directory(tmp_path / name)) == []


async def test_what_signers_agreed_on_is_stored_when_newer_heads_were_shown() -> None:
    """Only a log that was signed in two histories is written no more."""
    async with Corestore.open(None) as store:
        core = await store.get(manifest=MANIFEST, allow_truncation=False)
        first = signed(core.head, [b"a"], PAIRS[:2])
        second = signed(first, [b"b"], PAIRS[1:])
        assert core.heads is not None
        core.heads.see_untrusted(second, MANIFEST)
        assert await core.append_signed(b"a", first) == 1
        assert await core.append_signed(b"b", second) == 2
        assert core.heads.proof is None
        core.heads.see_untrusted(signed(first, [b"c"], PAIRS[:2]), MANIFEST)
        assert core.heads.proof is not None
        with pytest.raises(LogViolated):
            await core.append_signed(b"d", signed(second, [b"d"], PAIRS[:2]))


class SlowEnvironment(MemoryEnvironment):
    """Writes in a thread of its own, and waits there while ``gate`` is not set."""

    waits_for_disk = True

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def write(self, batches: Sequence[Writes]) -> None:
        assert self.gate.wait(60)
        super().write(batches)


@may_be_truncated
@limited
async def test_a_peer_that_is_faster_is_waited_for_and_kept(
    monkeypatch: pytest.MonkeyPatch, allow_truncation: bool
) -> None:
    environment = SlowEnvironment()
    async with contextlib.AsyncExitStack() as stack:
        fast = await stack.enter_async_context(Corestore.open(None))
        monkeypatch.setattr("vitra_node.storage.corestore.MemoryEnvironment", lambda: environment)
        slow = await stack.enter_async_context(Corestore.open(None))
        ahead, behind = [
            await store.get(manifest=MANIFEST, allow_truncation=allow_truncation)
            for store in (fast, slow)
        ]
        async with connected(fast, slow), trio.open_nursery() as nursery:
            for number in range(3):
                blocks = [b"%d" % number] * 2
                head = signed(behind.head, blocks, PAIRS[:2])
                environment.gate.clear()
                nursery.start_soon(behind.append_signed, blocks, head)
                # The peer has this head, and one more, while the first is being written here.
                await ahead.append_signed(blocks, head)
                more = [b"and %d" % number]
                newest = signed(head, more, PAIRS[1:])
                await ahead.append_signed(more, newest)
                while behind.remote_length < newest.length:
                    await trio.lowlevel.checkpoint()
                await trio.testing.wait_all_tasks_blocked()
                assert behind.length == head.length - 2
                environment.gate.set()
                await behind.wait_for_length(newest.length)
                await behind.download()
                assert behind.head == newest
            assert behind.peer_count == 1


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
        with pytest.raises(NotWritable, match="needs 2 signatures"):
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
