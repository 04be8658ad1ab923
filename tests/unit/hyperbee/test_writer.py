"""Batches of a ``BeeWriter``: stacking, refusing, discarding, and reading what is pending."""

from __future__ import annotations

import random
from typing import Any

import pytest

from protocol.errors import BeeBlockError, LocalProtocolError
from protocol.hyperbee import (
    BeeBlock,
    BeeWriter,
    BlockCache,
    BlockReads,
    CacheRoom,
    Delete,
    Entry,
    Put,
    RangeReader,
    Recording,
    decode_block_untrusted,
    encode_header,
    get,
    run,
)
from protocol.hyperbee import live_nodes as live_nodes_module
from protocol.hyperbee.blocks import Header
from protocol.limits import MAX_BEE_ENTRY_BYTES, MIN_LIVE_BEE_NODES


class Core:
    """Blocks in memory; what is not appended cannot be fetched."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.fetched: list[int] = []

    def fetch(self, seq: int) -> BeeBlock:
        self.fetched.append(seq)
        return decode_block_untrusted(self.blocks[seq], seq)

    def run(self, reads: BlockReads[Any]) -> Any:
        return run(reads, self.fetch)

    def keys(self, version: int | None = None) -> list[bytes]:
        reader = RangeReader(len(self.blocks) if version is None else version)
        return [entry.key for entry in iter(lambda: self.run(reader.next()), None)]


def numbered(count: int, start: int = 0) -> list[Put | Delete]:
    return [Put(b"%05d" % n, b"v%d" % n) for n in range(start, start + count)]


def filled(count: int) -> tuple[Core, BeeWriter]:
    core = Core()
    writer = BeeWriter(0)
    core.blocks += core.run(writer.batch(numbered(count)))
    writer.appended()
    return core, writer


def test_the_first_operation_brings_the_header() -> None:
    core = Core()
    assert core.run(BeeWriter(0).batch([])) == []
    header = Header(user_data=b"u")
    assert core.run(BeeWriter(0, header=header).batch([Delete(b"x")])) == [encode_header(header)]
    writer = BeeWriter(0)
    assert len(core.run(writer.batch([Put(b"x", b"")]))) == 2
    assert writer.length == 2
    assert len(core.run(BeeWriter(1).batch([Put(b"x", b"")]))) == 1


def test_batches_stack_before_one_append() -> None:
    core, writer = filled(100)
    made: list[bytes] = []
    for n in range(50):
        made += core.run(writer.batch([Put(b"%05d" % n, b"new"), Delete(b"%05d" % (n + 50))]))
        # Reading sees the pending blocks, be it from the tree or from the blocks.
        assert core.run(writer.get(b"%05d" % n)).value == b"new"
        assert core.run(get(writer.length, b"%05d" % (n + 50), writer.blocks)) is None
    assert writer.length == len(core.blocks) + len(made)
    reader = RangeReader(writer.length, blocks=writer.blocks)
    pending = [entry.key for entry in iter(lambda: core.run(reader.next()), None)]
    assert all(seq < len(core.blocks) for seq in core.fetched)
    core.blocks += made
    writer.appended()
    assert core.keys() == pending == [b"%05d" % n for n in range(50)]


def test_appended_blocks_stay_at_hand() -> None:
    core = Core()
    cache = BlockCache()
    writer = BeeWriter(0, cache=cache)
    core.blocks += core.run(writer.batch(numbered(5)))
    assert cache.get(3) is None
    writer.appended()
    assert cache.get(3) is not None
    assert core.run(get(6, b"00003", cache)) == Entry(4, b"00003", b"v3")
    assert core.fetched == []


def test_a_batch_reads_its_own_operations() -> None:
    core, writer = filled(20)
    batch = writer.begin()
    assert core.run(batch.get(b"00003")) == Entry(4, b"00003", b"v3")
    assert core.run(batch.put(b"00003", b"new")) == 21
    assert core.run(batch.get(b"00003")) == Entry(21, b"00003", b"new")
    assert core.run(batch.delete(b"00003")) == 22
    assert core.run(batch.get(b"00003")) is None
    assert core.run(batch.delete(b"00003")) is None
    assert core.run(batch.put(b"other", None)) == 23
    assert core.run(batch.get(b"other")) == Entry(23, b"other", None)
    assert len(batch.flush()) == 3


def test_one_batch_at_a_time_and_none_after_its_end() -> None:
    core, writer = filled(3)
    batch = writer.begin()
    with pytest.raises(LocalProtocolError, match="is open"):
        writer.begin()
    assert batch.flush() == []
    for use in (
        batch.flush,
        lambda: core.run(batch.put(b"a", b"")),
        lambda: core.run(batch.delete(b"a")),
        lambda: core.run(batch.get(b"a")),
    ):
        with pytest.raises(LocalProtocolError, match="closed"):
            use()
    batch.discard()
    writer.begin().discard()


def test_a_discarded_batch_leaves_no_trace() -> None:
    core, writer = filled(60)
    control = BeeWriter(len(core.blocks))
    batch = writer.begin()
    for n in range(60):
        core.run(batch.delete(b"%05d" % n) if n % 2 else batch.put(b"x%d" % n, b""))
    batch.discard()
    assert core.run(writer.get(b"00001")).value == b"v1"
    operations: list[Put | Delete] = [Put(b"00031", b"1"), Delete(b"00030")]
    assert core.run(writer.batch(operations)) == core.run(control.batch(operations))


def test_a_pending_batch_outlives_a_discarded_one() -> None:
    core, writer = filled(60)
    made = core.run(writer.batch([Put(b"pending", b"1")]))
    batch = writer.begin()
    core.run(batch.put(b"gone", b""))
    batch.discard()
    made += core.run(writer.batch([Put(b"kept", b"")]))
    core.blocks += made
    assert core.keys()[-2:] == [b"kept", b"pending"]


def test_too_large_an_entry_changes_nothing() -> None:
    core, writer = filled(3)
    too_large = Put(b"k", bytes(MAX_BEE_ENTRY_BYTES))
    with pytest.raises(LocalProtocolError, match="at most"):
        core.run(writer.batch([Put(b"a", b"1"), too_large]))
    with pytest.raises(LocalProtocolError, match="at most"):
        core.run(writer.batch([Delete(bytes(MAX_BEE_ENTRY_BYTES + 1))]))
    assert writer.length == 4
    assert core.run(writer.get(b"a")) is None


def test_compare_and_swap() -> None:
    core, writer = filled(30)
    asked: list[tuple[Entry, Entry]] = []

    def no(before: Entry, after: Entry) -> bool:
        asked.append((before, after))
        return False

    batch = writer.begin()
    assert core.run(batch.put(b"00007", b"x", no)) is None
    assert core.run(batch.delete(b"00007", no)) is None
    assert asked == [
        (Entry(8, b"00007", b"v7"), Entry(31, b"00007", b"x")),
        (Entry(8, b"00007", b"v7"), Entry(31, b"00007", None)),
    ]
    # Nobody is asked about a key that does not stand.
    assert core.run(batch.put(b"new", b"x", no)) == 31
    assert core.run(batch.delete(b"newer", no)) is None
    assert core.run(batch.delete(b"new", lambda before, _: before.seq == 31)) == 32
    assert len(asked) == 2


def test_a_failing_comparison_leaves_the_batch_usable() -> None:
    core, writer = filled(30)

    def fail(_before: Entry, _after: Entry) -> bool:
        raise ZeroDivisionError

    batch = writer.begin()
    for operation in (batch.put(b"00007", b"x", fail), batch.delete(b"00007", fail)):
        with pytest.raises(ZeroDivisionError):
            core.run(operation)
    core.run(batch.put(b"00008", b"x"))
    control = BeeWriter(len(core.blocks))
    assert batch.flush() == core.run(control.batch([Put(b"00008", b"x")]))


def test_a_deletion_cut_off_half_way_spoils_the_batch() -> None:
    core, _ = filled(200)
    # A leaf of 4 keys whose siblings are not loaded: the deletion reads them in its middle.
    cut = 0
    for n in range(200):
        writer = BeeWriter(len(core.blocks))
        batch = writer.begin()
        operation = batch.delete(b"%05d" % n)
        reads = 0
        try:
            seq = next(operation)
            while True:
                reads += 1
                seq = operation.send(core.fetch(seq))
        except StopIteration:
            pass
        batch.discard()
        for stop in range(reads):
            batch = writer.begin()
            operation = batch.delete(b"%05d" % n)
            try:
                seq = next(operation)
                for _ in range(stop):
                    seq = operation.send(core.fetch(seq))
            except StopIteration:
                pass
            operation.close()
            try:
                core.run(batch.put(b"a", b""))
            except LocalProtocolError:
                cut += 1
                with pytest.raises(LocalProtocolError, match="did not come to its end"):
                    batch.flush()
            batch.discard()
        core.fetched.clear()
        if cut:
            break
    assert cut
    assert core.run(writer.get(b"00000")) is not None


def test_a_missing_block_spoils_nothing() -> None:
    core, _ = filled(200)
    writer = BeeWriter(len(core.blocks))

    def missing(seq: int) -> BeeBlock:
        raise BeeBlockError(f"block {seq}")

    with pytest.raises(BeeBlockError):
        run(writer.batch([Put(b"x", b"")]), missing)
    core.blocks += core.run(writer.batch([Put(b"x", b"")]))
    assert core.keys()[-1] == b"x"


def live_nodes(writer: BeeWriter) -> int:
    """Nodes that a writer has in memory."""
    nodes = [] if writer._root is None else [writer._root]
    for node in nodes:
        nodes += [child.node for child in node.children if child.node is not None]
    return len(nodes)


def test_what_a_writer_forgets_between_batches_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random_ = random.Random(3)
    core = Core()
    small, large = BeeWriter(0), BeeWriter(0)
    most = 0
    for _ in range(60):
        monkeypatch.setattr(live_nodes_module, "MIN_LIVE_BEE_NODES", 5)
        monkeypatch.setattr(live_nodes_module, "MAX_LIVE_BEE_NODES", 40)
        operations: list[Put | Delete] = []
        for _ in range(20):
            key = b"%d" % random_.randrange(500)
            operations.append(Put(key, b"") if random_.random() < 0.6 else Delete(key))
        blocks = core.run(small.batch(operations))
        monkeypatch.undo()
        assert blocks == core.run(large.batch(operations))
        core.blocks += blocks
        small.appended()
        large.appended()
        most = max(most, live_nodes(small))
    # One batch may come by every node of this small tree.
    assert most <= 40 + live_nodes(large)
    assert len(core.keys()) > 100


@pytest.mark.parametrize("size", [1, 50])
def test_nodes_behind_keys_in_order_are_forgotten(size: int) -> None:
    core = Core()
    writer = BeeWriter(0)
    most = 0
    for start in range(0, 5000, size):
        numbers = range(start, start + size)
        core.blocks += core.run(writer.batch([Put(b"%05d" % n, b"") for n in numbers]))
        writer.appended()
        most = max(most, writer._live.count)
    assert live_nodes(writer) <= most < 2.5 * MIN_LIVE_BEE_NODES
    assert core.fetched == []


def test_nodes_that_keys_in_no_order_need_again_are_kept() -> None:
    core, _ = filled(4000)
    writer = BeeWriter(len(core.blocks))
    random_ = random.Random(5)
    for _ in range(2500):
        core.blocks += core.run(writer.batch([Put(b"%05d" % random_.randrange(4000), b"")]))
        writer.appended()
    assert live_nodes(writer) > 3 * MIN_LIVE_BEE_NODES


def test_a_recording_holds_all_that_an_answer_needs() -> None:
    core, _ = filled(500)
    recording = Recording(lambda seq: core.blocks[seq])
    version = len(core.blocks)
    assert run(get(version, b"00123"), recording.fetch) == Entry(124, b"00123", b"v123")
    run(BeeWriter(version).batch([Delete(b"00200"), Put(b"00300", b"")]), recording.fetch)
    assert len(recording.blocks) < 60
    kept = recording.blocks
    replay = Recording(lambda seq: kept[seq])
    assert run(get(version, b"00123"), replay.fetch) == Entry(124, b"00123", b"v123")
    run(BeeWriter(version).batch([Delete(b"00200"), Put(b"00300", b"")]), replay.fetch)


def test_the_cache_forgets_what_was_unused_for_longest() -> None:
    cache = BlockCache(CacheRoom(max_blocks=10, max_bytes=10**6))
    for seq in range(1, 100):
        cache.add(BeeBlock(seq, b"k", b"", b""))
        cache.get(1)
    assert cache.get(1) is not None
    assert len(cache) <= 11
    assert cache.get(50) is None
    heavy = BlockCache(CacheRoom(max_blocks=10**6, max_bytes=1000))
    for seq in range(1, 100):
        heavy.add(BeeBlock(seq, b"k", bytes(100), b""))
    assert len(heavy) <= 11
    heavy.clear()
    assert len(heavy) == 0


def test_caches_that_share_room_take_it_from_the_idle() -> None:
    room = CacheRoom(max_blocks=10, max_bytes=10**6)
    idle, busy = BlockCache(room), BlockCache(room)
    for seq in range(1, 6):
        idle.add(BeeBlock(seq, b"idle", b"", b""))
    assert len(idle) == 5
    for seq in range(1, 100):
        busy.add(BeeBlock(seq, b"busy", b"", b""))
        assert len(idle) + len(busy) <= 11
    assert len(idle) == 0
    assert idle.get(1) is None
    found = busy.get(99)
    assert found is not None
    assert found.key == b"busy"
    del busy
    for seq in range(1, 6):
        idle.add(BeeBlock(seq, b"idle", b"", b""))
    assert len(idle) == 5
