"""Reads the tree inside an index log, fetching from peers only the blocks on the way."""

from __future__ import annotations

from typing import TypeVar

from protocol.hyperbee.blocks import BeeBlock, decode_block_untrusted
from protocol.hyperbee.cache import BlockCache
from protocol.hyperbee.history import HistoryReader, Operation
from protocol.hyperbee.ranges import Bounds, RangeReader
from protocol.hyperbee.reading import BlockReads, Entry, get

from ..storage.hypercore import Hypercore

T = TypeVar("T")


class TreeReader:
    """All versions of one log's tree. Decoded blocks are kept, for they never change."""

    def __init__(self, core: Hypercore) -> None:
        self.core = core
        self.cache = BlockCache()

    async def drive(self, reads: BlockReads[T]) -> T:
        """Run a reader or writer of ``protocol.hyperbee`` to its end."""
        try:
            seq = next(reads)
            while True:
                seq = reads.send(await self._fetch(seq))
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            reads.close()

    async def get(self, version: int, key: bytes) -> Entry | None:
        """The entry of a key in a version."""
        return await self.drive(get(version, key, self.cache))

    def range(self, version: int, bounds: Bounds, *, reverse: bool = False) -> TreeRange:
        """Iterates over the entries of a version in key order."""
        return TreeRange(self, RangeReader(version, bounds, reverse=reverse, blocks=self.cache))

    def history(self, version: int, start: int, end: int, *, reverse: bool = False) -> TreeHistory:
        """Iterates over the operations of blocks ``start`` to before ``end``."""
        # Blocks of a history are read once; they would push those of the tree out of the cache.
        reader = HistoryReader(version, gte=start, lt=end, reverse=reverse)
        return TreeHistory(self, reader)

    async def _fetch(self, seq: int) -> BeeBlock:
        data = self.core.local_block(seq)
        if data is None:
            data = await self.core.get(seq)
        block = decode_block_untrusted(data, seq)
        self.cache.add(block)
        return block


class TreeRange:
    """Entries, one at a time; may be left at any point."""

    def __init__(self, tree: TreeReader, reader: RangeReader) -> None:
        self._tree = tree
        self._reader = reader

    def __aiter__(self) -> TreeRange:
        return self

    async def __anext__(self) -> Entry:
        entry = await self._tree.drive(self._reader.next())
        if entry is None:
            raise StopAsyncIteration
        return entry


class TreeHistory:
    """Operations, one at a time; may be left at any point."""

    def __init__(self, tree: TreeReader, reader: HistoryReader) -> None:
        self._tree = tree
        self._reader = reader

    def __aiter__(self) -> TreeHistory:
        return self

    async def __anext__(self) -> Operation:
        operation = await self._tree.drive(self._reader.next())
        if operation is None:
            raise StopAsyncIteration
        return operation
