"""Two stores and a stream between them: logs reach the other side, and are durable there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import wait_all_tasks_blocked

from protocol.hypercore.replication.events import ForkObserved
from vitra_node.storage.care.fsck import check_directory, check_store
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.environments.environment import Writes
from vitra_node.storage.environments.memory_environment import MemoryEnvironment
from vitra_node.storage.errors import BlockNotAvailable, StorageError, StoreReadOnly
from vitra_node.storage.log.bitfield import PAGE_BITS


def blocks(count: int, start: int = 0) -> list[bytes]:
    return [b"block #%d" % number for number in range(start, start + count)]


@asynccontextmanager
async def connected(one: Corestore, two: Corestore) -> AsyncIterator[None]:
    here, there = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: one.replicate(here, initiator=True))
        nursery.start_soon(lambda: two.replicate(there, initiator=False))
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def two_stores(path: Path | None = None) -> AsyncIterator[tuple[Corestore, Corestore]]:
    async with Corestore.open(None) as one, Corestore.open(path) as two:
        yield one, two


async def test_a_whole_log(tmp_path: Path) -> None:
    async with two_stores(tmp_path) as (one, two):
        log = await one.get(name="log")
        await log.append(blocks(500))
        copy = await two.get(key=log.key)
        async with connected(one, two):
            assert await copy.update()
            assert copy.length == 500
            assert copy.manifest == log.manifest
            assert copy.peer_count == 1
            await copy.download()
        assert (copy.contiguous_length, copy.byte_length) == (500, log.byte_length)
        assert [copy.local_block(i) for i in range(500)] == blocks(500)
    assert list(check_directory(tmp_path)) == []
    async with Corestore.open(tmp_path) as two:
        copy = await two.get(key=log.key)
        assert copy.head == log.head
        assert [copy.local_block(i) for i in range(500)] == blocks(500)
        await copy.download()


async def test_single_blocks_far_apart(tmp_path: Path) -> None:
    length = 3 * PAGE_BITS
    wanted = [0, 7, PAGE_BITS - 1, PAGE_BITS, 2 * PAGE_BITS + 5, length - 1]
    async with two_stores(tmp_path) as (one, two):
        log = await one.get(name="log")
        await log.append(blocks(length))
        copy = await two.get(key=log.key)
        async with connected(one, two), trio.open_nursery() as nursery:
            for index in wanted * 2:
                nursery.start_soon(copy.get, index)
        assert [i for i in range(length) if copy.has(i)] == wanted
        assert copy.contiguous_length == 1
    assert list(check_directory(tmp_path)) == []
    async with two_stores(tmp_path) as (one, two):
        copy = await two.get(key=log.key)
        assert [i for i in range(length) if copy.has(i)] == wanted
        assert [copy.local_block(i) for i in wanted] == [b"block #%d" % i for i in wanted]
        with pytest.raises(BlockNotAvailable):
            await copy.get(3, wait=False)


async def test_growth_is_followed_and_served_on() -> None:
    async with two_stores() as (one, two), Corestore.open(None) as three:
        log = await one.get(name="log")
        middle, last = await two.get(key=log.key), await three.get(key=log.key)
        async with connected(one, two), connected(two, three):
            for round_ in range(5):
                await log.append(blocks(10, 10 * round_))
                await last.wait_for_length(log.length)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(middle.download)
                    nursery.start_soon(last.download)
        assert [last.local_block(i) for i in range(50)] == blocks(50)


async def test_gets_before_the_peer_or_the_block_is_there() -> None:
    async with two_stores() as (one, two):
        log = await one.get(name="log")
        copy = await two.get(key=log.key)
        got: dict[int, bytes] = {}
        arrived = {index: trio.Event() for index in (0, 2)}

        async def get(index: int) -> None:
            got[index] = await copy.get(index)
            arrived[index].set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(get, 0)
            nursery.start_soon(get, 2)
            nursery.start_soon(get, 2)
            nursery.start_soon(copy.download, 0, 3)
            await wait_all_tasks_blocked()
            async with connected(one, two):
                await log.append(blocks(2))
                await arrived[0].wait()
                assert got == {0: b"block #0"}
                await log.append(blocks(1, 2))
                await arrived[2].wait()
        assert got == {0: b"block #0", 2: b"block #2"}
        assert copy.contiguous_length == 3


async def test_a_get_that_is_given_up_leaves_nothing_behind() -> None:
    async with two_stores() as (one, two):
        log = await one.get(name="log")
        copy = await two.get(key=log.key)
        with pytest.raises(BlockNotAvailable):
            await copy.get(0, timeout=0.001)
        with trio.move_on_after(0.001) as scope:
            await copy.download(0, 5)
        assert scope.cancelled_caught
        async with connected(one, two):
            await log.append(blocks(5))
            assert await copy.get(4) == b"block #4"
            assert await copy.get(3) == b"block #3"
        # Nobody wants the others any more.
        assert [copy.has(i) for i in range(5)] == [False, False, False, True, True]


async def test_logs_opened_while_connected_are_offered() -> None:
    async with two_stores() as (one, two), connected(one, two):
        log = await one.get(name="log")
        await log.append(blocks(3))
        copy = await two.get(key=log.key)
        assert await copy.get(2) == b"block #2"


async def test_a_stored_log_is_served_without_being_opened(tmp_path: Path) -> None:
    async with Corestore.open(tmp_path) as store:
        log = await store.get(name="log")
        await log.append(blocks(3))
    async with two_stores(tmp_path) as (one, two):
        copy = await one.get(key=log.key)
        async with connected(two, one):
            assert await copy.get(1) == b"block #1"


async def test_truncation_is_followed_where_allowed(tmp_path: Path) -> None:
    async with two_stores(tmp_path) as (one, two):
        log = await one.get(name="log")
        await log.append(blocks(20))
        copy = await two.get(key=log.key)
        async with connected(one, two):
            await copy.update()
            await copy.download()
            await log.truncate(11)
            await log.append([b"other %d" % i for i in range(12)])
            while copy.fork < 1 or copy.length < 23:
                await copy.update(wait=True)
            await copy.download()
        assert [copy.local_block(i) for i in range(11)] == blocks(11)
        assert [copy.local_block(i) for i in range(11, 23)] == [b"other %d" % i for i in range(12)]
        assert copy.head == log.head
    assert list(check_directory(tmp_path)) == []


async def test_truncation_is_reported_where_not_allowed() -> None:
    async with two_stores() as (one, two):
        log = await one.get(name="log")
        await log.append(blocks(20))
        copy = await two.get(key=log.key, allow_truncation=False)
        forks: list[ForkObserved] = []
        heard = trio.Event()

        def hear(event: ForkObserved) -> None:
            forks.append(event)
            heard.set()

        stop = copy.on_fork(hear)
        async with connected(one, two):
            await copy.download(0, 20)
            await log.truncate(5)
            await heard.wait()
        stop()
        assert forks[0].fork == 1
        assert (copy.fork, copy.length) == (0, 20)
        assert copy.local_block(19) == b"block #19"


async def test_a_cleared_block_is_fetched_again() -> None:
    async with two_stores() as (one, two):
        log = await one.get(name="log")
        await log.append(blocks(8))
        copy = await two.get(key=log.key)
        async with connected(one, two):
            await copy.download(0, 8)
            await copy.clear(2, 6)
            assert not copy.has(3)
            assert copy.contiguous_length == 2
            assert await copy.get(3) == b"block #3"


async def test_our_own_log_comes_back_from_a_peer(tmp_path: Path) -> None:
    """A writer that lost its disk but not its key goes on where the peers are."""
    primary = bytes([9]) * 32
    async with (
        Corestore.open(None, primary_key=primary) as lost,
        Corestore.open(None) as peer,
        Corestore.open(tmp_path, primary_key=primary) as found,
    ):
        log = await lost.get(name="log")
        await log.append(blocks(6))
        copy = await peer.get(key=log.key)
        async with connected(lost, peer):
            await copy.download(0, 6)
        again = await found.get(name="log")
        assert again.length == 0
        async with connected(peer, found):
            await again.update(wait=True)
            assert again.length == 6
            await again.append(b"more")
            await copy.wait_for_length(7)
            assert await copy.get(6) == b"more"
            assert again.contiguous_length == 0
            await again.download()
    assert list(check_directory(tmp_path)) == []


class FailingEnvironment(MemoryEnvironment):
    """Fails every write while told to."""

    failing = False

    def write(self, batches: Sequence[Writes]) -> None:
        if self.failing:
            raise StorageError("No space left on device")
        super().write(batches)


async def test_a_disk_that_fails_ends_replication_of_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = FailingEnvironment()
    async with Corestore.open(None) as one:
        log = await one.get(name="log")
        await log.append(blocks(100))
        monkeypatch.setattr("vitra_node.storage.corestore.MemoryEnvironment", lambda: environment)
        async with Corestore.open(None) as two:
            copy = await two.get(key=log.key)
            async with connected(one, two):
                await copy.get(0)
                await two.records.table("t").put(b"block 0", b"is durable")
                environment.failing = True
                await copy.get(1)
                with pytest.raises(StoreReadOnly):
                    await two.records.table("t").put(b"k", b"v")
                assert copy.peer_count == 1
                copy.replication.want(10, 11)
                while copy.peer_count:
                    await trio.lowlevel.checkpoint()
                for fetch in (partial(copy.get, 50), copy.download):
                    with pytest.raises(StoreReadOnly):
                        await fetch()
            # What was not durable can be read until the store closes; what was durable is sound.
            assert copy.local_block(1) == b"block #1"
            assert list(check_store(environment)) == []


async def test_whoever_waits_hears_of_a_disk_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = FailingEnvironment()
    async with Corestore.open(None) as one:
        log = await one.get(name="log")
        await log.append(blocks(3))
        monkeypatch.setattr("vitra_node.storage.corestore.MemoryEnvironment", lambda: environment)
        async with Corestore.open(None) as two, trio.open_nursery() as nursery:
            copy = await two.get(key=log.key)

            async def expect_read_only(fetch: Callable[[], Awaitable[object]]) -> None:
                with pytest.raises(StoreReadOnly):
                    await fetch()

            nursery.start_soon(expect_read_only, partial(copy.get, 5))
            nursery.start_soon(expect_read_only, partial(copy.download, 4, 6))
            await wait_all_tasks_blocked()
            environment.failing = True
            await expect_read_only(partial(two.records.table("t").put, b"k", b"v"))
            async with connected(one, two):
                # The first head that comes cannot be stored.
                while nursery.child_tasks:
                    await trio.lowlevel.checkpoint()
