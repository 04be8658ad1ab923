"""Reading a version in the order of its keys."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BeeBlockError, LocalProtocolError
from ..limits import FIRST_BEE_READ_AHEAD_BLOCKS, MAX_BEE_DEPTH_LEVELS
from .blocks import BeeBlock, Level
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
from .varint import decode_code, decode_pair


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which keys: after ``gt`` or from ``gte`` on, before ``lt`` or up to and with ``lte``.

    Raises:
      LocalProtocolError: two lower or two upper bounds were given.
    """

    gt: bytes | None = None
    gte: bytes | None = None
    lt: bytes | None = None
    lte: bytes | None = None

    def __post_init__(self) -> None:
        if (self.gt is not None and self.gte is not None) or (
            self.lt is not None and self.lte is not None
        ):
            raise LocalProtocolError("a range has one lower and one upper bound at most")

    @property
    def low(self) -> bytes | None:
        """The lower bound, inclusive or not."""
        return self.gte if self.gt is None else self.gt

    @property
    def high(self) -> bytes | None:
        """The upper bound, inclusive or not."""
        return self.lte if self.lt is None else self.lt

    def below(self, key: bytes) -> bool:
        """Whether the key lies before the range."""
        if self.gt is not None:
            return key <= self.gt
        return self.gte is not None and key < self.gte

    def above(self, key: bytes) -> bool:
        """Whether the key lies behind the range."""
        if self.lt is not None:
            return key >= self.lt
        return self.lte is not None and key > self.lte


ALL = Bounds()


class _Frame:
    """A node on the path. ``position`` 2i is child i, 2i + 1 is key i; it is what comes next."""

    __slots__ = ("below", "level", "position")

    def __init__(self, block: BeeBlock, level: Level, position: int) -> None:
        self.below = block.seq + 1
        self.level = level
        self.position = position


class RangeReader:
    """The entries of a version within bounds, one ``next`` at a time.

    Args:
      version: number of blocks.
      limit: how many entries at most; None for all.
      reverse: from the last key to the first.
    """

    def __init__(
        self,
        version: int,
        bounds: Bounds = ALL,
        *,
        reverse: bool = False,
        limit: int | None = None,
        blocks: Blocks = NO_BLOCKS,
    ) -> None:
        self._version = version
        self._bounds = bounds
        self._reverse = reverse
        self._step = -1 if reverse else 1
        self._left = limit
        self._blocks = blocks
        self._stack: list[_Frame] = []
        self._started = False
        self._last: bytes | None = None
        self._given = 0

    def next(self) -> BlockReads[Entry | None]:
        """The next entry, or None behind the last one.

        Raises:
          BeeBlockError: an index does not lead through a B-tree, or its keys are not in order.
        """
        if not self._started:
            yield from self._seek()
            self._started = True
        if self._left is not None and self._left <= 0:
            return None
        stack, step, blocks = self._stack, self._step, self._blocks
        while stack:
            frame = stack[-1]
            level, position = frame.level, frame.position
            if position < 0 or position > 2 * len(level.codes):
                stack.pop()
                continue
            frame.position = position + step
            if position & 1:
                seq = decode_code(level.codes[position >> 1])
                holder = yield from read_block(seq, frame.below, blocks)
                return self._accept(holder)
            if level.pairs:
                block, child = yield from read_child(level, position >> 1, frame.below, blocks)
                self._push(block, child, 2 * len(child.codes) if self._reverse else 0)
        return None

    def ahead(self, local: Blocks, count: int) -> list[int]:
        """Blocks that coming calls of ``next`` will ask for, found by going through ``local`` ones.

        For fetching over a network, where one block at a time would cost a round trip each. They
        are among the next ``count`` blocks, in the order they are needed; none while the first
        entry is looked for. Those behind the range cannot be told from those in it, so a range that
        has given little yet looks ahead little: what is fetched in vain is no more than twice what
        was wanted, and a few.
        """
        if not self._started:
            return []
        count = min(count, FIRST_BEE_READ_AHEAD_BLOCKS + 2 * self._given)
        missing: list[int] = []
        # Frames, as copies; and how many nodes and keys may be looked at.
        stack = [(frame.level, frame.position) for frame in self._stack]
        looks, keys_left = 8 * count, self._left
        while stack and looks > 0 and count > 0 and keys_left != 0:
            looks -= 1
            level, position = stack.pop()
            if not 0 <= position <= 2 * len(level.codes):
                continue
            stack.append((level, position + self._step))
            if position & 1:
                seq, number = decode_code(level.codes[position >> 1]), -1
                keys_left = None if keys_left is None else keys_left - 1
            elif level.pairs:
                seq, number = decode_pair(level.pairs[position >> 1])
            else:
                continue
            if not 1 <= seq < self._version:
                break
            count -= 1
            block = local.get(seq)
            if block is None:
                missing.append(seq)
            elif number < 0:
                if self._is_behind(block.key):
                    break
            elif len(stack) < MAX_BEE_DEPTH_LEVELS:
                child = block.level_untrusted(number)
                stack.append((child, 2 * len(child.codes) if self._reverse else 0))
        return missing

    def _is_behind(self, key: bytes) -> bool:
        return self._bounds.below(key) if self._reverse else self._bounds.above(key)

    def _accept(self, holder: BeeBlock) -> Entry | None:
        key, bounds = holder.key, self._bounds
        if self._is_behind(key):
            self._stack.clear()
            return None
        out_of_order = (
            (bounds.above(key) if self._reverse else bounds.below(key))
            if self._last is None
            else (key >= self._last if self._reverse else key <= self._last)
        )
        if out_of_order:
            raise BeeBlockError(f"the key of block {holder.seq} is out of order")
        self._last = key
        self._given += 1
        if self._left is not None:
            self._left -= 1
        return Entry(holder.seq, key, holder.value)

    def _push(self, block: BeeBlock, level: Level, position: int) -> None:
        if len(self._stack) == MAX_BEE_DEPTH_LEVELS:
            raise BeeBlockError(f"a path is deeper than {MAX_BEE_DEPTH_LEVELS} levels")
        self._stack.append(_Frame(block, level, position))

    def _seek(self) -> BlockReads[None]:
        """Lay the path to the first entry, so that what comes next on it is within bounds."""
        root = yield from read_root(self._version, self._blocks)
        if root is None:
            return
        block, level = root
        bounds = self._bounds
        start = bounds.high if self._reverse else bounds.low
        inclusive = bounds.lt is None if self._reverse else bounds.gt is None
        if start is None:
            self._push(block, level, 2 * len(level.codes) if self._reverse else 0)
            return
        while True:
            i, found = yield from find(level.codes, level.names, start, block.seq + 1, self._blocks)
            if found:
                self._push(block, level, 2 * i + 1 + (0 if inclusive else self._step))
                return
            self._push(block, level, 2 * i + self._step)
            if not level.pairs:
                return
            block, level = yield from read_child(level, i, block.seq + 1, self._blocks)
