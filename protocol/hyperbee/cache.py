"""Decoded blocks kept for the next reader, within room that many readers may share."""

from __future__ import annotations

from weakref import WeakSet

from ..limits import DECODED_INDEX_FACTOR, MAX_CACHED_BEE_BLOCKS, MAX_CACHED_BEE_BYTES
from .blocks import BeeBlock


class CacheRoom:
    """Room for at most ``max_blocks`` decoded blocks of about ``max_bytes``, of all its caches.

    Together they forget roughly what was unused for longest: blocks live in a young and an old
    half; a hit in the old half moves the block to the young one, and a full young half becomes the
    old one. That costs one dictionary look-up for a hit, where an exact order would cost several
    steps. So a cache that is not used gives its room to the others.

    A cache that is dropped while its blocks are young leaves their room unused until the halves
    change.
    """

    def __init__(
        self, max_blocks: int = MAX_CACHED_BEE_BLOCKS, max_bytes: int = MAX_CACHED_BEE_BYTES
    ) -> None:
        self._half_blocks = max_blocks // 2
        self._half_bytes = max_bytes // 2
        self._young_blocks = 0
        self._young_bytes = 0
        self._caches: WeakSet[BlockCache] = WeakSet()

    def enter(self, cache: BlockCache) -> None:
        """Let a cache use the room for as long as it lives."""
        self._caches.add(cache)

    def take(self, size_bytes: int) -> None:
        """One more block is young, somewhere; others are forgotten when that is too much."""
        self._young_blocks += 1
        self._young_bytes += size_bytes
        if self._young_blocks > self._half_blocks or self._young_bytes > self._half_bytes:
            self._young_blocks = self._young_bytes = 0
            for cache in self._caches:
                cache.grow_old()


class BlockCache:
    """Decoded blocks of one log, in a ``room`` that is shared with other caches or its own.

    Young blocks keep their decoded levels, which take several times the room of the encoded index
    and are counted as such. Those of old blocks are decoded again when needed.
    """

    def __init__(self, room: CacheRoom | None = None) -> None:
        self._room = CacheRoom() if room is None else room
        self._room.enter(self)
        self._young: dict[int, BeeBlock] = {}
        self._old: dict[int, BeeBlock] = {}

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
        self._room.take(
            len(block.key) + len(block.value or b"") + DECODED_INDEX_FACTOR * len(block.index)
        )

    def grow_old(self) -> None:
        """Forget the old blocks, and make all others old."""
        for block in self._young.values():
            block.forget_levels()
        self._old = self._young
        self._young = {}

    def clear(self) -> None:
        """Forget everything: the core was truncated."""
        self._young.clear()
        self._old.clear()
