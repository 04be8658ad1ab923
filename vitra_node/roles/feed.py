"""Operations on their way from an oplog to the executor, in the order of that oplog."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import trio

from protocol.crypto.hashes import TreeNode, leaf_node, tree_hash
from protocol.hypercore.merkle.growth import append_root, roots_at

from ..ledger.oplogs import Oplog

# Operations read ahead for each oplog. Enough to fill several groups while one is committed;
# a participant that publishes faster than this waits in its own log, not in our memory.
MAX_WAITING_OPERATIONS = 1024

# Read at a time; then other tasks have a turn. Hundreds of operations of the usual size.
MAX_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class PublishedOperation:
    """One block of an oplog, not executed yet.

    Attributes:
      op_hash: leaf hash of the block, 32 bytes.
      oplog_head: tree hash of the oplog with this operation as its last, 32 bytes.
    """

    oplog: Oplog
    seq: int
    block: bytes
    op_hash: bytes
    oplog_head: bytes


class OplogFeed:
    """Reads one oplog from a given operation on, and holds what the executor has not taken."""

    def __init__(self, oplog: Oplog, next_seq: int, wake: Callable[[], None]) -> None:
        self.oplog = oplog
        self.waiting: deque[PublishedOperation] = deque()
        self._next_seq = next_seq
        # Of the tree at that length, once the first operation is read.
        self._roots: list[TreeNode] | None = None
        self._wake = wake
        self._room = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Read until ``stop`` is called."""
        core = self.oplog.core
        with self._scope, core.tail(self._next_seq):
            while True:
                await core.wait_for_length(self._next_seq + 1)
                await self._read()

    async def _read(self) -> None:
        """Read what is there, so that it can be executed as one group; at least one operation."""
        while len(self.waiting) >= MAX_WAITING_OPERATIONS:
            self._room = trio.Event()
            await self._room.wait()
        core, first = self.oplog.core, self._next_seq
        end = min(core.length, first + MAX_WAITING_OPERATIONS - len(self.waiting))
        blocks = core.local_blocks(first, end, MAX_READ_BYTES)
        for block in blocks or [await core.get(first)]:
            self._take_in(block)
        self._wake()

    def _take_in(self, block: bytes) -> None:
        leaf = leaf_node(self._next_seq, block)
        roots = self._grow(leaf)
        self.waiting.append(
            PublishedOperation(self.oplog, self._next_seq, block, leaf.hash, tree_hash(roots))
        )
        self._next_seq += 1

    def _grow(self, leaf: TreeNode) -> list[TreeNode]:
        """The roots of the tree with one more leaf."""
        if self._roots is None:
            roots = roots_at(self.oplog.core.storage, self._next_seq)
            assert roots is not None, "the block was verified, and these nodes are on its way"
            self._roots = list(roots)
        append_root(self._roots, leaf)
        return self._roots

    def take(self) -> None:
        """The first waiting operation was executed."""
        self.waiting.popleft()
        self._room.set()

    def stop(self) -> None:
        """End ``run``: the oplog is no participant any more."""
        self._scope.cancel()
