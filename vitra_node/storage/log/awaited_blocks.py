"""Who waits for which blocks of one log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import trio


@dataclass(slots=True)
class _Range:
    """A range of blocks of which ``missing`` are not here yet."""

    start: int
    end: int
    missing: int
    changed: trio.Event = field(default_factory=trio.Event)


class AwaitedBlocks:
    """Wakes tasks when the blocks they wait for may be here; they look for themselves.

    Each block that arrives costs one look-up and a step for each range, however many tasks wait.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, trio.Event] = {}
        self._ranges: list[_Range] = []

    async def wait_for_block(self, index: int) -> None:
        """Return when the block arrived, or when there is no more use in waiting."""
        event = self._blocks.setdefault(index, trio.Event())
        try:
            await event.wait()
        finally:
            if self._blocks.get(index) is event and not event.statistics().tasks_waiting:
                del self._blocks[index]

    async def wait_for_range(self, start: int, end: int, missing: int) -> None:
        """Return when ``missing`` blocks of the range arrived, or there is no use in waiting."""
        awaited = _Range(start, end, missing)
        self._ranges.append(awaited)
        try:
            await awaited.changed.wait()
        finally:
            self._ranges.remove(awaited)

    def arrived(self, indexes: Iterable[int]) -> None:
        """These blocks are stored now."""
        for index in indexes:
            event = self._blocks.pop(index, None)
            if event is not None:
                event.set()
            for awaited in self._ranges:
                if awaited.start <= index < awaited.end:
                    awaited.missing -= 1
                    if awaited.missing <= 0:
                        awaited.changed.set()

    def wake_all(self) -> None:
        """There is no more use in waiting."""
        blocks, self._blocks = self._blocks, {}
        for event in blocks.values():
            event.set()
        for awaited in self._ranges:
            awaited.changed.set()
