"""Indexes that a lying writer signed: every reader and writer ends, with ``BeeBlockError``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from protocol.errors import BeeBlockError
from protocol.hyperbee import (
    BeeBlock,
    BeeWriter,
    BlockReads,
    Bounds,
    Delete,
    DiffReader,
    Put,
    RangeReader,
    get,
    run,
)
from protocol.hyperbee.varint import encode_varint
from protocol.limits import MAX_BEE_DEPTH_LEVELS


def level(keys: list[int], children: list[tuple[int, int]] | None = None) -> bytes:
    codes = b"".join(map(encode_varint, keys))
    data = b"\x0a" + encode_varint(len(codes)) + codes
    if children:
        pairs = b"".join(encode_varint(n) for child in children for n in child)
        data += b"\x12" + encode_varint(len(pairs)) + pairs
    return b"\x0a" + encode_varint(len(data)) + data


class Lies:
    """A core whose block n has the key ``b"n"`` and the index it is given."""

    def __init__(self, *indexes: bytes) -> None:
        self.indexes = [b"", *indexes]
        self.version = len(self.indexes)
        self.fetched = 0

    def fetch(self, seq: int) -> BeeBlock:
        self.fetched += 1
        assert 1 <= seq < self.version, "asked for a block that the version does not have"
        return BeeBlock(seq, b"%03d" % seq, b"v", self.indexes[seq])

    def run(self, reads: BlockReads[Any]) -> Any:
        return run(reads, self.fetch)

    def all(self, reader: Any) -> list[Any]:
        return list(iter(lambda: self.run(reader.next()), None))


def circle() -> Lies:
    """The root's children are the root."""
    return Lies(level([1]), level([1], [(2, 0), (2, 0)]))


def future() -> Lies:
    return Lies(level([1]), level([3]), level([2], [(2, 0), (1, 0)]))


def header_as_child() -> Lies:
    return Lies(level([1]), level([1], [(0, 0), (1, 0)]))


def no_level() -> Lies:
    return Lies(level([1]), level([1], [(1, 7), (1, 7)]))


def unordered() -> Lies:
    """Both children are the same leaf, so keys come twice."""
    return Lies(level([1]), level([1]), level([2], [(1, 0), (1, 0)]))


def empty_leaf() -> Lies:
    return Lies(level([1]), b"\x0a\x00", level([1], [(2, 0), (2, 0)]))


READERS: list[Callable[[Lies], Any]] = [
    lambda lies: lies.run(get(lies.version, b"zzz")),
    lambda lies: lies.run(get(lies.version, b"")),
    lambda lies: lies.all(RangeReader(lies.version)),
    lambda lies: lies.all(RangeReader(lies.version, reverse=True)),
    lambda lies: lies.all(RangeReader(lies.version, Bounds(gt=b"000", lt=b"999"))),
    lambda lies: lies.all(DiffReader(lies.version, 1)),
    lambda lies: lies.all(DiffReader(1, lies.version, Bounds(gte=b"000"))),
    lambda lies: lies.all(DiffReader(lies.version, 2)),
    lambda lies: lies.run(BeeWriter(lies.version).batch([Put(b"zzz", b"")])),
    lambda lies: lies.run(BeeWriter(lies.version).batch([Put(b"", b"")])),
    lambda lies: lies.run(BeeWriter(lies.version).batch([Delete(b"001"), Delete(b"002")])),
    lambda lies: lies.run(BeeWriter(lies.version).get(b"zzz")),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("lie", [circle, future, header_as_child, no_level, unordered, empty_leaf])
def test_lies_end(lie: Callable[[], Lies], read: Callable[[Lies], Any]) -> None:
    lies = lie()
    with suppress(BeeBlockError):
        read(lies)
    assert lies.fetched < 200


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (circle, "deeper than"),
        (future, "refers to block 3"),
        (header_as_child, "refers to block 0"),
        (no_level, "no level 7"),
        (unordered, "out of order"),
    ],
)
def test_a_listing_names_the_lie(lie: Callable[[], Lies], message: str) -> None:
    lies = lie()
    with pytest.raises(BeeBlockError, match=message):
        lies.all(RangeReader(lies.version))


def test_an_index_refers_to_no_later_block() -> None:
    # Block 3 is in the version, but the node of block 2 was written before it.
    lies = future()
    with pytest.raises(BeeBlockError, match="a tree of 3 blocks refers to block 3"):
        lies.run(get(lies.version, b"000"))


def test_a_wide_circle_of_two_trees_ends() -> None:
    # Two towers over the same keys: nothing is equal but the keys, which a diff passes unread.
    left = [level([1])]
    for _ in range(MAX_BEE_DEPTH_LEVELS - 2):
        below = len(left)
        left.append(level([1] * 8, [(below, 0)] * 9))
    first = len(left)
    right = [level([1])]
    for _ in range(MAX_BEE_DEPTH_LEVELS - 2):
        below = first + len(right)
        right.append(level([1] * 8, [(below, 0)] * 9))
    lies = Lies(*left, *right)
    with pytest.raises(BeeBlockError):
        lies.all(DiffReader(lies.version, first + 1))


def test_a_leaf_beside_an_inner_node() -> None:
    """The deletion would have to merge what cannot be merged."""
    lies = Lies(
        level([1]),
        level([3]),
        level([3], [(1, 0), (1, 0)]),
        level([2], [(1, 0), (3, 0)]),
    )
    with pytest.raises(BeeBlockError, match="siblings"):
        lies.run(BeeWriter(lies.version).batch([Delete(b"001")]))
