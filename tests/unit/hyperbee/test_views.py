"""The public ``Hyperbee``, over a core in memory whose blocks may be far away."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress

import pytest
import trio

from protocol.errors import BeeBlockError, LocalProtocolError
from protocol.hyperbee import Entry, Header
from vitra_node.storage.bee.hyperbee import Entries, Hyperbee
from vitra_node.storage.corestore import Corestore
from vitra_node.storage.errors import BlockNotAvailable, NotWritable, WriterConflict


class Core:
    """Blocks in memory. Those not in ``here`` have to be fetched, which takes a while."""

    def __init__(self, blocks: Sequence[bytes] = (), *, sparse: bool = False) -> None:
        self.blocks = list(blocks)
        self.here: set[int] | None = set() if sparse else None
        self.fork = 0
        self.writable = True
        self.fetched: list[int] = []
        self.fail: type[Exception] | None = None

    @property
    def length(self) -> int:
        return len(self.blocks)

    def local_block(self, index: int) -> bytes | None:
        return None if self.here is not None and index not in self.here else self.blocks[index]

    async def get(self, index: int) -> bytes:
        await trio.sleep(1)
        if self.here is not None:
            self.here.add(index)
        self.fetched.append(index)
        return self.blocks[index]

    async def append(self, blocks: Sequence[bytes]) -> int:
        await trio.sleep(1)
        if self.fail is not None:
            raise self.fail
        if self.here is not None:
            self.here.update(range(self.length, self.length + len(blocks)))
        self.blocks += blocks
        return self.length


async def keys(entries: Entries[Entry]) -> list[bytes]:
    return [entry.key async for entry in entries]


async def test_over_a_real_core() -> None:
    async with Corestore.open(None) as store:
        core = await store.get(name="bee")
        bee = Hyperbee(core)
        assert await bee.header() is None
        assert await bee.get(b"a") is None
        assert await bee.put(b"a", b"1") == 1
        async with bee.batch() as batch:
            for n in range(200):
                await batch.put(b"%03d" % n, b"v")
        assert core.length == 202
        assert await bee.header() == Header()
        assert await bee.get(b"a") == Entry(1, b"a", b"1")
        assert len(await keys(bee.range())) == 201
        assert await bee.delete(b"a") == 202
        assert await bee.delete(b"a") is None
        await core.truncate(2)
        assert await keys(bee.range()) == [b"a"]
        await bee.put(b"b", b"2")
        assert await keys(bee.range()) == [b"a", b"b"]


async def test_ranges_history_and_differences(autojump_clock: trio.testing.MockClock) -> None:
    bee = Hyperbee(Core())
    for n in range(20):
        await bee.put(b"%02d" % n, b"v%d" % n)
    old = bee.snapshot()
    await bee.delete(b"03")
    await bee.put(b"05", b"new")
    assert bee.version == 23
    assert old.version == 21
    assert await keys(bee.range(gt=b"01", lte=b"05")) == [b"02", b"04", b"05"]
    assert await keys(bee.range(gte=b"01", lt=b"05", reverse=True, limit=2)) == [b"04", b"02"]
    assert await keys(old.range(gte=b"03", limit=1)) == [b"03"]
    assert await bee.peek(gt=b"02") == Entry(5, b"04", b"v4")
    assert await bee.peek(gt=b"9") is None
    assert await bee.peek(reverse=True) == Entry(20, b"19", b"v19")
    assert [(op.type, op.seq, op.key) async for op in bee.history(gte=-2)] == [
        ("del", 21, b"03"),
        ("put", 22, b"05"),
    ]
    expected = [
        (None, Entry(4, b"03", b"v3")),
        (Entry(22, b"05", b"new"), Entry(6, b"05", b"v5")),
    ]
    assert [tuple(found) async for found in bee.diff(old)] == expected
    assert [tuple(found) async for found in bee.diff(21, lt=b"04")] == expected[:1]
    assert await bee.checkout(1).get(b"01") is None
    with pytest.raises(LocalProtocolError, match="one core"):
        bee.diff(Hyperbee(Core()))
    with pytest.raises(LocalProtocolError, match="bound"):
        bee.range(gt=b"a", gte=b"a")


async def test_a_loop_may_write_and_may_be_left(autojump_clock: trio.testing.MockClock) -> None:
    bee = Hyperbee(Core())
    async with bee.batch() as batch:
        for n in range(50):
            await batch.put(b"%02d" % n, b"")
    seen = []
    async for entry in bee.range():
        # The range stays with its version.
        await bee.delete(entry.key)
        seen.append(entry.key)
        if len(seen) == 30:
            break
    assert seen == [b"%02d" % n for n in range(30)]
    assert await keys(bee.range()) == [b"%02d" % n for n in range(30, 50)]


async def test_subs(autojump_clock: trio.testing.MockClock) -> None:
    bee = Hyperbee(Core())
    users = bee.sub(b"users")
    await bee.put(b"users", b"beside")
    await users.put(b"ann", b"1")
    async with users.sub(b"deep").batch() as batch:
        await batch.put(b"er", b"2")
        assert await batch.get(b"er") == Entry(3, b"er", b"2")
    assert await users.get(b"ann") == Entry(2, b"ann", b"1")
    assert await bee.get(b"users\x00ann") == Entry(2, b"users\x00ann", b"1")
    assert await keys(users.range()) == [b"ann", b"deep\x00er"]
    assert await keys(users.range(gt=b"ann")) == [b"deep\x00er"]
    assert [op.key async for op in users.history()] == [b"ann", b"deep\x00er"]
    assert [d.left async for d in users.diff(3)] == [Entry(3, b"deep\x00er", b"2")]
    asked: list[Entry] = []

    def refuse(*entries: Entry) -> bool:
        asked.extend(entries)
        return False

    assert await users.put(b"ann", b"x", cas=refuse) is None
    assert [entry.key for entry in asked] == [b"ann", b"ann"]
    view = users.snapshot()
    await users.delete(b"ann")
    assert await view.get(b"ann") is not None
    assert users.prefix == b"users\x00"


async def test_a_batch_that_fails_writes_nothing(autojump_clock: trio.testing.MockClock) -> None:
    core = Core()
    bee = Hyperbee(core)
    await bee.put(b"a", b"1")
    with suppress(ZeroDivisionError):
        async with bee.batch() as batch:
            await batch.put(b"b", b"2")
            _ = 1 / 0
    with pytest.raises(LocalProtocolError, match="closed"):
        await batch.put(b"c", b"")
    assert core.length == 2
    await bee.put(b"c", b"3")
    assert await keys(bee.range()) == [b"a", b"c"]


async def test_a_failed_append_leaves_no_trace(autojump_clock: trio.testing.MockClock) -> None:
    core = Core()
    bee = Hyperbee(core)
    await bee.put(b"a", b"1")
    core.fail = OSError
    with pytest.raises(OSError):
        await bee.put(b"b", b"2")
    core.fail = None
    assert await bee.put(b"c", b"3") == 2
    assert await keys(bee.range()) == [b"a", b"c"]


async def test_writers_take_turns(autojump_clock: trio.testing.MockClock) -> None:
    bee = Hyperbee(Core())
    async with trio.open_nursery() as nursery:
        for n in range(30):
            nursery.start_soon(bee.put, b"%02d" % n, b"")
    assert len(await keys(bee.range())) == 30


async def test_tasks_may_share_a_batch(autojump_clock: trio.testing.MockClock) -> None:
    """Each operation waits for far blocks in its middle; the others must not see half of it."""
    full = Hyperbee(Core())
    async with full.batch() as batch:
        for n in range(300):
            await batch.put(b"%03d" % n, b"")
    assert isinstance(full.core, Core)
    bee = Hyperbee(Core(full.core.blocks, sparse=True))
    async with bee.batch() as batch, trio.open_nursery() as nursery:
        for n in range(0, 300, 2):
            nursery.start_soon(batch.delete, b"%03d" % n)
            nursery.start_soon(batch.put, b"%03dx" % n, b"")
    expected = sorted(
        [b"%03d" % n for n in range(1, 300, 2)] + [b"%03dx" % n for n in range(0, 300, 2)]
    )
    assert await keys(bee.range()) == expected


async def test_others_that_append_are_noticed(autojump_clock: trio.testing.MockClock) -> None:
    core = Core()
    bee, other = Hyperbee(core), Hyperbee(core)
    await bee.put(b"a", b"1")
    await other.put(b"b", b"2")
    await bee.put(b"c", b"3")
    assert await keys(bee.range()) == [b"a", b"b", b"c"]

    async def write_beside_another() -> None:
        async with bee.batch() as batch:
            await batch.put(b"d", b"4")
            await other.put(b"e", b"5")

    with pytest.raises(WriterConflict):
        await write_beside_another()
    await bee.put(b"f", b"6")
    assert await keys(bee.range()) == [b"a", b"b", b"c", b"e", b"f"]


async def test_a_cancelled_put_is_there_or_not(autojump_clock: trio.testing.MockClock) -> None:
    bee = Hyperbee(Core())
    await bee.put(b"a", b"1")
    with trio.move_on_after(0.5):
        await bee.put(b"b", b"2")
    await bee.put(b"c", b"3")
    assert await keys(bee.range()) in ([b"a", b"b", b"c"], [b"a", b"c"])
    with trio.CancelScope() as scope:
        scope.cancel()
        await bee.put(b"d", b"4")
    assert await bee.put(b"e", b"5") == bee.version - 1


async def test_only_blocks_on_the_way_are_fetched(autojump_clock: trio.testing.MockClock) -> None:
    full = Hyperbee(Core())
    names = [b"%05d" % n for n in range(2000)]
    random.Random(1).shuffle(names)
    async with full.batch() as batch:
        for name in names:
            await batch.put(name, name)
    assert isinstance(full.core, Core)
    core = Core(full.core.blocks, sparse=True)
    bee = Hyperbee(core)
    found = await bee.get(b"01000")
    assert found is not None
    assert found.value == b"01000"
    assert len(core.fetched) < 25
    assert len(await keys(bee.range(gte=b"01000", lt=b"01010"))) == 10
    assert len(core.fetched) < 60


async def test_a_range_fetches_ahead(autojump_clock: trio.testing.MockClock) -> None:
    full = Hyperbee(Core())
    async with full.batch() as batch:
        for n in range(2000):
            await batch.put(b"%05d" % n, b"")
    assert isinstance(full.core, Core)
    for reverse in (False, True):
        core = Core(full.core.blocks, sparse=True)
        bee = Hyperbee(core)
        begun = trio.current_time()
        entries = bee.range(gte=b"00500", lt=b"01500", reverse=reverse)
        assert len(await keys(entries)) == 1000
        # A block is a second away; 1,000 entries would take as many seconds one after another.
        assert trio.current_time() - begun < 60
        assert len(core.fetched) < 1200
        core = Core(full.core.blocks, sparse=True)
        assert len(await keys(Hyperbee(core).range(limit=3, reverse=reverse))) == 3
        assert len(core.fetched) < 30
    begun = trio.current_time()
    bee = Hyperbee(Core(full.core.blocks, sparse=True))
    assert len([op async for op in bee.history()]) == 2000
    assert trio.current_time() - begun < 60


async def test_blocks_ahead_that_never_come(autojump_clock: trio.testing.MockClock) -> None:
    full = Hyperbee(Core())
    async with full.batch() as batch:
        for n in range(100):
            await batch.put(b"%03d" % n, b"")
    assert isinstance(full.core, Core)

    class Lossy(Core):
        async def get(self, index: int) -> bytes:
            if index > 50 and index != 100:
                await trio.sleep_forever()
            return await super().get(index)

    bee = Hyperbee(Lossy(full.core.blocks, sparse=True))
    entries = bee.range()
    with trio.fail_after(1000):
        for n in range(20):
            assert (await anext(entries)).key == b"%03d" % n


async def test_a_truncation_under_a_reader(autojump_clock: trio.testing.MockClock) -> None:
    full = Hyperbee(Core())
    async with full.batch() as batch:
        for n in range(100):
            await batch.put(b"%03d" % n, b"")
    assert isinstance(full.core, Core)
    core = Core(full.core.blocks, sparse=True)
    bee = Hyperbee(core)
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(BlockNotAvailable, match="truncated"):
                await bee.get(b"050")

        nursery.start_soon(read)
        await trio.sleep(0.5)
        core.fork += 1
    assert await bee.get(b"050") is not None


async def test_what_cannot_be_written_or_read(autojump_clock: trio.testing.MockClock) -> None:
    core = Core()
    bee = Hyperbee(core)
    await bee.put(b"a", b"1")
    with pytest.raises(NotWritable, match="checkout"):
        await bee.snapshot().put(b"b", b"")
    core.writable = False
    with pytest.raises(NotWritable):
        await bee.put(b"b", b"")
    other = Hyperbee(Core([b"no header", b"\xff"]))
    with pytest.raises(BeeBlockError):
        await other.header()
    with pytest.raises(BeeBlockError):
        await other.get(b"a")


async def test_a_bee_of_its_own_kind(autojump_clock: trio.testing.MockClock) -> None:
    bee = Hyperbee(Core(), header=Header(user_data=b"u"), always_duplicate=False)
    await bee.put(b"a", b"1")
    assert await bee.put(b"a", b"1") is None
    assert await bee.put(b"a", b"2") == 2
    assert await bee.header() == Header(user_data=b"u")
