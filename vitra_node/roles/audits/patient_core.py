"""The index log of this node, as audits read it."""

from __future__ import annotations

from collections.abc import Sequence

from ...storage.errors import BlockNotAvailable, BlockOutOfRange
from ...storage.log.hypercore import Hypercore


class PatientCore:
    """The index log as a replay reads it, which waits for missing blocks only so long.

    Args:
      seconds: how long a peer has for a block; None for ever.
    """

    writable = False

    def __init__(self, core: Hypercore, length: int, seconds: float | None) -> None:
        self.key = core.key
        self.fork = core.fork
        self.length = length
        self._core = core
        self._seconds = seconds

    def local_block(self, index: int) -> bytes | None:
        """The block, if it is stored here."""
        return self._core.local_block(index)

    def local_blocks(self, start: int, end: int, max_bytes: int) -> list[bytes]:
        """See ``Hypercore.local_blocks``."""
        return self._core.local_blocks(start, min(end, self.length), max_bytes)

    async def get(
        self,
        index: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  (as Hypercore.get)
        wait: bool = True,
    ) -> bytes:
        """The block; raises BlockNotAvailable when the time is over."""
        seconds = self._seconds if timeout is None else timeout
        try:
            return await self._core.get(index, timeout=seconds, wait=wait)
        except BlockOutOfRange as error:
            raise BlockNotAvailable(str(error)) from error

    async def append(self, blocks: Sequence[bytes]) -> int:
        """An index that is replayed is not written to."""
        raise AssertionError("an index that is replayed is not written to")
