"""``Snapshot``: a log as it was, whatever is appended to it later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

from protocol.hypercore.core import TreeHead

from ..errors import BlockNotAvailable, BlockOutOfRange, NotWritable
from .shared_length import SharedLength

if TYPE_CHECKING:
    from .hypercore import Hypercore


class Snapshot:
    """A read-only view with a fixed length; made by ``Hypercore.snapshot``. A Hyperbee can read it.

    It keeps no blocks of its own. When the log is truncated below the snapshot, the blocks that
    are gone raise ``BlockNotAvailable``, also after others were appended in their place.

    Attributes:
      core: the log.
      head: its head when the snapshot was made.
    """

    writable = False

    def __init__(self, core: Hypercore, head: TreeHead, shared: SharedLength) -> None:
        self.core = core
        self.head = head
        self._shared = shared

    @property
    def key(self) -> bytes:
        """The 32-byte key of the log."""
        return self.core.key

    @property
    def length(self) -> int:
        """Number of blocks."""
        return self.head.length

    @property
    def fork(self) -> int:
        """How often the log had been truncated."""
        return self.head.fork

    @property
    def byte_length(self) -> int:
        """Bytes of all blocks; of an encrypted log, without their padding."""
        return self.core.byte_length_at(self.head)

    def has(self, index: int) -> bool:
        """Whether the block is stored here."""
        return 0 <= index < self._shared.length and self.core.has(index)

    def local_block(self, index: int) -> bytes | None:
        """The block, if it is stored here; raises as ``Hypercore.local_block``."""
        return self.core.local_block(index) if 0 <= index < self._shared.length else None

    async def get(
        self,
        index: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  (as Hypercore.get)
        wait: bool = True,
    ) -> bytes:
        """The block; waits for a peer that has it when it is not stored here.

        Raises:
          BlockOutOfRange: not a block of the snapshot.
          BlockNotAvailable: see ``Hypercore.get``; or the log was truncated below it.
          DecodeError, StoreReadOnly, StoreClosed: see ``Hypercore.get``.
        """
        if not 0 <= index < self.length:
            raise BlockOutOfRange(f"there is no block {index} in {self.length} blocks")
        while True:
            self._check_shared(index + 1)
            scope = trio.CancelScope()
            stop_waiting = scope.cancel
            self._shared.listeners.add(stop_waiting)
            try:
                with scope:
                    block = await self.core.get(index, timeout=timeout, wait=wait)
            finally:
                self._shared.listeners.discard(stop_waiting)
            if not scope.cancelled_caught:
                self._check_shared(index + 1)
                return block

    async def seek(
        self,
        byte_offset: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  (as Hypercore.get)
        wait: bool = True,
    ) -> tuple[int, int]:
        """The block with a byte, and the offset inside it; see ``Hypercore.seek``.

        Raises:
          BlockNotAvailable: see ``Hypercore.seek``; or the log was truncated.
          BlockOutOfRange, StoreReadOnly, StoreClosed: see ``Hypercore.seek``.
        """
        self._check_shared(self.length)
        found = await self.core.seek(byte_offset, head=self.head, timeout=timeout, wait=wait)
        self._check_shared(self.length)
        return found

    async def append(self, blocks: Sequence[bytes]) -> int:
        """Raises ``NotWritable``."""
        raise NotWritable("a snapshot is read-only")

    def _check_shared(self, length: int) -> None:
        if self._shared.length < length:
            raise BlockNotAvailable("the log was truncated under its snapshot")
