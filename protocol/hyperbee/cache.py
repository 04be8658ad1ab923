"""Decoded blocks kept for the next reader."""

from __future__ import annotations

from ..limits import DECODED_INDEX_FACTOR, MAX_CACHED_BEE_BLOCKS, MAX_CACHED_BEE_BYTES
from .blocks import BeeBlock


class BlockCache:
    """At most ``max_blocks`` decoded blocks of about ``max_bytes`` together.

    It forgets roughly what was unused for longest: blocks live in a young and an old half; a hit in
    the old half moves the block to the young one, and a full young half becomes the old one. That
    costs one dictionary look-up for a hit, where an exact order would cost several steps.

    Blocks of the young half keep their decoded levels, which take several times the room of the
    encoded index and are counted as such. Those of the old half are decoded again when needed.
    """

    def __init__(
        self, max_blocks: int = MAX_CACHED_BEE_BLOCKS, max_bytes: int = MAX_CACHED_BEE_BYTES
    ) -> None:
        self._half_blocks = max_blocks // 2
        self._half_bytes = max_bytes // 2
        self._young: dict[int, BeeBlock] = {}
        self._old: dict[int, BeeBlock] = {}
        self._young_bytes = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, seq: int, /) -> BeeBlock | None:
        """The block, if kept."""
        block = self._young.get(seq)
        if block is None:
            block = self._old.pop(seq, None)
            if block is not None:
                self.add(block)
        return block

    def add(self, block: BeeBlock) -> None:
        """Keep a block, and forget others when that is too much."""
        self._old.pop(block.seq, None)
        self._young[block.seq] = block
        self._young_bytes += (
            len(block.key) + len(block.value or b"") + DECODED_INDEX_FACTOR * len(block.index)
        )
        if len(self._young) > self._half_blocks or self._young_bytes > self._half_bytes:
            for each in self._young.values():
                each.forget_levels()
            self._old = self._young
            self._young = {}
            self._young_bytes = 0

    def clear(self) -> None:
        """Forget everything: the core was truncated."""
        self._young.clear()
        self._old.clear()
        self._young_bytes = 0
