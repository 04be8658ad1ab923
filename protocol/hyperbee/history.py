"""Reading the operations of a version in the order they were written."""

from __future__ import annotations

from typing import NamedTuple

from .reading import NO_BLOCKS, BlockReads, Blocks, read_block


class Operation(NamedTuple):
    """One block as an operation.

    Attributes:
      deleted: whether it removed the key; else it put it.
      seq: number of the block.
      key: raw bytes.
      value: None for a deletion, and for a put of no value.
    """

    deleted: bool
    seq: int
    key: bytes
    value: bytes | None

    @property
    def type(self) -> str:
        """``"put"`` or ``"del"``."""
        return "del" if self.deleted else "put"


class HistoryReader:
    """The operations of blocks ``start`` to ``end`` (not included), one ``next`` at a time.

    Args:
      version: number of blocks.
      gt, gte, lt, lte: bounds on seq; a negative number counts back from ``version``. The
        header, block 0, is never part of it.
      reverse: newest first.
      limit: how many at most; None for all.
    """

    def __init__(
        self,
        version: int,
        *,
        gt: int | None = None,
        gte: int | None = None,
        lt: int | None = None,
        lte: int | None = None,
        reverse: bool = False,
        limit: int | None = None,
        blocks: Blocks = NO_BLOCKS,
    ) -> None:
        def absolute(seq: int) -> int:
            return seq + version if seq < 0 else seq

        start, end = 1, version
        if gt is not None:
            start = max(start, absolute(gt) + 1)
        if gte is not None:
            start = max(start, absolute(gte))
        if lt is not None:
            end = min(end, absolute(lt))
        if lte is not None:
            end = min(end, absolute(lte) + 1)
        self._seqs = range(start, end)[::-1] if reverse else range(start, end)
        if limit is not None:
            self._seqs = self._seqs[: max(0, limit)]
        self._below = version
        self._blocks = blocks

    def next(self) -> BlockReads[Operation | None]:
        """The next operation, or None behind the last one.

        Raises:
          BeeBlockError: a block is not one of a Hyperbee.
        """
        if not self._seqs:
            return None
        seq, self._seqs = self._seqs[0], self._seqs[1:]
        block = yield from read_block(seq, self._below, self._blocks)
        return Operation(block.is_deletion_untrusted(), seq, block.key, block.value)

    def ahead(self, local: Blocks, count: int) -> list[int]:
        """At most ``count`` blocks that coming calls of ``next`` will ask for."""
        return [seq for seq in self._seqs[:count] if local.get(seq) is None]
