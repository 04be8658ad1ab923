"""Finding one key, and what all readers share.

A reader never fetches anything. It is a generator that yields the seq of a block it needs and is
sent that block, decoded; what it returns is its result. Before it yields it looks into ``blocks``,
the decoded blocks that are at hand (a ``BlockCache``, or any mapping); ``run`` drives one whose
blocks are all local.

    entry = run(get(version, b"key"), lambda seq: decode_block_untrusted(core[seq], seq))

A *version* is a number of blocks: the tree as it was when the core was that long. Every reader
raises ``BeeBlockError`` for an index that does not lead through a B-tree. It never asks for a block
at or above its version, and a hostile index cannot keep it busy: each step goes down a path of
bounded depth.

Looked-up key bytes stay with the level that names them, so a reader that records which blocks an
answer depends on must start from blocks that it decodes itself (``Recording``).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from ..errors import BeeBlockError
from ..limits import MAX_BEE_DEPTH_LEVELS
from .blocks import BeeBlock, Level, decode_block_untrusted
from .varint import decode_code, decode_pair

T = TypeVar("T")

BlockReads: TypeAlias = Generator[int, BeeBlock, T]


class Entry(NamedTuple):
    """One key and its value.

    Attributes:
      seq: number of the block that put it.
      key: raw bytes; the order of keys is the order of these bytes.
      value: None where the writer put no value at all.
    """

    seq: int
    key: bytes
    value: bytes | None


class Blocks(Protocol):
    """Decoded blocks at hand."""

    def get(self, seq: int, /) -> BeeBlock | None:
        """The block, or None to have the reader ask for it."""


NO_BLOCKS: Blocks = dict[int, BeeBlock]()


def run(reads: BlockReads[T], fetch: Callable[[int], BeeBlock]) -> T:
    """Drive a reader or writer whose blocks can all be fetched at once."""
    try:
        seq = next(reads)
        while True:
            seq = reads.send(fetch(seq))
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        reads.close()


class Recording:
    """A ``fetch`` for ``run`` that keeps the raw blocks that were asked for.

    Attributes:
      blocks: raw block by seq, exactly those that the driven readers depended on.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self.blocks: dict[int, bytes] = {}
        self._read = read
        self._decoded: dict[int, BeeBlock] = {}

    def fetch(self, seq: int) -> BeeBlock:
        """Read and decode one block, once.

        Raises:
          BeeBlockError: the bytes are not a Hyperbee block.
        """
        block = self._decoded.get(seq)
        if block is None:
            data = self.blocks[seq] = self._read(seq)
            block = self._decoded[seq] = decode_block_untrusted(data, seq)
        return block


def read_block(seq: int, below: int, blocks: Blocks) -> BlockReads[BeeBlock]:
    """The block ``seq``, which an index below ``below`` refers to."""
    if not 1 <= seq < below:
        raise BeeBlockError(f"an index of a tree of {below} blocks refers to block {seq}")
    block = blocks.get(seq)
    return (yield seq) if block is None else block


def read_child(
    level: Level, position: int, below: int, blocks: Blocks
) -> BlockReads[tuple[BeeBlock, Level]]:
    """The node behind a child of ``level``, and the block that holds it."""
    seq, number = decode_pair(level.pairs[position])
    block = yield from read_block(seq, below, blocks)
    return block, block.level_untrusted(number)


def read_root(version: int, blocks: Blocks) -> BlockReads[tuple[BeeBlock, Level] | None]:
    """The root of a version and its block, or None before the first operation."""
    if version < 2:
        return None
    block = yield from read_block(version - 1, version, blocks)
    return block, block.level_untrusted(0)


def find(
    codes: list[bytes], names: list[bytes | None], key: bytes, below: int, blocks: Blocks
) -> BlockReads[tuple[int, bool]]:
    """Search the keys of one node.

    Args:
      codes, names: of a ``Level``, or of a node being written; ``names`` is filled in.
      below: no key may come from a block at or above this seq.

    Returns: the position of the key and True; or the position it belongs at (which is that of the
    child to go down to) and False.
    """
    low, high = 0, len(codes)
    while low < high:
        middle = (low + high) >> 1
        name = names[middle]
        if name is None:
            block = yield from read_block(decode_code(codes[middle]), below, blocks)
            name = names[middle] = block.key
        if key == name:
            return middle, True
        if key < name:
            high = middle
        else:
            low = middle + 1
    return low, False


def get(version: int, key: bytes, blocks: Blocks = NO_BLOCKS) -> BlockReads[Entry | None]:
    """Look one key up in a version."""
    root = yield from read_root(version, blocks)
    if root is None:
        return None
    block, level = root
    for _ in range(MAX_BEE_DEPTH_LEVELS):
        # An index refers to no later block, so this bound shrinks on the way down.
        below = block.seq + 1
        position, found = yield from find(level.codes, level.names, key, below, blocks)
        if found:
            holder = yield from read_block(decode_code(level.codes[position]), below, blocks)
            return Entry(holder.seq, key, holder.value)
        if not level.pairs:
            return None
        block, level = yield from read_child(level, position, below, blocks)
    raise BeeBlockError(f"a path is deeper than {MAX_BEE_DEPTH_LEVELS} levels")
