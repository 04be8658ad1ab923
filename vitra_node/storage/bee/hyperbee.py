"""``Hyperbee``: a sorted key-value store in a Hypercore, as programs use it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from protocol.errors import LocalProtocolError
from protocol.hyperbee import (
    BeeBatch,
    BlockReads,
    Bounds,
    CacheRoom,
    CompareAndSwap,
    Difference,
    DiffReader,
    Entry,
    Header,
    HistoryReader,
    Operation,
    RangeReader,
    decode_header_untrusted,
    get,
    sub_bounds,
    sub_prefix,
)

from ..errors import NotWritable
from .tree import BeeCore, BeeTree, Entries
from .watch import BeeChange, BeeWatch

__all__ = ["Batch", "BeeChange", "BeeCore", "Entries", "Hyperbee"]

T = TypeVar("T")


def _without_prefix(cas: CompareAndSwap | None, prefix: bytes) -> CompareAndSwap | None:
    """Have ``cas`` see the keys of the sub it is used on."""
    if cas is None or not prefix:
        return cas
    ask, size = cas, len(prefix)
    return lambda before, after: ask(
        before._replace(key=before.key[size:]), after._replace(key=after.key[size:])
    )


class Batch:
    """Puts and deletions that ``Hyperbee.batch`` appends together.

    Any task may use it until its block ends; what is read here includes what the batch has done.
    """

    def __init__(self, tree: BeeTree, batch: BeeBatch, prefix: bytes) -> None:
        self._tree = tree
        self._batch = batch
        self._prefix = prefix
        self._turn = trio.Lock()

    async def get(self, key: bytes) -> Entry | None:
        """The entry of a key, or None."""
        found = await self._run(self._batch.get(self._prefix + key))
        return None if found is None else found._replace(key=key)

    async def put(
        self, key: bytes, value: bytes | None, *, cas: CompareAndSwap | None = None
    ) -> int | None:
        """Set a key; see ``Hyperbee.put``. The seq holds once the batch is appended."""
        return await self._run(
            self._batch.put(self._prefix + key, value, _without_prefix(cas, self._prefix))
        )

    async def delete(self, key: bytes, *, cas: CompareAndSwap | None = None) -> int | None:
        """Remove a key; see ``Hyperbee.delete``."""
        return await self._run(
            self._batch.delete(self._prefix + key, _without_prefix(cas, self._prefix))
        )

    async def _run(self, reads: BlockReads[T]) -> T:
        # An operation that waits for a block must be over before the next one changes the tree.
        try:
            self._turn.acquire_nowait()
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            return await self._tree.drive(reads)
        finally:
            self._turn.release()


class Hyperbee:
    """A view of the sorted key-value store in ``core``: keys and values are bytes.

    ``Hyperbee(core)`` shows the newest version and writes; ``checkout`` and ``snapshot`` show one
    version for ever; ``sub`` shows the keys behind a prefix. Views of one ``Hyperbee`` share their
    cache and take turns writing. There must be one ``Hyperbee`` for all that write to a core.

    Reading fetches only the blocks on the way to the answer, from peers where they are not stored
    here; it raises ``BlockNotAvailable`` when the core is truncated meanwhile, and
    ``BeeBlockError`` when the core does not hold a proper Hyperbee.

    Args:
      header: block 0, if the core is empty and this bee writes to it first.
      always_duplicate: whether a put of the value that stands is written again.
      room: for decoded blocks, shared with other Hyperbees; None for room of its own.
    """

    def __init__(
        self,
        core: BeeCore,
        *,
        header: Header | None = None,
        always_duplicate: bool = True,
        room: CacheRoom | None = None,
    ) -> None:
        self._tree = BeeTree(core, header, always_duplicate, room)
        self._version: int | None = None
        self._prefix = b""

    @property
    def core(self) -> BeeCore:
        """The core below."""
        return self._tree.core

    @property
    def tree(self) -> BeeTree:
        """What all views share, for code that stacks batches or drives readers of its own."""
        return self._tree

    @property
    def version(self) -> int:
        """Blocks of the core that this view shows; 1 is the empty tree."""
        return max(1, self._tree.core.length if self._version is None else self._version)

    @property
    def prefix(self) -> bytes:
        """What stands before the keys of this view in the core; empty unless it is a sub."""
        return self._prefix

    async def header(self) -> Header | None:
        """Block 0, or None while the core is empty.

        Raises:
          BeeBlockError: the core does not hold a Hyperbee.
        """
        core = self._tree.core
        return decode_header_untrusted(await core.get(0)) if core.length else None

    # Reading --------------------------------------------------------------------------------------

    async def get(self, key: bytes) -> Entry | None:
        """The entry of a key, or None."""
        tree = self._tree
        found = await tree.drive(get(self.version, self._prefix + key, tree.blocks))
        return None if found is None else found._replace(key=key)

    def range(
        self,
        *,
        gt: bytes | None = None,
        gte: bytes | None = None,
        lt: bytes | None = None,
        lte: bytes | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Entries[Entry]:
        """The entries between two keys, in the order of their keys as bytes.

        Raises:
          LocalProtocolError: two lower or two upper bounds.
        """
        tree = self._tree
        reader = RangeReader(
            self.version,
            self._bounds(Bounds(gt, gte, lt, lte)),
            reverse=reverse,
            limit=limit,
            blocks=tree.blocks,
        )
        return Entries(tree, reader, self._strip, reader.ahead)

    async def peek(
        self,
        *,
        gt: bytes | None = None,
        gte: bytes | None = None,
        lt: bytes | None = None,
        lte: bytes | None = None,
        reverse: bool = False,
    ) -> Entry | None:
        """The first entry that ``range`` would give, or None."""
        entries = self.range(gt=gt, gte=gte, lt=lt, lte=lte, reverse=reverse, limit=1)
        return await anext(entries, None)

    def history(
        self,
        *,
        gt: int | None = None,
        gte: int | None = None,
        lt: int | None = None,
        lte: int | None = None,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Entries[Operation]:
        """The puts and deletions in the order they were written.

        The bounds are numbers of blocks; negative ones count back from ``version``. ``limit``
        counts blocks, in a sub also those of keys outside it, which are left out.
        """
        tree = self._tree
        reader = HistoryReader(
            self.version,
            gt=gt,
            gte=gte,
            lt=lt,
            lte=lte,
            reverse=reverse,
            limit=limit,
            blocks=tree.blocks,
        )

        def strip(operation: Operation) -> Operation | None:
            if not operation.key.startswith(self._prefix):
                return None
            return operation._replace(key=operation.key[len(self._prefix) :])

        return Entries(tree, reader, strip, reader.ahead)

    def diff(
        self,
        other: int | Hyperbee,
        *,
        gt: bytes | None = None,
        gte: bytes | None = None,
        lt: bytes | None = None,
        lte: bytes | None = None,
        limit: int | None = None,
    ) -> Entries[Difference]:
        """The keys whose entry is not the same in this view (``left``) and ``other`` (``right``).

        ``other`` is a version, or another view of the same core.

        Raises:
          LocalProtocolError: two lower or two upper bounds, or a view of another core.
        """
        if isinstance(other, Hyperbee):
            if other.core is not self.core:
                raise LocalProtocolError("a difference is between versions of one core")
            other = other.version
        tree = self._tree
        bounds = self._bounds(Bounds(gt, gte, lt, lte))
        reader = DiffReader(self.version, other, bounds, limit=limit, blocks=tree.blocks)

        def strip(found: Difference) -> Difference:
            return Difference(
                found.left and self._strip(found.left), found.right and self._strip(found.right)
            )

        return Entries(tree, reader, strip)

    def watch(
        self,
        *,
        gt: bytes | None = None,
        gte: bytes | None = None,
        lt: bytes | None = None,
        lte: bytes | None = None,
    ) -> BeeWatch:
        """``async for current, previous in bee.watch(…)``: two trees whenever the range changed.

        Begins with the first change after this call; a slow reader gets several in one. In a log
        of another it fetches the blocks in which the trees differ; who makes the log grow is the
        caller (``core.tail``, ``core.update``).

        Raises:
          NotWritable: this view shows one version for ever, so nothing will change.
          LocalProtocolError: two lower or two upper bounds, or the core is not a ``Hypercore``.
        """
        self._check_newest()
        return BeeWatch(self, Bounds(gt, gte, lt, lte))

    # Views ----------------------------------------------------------------------------------------

    def checkout(self, version: int) -> Hyperbee:
        """This tree when its core had ``version`` blocks; read-only.

        In the middle of a batch there is no version to read: nothing but the end of a batch holds
        a whole tree.
        """
        return self._view(version, self._prefix)

    def snapshot(self) -> Hyperbee:
        """This tree as it is now; read-only."""
        return self.checkout(self.version)

    def sub(self, prefix: bytes, *, separator: bytes = b"\x00") -> Hyperbee:
        """The keys that begin with ``prefix`` and ``separator``, without these.

        In ``range`` without a lower bound, the keys ``b""`` and ``b"\\0"`` of a sub are left out,
        as in JavaScript.

        Raises:
          LocalProtocolError: such keys have no upper bound.
        """
        return self._view(self._version, sub_prefix(self._prefix, prefix, separator))

    def over(self, core: BeeCore) -> Hyperbee:
        """The same view, read through another view of its core, which waits in another way."""
        view = self._view(self._version, self._prefix)
        view._tree = self._tree.over(core)
        return view

    def _view(self, version: int | None, prefix: bytes) -> Hyperbee:
        view = object.__new__(Hyperbee)
        view._tree = self._tree
        view._version = version
        view._prefix = prefix
        return view

    # Writing --------------------------------------------------------------------------------------

    async def put(
        self, key: bytes, value: bytes | None, *, cas: CompareAndSwap | None = None
    ) -> int | None:
        """Set a key; durable when it returns.

        ``cas`` is asked, where the key stands, whether to replace its entry (first argument) by
        the new one (second).

        Returns: the seq of the new block, or None when nothing was written.

        Raises:
          NotWritable: this view or its core cannot be written.
          LocalProtocolError: key and value are over ``MAX_BEE_ENTRY_BYTES``.
          WriterConflict: something else appended to the core meanwhile.
        """
        self._check_newest()
        cas = _without_prefix(cas, self._prefix)
        async with self._tree.batch() as batch:
            return await self._tree.drive(batch.put(self._prefix + key, value, cas))

    async def delete(self, key: bytes, *, cas: CompareAndSwap | None = None) -> int | None:
        """Remove a key; durable when it returns. Where it does not stand, nothing is written.

        Returns and raises as ``put``.
        """
        self._check_newest()
        cas = _without_prefix(cas, self._prefix)
        async with self._tree.batch() as batch:
            return await self._tree.drive(batch.delete(self._prefix + key, cas))

    @asynccontextmanager
    async def batch(self) -> AsyncIterator[Batch]:
        """``async with bee.batch() as batch``: appended as a unit when the block ends.

        Nothing is written when the block raises. Others that write wait until then, so inside the
        block write through ``batch`` only.

        Raises:
          NotWritable, WriterConflict: see ``put``.
        """
        self._check_newest()
        async with self._tree.batch() as batch:
            yield Batch(self._tree, batch, self._prefix)

    # Inside ---------------------------------------------------------------------------------------

    def _check_newest(self) -> None:
        if self._version is not None:
            raise NotWritable("a checkout is read-only")

    def _bounds(self, bounds: Bounds) -> Bounds:
        return sub_bounds(self._prefix, bounds) if self._prefix else bounds

    def _strip(self, entry: Entry) -> Entry:
        return entry._replace(key=entry.key[len(self._prefix) :]) if self._prefix else entry
