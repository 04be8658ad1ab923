"""Learns the newest state of a database from peers, and who takes part in it."""

from __future__ import annotations

from contextlib import suppress

import trio

from ..ledger.index import Index
from ..ledger.oplogs import OplogSet
from ..net.direct import DirectPeers
from ..net.swarm.swarm import Swarm
from ..progress import Progress
from ..storage.errors import BlockNotAvailable
from ..storage.log.hypercore import Hypercore

# How long peers have to tell of an oplog that must exist: whoever has the index mostly has it too,
# but a connection may be a moment old.
FIRST_BLOCK_SECONDS = 5.0

# A sparse copy looks up who takes part at most so often: each time costs it the newest blocks of an
# index that may grow by hundreds a second.
SPARSE_MEMBERS_SECONDS = 1.0


async def sync_index(
    index: Index,
    oplogs: OplogSet,
    peers: DirectPeers,
    swarm: Swarm | None,
    progress: Progress | None,
) -> None:
    """Fetch the newest index: without peers what is here; in a swarm, once all were called.

    ``progress`` is told of the blocks that are fetched; None to learn no more than the newest head.
    """
    core = index.core
    if swarm is not None and not peers.connected:
        await swarm.flush()
    if not core.writable:
        await core.update(wait=bool(peers.connected) and core.length == 0)
    if core.length:
        if progress is not None:
            await core.download_all(progress)
        # A sparse copy without peers may lack even what names them; it looks again by itself.
        with suppress(BlockNotAvailable):
            await oplogs.refresh(index)


async def sync_oplogs(
    index: Index, oplogs: OplogSet, peers: DirectPeers, progress: Progress
) -> None:
    """Fetch all that peers have of the oplogs."""
    for oplog in list(oplogs):
        # An oplog that nothing was executed of may well be empty, and then nobody tells of it.
        expected = bool(peers.connected) and await index.executed_length(oplog.key) > 0
        await _learn(oplog.core, wait=expected and oplog.length == 0)
        await oplog.core.download_all(progress)


async def _learn(core: Hypercore, *, wait: bool) -> None:
    with trio.move_on_after(FIRST_BLOCK_SECONDS):
        await core.update(wait=wait)


async def follow_members(index: Index, oplogs: OplogSet, pause: float) -> None:
    """Keep the open oplogs those that the index lists, until cancelled.

    ``pause``: seconds from one look to the next, at least.
    """
    while True:
        length = index.core.length
        if length:
            await oplogs.refresh(index)
            await trio.sleep(pause)
        await index.core.wait_for_length(length + 1)
