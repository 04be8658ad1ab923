"""The index of a database in its store: what ``IndexView`` reads, and who may write to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from copy import copy
from typing import Any, Self

from protocol.encoding.msgpack import pack
from protocol.errors import LocalProtocolError
from protocol.hyperbee import CacheRoom

from ..errors import NotAllowed, UsageProblem
from ..storage.log.hypercore import Hypercore
from .awaited_acks import AwaitedAcks
from .bounded_core import BoundedCore
from .index_view import HistoryEntry, IndexView, key_of
from .index_writer import IndexBatches, open_batches

__all__ = ["HistoryEntry", "Index"]


class Index(IndexView):
    """The index in a log. Make one for each log and share it: it owns the log's one writer."""

    core: Hypercore

    def __init__(self, core: Hypercore, room: CacheRoom | None = None) -> None:
        super().__init__(core, room)
        self._awaited = AwaitedAcks(self)

    async def when_executed(self, oplog: bytes, seq: int) -> None:
        """Return when an operation has been executed; as many may wait as like.

        Raises:
          StoreClosed: the store is, or was, closed.
        """
        await self._awaited.wait(oplog, seq)

    async def grown(self, length: int) -> None:
        """Return when the log has at least ``length`` blocks; raises StoreClosed."""
        await self.core.wait_for_length(length)

    @property
    def stored_blocks(self) -> int:
        """How many blocks of the log are stored here."""
        return self.core.length - self.core.storage.missing(0, self.core.length)

    def within(self, seconds: Callable[[], float]) -> Self:
        """The same index, whose readers wait for each block that is missing here only so long.

        They get ``BlockNotAvailable`` then. An index that is written here lacks none. Whoever
        waits for the executor goes on waiting.
        """
        if self.core.writable:
            return self
        view = copy(self)
        view._bee = self._bee.over(BoundedCore(self.core, seconds))
        return view

    def writing(self) -> AbstractAsyncContextManager[IndexBatches]:
        """Write batches to the newest version; see ``open_batches``."""
        return open_batches(self.core, self._bee.tree)

    async def dangerous_batch(self, operations: Sequence[Mapping[str, Any]]) -> None:
        """Write to the index past the contract: for tests of monitors, and for nothing else.

        Args:
          operations: ``{"type": "put" | "del", "path": ..., "value": ...}`` each.

        Raises:
          NotAllowed: this node is not the executor of the database.
          UsageProblem: an operation is of another form.
        """
        if not self.core.writable:
            raise NotAllowed("Only the executor of a database can write to its index.")
        writes = [_write_of(operation) for operation in operations]
        async with self.writing() as batches:
            batches.add(writes)
            await batches.append()


def _write_of(operation: Mapping[str, Any]) -> tuple[bytes, bytes | None]:
    kind = operation.get("type")
    path = operation.get("path")
    if not isinstance(path, str) or kind not in ("put", "del"):
        raise UsageProblem(
            "An index write needs a type, put or del, and a path.", unchanged="Nothing was written."
        )
    if kind == "del":
        return key_of(path), None
    try:
        return key_of(path), pack(operation.get("value"))
    except LocalProtocolError as error:
        raise UsageProblem(
            f"The value for {path} cannot be stored: {error}.", unchanged="Nothing was written."
        ) from error
