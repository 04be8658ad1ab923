"""The one writer of an index: batches of many operations, appended together or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from protocol.hyperbee.blocks import BeeBlock, decode_block_untrusted
from protocol.hyperbee.cache import BlockCache
from protocol.hyperbee.reading import run
from protocol.hyperbee.writer import BeeWriter, Delete, Put
from protocol.transparency.changes import Write

from ..errors import StoreDamaged
from ..storage.hypercore import Hypercore


class IndexWriter:
    """Makes the blocks of an index that is written here; see ``writing``."""

    def __init__(self, core: Hypercore, cache: BlockCache) -> None:
        self._core = core
        self._cache = cache
        self._lock = trio.Lock()
        self._writer: BeeWriter | None = None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[IndexBatches]:
        """Gather batches; nobody else writes meanwhile. What was not appended is forgotten."""
        async with self._lock:
            writer = self._writer
            if writer is None or writer.length != self._core.length:
                writer = self._writer = BeeWriter(self._core.length, cache=self._cache)
            batches = IndexBatches(self._core, writer)
            try:
                yield batches
            finally:
                if not batches.settled:
                    self._writer = None


class IndexBatches:
    """Batches on top of the index, each visible to the ones after it."""

    def __init__(self, core: Hypercore, writer: BeeWriter) -> None:
        self._core = core
        self._writer = writer
        self._blocks: list[bytes] = []

    @property
    def settled(self) -> bool:
        """Whether nothing waits to be appended."""
        return not self._blocks

    def has(self, key: bytes) -> bool:
        """Whether a key is in the index, counting the batches so far."""
        return run(self._writer.get(key), self._fetch) is not None

    def add(self, writes: Sequence[Write]) -> None:
        """Make one Hyperbee batch of these writes, in their order."""
        operations = [Delete(key) if value is None else Put(key, value) for key, value in writes]
        self._blocks += run(self._writer.batch(operations), self._fetch)

    async def append(self) -> None:
        """Append all batches in one commit; durable on return."""
        # Cut off between the commit and here, the tree in memory would not be the one on disk.
        with trio.CancelScope(shield=True):
            await self._core.append(self._blocks)
        self._writer.appended()
        self._blocks = []

    def _fetch(self, seq: int) -> BeeBlock:
        block = self._core.local_block(seq)
        if block is None:
            raise StoreDamaged(
                f"Block {seq} of the index is missing, and its writer cannot go on without it.",
                advice="Put back a copy of the directory.",
            )
        return decode_block_untrusted(block, seq)
