"""Putting and deleting: what Hyperbee 2 writes, to the byte.

A ``BeeWriter`` holds the newest tree of one core and makes the blocks of the next operations. It
appends nothing: the blocks of many batches can be stacked and appended at once, because the writer
sees its own blocks that are not in the core yet. A batch is written with one block for each
operation, of which only the last holds a whole path from the root: versions in the middle of a
batch cannot be read.

    writer = BeeWriter(length=core_length)
    blocks = run(writer.batch([Put(b"a", b"1"), Delete(b"b")]), fetch)
    blocks += run(writer.batch([Put(b"c", b"2")]), fetch)
    ...                          # append them all
    writer.appended()

Writers are generators like the readers (see ``reading``). One that is closed or that fails before
its end leaves its batch unusable: discard the batch. Key and value are bounded by
``MAX_BEE_ENTRY_BYTES``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import NamedTuple, NoReturn, TypeAlias

from ..errors import BeeBlockError, LocalProtocolError
from ..limits import MAX_BEE_DEPTH_LEVELS, MAX_BEE_ENTRY_BYTES, MAX_BEE_KEYS
from .blocks import BeeBlock, Header, encode_block, encode_header
from .cache import BlockCache
from .deletion import take_out
from .live_nodes import LiveNodes
from .reading import BlockReads, Entry, find, read_block, read_root
from .tree import Child, Node, compact_levels, number_levels
from .varint import SHORT_VARINTS, decode_code, decode_pair, encode_varint

CompareAndSwap: TypeAlias = Callable[[Entry, Entry], bool]
"""Given the entry that stands and the one to come (value None: a deletion), says whether to go on.
Not asked where no entry stands."""


class Put(NamedTuple):
    """Set a key. A value of None is written as no value, which reads back as None."""

    key: bytes
    value: bytes | None


class Delete(NamedTuple):
    """Remove a key; nothing is written where it does not stand."""

    key: bytes


class BeeWriter:
    """The newest tree of one core, for its one writer.

    Attributes:
      length: number of blocks of the core, counting those made and not appended yet.
      blocks: decoded blocks at hand, those not appended yet among them; give it to readers
        to let them see versions up to ``length``.

    Args:
      length: number of blocks in the core now. An empty core gets its header with the first
        operation, even if that is a deletion that finds nothing.
      cache: decoded blocks of the core at hand, and where ``appended`` leaves the new ones.
      header: block 0 for an empty core.
      always_duplicate: whether a put of the value that stands is written again.
    """

    def __init__(
        self,
        length: int,
        *,
        cache: BlockCache | None = None,
        header: Header | None = None,
        always_duplicate: bool = True,
    ) -> None:
        self.length = length
        self.blocks = _Pending(BlockCache() if cache is None else cache)
        self._header = Header() if header is None else header
        self._always_duplicate = always_duplicate
        self._root: Node | None = None
        self._live = LiveNodes()
        self._open: BeeBatch | None = None

    def begin(self) -> BeeBatch:
        """Open the next batch; the one before must be flushed or discarded.

        Raises:
          LocalProtocolError: a batch is open.
        """
        if self._open is not None:
            raise LocalProtocolError("a batch of this writer is open")
        root = self._root
        if root is not None and self._live.are_too_many and self._live.make_room(root):
            self._forget()
        self._open = BeeBatch(self, self._header, self._always_duplicate)
        return self._open

    def batch(self, operations: Iterable[Put | Delete]) -> BlockReads[list[bytes]]:
        """One whole batch.

        Returns: its encoded blocks, the first of them block ``length`` as it was before.

        Raises:
          LocalProtocolError: an entry is too large, or a batch is open; nothing is changed.
          BeeBlockError: the tree in the core is broken.
        """
        batch = self.begin()
        try:
            for operation in operations:
                if isinstance(operation, Put):
                    yield from batch.put(operation.key, operation.value)
                else:
                    yield from batch.delete(operation.key)
            return batch.flush()
        finally:
            batch.discard()

    def get(self, key: bytes) -> BlockReads[Entry | None]:
        """Look a key up in the newest tree: faster than ``reading.get`` at ``length``."""
        node = yield from self._load_root()
        depth = 0
        while True:
            i, found = yield from find(node.codes, node.names, key, self._end(), self.blocks)
            if found:
                return (yield from self._entry(key, decode_code(node.codes[i])))
            if not node.children:
                return None
            child = node.children[i]
            depth += 1
            node = child.node or (yield from self._load(child, depth))
            node.used = self._live.turn

    def appended(self) -> None:
        """All blocks made so far are in the core: leave them to the cache.

        When an append fails, drop the writer and make a new one instead.
        """
        self.blocks.settle()

    def _end(self) -> int:
        """The seq behind the newest block, of the open batch if there is one."""
        return self.length if self._open is None else self._open.next_seq

    def _entry(self, key: bytes, seq: int) -> BlockReads[Entry]:
        if self._open is not None and seq >= self.length:
            return Entry(seq, key, self._open.value(seq))
        block = yield from read_block(seq, self.length, self.blocks)
        return Entry(seq, key, block.value)

    def _load_root(self) -> BlockReads[Node]:
        if self._root is None:
            stored = yield from read_root(self.length, self.blocks)
            node = Node([], [], []) if stored is None else Node.load(stored[1])
            self._root = self._live.load(node)
        return self._root

    def _load(self, child: Child, depth: int) -> BlockReads[Node]:
        """The node behind a child, ``depth`` levels below the root; loaded once."""
        if child.node is None:
            if depth >= MAX_BEE_DEPTH_LEVELS:
                raise BeeBlockError(f"a path is deeper than {MAX_BEE_DEPTH_LEVELS} levels")
            seq, number = decode_pair(child.pair)
            block = yield from read_block(seq, self.length, self.blocks)
            level = block.level_untrusted(number)
            if not level.codes:
                raise BeeBlockError("a node below the root has no keys")
            child.node = self._live.load(Node.load(level))
        child.node.used = self._live.turn
        return child.node

    def _forget(self) -> None:
        """Drop the nodes in memory; they load again from the blocks."""
        self._root = None
        self._live.clear()


class _Pending:
    """Blocks made and not appended yet, before those of the cache."""

    def __init__(self, cache: BlockCache) -> None:
        self._cache = cache
        self._made: dict[int, BeeBlock] = {}

    def get(self, seq: int, /) -> BeeBlock | None:
        """The block, if at hand."""
        return self._made.get(seq) or self._cache.get(seq)

    def add(self, block: BeeBlock) -> None:
        """Keep a block until it is appended."""
        self._made[block.seq] = block

    def settle(self) -> None:
        """Move all to the cache."""
        for block in self._made.values():
            self._cache.add(block)
        self._made.clear()


# One operation of an open batch: varint of its seq, key, value, levels as of ``number_levels``.
_Written: TypeAlias = tuple[bytes, bytes, bytes | None, list[Child | None]]


class BeeBatch:
    """An open batch: ``put`` and ``delete`` in order, then ``flush`` or ``discard``.

    Attributes:
      next_seq: the block that the next operation will be.
    """

    def __init__(self, writer: BeeWriter, header: Header, always_duplicate: bool) -> None:
        self._writer = writer
        self._always_duplicate = always_duplicate
        self._header: bytes | None = encode_header(header) if writer.length == 0 else None
        self._started = False
        self._first_seq = max(1, writer.length)
        self.next_seq = self._first_seq
        self._written: list[_Written] = []
        self._usable = True
        # Nodes that a refused put has marked. Hyperbee keeps such marks for the rest of a batch,
        # so the next operation writes these nodes too.
        self._left_marked: list[Node] = []

    def value(self, seq: int) -> bytes | None:
        """The value that an operation of this batch has put."""
        return self._written[seq - self._first_seq][2]

    def get(self, key: bytes) -> BlockReads[Entry | None]:
        """Look a key up, as the batch has left it so far."""
        if not self._usable:
            self._refuse()
        return self._writer.get(key)

    def put(
        self, key: bytes, value: bytes | None, cas: CompareAndSwap | None = None
    ) -> BlockReads[int | None]:
        """Set a key.

        Returns: the seq of its block, or None when ``cas`` or the rule against duplicates
        refused it.

        Raises:
          LocalProtocolError: the entry is too large.
          BeeBlockError: the tree in the core is broken.
        """
        if not self._usable or len(key) + len(value or b"") > MAX_BEE_ENTRY_BYTES:
            self._refuse()
        self._started = True
        writer = self._writer
        seq = self.next_seq
        path: list[Child | None] = [None]
        turn = writer._live.turn
        node = writer._root or (yield from writer._load_root())
        while True:
            try:
                # All names are known in most nodes that were visited before.
                i = bisect_left(node.names, key)  # type: ignore[type-var]
                found = i < len(node.names) and node.names[i] == key
            except TypeError:
                i, found = yield from find(node.codes, node.names, key, seq, writer.blocks)
            if found or not node.children:
                break
            child = node.children[i]
            path.append(child)
            node = child.node or (yield from writer._load(child, len(path)))
            node.used = turn

        if found and (cas is not None or not self._always_duplicate):
            before = yield from writer._entry(key, decode_code(node.codes[i]))
            refused = cas is not None and not cas(before, Entry(seq, key, value))
            if refused or (not self._always_duplicate and before.value == value):
                self._leave_marks(path)
                return None

        seq_code = encode_varint(seq)
        if found:
            node.replace_key(i, seq_code, key)
        else:
            node.insert_key(i, seq_code, key)
        if len(node.codes) > MAX_BEE_KEYS or self._left_marked:
            self._split_up(path)
            self._number(seq, seq_code, key, value)
            return seq
        # What changed is the path, and nothing else: the levels are known without a search.
        for number in range(1, len(path)):
            step = path[number]
            step.seq = seq  # type: ignore[union-attr]
            step.pair = seq_code + SHORT_VARINTS[number]  # type: ignore[union-attr]
        self._written.append((seq_code, key, value, path))
        self.next_seq = seq + 1
        return seq

    def delete(self, key: bytes, cas: CompareAndSwap | None = None) -> BlockReads[int | None]:
        """Remove a key.

        Returns: the seq of the block, or None when the key does not stand or ``cas`` refused.

        Raises:
          LocalProtocolError: the key is too large.
          BeeBlockError: the tree in the core is broken.
        """
        if not self._usable or len(key) > MAX_BEE_ENTRY_BYTES:
            self._refuse()
        self._started = True
        writer = self._writer
        seq = self.next_seq
        stack = [writer._root or (yield from writer._load_root())]
        while True:
            node = stack[-1]
            i, found = yield from find(node.codes, node.names, key, seq, writer.blocks)
            if found:
                break
            if not node.children:
                return None
            stack.append((yield from writer._load(node.children[i], len(stack))))
        if cas is not None:
            before = yield from writer._entry(key, decode_code(node.codes[i]))
            if not cas(before, Entry(seq, key, None)):
                return None
        # From here on the tree is changed step by step, with blocks read in between.
        self._usable = False
        writer._root = yield from take_out(stack, i, writer._load)
        self._number(seq, encode_varint(seq), key, None)
        self._usable = True
        return seq

    def flush(self) -> list[bytes]:
        """Encode the blocks of the batch and close it.

        Returns: the blocks to append, first of all the header where the core was empty; nothing
        for a batch without operations.

        Raises:
          LocalProtocolError: the batch is closed, or an operation of it did not come to its end.
        """
        if not self._usable:
            self._refuse()
        writer = self._writer
        encoded: list[bytes] = []
        if self._header is not None and self._started:
            encoded.append(self._header)
            writer.length = 1
        for node in self._left_marked:
            node.changed = False
        keep = writer.blocks.add
        last = self.next_seq - 1
        for seq, (seq_code, key, value, levels) in enumerate(self._written, self._first_seq):
            if seq < last:
                compact_levels(levels, seq, seq_code)
                index = b"".join([child.node.encode() for child in levels])  # type: ignore[union-attr]
            else:
                below = [child.node.encode() for child in levels[1:]]  # type: ignore[union-attr]
                index = b"".join((writer._root.encode(), *below))  # type: ignore[union-attr]
            encoded.append(encode_block(key, value, index))
            keep(BeeBlock(seq, key, value, index))
        if self._written:
            writer.length = self.next_seq
        writer._open = None
        self._usable = False
        return encoded

    def discard(self) -> None:
        """Close the batch without a trace; does nothing after ``flush``."""
        if self._writer._open is not self:
            return
        self._writer._open = None
        if self._written or self._left_marked or not self._usable:
            self._writer._forget()
        self._usable = False

    def _refuse(self) -> NoReturn:
        if self._writer._open is not self:
            raise LocalProtocolError("the batch is closed")
        if not self._usable:
            raise LocalProtocolError("an operation of the batch did not come to its end")
        raise LocalProtocolError(f"an entry has at most {MAX_BEE_ENTRY_BYTES} bytes")

    def _nodes(self, path: list[Child | None]) -> list[Node]:
        root = self._writer._root
        assert root is not None
        return [root, *(step.node for step in path if step and step.node)]

    def _leave_marks(self, path: list[Child | None]) -> None:
        for node in self._nodes(path):
            if node.children:
                node.changed = True
                self._left_marked.append(node)

    def _split_up(self, path: list[Child | None]) -> None:
        """Mark the path as changed and split its nodes of 9 keys, from its end upwards."""
        writer = self._writer
        nodes = self._nodes(path)
        for node in nodes:
            node.changed = True
        while len((node := nodes.pop()).codes) > MAX_BEE_KEYS:
            code, name, right = node.split()
            writer._live.count += 1
            if nodes:
                parent = nodes[-1]
                i = next(i for i, child in enumerate(parent.children) if child.node is node)
                parent.insert_key(i, code, name)
                parent.children.insert(i + 1, Child(b"", right))
            else:
                writer._root = Node([code], [name], [Child(b"", node), Child(b"", right)])
                writer._live.count += 1
                return

    def _number(self, seq: int, seq_code: bytes, key: bytes, value: bytes | None) -> None:
        """Write down an operation whose changed nodes are marked."""
        root = self._writer._root
        assert root is not None
        levels = number_levels(root, seq, seq_code)
        self._written.append((seq_code, key, value, levels))
        self._left_marked.clear()
        self.next_seq = seq + 1
