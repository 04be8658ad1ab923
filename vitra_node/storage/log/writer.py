"""``LogWriter``: who may write to one log, and in what order.

Appends wait for a truncation under way, and a truncation for what was appended before it. A log
that may never be truncated is not, and one whose key was used elsewhere is not written at all. The
key of a restored log is held back until peers have confirmed that nothing newer exists.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import trio

from protocol.crypto.keys import Signer
from protocol.errors import LocalProtocolError
from protocol.hypercore.core import CoreChange, TreeHead
from protocol.hypercore.merkle.growth import append_blocks, head_at, roots_at
from protocol.limits import MAX_BLOCK_BYTES

from ..environments.committer import Committer, Round
from ..environments.records import Record, as_writes
from ..errors import BlockOutOfRange, NotWritable
from .core_storage import CoreStorage
from .encryption import LogEncryption
from .given_blocks import as_blocks
from .heads import LogHeads


class LogWriter:
    """Writes to one log; ``Hypercore`` says what each call does and raises.

    Attributes:
      heads: of a log that may never be truncated; None for others.
      restored_length: how long the log was in the backup it comes from, until that is confirmed.
    """

    def __init__(
        self,
        storage: CoreStorage,
        committer: Committer,
        encryption: LogEncryption,
        heads: LogHeads | None,
    ) -> None:
        self.heads = heads
        self.restored_length: int | None = None
        self._storage = storage
        self._committer = committer
        self._encryption = encryption
        self._truncating: trio.Event | None = None
        self._withheld: Signer | None = None

    # Appending ------------------------------------------------------------------------------------

    async def append(self, blocks: bytes | Sequence[bytes], also: Iterable[Record]) -> int:
        """As ``Hypercore.append``."""
        new = as_blocks(blocks, MAX_BLOCK_BYTES - self._encryption.padding_bytes)
        self._check_can_sign()
        self._encryption.check_append()
        if self.heads is not None:
            self.heads.check_writing()
        while self._truncating is not None:
            await self._truncating.wait()
        if new:
            stored = self._encryption.encrypt_next(new)
            length, gathering = self._storage.stage_append(stored, also)
        else:
            length, gathering = self._storage.head.length, self._committer.submit(as_writes(also))
        await gathering.wait()
        return length

    async def append_signed(self, blocks: bytes | Sequence[bytes], head: TreeHead) -> int:
        """As ``Hypercore.append_signed``."""
        new = as_blocks(blocks, MAX_BLOCK_BYTES)
        if self.heads is not None:
            # A peer may have shown a newer head already: the signers answer for what they sign.
            self.heads.check_sound()
        while self._truncating is not None:
            await self._truncating.wait()
        gathering = self._complete(new, head) or self._storage.stage_signed(new, head)
        await gathering.wait()
        return head.length

    def _complete(self, blocks: list[bytes], head: TreeHead) -> Round | None:
        """Store the blocks of a head that a peer has brought before; None if the log ends before.

        Every signer may hand in what all have agreed on, and replicates it as well.
        """
        storage, start = self._storage, head.length - len(blocks)
        if head.fork != storage.head.fork or not 0 <= start < head.length <= storage.head.length:
            return None
        before, there = roots_at(storage, start), roots_at(storage, head.length)
        if before is None or there is None:
            return None
        size_bytes = sum(root.size for root in before)
        nodes, made = append_blocks(TreeHead(start, size_bytes, head.fork, before, None), blocks)
        if made.signed(head.signature) != head or made.roots != there:
            return None
        storage.check_signed(head)
        return storage.apply(CoreChange(nodes, list(enumerate(blocks, start))))

    # Truncating -----------------------------------------------------------------------------------

    async def truncate(self, length: int, fork: int | None) -> None:
        """As ``Hypercore.truncate``."""
        self._check_can_sign()
        self._check_can_truncate()
        async with self._alone():
            present = self._storage.head
            if fork is not None and fork <= present.fork:
                raise ValueError(f"fork {fork} does not follow fork {present.fork}")
            if length == present.length and fork is None:
                return
            head = self._head_at(length, present.fork + 1 if fork is None else fork)
            gathering = self._storage.stage_truncate(head)
        await gathering.wait()

    async def truncate_signed(self, head: TreeHead) -> None:
        """As ``Hypercore.truncate_signed``."""
        self._check_can_truncate()
        async with self._alone():
            if head.fork <= self._storage.head.fork:
                raise NotWritable(
                    f"fork {head.fork} does not follow fork {self._storage.head.fork}"
                )
            at = self._head_at(head.length, head.fork)
            if at.signed(head.signature) != head:
                raise NotWritable(f"this is not a head of the log at {head.length} blocks")
            gathering = self._storage.stage_signed_truncate(head)
        await gathering.wait()

    def _head_at(self, length: int, fork: int) -> TreeHead:
        try:
            return head_at(self._storage, length, fork)
        except LocalProtocolError as error:
            raise BlockOutOfRange(str(error)) from error

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """While this holds, all that was appended is durable, and nothing else is."""
        while self._truncating is not None:
            await self._truncating.wait()
        self._truncating = trio.Event()
        try:
            # Roots at an earlier length are read from what is stored, so that has to be all.
            while (writing := self._storage.writing) is not None:
                await writing.wait()
            yield
        finally:
            self._truncating.set()
            self._truncating = None

    # Who may --------------------------------------------------------------------------------------

    def _check_can_sign(self) -> None:
        if self._storage.can_sign:
            return
        manifest = self._storage.manifest
        if manifest is not None and manifest.quorum > 1:
            raise NotWritable(
                f"this log needs {manifest.quorum} signatures, and nothing was changed: give what"
                " the signers made to append_signed or truncate_signed"
            )
        raise NotWritable("this store cannot sign for this log")

    def _check_can_truncate(self) -> None:
        if self.heads is not None:
            raise NotWritable("this log may never be truncated")

    def hold(self, restored_length: int) -> None:
        """Have nothing signed, whoever gives a signer, until ``release``."""
        self.restored_length = restored_length
        self._withheld, self._storage.signer = self._storage.signer, None

    def release(self) -> None:
        """The restored log is known to be the newest."""
        self.restored_length = None
        self._storage.signer = self._withheld

    def allow(self, signer: Signer) -> None:
        """Who signs became known."""
        if self.restored_length is None:
            self._storage.signer = signer
        else:
            self._withheld = signer
