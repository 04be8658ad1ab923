"""The database as a method call sees it: the newest index, and the participants' logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..contracts.engine import Entry, ListOptions, OplogInfo
from .index import Index
from .oplogs import Oplog, OplogSet


class CallHost:
    """What a method call may read: the newest index, and this node's own view of the oplogs.

    Who is active is read from that index too, not from the open oplogs: those are compared with it
    a moment later, and a caller who saw an operation's result would see the members before it.
    """

    def __init__(
        self, index: Index, oplogs: OplogSet, local_oplog: Callable[[], Oplog | None]
    ) -> None:
        self._index = index
        self._oplogs = oplogs
        self._local = local_oplog

    async def get(self, path: str) -> Entry | None:
        """The entry at a canonical path, or None."""
        return await self._index.get(path)

    async def list(self, path: str, options: ListOptions) -> Sequence[Entry]:
        """The entries one level below a path."""
        return await self._index.list(path, options=options)

    async def oplogs(self) -> Sequence[OplogInfo]:
        """All participants with the lengths known here."""
        listed = await self._index.participants()
        known = {oplog.key: oplog.length for oplog in self._oplogs}
        return [
            OplogInfo(key.hex(), known.get(key, 0), listed.get(key, False))
            for key in sorted({*known, *listed})
        ]

    async def is_writer(self) -> bool:
        """Whether this node owns an active oplog."""
        own = self._local()
        return own is not None and await self._index.is_participant(own.key)

    async def local_oplog(self) -> OplogInfo | None:
        """This node's own oplog."""
        oplog = self._local()
        if oplog is None:
            return None
        active = await self._index.is_participant(oplog.key)
        return OplogInfo(oplog.key.hex(), oplog.length, active)
