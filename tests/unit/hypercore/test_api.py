"""What ``Hypercore`` promises to programs: values, errors, durability, waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import Manifest, Prologue, Signer, default_manifest, manifest_key
from protocol.errors import LocalProtocolError
from protocol.hypercore.core import EMPTY_HEAD, TreeHead
from protocol.hypercore.merkle.growth import append_blocks
from protocol.hypercore.merkle.quorum import verify_head
from protocol.limits import MAX_BLOCK_BYTES
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.memory_environment import MemoryEnvironment
from vitra_node.storage.errors import (
    BlockNotAvailable,
    BlockOutOfRange,
    BlockTooLarge,
    NotWritable,
    StorageError,
    StoreClosed,
    StoreReadOnly,
)
from vitra_node.storage.log.hypercore import Hypercore

WRITER = KeyPair.from_seed(bytes([7]) * 32)


class GatedEnvironment(MemoryEnvironment):
    """Calls ``before_write`` inside each write: what is visible then is visible too early."""

    def __init__(self) -> None:
        super().__init__()
        self.before_write = lambda: None

    def write(self, batches: Sequence[Writes]) -> None:
        self.before_write()
        super().write(batches)


async def test_blocks_one_or_several() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        assert (core.length, core.byte_length, core.fork, core.writable) == (0, 0, 0, True)
        assert await core.append(b"a") == 1
        assert await core.append([b"bc", b"", b"def"]) == 4
        assert await core.append(bytearray(b"g")) == 5
        assert await core.append([]) == 5
        assert [await core.get(i) for i in range(5)] == [b"a", b"bc", b"", b"def", b"g"]
        assert (core.length, core.byte_length, core.contiguous_length) == (5, 7, 5)
        assert core.manifest == default_manifest(core.key_pair.public_key)
        assert verify_head(core.key, core.manifest, core.head)
        assert core.key.hex()[:12] in repr(core)


async def test_blocks_that_are_no_blocks() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        for wrong in ("text", ["text"], [1], [b"ok", None]):
            with pytest.raises(TypeError, match="bytes"):
                await core.append(wrong)
        with pytest.raises(BlockTooLarge):
            await core.append([b"small", bytes(MAX_BLOCK_BYTES + 1)])
        assert await core.append(bytes(MAX_BLOCK_BYTES)) == 1


async def test_misuse_has_clear_errors() -> None:
    async with Corestore.open(None) as store:
        own = await store.get(name="log")
        other = await store.get(key=bytes(32))
        await own.append(b"a")
        for index in (-1, 1, 2**60):
            with pytest.raises(BlockOutOfRange):
                await own.get(index)
            assert own.local_block(index) is None
            assert not own.has(index)
        with pytest.raises(BlockOutOfRange):
            await other.get(-1)
        with pytest.raises(BlockNotAvailable):
            await other.get(0, wait=False)
        with pytest.raises(NotWritable):
            await other.append(b"a")
        with pytest.raises(NotWritable):
            await other.truncate(0)
        with pytest.raises(BlockOutOfRange):
            await own.truncate(2)
        with pytest.raises(BlockOutOfRange):
            await own.truncate(-1)
        with pytest.raises(ValueError, match="fork"):
            await own.truncate(0, fork=0)
        with pytest.raises(BlockOutOfRange):
            await own.clear(0, 2)
        assert own.length == 1
    for call in (own.append, own.get, own.truncate, own.wait_for_length):
        with pytest.raises(StoreClosed):
            await call(0)
    for call in (own.update, own.download):
        with pytest.raises(StoreClosed):
            await call()
    with pytest.raises(StoreClosed):
        own.local_block(0)


async def test_concurrent_appends_share_one_signature() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        heads: list[TreeHead] = []
        changes = core.changes()

        async def watch() -> None:
            async for head in changes:
                heads.append(head)

        lengths: list[int] = []

        async def append() -> None:
            lengths.append(await core.append([b"x", b"y"]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            async with trio.open_nursery() as writers:
                for _ in range(30):
                    writers.start_soon(append)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert sorted(lengths) == list(range(2, 62, 2))
        assert [head.length for head in heads] == [60]


async def open_gated(environment: GatedEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitra_node.storage.corestore.MemoryEnvironment", lambda: environment)


async def test_own_growth_shows_only_when_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = GatedEnvironment()
    await open_gated(environment, monkeypatch)
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append([b"a", b"b", b"c"])
        seen: list[tuple[int, int, int, bool, bytes]] = []

        def look() -> None:
            bits = core.storage.bitfield(0, 32)
            seen.append((core.length, core.contiguous_length, core.fork, core.has(3), bits))

        environment.before_write = look
        await core.append(b"d")
        assert seen == [(3, 3, 0, False, b"\x07\x00\x00\x00")]
        assert (core.length, core.has(3)) == (4, True)
        await core.truncate(1)
        # The old blocks are gone at once, the new head with its signature is not there yet.
        assert seen[1] == (4, 1, 0, False, b"\x01\x00\x00\x00")
        assert (core.length, core.fork) == (1, 1)


async def test_a_failed_write_shows_nothing_and_closes_the_store_for_writing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = GatedEnvironment()
    await open_gated(environment, monkeypatch)

    def fail() -> None:
        raise StorageError("Input/output error")

    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append(b"a")
        head = core.head
        environment.before_write = fail
        with pytest.raises(StoreReadOnly, match="Input/output error"):
            await core.append(b"b")
        environment.before_write = lambda: None
        put = partial(store.records.table("t").put, b"k", b"v")
        for write in (partial(core.append, b"c"), partial(core.truncate, 0), put):
            with pytest.raises(StoreReadOnly, match="Input/output error"):
                await write()
        with pytest.raises(StoreReadOnly):
            await store.get(name="another")
        assert core.head is head
        assert await core.get(0) == b"a"


async def test_records_go_with_their_blocks() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        table = store.records.table("executor")
        await core.append([b"a"], also=[table.record(b"oplog", b"17"), table.record(b"x", b"1")])
        await core.append([], also=[table.record(b"x", None)])
        assert core.length == 1
        assert table.items() == [(b"oplog", b"17")]


async def test_truncation_waits_for_appends_under_way_and_holds_back_later_ones() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append([b"0", b"1", b"2"])
        results: dict[str, int | None] = {}

        async def append(name: str) -> None:
            results[name] = await core.append(name.encode())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(append, "before")
            await wait_all_tasks_blocked()
            nursery.start_soon(core.truncate, 2)
            nursery.start_soon(append, "with")
        assert core.length in (2, 3)
        assert core.fork == 1
        assert verify_head(core.key, core.manifest, core.head)
        assert await core.get(1) == b"1"


async def test_truncation_to_nothing_and_to_the_same_length() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append([b"a", b"b"])
        await core.truncate(2)
        assert core.fork == 0
        await core.truncate(2, fork=5)
        assert core.fork == 5
        assert verify_head(core.key, core.manifest, core.head)
        await core.truncate(0)
        assert (core.length, core.byte_length, core.fork) == (0, 0, 6)
        await core.append(b"c")
        assert core.head.roots == append_blocks(EMPTY_HEAD, [b"c"])[1].roots


async def test_waiting_for_length_and_changes() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        lengths: list[int] = []

        async def wait(length: int) -> None:
            await core.wait_for_length(length)
            lengths.append(core.length)

        async with trio.open_nursery() as nursery:
            for length in (1, 3, 4):
                nursery.start_soon(wait, length)
            await wait_all_tasks_blocked()
            await core.append([b"a", b"b"])
            await wait_all_tasks_blocked()
            assert lengths == [2]
            await core.append([b"c", b"d"])
        assert lengths == [2, 4, 4]
        changes = core.changes()
        with trio.CancelScope() as scope:
            scope.cancel()
            await anext(changes)
        await core.append(b"e")
        await core.append(b"f")
        assert (await anext(changes)).length == 6


async def test_closing_wakes_whoever_waits() -> None:
    async def expect_closed(wait: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(StoreClosed):
            await wait()

    async with trio.open_nursery() as nursery, Corestore.open(None) as store:
        own = await store.get(name="log")
        nursery.start_soon(expect_closed, partial(own.wait_for_length, 1))
        nursery.start_soon(expect_closed, own.changes().__anext__)
        nursery.start_soon(expect_closed, partial(own.update, wait=True))
        await wait_all_tasks_blocked()


async def test_a_log_begins_with_its_prologue() -> None:
    blocks = [b"one", b"two", b"three"]
    _, head = append_blocks(EMPTY_HEAD, blocks)
    manifest = Manifest(
        1, (Signer(WRITER.public_key),), 1, prologue=Prologue(head.hash(), head.length)
    )
    async with Corestore.open(None) as store:
        core = await store.get(manifest=manifest, key_pair=WRITER)
        with pytest.raises(LocalProtocolError, match="prologue"):
            await core.append(blocks[:2])
        with pytest.raises(LocalProtocolError, match="prologue"):
            await core.append([b"one", b"two", b"four"])
        assert await core.append(blocks) == 3
        assert core.head.signature is None
        assert await core.append(b"four") == 4
        assert verify_head(core.key, manifest, core.head)
        with pytest.raises(BlockOutOfRange, match="prologue"):
            await core.truncate(2)
        await core.truncate(3)
        assert core.length == 3


async def test_a_quorum_cannot_be_signed_alone() -> None:
    other = KeyPair.from_seed(bytes([8]) * 32)
    manifest = Manifest(1, (Signer(WRITER.public_key), Signer(other.public_key)), 2)
    async with Corestore.open(None) as store:
        core = await store.get(manifest=manifest, key_pair=WRITER)
        assert core.key == manifest_key(manifest)
        assert not core.writable
        with pytest.raises(NotWritable):
            await core.append(b"a")


async def test_reading_lets_other_tasks_run() -> None:
    async with Corestore.open(None) as store:
        core: Hypercore = await store.get(name="log")
        await core.append(b"a")
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            for _ in range(1000):
                await core.get(0)
            nursery.cancel_scope.cancel()
        assert turns >= 20
        with trio.CancelScope() as scope:
            scope.cancel()
            await core.get(0)
        assert scope.cancelled_caught


def one_by_one(core: Hypercore, start: int, end: int, max_bytes: int) -> list[bytes]:
    blocks: list[bytes] = []
    for index in range(start, end):
        block = core.local_block(index)
        if block is None:
            break
        blocks.append(block)
        if sum(map(len, blocks)) >= max_bytes:
            break
    return blocks


@pytest.mark.parametrize("encryption_key", [None, bytes(32)], ids=["clear", "encrypted"])
async def test_many_blocks_at_a_time_are_those_that_come_one_by_one(
    encryption_key: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = GatedEnvironment()
    await open_gated(environment, monkeypatch)
    async with Corestore.open(None) as store:
        core = await store.get(name="log", encryption_key=encryption_key)
        looks = 0

        def compare() -> None:
            nonlocal looks
            looks += 1
            for start, end in ((0, 10), (0, 40), (3, 9), (9, 9), (9, 3), (12, 30), (39, 50)):
                for max_bytes in (1, 40, 10_000):
                    blocks = core.local_blocks(start, end, max_bytes)
                    assert blocks == one_by_one(core, start, end, max_bytes)

        await core.append([bytes([number]) * 20 for number in range(40)])
        compare()
        # They are counted as they are stored.
        assert len(core.local_blocks(0, 10, 41)) == (3 if encryption_key is None else 2)
        # What is not durable yet is read as well, and what was taken back is not.
        environment.before_write = compare
        await core.clear(10, 20)
        compare()
        assert len(core.local_blocks(0, 40, 10_000)) == 10
        await core.truncate(5)
        await core.append([b"another"] * 7)
        compare()
        assert core.local_blocks(3, 9, 10_000) == [b"\3" * 20, b"\4" * 20] + [b"another"] * 4
        assert looks >= 6
    with pytest.raises(StoreClosed):
        core.local_blocks(0, 1, 1)


async def test_counting_what_is_missing() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append([b"x"] * 100)
        await core.clear(10, 20)
        await core.clear(63, 65)
        held = [core.has(i) for i in range(100)]
        for start, end in ((0, 100), (5, 15), (9, 10), (10, 20), (60, 70), (64, 64), (95, 200)):
            missing = sum(not each for each in held[start:end]) + max(0, end - max(100, start))
            assert core.storage.missing(start, end) == missing
        assert core.storage.missing(0, 2**40) == 2**40 - 88
        assert core.storage.missing(150, 160) == 10
