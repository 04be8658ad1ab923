"""``Hypercore``: one log, as programs use it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import trio

from protocol.crypto.keys import KeyPair
from protocol.crypto.manifest import Manifest
from protocol.errors import LocalProtocolError
from protocol.hypercore.core import CoreChange, TreeHead
from protocol.hypercore.merkle.byte_seek import Unknown, seek_byte
from protocol.hypercore.replication.events import ForkObserved
from protocol.limits import MAX_LOG_LENGTH_BLOCKS
from protocol.transparency.proofs.log_frauds import LogFraudProof

from ...progress import Progress
from ..environments.committer import Committer
from ..environments.records import Record
from ..errors import BlockNotAvailable, BlockOutOfRange, StoreClosed
from ..pulse import Pulse
from .awaited_blocks import AwaitedBlocks
from .core_storage import CoreStorage
from .encryption import LogEncryption
from .head_changes import HeadChanges
from .heads import LogHeads
from .replication import CoreReplication
from .snapshot import Snapshot
from .writer import LogWriter

# About 50 microseconds of reads between two turns of the other tasks.
_GETS_PER_CHECKPOINT = 32


class Hypercore:
    """One append-only log: stored here, signed by its writer, replicated with peers.

    Made by ``Corestore.get``, which gives the same object for the same log. It lives until the
    store closes; after that every call raises ``StoreClosed``. Any number of tasks may use it.
    """

    def __init__(
        self, storage: CoreStorage, committer: Committer, *, heads: LogHeads | None = None
    ) -> None:
        """``heads`` only for a log that may never be truncated."""
        self._storage = storage
        self._committer = committer
        self._closed = False
        self._changed = Pulse()
        self._activity = Pulse()
        self._awaited = AwaitedBlocks()
        self._local_gets = 0
        self._encryption = LogEncryption(storage)
        self._writer = LogWriter(storage, committer, self._encryption, heads)
        self._heads = heads
        self._replication = CoreReplication(
            storage,
            on_applied=self._applied,
            on_activity=self._activity.beat,
            on_refused=self._awaited.wake_all,
            heads=heads,
        )
        storage.on_commit = self._committed
        if heads is not None:
            heads.on_proof(self._proven)

    def __repr__(self) -> str:
        return f"<Hypercore {self.key.hex()[:12]}… length={self.length} fork={self.fork}>"

    # What it is -----------------------------------------------------------------------------------

    @property
    def key(self) -> bytes:
        """The 32-byte key: whoever has it can find, read and verify the log."""
        return self._storage.key

    @property
    def discovery_key(self) -> bytes:
        """The 32-byte id under which peers look for it; does not reveal the key."""
        return self._storage.discovery_key

    @property
    def manifest(self) -> Manifest | None:
        """Who may sign; None until a peer has told us."""
        return self._storage.manifest

    @property
    def key_pair(self) -> KeyPair | None:
        """The writer's key pair, if it is here; a signer outside keeps it to itself."""
        signer = self._storage.signer
        return signer if isinstance(signer, KeyPair) else None

    @property
    def writable(self) -> bool:
        """Whether this store can sign for the log."""
        return self._storage.can_sign

    @property
    def head(self) -> TreeHead:
        """The newest verified head; of our own log, the newest durable one."""
        return self._storage.head

    @property
    def length(self) -> int:
        """Number of blocks at ``head``."""
        return self._storage.head.length

    @property
    def byte_length(self) -> int:
        """Bytes of all blocks at ``head``; of an encrypted log, without their padding."""
        return self.byte_length_at(self._storage.head)

    @property
    def fork(self) -> int:
        """How often the log was truncated."""
        return self._storage.head.fork

    @property
    def contiguous_length(self) -> int:
        """Number of blocks stored here from block 0 on without a gap."""
        return self._storage.contiguous_length

    @property
    def remote_length(self) -> int:
        """The greatest length that a connected peer has told us it holds verified."""
        return self._replication.remote_length

    @property
    def encrypted(self) -> bool:
        """Whether blocks are encrypted when they are appended, and decrypted when they are read."""
        return self._encryption.key is not None

    @property
    def storage(self) -> CoreStorage:
        """The ``CoreReader`` for code that proves and verifies; its blocks are not decrypted."""
        return self._storage

    @property
    def heads(self) -> LogHeads | None:
        """The heads seen of this log, if it may never be truncated; None if it may."""
        return self._heads

    @property
    def replication(self) -> CoreReplication:
        """The side of the log that sessions with peers use."""
        return self._replication

    @property
    def peer_count(self) -> int:
        """Connected peers that have a channel for this log."""
        return self._replication.peer_count

    # Writing --------------------------------------------------------------------------------------

    async def append(self, blocks: bytes | Sequence[bytes], *, also: Iterable[Record] = ()) -> int:
        """Append one block, or several as a unit; gives the length after them, once durable.

        Appends of several tasks at a time share one signature and one sync. ``also`` are records
        (``store.records.table(name).record(key, value)``) for the same transaction. A cancelled
        append may still happen.

        Raises:
          NotWritable: this store cannot sign for the log, or it is encrypted and its encryption
            key was not given.
          LogViolated, WriterConflict: it was signed elsewhere too; see ``LogHeads.check_writing``.
          BlockTooLarge: a block is over ``MAX_BLOCK_BYTES``; nothing was appended.
          StoreReadOnly: the disk failed; nothing was appended.
          StoreClosed: the store is closed.
        """
        self._check_open()
        return await self._writer.append(blocks, also)

    async def append_signed(self, blocks: bytes | Sequence[bytes], head: TreeHead) -> int:
        """Append what several signers agreed on; gives the length after it, once durable.

        ``head`` is the one behind these blocks with the signatures of a quorum: of
        ``append_blocks``, ``sign_partial`` of each signer, and ``assemble_head``, all in
        ``protocol.hypercore.merkle.growth``. No key is needed here. Blocks are stored as given, so
        those of an encrypted log have to be encrypted. What a peer has brought before is completed.

        Raises:
          NotWritable: the head is not what these blocks lead to from here, or lacks signatures.
          LogViolated, BlockTooLarge, StoreReadOnly, StoreClosed: see ``append``.
        """
        self._check_open()
        return await self._writer.append_signed(blocks, head)

    async def truncate(self, length: int, fork: int | None = None) -> None:
        """Drop the blocks from ``length`` on, raise the fork number, sign that; then durable.

        ``fork`` defaults to the next number. To the present length without ``fork``: does nothing.

        Raises:
          NotWritable: this store cannot sign for the log, or it may never be truncated.
          BlockOutOfRange: the log is shorter, or its prologue longer.
          ValueError: ``fork`` is not greater than the present one.
          StoreReadOnly, StoreClosed: see ``append``.
        """
        self._check_open()
        await self._writer.truncate(length, fork)

    async def truncate_signed(self, head: TreeHead) -> None:
        """Truncate to what several signers agreed on; then durable.

        ``head`` is ``head_at(core.storage, length, fork)`` of ``protocol.hypercore.merkle.growth``,
        made by each signer and assembled as for ``append_signed``. No key is needed here.

        Raises:
          NotWritable: the head is none that this log had at that length, its fork number is not
            greater than the present one, it lacks signatures, or the log may never be truncated.
          BlockOutOfRange, StoreReadOnly, StoreClosed: see ``truncate``.
        """
        self._check_open()
        await self._writer.truncate_signed(head)

    async def clear(self, start: int, end: int) -> None:
        """Forget the stored blocks from ``start`` to before ``end``; they can be fetched again.

        Raises:
          BlockOutOfRange: not a range inside the log.
          StoreReadOnly, StoreClosed: see ``append``.
        """
        self._check_open()
        if not 0 <= start <= end <= self.length:
            raise BlockOutOfRange(f"blocks {start} to {end} are not inside {self.length} blocks")
        await self._storage.clear(start, end).wait()
        self._replication.core_changed()

    # Reading --------------------------------------------------------------------------------------

    def has(self, index: int) -> bool:
        """Whether the block is stored here."""
        return self._storage.has(index)

    def local_block(self, index: int) -> bytes | None:
        """The block, if it is stored here.

        Raises:
          DecodeError: there is an encryption key, and the block was never encrypted.
          StoreClosed: the store is closed.
        """
        self._check_open()
        block = self._storage.block(index)
        return None if block is None else self._encryption.in_the_clear(index, block)

    def local_blocks(self, start: int, end: int, max_bytes: int) -> list[bytes]:
        """The blocks from ``start`` to before ``end``, up to the first that is not stored here.

        No more of them follow once they are ``max_bytes`` together, as they are stored. Many at a
        time cost a fraction of what they cost one by one.

        Raises:
          DecodeError, StoreClosed: see ``local_block``.
        """
        self._check_open()
        blocks = self._storage.blocks(max(start, 0), end, max_bytes)
        if not self.encrypted:
            return blocks
        in_the_clear = self._encryption.in_the_clear
        return [in_the_clear(index, block) for index, block in enumerate(blocks, max(start, 0))]

    async def get(
        self,
        index: int,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  (public contract)
        wait: bool = True,
    ) -> bytes:
        """The block; waits for a peer that has it when it is not stored here.

        A block past the end of another's log is waited for until the log has grown.

        Raises:
          BlockNotAvailable: not here and ``wait`` is false, or ``timeout`` seconds have passed.
          BlockOutOfRange: negative, or past the end of a log that only this store writes.
          DecodeError: there is an encryption key, and the block was never encrypted.
          StoreReadOnly: the disk failed, so what peers send cannot be stored.
          StoreClosed: the store is, or was, closed.
        """
        self._check_open()
        block = self._storage.block(index)
        if block is not None:
            # A full checkpoint costs ten times the read; other tasks still get their turn.
            self._local_gets += 1
            if self._local_gets % _GETS_PER_CHECKPOINT:
                await trio.lowlevel.checkpoint_if_cancelled()
            else:
                await trio.lowlevel.checkpoint()
            return self._encryption.in_the_clear(index, block)
        if not 0 <= index < MAX_LOG_LENGTH_BLOCKS or (self.writable and index >= self.length):
            raise BlockOutOfRange(f"there is no block {index} in {self.length} blocks")
        if wait:
            with trio.move_on_after(float("inf") if timeout is None else timeout):
                return self._encryption.in_the_clear(index, await self._fetch(index))
        raise BlockNotAvailable(f"block {index} is not stored here")

    async def seek(
        self,
        byte_offset: int,
        *,
        head: TreeHead | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  (as get)
        wait: bool = True,
    ) -> tuple[int, int]:
        """The index of the block with byte ``byte_offset``, and the offset inside that block.

        Bytes count as in ``byte_length``, whose value gives ``(length, 0)``. Where the tree is not
        stored here on the way, a few blocks are fetched that verify it. ``head`` is an earlier
        head of the same fork.

        Raises:
          BlockOutOfRange: negative, or past the end of the log.
          BlockNotAvailable: the way is not stored here and ``wait`` is false, or ``timeout``
            seconds have passed; or the log was truncated below ``head`` meanwhile.
          StoreReadOnly, StoreClosed: see ``get``.
        """
        self._check_open()
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(float("inf") if timeout is None else timeout):
            while True:
                # Between a truncation and its commit, the nodes are not those of the head shown.
                while self._storage.tip.fork != self.fork and (writing := self._storage.writing):
                    await writing.wait()
                if head is not None and head.fork != self.fork:
                    raise BlockNotAvailable("the log was truncated")
                at = head or self.head
                try:
                    found = seek_byte(
                        self._storage, at, byte_offset, self._encryption.padding_bytes
                    )
                except LocalProtocolError as error:
                    raise BlockOutOfRange(str(error)) from error
                if not isinstance(found, Unknown):
                    return found
                if not wait:
                    break
                await self._fetch(found.block)
        raise BlockNotAvailable(f"the way to byte {byte_offset} is not stored here")

    def snapshot(self) -> Snapshot:
        """The log as it is now: read-only, and of fixed length, whatever is appended later."""
        self._check_open()
        return Snapshot(self, self.head, self._storage.share())

    async def download(self, start: int = 0, end: int | None = None) -> None:
        """Fetch the blocks from ``start`` to before ``end``; returns when all are stored here.

        ``end`` defaults to the present length.

        Raises:
          BlockOutOfRange: not a range of blocks.
          StoreReadOnly: the disk failed, so what peers send cannot be stored.
          StoreClosed: the store is, or was, closed.
        """
        self._check_open()
        end = self.length if end is None else end
        if not 0 <= start <= MAX_LOG_LENGTH_BLOCKS or not end <= MAX_LOG_LENGTH_BLOCKS:
            raise BlockOutOfRange(f"{start} to {end} is not a range of blocks")
        start = max(start, min(end, self.contiguous_length))
        await trio.lowlevel.checkpoint()
        while self._storage.missing(start, end):
            self._check_can_fetch()
            with self._wanted(start, end):
                missing = self._storage.missing(start, end)
                if missing:
                    await self._awaited.wait_for_range(start, end, missing)

    async def download_all(self, progress: Progress) -> None:
        """``download`` everything there is now, and let others see how far it is."""
        length = self.length
        missing = self._storage.missing(0, length)
        what = f"Fetching log {self.key.hex()[:8]}"
        with progress.measured(
            what, "blocks", missing, lambda: missing - self._storage.missing(0, length)
        ):
            await self.download(0, length)

    @contextlib.contextmanager
    def tail(self, start: int = 0) -> Iterator[None]:
        """While the block runs, fetch every block from ``start`` on, also those yet to come."""
        self._check_open()
        want = self._replication.want(start, None)
        try:
            yield
        finally:
            if not self._closed:
                self._replication.unwant(want)

    async def update(self, *, wait: bool | None = None) -> bool:
        """Learn the newest head that connected peers have told of; True if the log changed.

        ``wait`` true waits until it changed. By default that is only done for a log of which
        nothing is known yet, and which is not ours.

        Raises:
          StoreClosed: the store is, or was, closed.
        """
        self._check_open()
        before = self.head
        if wait is None:
            wait = not self.writable and before.length == 0
        await trio.lowlevel.checkpoint()
        while self._replication.updating or (wait and self.head is before):
            await self._activity.wait()
        return self.head is not before

    async def wait_for_length(self, length: int) -> None:
        """Return when the log has at least ``length`` blocks.

        Raises:
          StoreClosed: the store is, or was, closed.
        """
        self._check_open()
        if self.length >= length:
            await trio.lowlevel.checkpoint()
        while self.length < length:
            await self._changed.wait()

    async def wait_for_activity(self) -> None:
        """Return when peers did anything, or our own growth became durable.

        Raises:
          StoreClosed: the store is, or was, closed.
        """
        await self._activity.wait()

    def changes(self) -> HeadChanges:
        """``async for head in core.changes()``: the newest head whenever it has changed.

        Begins with the first change after this call; a slow reader misses heads in between.
        """
        self._check_open()
        return HeadChanges(self._storage, self._changed)

    def on_fork(self, listener: Callable[[ForkObserved], None]) -> Callable[[], None]:
        """Call back for every fork of this log that a peer shows; gives a function to stop it."""
        return self._replication.on_fork(listener)

    # Inside ---------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the channels of peers and wake whoever waits; for the store, when it closes."""
        self._closed = True
        self._replication.close()
        self._changed.close()
        self._activity.close()
        self._awaited.wake_all()

    @property
    def restored_length(self) -> int | None:
        """How long this log of our own was in the backup it comes from, until that is confirmed.

        None for every log that may be written, and for those of others.
        """
        return self._writer.restored_length

    @property
    def writer(self) -> LogWriter:
        """The side of the log that writes; for the store."""
        return self._writer

    def forbid_truncation(self, heads: LogHeads) -> None:
        """It became known that this log may never be truncated; for the store.

        The channels of all peers are closed.
        """
        self._heads = self._writer.heads = heads
        heads.on_proof(self._proven)
        self._replication.watch_heads(heads)

    def release_writing(self) -> None:
        """The restored log is known to be the newest; for the store."""
        self._writer.release()
        self._activity.beat()

    def byte_length_at(self, head: TreeHead) -> int:
        """Bytes of all blocks at a head of this log, without padding; for snapshots."""
        return head.byte_length - head.length * self._encryption.padding_bytes

    @property
    def encryption(self) -> LogEncryption:
        """Its encryption key and what follows from it; for the store."""
        return self._encryption

    async def _fetch(self, index: int) -> bytes:
        while (block := self._storage.block(index)) is None:
            self._check_can_fetch()
            with self._wanted(index, index + 1):
                if not self._storage.has(index):
                    await self._awaited.wait_for_block(index)
        return block

    @contextlib.contextmanager
    def _wanted(self, start: int, end: int) -> Iterator[None]:
        want = self._replication.want(start, end)
        try:
            yield
        finally:
            self._replication.unwant(want)

    def _applied(self, change: CoreChange) -> None:
        self._awaited.arrived(index for index, _ in change.blocks)
        if change.head is not None:
            self._changed.beat()
        if self._heads is not None:
            self._heads.tree_changed()

    def _proven(self, proof: LogFraudProof) -> None:
        self._activity.beat()

    def _committed(self, grew: bool) -> None:
        if grew:
            self._changed.beat()
            self._activity.beat()
            self._replication.core_changed()
            if self._heads is not None:
                self._heads.tree_changed()

    def _check_can_fetch(self) -> None:
        self._check_open()
        self._committer.check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed("the store was closed")
