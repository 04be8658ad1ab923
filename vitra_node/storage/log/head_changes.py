"""``HeadChanges``: the newest heads of a log, one after the other."""

from __future__ import annotations

from protocol.hypercore.core import TreeHead

from ..pulse import Pulse
from .core_storage import CoreStorage


class HeadChanges:
    """Iterates over the newest heads of a log; see ``Hypercore.changes``."""

    def __init__(self, storage: CoreStorage, changed: Pulse) -> None:
        self._storage = storage
        self._changed = changed
        self._seen = storage.head

    def __aiter__(self) -> HeadChanges:
        return self

    async def __anext__(self) -> TreeHead:
        while self._storage.head is self._seen:
            await self._changed.wait()
        self._seen = self._storage.head
        return self._seen
