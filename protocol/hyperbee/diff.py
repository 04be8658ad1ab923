"""What distinguishes two versions of one tree.

Both trees are walked side by side in key order. A node that both share, having the same address,
holds nothing that differs and is skipped whole, so the work follows the size of the difference.
"""

from __future__ import annotations

from typing import NamedTuple

from ..errors import BeeBlockError
from ..limits import MAX_BEE_DEPTH_LEVELS
from .blocks import BeeBlock, Level
from .ranges import ALL, Bounds
from .reading import (
    NO_BLOCKS,
    BlockReads,
    Blocks,
    Entry,
    find,
    read_block,
    read_child,
    read_root,
)
from .varint import decode_code


class Difference(NamedTuple):
    """One key that the versions do not agree on.

    Attributes:
      left: its entry in the left version, or None where it has none.
      right: its entry in the right version, or None where it has none.
    """

    left: Entry | None
    right: Entry | None


class _Frame:
    """A node on a path, and what comes next in it: child i at position 2i, key i at 2i + 1."""

    __slots__ = ("below", "level", "parent", "position", "step")

    def __init__(self, block: BeeBlock, level: Level, position: int, parent: _Frame | None) -> None:
        self.level = level
        self.below = block.seq + 1
        self.position = position
        # A leaf has only keys.
        self.step = 1 if level.pairs else 2
        self.parent = parent

    @property
    def at_key(self) -> bool:
        return bool(self.position & 1)

    def at_end(self) -> bool:
        return self.position > 2 * len(self.level.codes) - (0 if self.level.pairs else 1)

    def code(self) -> bytes:
        """Address of what comes next: the pair of a child, the seq of a key."""
        i = self.position >> 1
        return self.level.codes[i] if self.position & 1 else self.level.pairs[i]


class _Walk:
    """One tree in key order, node by node; ``top`` is the frame of what comes next."""

    def __init__(self, version: int, bounds: Bounds, blocks: Blocks) -> None:
        self._version = version
        self._bounds = bounds
        self._blocks = blocks
        self._stack: list[_Frame] = []
        self._last: bytes | None = None
        self._seeking = bounds.low is not None
        # Keys that both trees share are passed unread, so their order goes unchecked; the size that
        # a tree of so many blocks can have stops an index that leads in circles.
        self._moves_left = 4 * version + 4 * MAX_BEE_DEPTH_LEVELS

    def open(self) -> BlockReads[None]:
        root = yield from read_root(self._version, self._blocks)
        if root is not None:
            yield from self._enter(*root)

    @property
    def top(self) -> _Frame | None:
        return self._stack[-1] if self._stack else None

    def skip(self) -> None:
        """Go past what comes next, unseen."""
        frame = self._moving()
        frame.position += frame.step
        self._settle()

    def descend(self) -> BlockReads[None]:
        """Go down into the child that comes next."""
        frame = self._moving()
        child = yield from read_child(frame.level, frame.position >> 1, frame.below, self._blocks)
        frame.position += frame.step
        yield from self._enter(*child)

    def upper(self) -> BlockReads[bytes | None]:
        """The key that comes next, or the one behind the child that does; None behind the last."""
        frame: _Frame | None = self._stack[-1]
        while frame is not None:
            # Frames below the top have gone past the child that the path took.
            i = frame.position >> 1
            if i < len(frame.level.codes):
                block = yield from self._holder(frame, i)
                return block.key
            frame = frame.parent
        return None

    def take(self) -> BlockReads[Entry | None]:
        """Take the key that comes next; None if it lies behind the bounds, which ends the walk."""
        frame = self._stack[-1]
        block = yield from self._holder(frame, frame.position >> 1)
        key = block.key
        if self._bounds.above(key):
            self._stack.clear()
            return None
        if self._bounds.below(key) or (self._last is not None and key <= self._last):
            raise BeeBlockError(f"the key of block {block.seq} is out of order")
        self._last = key
        self.skip()
        return Entry(block.seq, key, block.value)

    def _moving(self) -> _Frame:
        if self._moves_left == 0:
            raise BeeBlockError(f"a tree of {self._version} blocks has more nodes than blocks")
        self._moves_left -= 1
        return self._stack[-1]

    def _holder(self, frame: _Frame, i: int) -> BlockReads[BeeBlock]:
        return (yield from read_block(decode_code(frame.level.codes[i]), frame.below, self._blocks))

    def _enter(self, block: BeeBlock, level: Level) -> BlockReads[None]:
        if len(self._stack) == MAX_BEE_DEPTH_LEVELS:
            raise BeeBlockError(f"a path is deeper than {MAX_BEE_DEPTH_LEVELS} levels")
        position = 0 if level.pairs else 1
        low = self._bounds.low
        if self._seeking and low is not None:
            i, found = yield from find(level.codes, level.names, low, block.seq + 1, self._blocks)
            position = 2 * i if level.pairs else 2 * i + 1
            if found:
                position = (
                    2 * i + 1 if self._bounds.gt is None else 2 * i + (2 if level.pairs else 3)
                )
            # Only the path along the bound is sought.
            self._seeking = bool(level.pairs) and not found
        self._stack.append(_Frame(block, level, position, self.top))
        self._settle()

    def _settle(self) -> None:
        while self._stack and self._stack[-1].at_end():
            self._stack.pop()


class DiffReader:
    """The keys whose entries differ, in key order, one ``next`` at a time.

    Two entries are the same when one block put both; a key that was put again with the same value
    differs.

    Args:
      left, right: versions, as numbers of blocks.
      limit: how many at most; None for all.
    """

    def __init__(
        self,
        left: int,
        right: int,
        bounds: Bounds = ALL,
        *,
        limit: int | None = None,
        blocks: Blocks = NO_BLOCKS,
    ) -> None:
        self._left = _Walk(left, bounds, blocks)
        self._right = _Walk(right, bounds, blocks)
        self._limit = limit
        self._started = False

    def next(self) -> BlockReads[Difference | None]:
        """The next difference, or None behind the last one.

        Raises:
          BeeBlockError: an index does not lead through a B-tree, or its keys are not in order.
        """
        if not self._started:
            yield from self._left.open()
            yield from self._right.open()
            self._started = True
        if self._limit is not None and self._limit <= 0:
            return None
        found = yield from self._next()
        if found is None or (found.left is None and found.right is None):
            return None
        if self._limit is not None:
            self._limit -= 1
        return found

    def _next(self) -> BlockReads[Difference | None]:
        left, right = self._left, self._right
        while True:
            a, b = left.top, right.top
            if a is None or b is None:
                return (yield from self._rest())
            if a.at_key == b.at_key and a.code() == b.code():
                left.skip()
                right.skip()
            elif a.at_key and not b.at_key:
                yield from right.descend()
            elif b.at_key and not a.at_key:
                yield from left.descend()
            else:
                order = yield from self._compare()
                if a.at_key:
                    return Difference(
                        (yield from left.take()) if order <= 0 else None,
                        (yield from right.take()) if order >= 0 else None,
                    )
                # The child that reaches further holds the other's range: open that one, or both.
                if order >= 0:
                    yield from left.descend()
                if order <= 0:
                    yield from right.descend()

    def _rest(self) -> BlockReads[Difference | None]:
        """One of the walks is over."""
        for walk, other in ((self._left, self._right), (self._right, self._left)):
            while walk.top is not None and other.top is None:
                if not walk.top.at_key:
                    yield from walk.descend()
                    continue
                entry = yield from walk.take()
                if walk is self._left:
                    return Difference(entry, None)
                return Difference(None, entry)
        return None

    def _compare(self) -> BlockReads[int]:
        a = yield from self._left.upper()
        b = yield from self._right.upper()
        if a == b:
            return 0
        if a is None or b is None:
            return 1 if a is None else -1
        return -1 if a < b else 1
