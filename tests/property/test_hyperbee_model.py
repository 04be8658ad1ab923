"""A Hyperbee against a plain dict: the newest version, every old version, and their differences."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.hyperbee import (
    BeeBlock,
    BeeWriter,
    BlockCache,
    BlockReads,
    Bounds,
    CacheRoom,
    Delete,
    DiffReader,
    Entry,
    HistoryReader,
    Put,
    RangeReader,
    decode_block_untrusted,
    get,
    run,
)
from protocol.hyperbee.blocks import Level
from protocol.hyperbee.reading import read_child, read_root
from protocol.hyperbee.varint import decode_code
from protocol.limits import MAX_BEE_KEYS

# Few keys make deep changes likely; the structure is what is tested, not the bytes.
keys = st.one_of(st.integers(0, 400).map(lambda n: b"%03d" % n), st.binary(max_size=2))
values = st.one_of(st.none(), st.binary(max_size=3))
bounds = st.builds(
    lambda low, high: Bounds(**(low | high)),
    st.one_of(st.just({}), keys.map(lambda k: {"gt": k}), keys.map(lambda k: {"gte": k})),
    st.one_of(st.just({}), keys.map(lambda k: {"lt": k}), keys.map(lambda k: {"lte": k})),
)


class BeeModel(RuleBasedStateMachine):
    """``versions[v]`` is what a checkout of v must show: key -> (seq, value)."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[bytes] = []
        self.writer = BeeWriter(0)
        self.cache = BlockCache(CacheRoom(max_blocks=40))
        self.versions: dict[int, dict[bytes, Entry]] = {1: {}}
        self.written: list[tuple[bool, int, bytes, bytes | None]] = []

    @property
    def newest(self) -> dict[bytes, Entry]:
        return self.versions[max(self.versions)]

    def fetch(self, seq: int) -> BeeBlock:
        return decode_block_untrusted(self.blocks[seq], seq)

    def run(self, reads: BlockReads[Any]) -> Any:
        return run(reads, self.fetch)

    def all(self, reader: Any) -> list[Any]:
        return list(iter(lambda: self.run(reader.next()), None))

    @initialize(start=st.lists(st.integers(0, 400), max_size=300))
    def fill(self, start: list[int]) -> None:
        self.batch([Put(b"%03d" % n, b"") for n in start])

    @rule(operations=st.lists(st.one_of(st.builds(Put, keys, values), st.builds(Delete, keys))))
    def batch(self, operations: list[Put | Delete]) -> None:
        tree = dict(self.newest)
        seq = max(1, len(self.blocks))
        for operation in operations:
            deleted = isinstance(operation, Delete)
            if deleted and tree.pop(operation.key, None) is None:
                continue
            value = None if isinstance(operation, Delete) else operation.value
            if not deleted:
                tree[operation.key] = Entry(seq, operation.key, value)
            self.written.append((deleted, seq, operation.key, value))
            seq += 1
        self.blocks += self.run(self.writer.batch(operations))
        assert self.writer.length == len(self.blocks)
        if self.blocks:
            assert len(self.blocks) == seq
            self.versions[seq] = tree

    @rule(positions=st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
    def delete_standing(self, positions: list[int]) -> None:
        standing = sorted(self.newest)
        if standing:
            self.batch([Delete(standing[n % len(standing)]) for n in positions])

    @rule()
    def start_over(self) -> None:
        self.writer = BeeWriter(len(self.blocks))

    @precondition(lambda self: self.blocks)
    @rule(data=st.data(), key=keys, limits=bounds, reverse=st.booleans())
    def read(self, data: st.DataObject, key: bytes, limits: Bounds, reverse: bool) -> None:
        version = data.draw(st.sampled_from(sorted(self.versions)))
        tree = self.versions[version]
        assert self.run(get(version, key, self.cache)) == tree.get(key)
        expected = [
            tree[name]
            for name in sorted(tree, reverse=reverse)
            if not limits.below(name) and not limits.above(name)
        ]
        limit = data.draw(st.one_of(st.none(), st.integers(0, 20)))
        reader = RangeReader(version, limits, reverse=reverse, limit=limit, blocks=self.cache)
        assert self.all(reader) == expected[:limit]

    @rule(data=st.data(), limits=bounds)
    def compare(self, data: st.DataObject, limits: Bounds) -> None:
        version = st.sampled_from(sorted(self.versions))
        left, right = data.draw(version), data.draw(version)
        a, b = self.versions[left], self.versions[right]
        expected = [
            (a.get(name), b.get(name))
            for name in sorted(a.keys() | b.keys())
            if a.get(name) != b.get(name) and not limits.below(name) and not limits.above(name)
        ]
        assert self.all(DiffReader(left, right, limits, blocks=self.cache)) == expected

    @invariant()
    def newest_version_and_history_are_right(self) -> None:
        tree = self.newest
        version = len(self.blocks)
        assert self.all(RangeReader(version)) == [tree[key] for key in sorted(tree)]
        recent = self.written[-20:]
        history = self.all(HistoryReader(version, reverse=True, limit=len(recent)))
        # A block inside a batch need not list its own key, so a put of nothing looks deleted.
        assert [(op.seq, op.key, op.value) for op in history[::-1]] == [op[1:] for op in recent]
        assert all(
            deleted == op.deleted
            for (deleted, *_), op in zip(recent, history[::-1], strict=True)
            if op.value is not None or deleted
        )

    @invariant()
    def the_tree_is_balanced(self) -> None:
        if len(self.blocks) > 1:
            root = self.run(read_root(len(self.blocks), self.cache))
            assert self.height(root[0], root[1], is_root=True) >= 1

    def height(self, block: BeeBlock, level: Level, *, is_root: bool) -> int:
        assert len(level.codes) <= MAX_BEE_KEYS
        assert is_root or len(level.codes) >= MAX_BEE_KEYS // 2
        assert all(decode_code(code) <= block.seq for code in level.codes)
        heights = set()
        for i in range(len(level.pairs)):
            child = self.run(read_child(level, i, block.seq + 1, self.cache))
            heights.add(self.height(child[0], child[1], is_root=False))
        assert len(heights) <= 1
        return 1 + max(heights, default=0)


BeeModel.TestCase.settings = settings(max_examples=50, stateful_step_count=20)
TestBeeModel = BeeModel.TestCase
