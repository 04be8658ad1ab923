"""Snapshots and seeking, without a peer."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from vitra_node import Corestore, Hyperbee
from vitra_node.storage.errors import (
    BlockNotAvailable,
    BlockOutOfRange,
    NotWritable,
)


async def test_a_snapshot_does_not_grow() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append([b"a", b"bc"])
        snapshot = core.snapshot()
        await core.append(b"d")
        assert (snapshot.length, snapshot.byte_length, snapshot.fork) == (2, 3, 0)
        assert snapshot.key == core.key
        assert [await snapshot.get(i) for i in range(2)] == [b"a", b"bc"]
        assert snapshot.has(1)
        assert not snapshot.has(2)
        assert snapshot.local_block(2) is None
        assert await snapshot.seek(2) == (1, 1)
        assert await snapshot.seek(3) == (2, 0)
        for index in (-1, 2):
            with pytest.raises(BlockOutOfRange):
                await snapshot.get(index)
        with pytest.raises(BlockOutOfRange):
            await snapshot.seek(4)
        with pytest.raises(NotWritable):
            await snapshot.append([b"x"])


async def test_truncated_blocks_do_not_come_back_as_others() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        await core.append([b"a", b"b", b"c"])
        snapshot = core.snapshot()
        await core.truncate(1)
        await core.append([b"x", b"y", b"z"])
        assert await snapshot.get(0) == b"a"
        assert not snapshot.has(1)
        assert snapshot.local_block(1) is None
        for wait in (True, False):
            with pytest.raises(BlockNotAvailable):
                await snapshot.get(1, wait=wait)
        with pytest.raises(BlockNotAvailable):
            await snapshot.seek(1)
        # A later snapshot is of the log as it is then.
        assert await core.snapshot().get(1) == b"x"


async def test_waiting_for_a_block_ends_when_it_is_truncated() -> None:
    async with Corestore.open(None) as store, trio.open_nursery() as nursery:
        core = await store.get(name="log")
        await core.append([b"a", b"b", b"c"])
        await core.clear(1, 2)
        snapshot = core.snapshot()

        async def wait() -> None:
            with pytest.raises(BlockNotAvailable):
                await snapshot.get(1)

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        await core.truncate(2)
        await wait_all_tasks_blocked()
        assert nursery.child_tasks
        await core.truncate(1)


async def test_a_snapshot_in_the_middle_of_a_truncation() -> None:
    async with Corestore.open(None) as store, trio.open_nursery() as nursery:
        core = await store.get(name="log")
        await core.append([b"a", b"b", b"c"])
        nursery.start_soon(core.truncate, 1)
        while core.storage.tip.fork == 0:
            await trio.lowlevel.checkpoint()
        snapshot = core.snapshot()
        await wait_all_tasks_blocked()
        assert await snapshot.get(0) == b"a"
        assert snapshot.local_block(2) is None


async def test_seeking_where_there_is_nothing() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="log")
        assert await core.seek(0) == (0, 0)
        for offset in (-1, 1):
            with pytest.raises(BlockOutOfRange):
                await core.seek(offset)


async def test_a_hyperbee_reads_a_snapshot() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="bee")
        bee = Hyperbee(core)
        await bee.put(b"k", b"old")
        view = Hyperbee(core.snapshot())
        await bee.put(b"k", b"new")
        found = await view.get(b"k")
        assert found is not None
        assert found.value == b"old"
        with pytest.raises(NotWritable):
            await view.put(b"k", b"v")
