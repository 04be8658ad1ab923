"""``Hypercore``: one log, as programs use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import Manifest
from protocol.hypercore.core import TreeHead


class Hypercore:
    """One append-only log: stored here, signed by its writer, replicated with peers.

    Made by ``Corestore.get``; lives until the store closes.
    """

    key: bytes
    discovery_key: bytes
    manifest: Manifest | None
    key_pair: KeyPair | None

    @property
    def length(self) -> int:
        """Number of blocks of the newest verified (own: durable) head."""
        raise NotImplementedError

    @property
    def byte_length(self) -> int:
        """Bytes of all blocks of that head."""
        raise NotImplementedError

    @property
    def contiguous_length(self) -> int:
        """Number of blocks held from block 0 on without a gap."""
        raise NotImplementedError

    @property
    def fork(self) -> int:
        """How often the log was truncated."""
        raise NotImplementedError

    @property
    def head(self) -> TreeHead:
        """The newest verified head."""
        raise NotImplementedError

    @property
    def writable(self) -> bool:
        """Whether this store can sign for the log."""
        raise NotImplementedError

    async def append(
        self,
        blocks: bytes | Sequence[bytes],
        *,
        also: Iterable[tuple[bytes, bytes | None]] = (),
    ) -> int:
        """Append one block or several; returns the new length once it is durable.

        ``also`` are records (``store.records.table(name).record(key, value)``) for the same
        transaction; ``None`` deletes.
        """
        raise NotImplementedError

    def local_block(self, index: int) -> bytes | None:
        """The block, if it is stored here."""
        raise NotImplementedError

    def has(self, index: int) -> bool:
        """Whether the block is stored here."""
        raise NotImplementedError

    async def get(self, index: int, *, timeout: float | None = None, wait: bool = True) -> bytes:
        """The block; waits for a peer when it is not stored here.

        Raises:
          BlockNotAvailable: not here and ``wait`` is false, or ``timeout`` seconds passed.
          BlockOutOfRange: negative, or past the end of a log that only this store writes.
        """
        raise NotImplementedError

    async def update(self, *, wait: bool = False) -> bool:
        """Learn the newest head that connected peers have; True if the log grew."""
        raise NotImplementedError

    async def download(self, start: int = 0, end: int | None = None) -> None:
        """Fetch blocks ``start`` to ``end`` (default: the present length); returns when all are here."""
        raise NotImplementedError

    async def truncate(self, length: int, fork: int | None = None) -> None:
        """Drop the blocks from ``length`` on and raise the fork number; durable on return."""
        raise NotImplementedError

    async def wait_for_length(self, length: int) -> None:
        """Return when the log has at least ``length`` blocks."""
        raise NotImplementedError

    def changes(self) -> AsyncIterator[TreeHead]:
        """The newest head each time it changed since the last step (heads may be skipped)."""
        raise NotImplementedError
