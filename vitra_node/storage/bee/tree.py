"""One core, and what all views of the Hyperbee in it share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from typing import Generic, Protocol, TypeAlias, TypeVar

import trio

from protocol.hyperbee import (
    BeeBatch,
    BeeBlock,
    BeeWriter,
    BlockCache,
    BlockReads,
    Blocks,
    CacheRoom,
    Header,
    decode_block_untrusted,
)
from protocol.limits import MAX_BEE_READ_AHEAD_BLOCKS

from ..errors import (
    BlockNotAvailable,
    NotWritable,
    StorageError,
    WriterConflict,
)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# A full checkpoint costs more than most reads; other tasks still get their turn.
_READS_PER_CHECKPOINT = 32


class BeeCore(Protocol):
    """What a Hyperbee needs of its core; a ``Hypercore`` is one."""

    @property
    def length(self) -> int:
        """Number of blocks."""

    @property
    def fork(self) -> int:
        """How often the core was truncated."""

    @property
    def writable(self) -> bool:
        """Whether blocks can be appended here."""

    def local_block(self, index: int) -> bytes | None:
        """A block, if it is stored here."""

    async def get(self, index: int) -> bytes:
        """A block, fetched from a peer if need be."""

    async def append(self, blocks: Sequence[bytes]) -> int:
        """Append blocks as a unit; gives the new length, once durable."""


class Reader(Protocol[T_co]):
    """One of the readers of ``protocol.hyperbee``."""

    def next(self) -> BlockReads[T_co | None]:
        """The next result, or None."""


Ahead: TypeAlias = Callable[[Blocks, int], list[int]]


class Entries(Generic[T]):
    """What ``range``, ``history`` and ``diff`` give: ``async for`` over the results.

    It stays with the version that the bee had at the call. Leaving the loop early needs no care.
    """

    def __init__(
        self,
        tree: BeeTree,
        reader: Reader[T],
        finish: Callable[[T], T | None],
        ahead: Ahead | None = None,
    ) -> None:
        self._tree = tree
        self._reader = reader
        self._finish = finish
        self._ahead = ahead

    def __aiter__(self) -> Entries[T]:
        return self

    async def __anext__(self) -> T:
        while (found := await self._tree.drive(self._reader.next(), self._ahead)) is not None:
            finished = self._finish(found)
            if finished is not None:
                return finished
        raise StopAsyncIteration


class BeeTree:
    """One core and what all views of its tree share: decoded blocks, and the turn to write.

    Attributes:
      room: where decoded blocks are kept, with those of others if it was given.
    """

    def __init__(
        self,
        core: BeeCore,
        header: Header | None = None,
        always_duplicate: bool = True,
        room: CacheRoom | None = None,
    ) -> None:
        self.core = core
        self.room = CacheRoom() if room is None else room
        self._header = header
        self._always_duplicate = always_duplicate
        self._fork = core.fork
        self._cache = BlockCache(self.room)
        self._writer: BeeWriter | None = None
        self._writing = trio.Lock()
        self._reads = 0

    def over(self, core: BeeCore) -> BeeTree:
        """The same tree, to be read through another view of its core; shares what is at hand."""
        view = copy(self)
        view.core = core
        return view

    @property
    def blocks(self) -> BlockCache:
        """Decoded blocks at hand."""
        if self.core.fork != self._fork:
            self._fork = self.core.fork
            self._cache = BlockCache(self.room)
            self._writer = None
        return self._cache

    def get(self, seq: int, /) -> BeeBlock | None:
        """A block, if it is stored here."""
        block = self._cache.get(seq)
        if block is None:
            data = self.core.local_block(seq) if seq < self.core.length else None
            if data is not None:
                block = decode_block_untrusted(data, seq)
                self._cache.add(block)
        return block

    async def drive(self, reads: BlockReads[T], ahead: Ahead | None = None) -> T:
        """Run a reader or writer, fetching the blocks it asks for; and those ``ahead`` of it."""
        core, cache, fork = self.core, self.blocks, self._fork
        waited = False
        try:
            seq = next(reads)
            while True:
                data = core.local_block(seq)
                if data is None:
                    data = await self._fetch(seq, ahead)
                    waited = True
                if core.fork != fork:
                    raise BlockNotAvailable("the core was truncated under its reader")
                block: BeeBlock = decode_block_untrusted(data, seq)
                cache.add(block)
                seq = reads.send(block)
        except StopIteration as stop:
            result: T = stop.value
        finally:
            reads.close()
        if not waited:
            await self.give_way()
        return result

    async def _fetch(self, seq: int, ahead: Ahead | None) -> bytes:
        """A block from a peer. Those ahead get as long again as it took, then are given up."""
        core = self.core
        others = [] if ahead is None else ahead(self, MAX_BEE_READ_AHEAD_BLOCKS)
        if not others:
            return await core.get(seq)

        async def fetch_ahead(other: int) -> None:
            # The reader meets the error itself if it needs the block.
            with suppress(StorageError):
                await core.get(other)

        started = trio.current_time()
        data: bytes | None = None
        failure: StorageError | None = None
        async with trio.open_nursery() as nursery:
            for other in others:
                if other != seq:
                    nursery.start_soon(fetch_ahead, other)
            try:
                data = await core.get(seq)
            except StorageError as error:
                failure = error
            nursery.cancel_scope.deadline = 2 * trio.current_time() - started
        if data is None:
            assert failure is not None
            raise failure
        return data

    async def give_way(self) -> None:
        """Let other tasks run now and then."""
        self._reads += 1
        if self._reads % _READS_PER_CHECKPOINT:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[WriterTurn]:
        """The turn to write: nobody else makes blocks for this tree while the block runs.

        Raises:
          NotWritable: this store cannot sign for the core.
        """
        core = self.core
        if not core.writable:
            raise NotWritable("this store cannot sign for the core of this Hyperbee")
        # Mostly nobody else writes, and then a turn of the scheduler would be a fifth of a put.
        try:
            self._writing.acquire_nowait()
        except trio.WouldBlock:
            await self._writing.acquire()
        try:
            cache = self.blocks
            writer = self._writer
            if writer is None or writer.length != core.length:
                writer = BeeWriter(
                    core.length,
                    cache=cache,
                    header=self._header,
                    always_duplicate=self._always_duplicate,
                )
            # Dropped until what it makes is known to be appended, so that a failure cannot leave a
            # writer that is ahead of its core.
            self._writer = None
            turn = WriterTurn(core, writer)
            yield turn
            if turn.settled:
                self._writer = writer
        finally:
            self._writing.release()

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[BeeBatch]:
        """A batch that nobody else writes beside; flushed and appended at the end."""
        async with self.writing() as turn:
            batch = turn.writer.begin()
            try:
                yield batch
                blocks = batch.flush()
            finally:
                batch.discard()
            await turn.append(blocks)


class WriterTurn:
    """The right to write to one tree, for a while.

    Attributes:
      writer: makes blocks, of one batch or of many; give all of them to ``append``.
      settled: whether the writer may go on with the next turn: nothing it made is missing.
    """

    def __init__(self, core: BeeCore, writer: BeeWriter) -> None:
        self.writer = writer
        self.settled = False
        self._core = core
        self._start = core.length
        self._fork = core.fork

    async def append(self, blocks: Sequence[bytes]) -> None:
        """Append everything that was made in this turn, as a unit; durable on return.

        Raises:
          WriterConflict: somebody else has changed the core; nothing was appended.
        """
        core = self._core
        if blocks:
            if core.length != self._start or core.fork != self._fork:
                raise WriterConflict("the core was changed by others while a batch was open")
            # A cancelled append may still happen, which the next turn would not know of.
            with trio.CancelScope(shield=True):
                await core.append(blocks)
            self.writer.appended()
        self.settled = True
