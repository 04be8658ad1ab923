"""The database as ``apply`` sees it: one version of the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..contracts.engine import Entry, ListOptions, OplogInfo
from .index_view import IndexView

_ACKS = "/.sys/acks"


class IndexHost:
    """What ``apply`` may read: the index before the operation, and the members it lists.

    Executor and monitor apply operations in groups of different sizes, on top of the index before
    the group. So nothing may show that a group's earlier operations add, but their changes: acks
    are hidden, and entries have no block numbers. Lengths of oplogs differ from node to node.
    """

    def __init__(self, index: IndexView) -> None:
        self._index = index

    async def get(self, path: str) -> Entry | None:
        """The entry at a canonical path, or None."""
        if _is_ack(path):
            return None
        entry = await self._index.get(path)
        return None if entry is None else replace(entry, seq=0)

    async def list(self, path: str, options: ListOptions) -> Sequence[Entry]:
        """The entries one level below a path."""
        if _is_ack(path.removesuffix("/")):
            return []
        return [replace(entry, seq=0) for entry in await self._index.list(path, options=options)]

    async def oplogs(self) -> Sequence[OplogInfo]:
        """The members of the index, ordered by their keys."""
        listed = await self._index.participants()
        return [OplogInfo(key.hex(), 0, active) for key, active in sorted(listed.items())]

    async def is_writer(self) -> bool:
        """Never true: an operation is applied for everybody alike."""
        return False

    async def local_oplog(self) -> OplogInfo | None:
        """Never known here."""
        return None


def _is_ack(path: str) -> bool:
    return path == _ACKS or path.startswith(_ACKS + "/")
