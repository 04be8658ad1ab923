"""A database in a dict, as a contract's host sees it, with the numbering of the real index."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from protocol.encoding.paths import format_key, list_prefix, parse_path
from protocol.transparency.changes import write_of
from vitra_node.contracts.engine import ApplyRequest, ApplyResult, Entry, ListOptions, OplogInfo
from vitra_node.ledger.listing import list_level


class _Entries:
    def __init__(self, items: Iterator[tuple[bytes, int, Any]]) -> None:
        self._items = items

    def __aiter__(self) -> _Entries:
        return self

    async def __anext__(self) -> tuple[bytes, int, Any]:
        for item in self._items:
            return item
        raise StopAsyncIteration


class MemoryHost:
    """Entries by key bytes, each with its seq."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.entries_by_key: dict[bytes, tuple[int, Any]] = {}
        self.length = 1
        self.gets: list[str] = []
        self.lists: list[str] = []
        self.members: list[OplogInfo] = []
        self.writer = False
        for path, value in (values or {}).items():
            self.put(parse_path(path), value)

    def put(self, key: bytes, value: Any) -> None:
        """Append one entry."""
        self.entries_by_key[key] = (self.length, value)
        self.length += 1

    def value(self, path: str) -> Any:
        """The value at a path, or None."""
        found = self.entries_by_key.get(parse_path(path))
        return None if found is None else found[1]

    def commit(self, request: ApplyRequest, result: ApplyResult) -> None:
        """Write an ack and the changes after it, as the executor does."""
        ack = f"/.sys/acks/{request.ack.origin}/{request.ack.seq:015}"
        self.put(parse_path(ack), {"success": result.success, "error": result.error})
        writes = {write_of(change)[0]: change for change in result.changes}
        for key in sorted(writes):
            if write_of(writes[key])[1] is None:
                if self.entries_by_key.pop(key, None) is not None:
                    self.length += 1
            else:
                self.put(key, getattr(writes[key], "value", None))

    async def get(self, path: str) -> Entry | None:
        """See ``Host``."""
        self.gets.append(path)
        key = parse_path(path)
        found = self.entries_by_key.get(key)
        if found is None:
            return None
        return Entry(False, found[0], path.rpartition("/")[2], format_key(key), found[1])

    async def list(self, path: str, options: ListOptions) -> Sequence[Entry]:
        """See ``Host``."""
        self.lists.append(path)
        return await list_level(self, list_prefix(path), options)

    def entries(
        self, gte: bytes, lt: bytes, *, reverse: bool = False
    ) -> AsyncIterator[tuple[bytes, int, Any]]:
        """Entries in key order, for ``list_level``."""
        keys = sorted(self.entries_by_key, reverse=reverse)
        return _Entries((key, *self.entries_by_key[key]) for key in keys if gte <= key < lt)

    async def oplogs(self) -> Sequence[OplogInfo]:
        """See ``Host``."""
        return self.members

    async def is_writer(self) -> bool:
        """See ``Host``."""
        return self.writer

    async def local_oplog(self) -> OplogInfo | None:
        """See ``Host``."""
        return self.members[0] if self.members else None
