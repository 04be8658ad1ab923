"""Operations for an auditor, from the oplogs of this node and from their peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from protocol.hypercore.core import TreeHead
from protocol.hypercore.merkle.growth import append_blocks, roots_at
from protocol.transparency.replay.requests import OperationFacts

from ..ledger.oplogs import Oplog, OplogSet
from ..nursery import open_owned_nursery
from ..storage.log.hypercore import Hypercore
from .auditor import block_or_none

# How long peers have to show another history of an oplog, where an ack names one: time to open a
# channel and to be asked for a tree, on any link.
FORK_PATIENCE_SECONDS = 5.0


class StoredOperations:
    """Operations from the oplogs of this node, and from their peers.

    ``fetch_seconds``: see ``Auditor``.
    """

    def __init__(self, oplogs: OplogSet, fetch_seconds: float | None = None) -> None:
        self._oplogs = oplogs
        self._fetch_seconds = fetch_seconds
        # For each oplog the tree that ended with the operation given last.
        self._trees: dict[bytes, TreeHead] = {}

    async def operation(self, origin: bytes, seq: int) -> OperationFacts | None:
        """See ``OperationSource``."""
        oplog = await self._oplogs.open(origin)
        core = oplog.core
        block = core.local_block(seq)
        if block is None:
            block = await self._fetch(oplog, seq)
        if block is None:
            return None
        return OperationFacts(block, self._tree_hash(core, seq, block))

    async def some(
        self, names: Sequence[tuple[bytes, int]], max_bytes: int
    ) -> list[OperationFacts | None]:
        """The first of these operations, by oplog and number; at least one of them, if there is.

        No more of them follow once they are ``max_bytes`` together.
        """
        found: list[OperationFacts | None] = []
        size = 0
        while len(found) < len(names) and size < max_bytes:
            origin, seq = names[len(found)]
            core = (await self._oplogs.open(origin)).core
            stop = seq + _in_a_row(names, len(found))
            blocks = core.local_blocks(seq, stop, max_bytes - size)
            for at, block in enumerate(blocks, seq):
                found.append(OperationFacts(block, self._tree_hash(core, at, block)))
                size += len(block)
            if not blocks:
                facts = await self.operation(origin, seq)
                found.append(facts)
                size += 0 if facts is None else len(facts.block)
        return found

    def _tree_hash(self, core: Hypercore, seq: int, block: bytes) -> bytes | None:
        """The tree hash of an oplog that ends with this block; None when it cannot be had.

        Operations come in order, so the tree mostly grows by this block: that is two hashes, where
        to read the roots is a look-up for each of them.
        """
        tree = self._trees.get(core.key)
        if tree is not None and tree.length == seq:
            _, tree = append_blocks(tree, [block])
        else:
            roots = roots_at(core.storage, seq + 1)
            if roots is None:
                return None
            tree = TreeHead(seq + 1, 0, core.fork, roots, None)
        self._trees[core.key] = tree
        return tree.hash()

    async def _fetch(self, oplog: Oplog, seq: int) -> bytes | None:
        core, block = oplog.core, None
        async with open_owned_nursery() as nursery:
            nursery.start_soon(_when_it_cannot_come, oplog, seq, nursery.cancel_scope.cancel)
            with core.tail(seq):
                block = await block_or_none(core, seq, self._fetch_seconds)
        return block

    async def is_forked(self, origin: bytes) -> bool:
        """See ``OperationSource``."""
        oplog = await self._oplogs.open(origin)
        return await oplog.is_forked(0.0 if self._fetch_seconds == 0 else FORK_PATIENCE_SECONDS)


def _in_a_row(names: Sequence[tuple[bytes, int]], start: int) -> int:
    """How many operations from there on follow each other in one oplog."""
    origin, seq = names[start]
    count = 1
    while start + count < len(names) and names[start + count] == (origin, seq + count):
        count += 1
    return count


async def _when_it_cannot_come(oplog: Oplog, seq: int, then: Callable[[], None]) -> None:
    """A log that is proven to be forked grows no more, so nobody waits for its end."""
    while not oplog.forked or seq < oplog.core.length:
        await oplog.core.wait_for_activity()
    then()
