"""Writing to an index: batches of many operations, appended together or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from protocol.hyperbee import BeeBlock, Delete, Put, decode_block_untrusted, run
from protocol.transparency.changes import Write

from ..errors import StoreDamaged
from ..storage.bee.tree import BeeTree, WriterTurn
from ..storage.log.hypercore import Hypercore


@asynccontextmanager
async def open_batches(core: Hypercore, tree: BeeTree) -> AsyncIterator[IndexBatches]:
    """Gather batches; nobody else writes meanwhile. What was not appended is forgotten."""
    async with tree.writing() as turn:
        yield IndexBatches(core, turn)


class IndexBatches:
    """Batches on top of the index, each visible to the ones after it."""

    def __init__(self, core: Hypercore, turn: WriterTurn) -> None:
        self._core = core
        self._turn = turn
        self._blocks: list[bytes] = []

    def has(self, key: bytes) -> bool:
        """Whether a key is in the index, counting the batches so far."""
        return run(self._turn.writer.get(key), self._fetch) is not None

    def add(self, writes: Sequence[Write]) -> None:
        """Make one Hyperbee batch of these writes, in their order."""
        operations = [Delete(key) if value is None else Put(key, value) for key, value in writes]
        self._blocks += run(self._turn.writer.batch(operations), self._fetch)

    async def append(self) -> None:
        """Append all batches in one commit; durable on return."""
        await self._turn.append(self._blocks)
        self._blocks = []

    def _fetch(self, seq: int) -> BeeBlock:
        block = self._core.local_block(seq)
        if block is None:
            raise StoreDamaged(
                f"Block {seq} of the index is missing, and its writer cannot go on without it.",
                advice="Put back a copy of the directory.",
            )
        return decode_block_untrusted(block, seq)
