"""The log of an index for whoever does not want to wait for ever: a missing block has its time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..storage.errors import BlockNotAvailable
from ..storage.log.hypercore import Hypercore

# How long peers have for one block that a reader asks for: several round trips on any link, and a
# peer that does not answer is given up by then.
READ_SECONDS = 15.0

# The same while nobody is connected: a node that has just begun may be about to connect.
UNCONNECTED_READ_SECONDS = 3.0


class BoundedCore:
    """Reads a log, and waits for each block that is missing here only so long.

    Args:
      seconds: how long a block may take, as things are now.
    """

    def __init__(self, core: Hypercore, seconds: Callable[[], float]) -> None:
        self._core = core
        self._seconds = seconds

    @property
    def key(self) -> bytes:
        """The public key of the log."""
        return self._core.key

    @property
    def length(self) -> int:
        """Number of blocks."""
        return self._core.length

    @property
    def fork(self) -> int:
        """How often the log was truncated."""
        return self._core.fork

    @property
    def writable(self) -> bool:
        """Whether blocks can be appended here."""
        return self._core.writable

    def local_block(self, index: int) -> bytes | None:
        """The block, if it is stored here."""
        return self._core.local_block(index)

    async def get(self, index: int) -> bytes:
        """The block; raises BlockNotAvailable, which names it."""
        seconds = self._seconds()
        try:
            return await self._core.get(index, timeout=seconds)
        except BlockNotAvailable as error:
            raise BlockNotAvailable(
                f"block {index} of the index, which no peer gave within {seconds:g} s"
            ) from error

    async def append(self, blocks: Sequence[bytes]) -> int:
        """See ``Hypercore.append``."""
        return await self._core.append(blocks)
