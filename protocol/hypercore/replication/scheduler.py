"""Which block to ask of which peer.

Wants are kept as they came: single blocks in a table, ranges as their two ends. There is no object
per block of the log, and nothing is scanned that was found stored before.

Work is dealt out in chunks of neighbouring blocks, one peer to a chunk, because the proofs of
neighbours share most of their nodes: a peer that is asked for a whole chunk sends about one node
per block. A peer that finds every chunk taken helps with one that is not finished.

Of the first blocks that are missing (``_STRIDE_BLOCKS``), a peer is asked for those first that the
fewest others have: should it leave, the rest is still to be had. Among equals, in order.

``pick`` is the only place that decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ..core import CoreReader
from .bitfield import RemoteBlocks

# Blocks of a chunk. 128 blocks of 64 KiB are the bytes that one peer may have in flight.
CHUNK_BLOCKS = 128
# Blocks looked at in one step: integers of this many bits.
_STRIDE_BLOCKS = 4096

_CHUNK_MASK = (1 << CHUNK_BLOCKS) - 1


class _RangeWant:
    """Blocks ``start`` to before ``end`` (None: for ever); all before ``cursor`` are stored."""

    __slots__ = ("cursor", "end", "start")

    def __init__(self, start: int, end: int | None) -> None:
        self.start = start
        self.end = end
        self.cursor = start

    def holds(self, index: int) -> bool:
        return self.start <= index and (self.end is None or index < self.end)


class BlockScheduler:
    """The wants of one log, and the blocks in flight.

    Attributes:
      version: changes whenever a peer that had nothing to pick should look again.
      in_flight: the peer asked for each block that is on its way.
    """

    def __init__(self, core: CoreReader) -> None:
        self._core = core
        self._next_id = 1
        self._singles: dict[int, int] = {}
        self._single_counts: dict[int, int] = {}
        self._waiting: dict[int, None] = {}
        self._ranges: dict[int, _RangeWant] = {}
        self._claims: dict[int, int] = {}
        self.version = 0
        self.in_flight: dict[int, int] = {}

    # wants ----------------------------------------------------------------------------------------

    def want(self, start: int, end: int | None) -> int:
        """Add a want; gives its number."""
        number = self._next_id
        self._next_id += 1
        self.version += 1
        if end == start + 1:
            self._singles[number] = start
            self._single_counts[start] = self._single_counts.get(start, 0) + 1
            if start not in self.in_flight and not self._core.has(start):
                self._waiting[start] = None
        else:
            self._ranges[number] = _RangeWant(start, end)
        return number

    def unwant(self, number: int) -> list[int] | None:
        """Take a want back; gives the blocks in flight that nothing wants any more.

        None if it had brought everything already, so that nobody needs to change their mind.
        """
        index = self._singles.pop(number, None)
        if index is not None:
            self._single_counts[index] -= 1
            if not self._single_counts[index]:
                del self._single_counts[index]
            if index not in self._waiting and index not in self.in_flight:
                return None
            if index not in self._single_counts:
                self._waiting.pop(index, None)
            idle = [index] if index in self.in_flight else []
        else:
            gone = self._ranges.pop(number, None)
            idle = [i for i in self.in_flight if gone is not None and gone.holds(i)]
        return [i for i in idle if not self.is_wanted(i)]

    def is_wanted(self, index: int) -> bool:
        """Whether any want covers the block."""
        return index in self._single_counts or any(w.holds(index) for w in self._ranges.values())

    @property
    def urgent(self) -> bool:
        """Whether a reader waits for a single block that nobody was asked for yet."""
        return bool(self._waiting)

    def first_beyond(self, length: int, end: int, blocks: RemoteBlocks) -> int | None:
        """The first wanted block from ``length`` on and before ``end`` that the peer has."""
        found = [i for i in self._waiting if length <= i < end and blocks.has(i)]
        for want in self._ranges.values():
            index = max(want.start, length)
            if index < end and want.holds(index) and blocks.has(index):
                found.append(index)
        return min((i for i in found if i not in self.in_flight), default=None)

    def missing_regions(self, blocks: RemoteBlocks, region_blocks: int) -> Iterator[int]:
        """Regions of ``region_blocks`` in which something is wanted that the peer may not have."""
        length = self._core.head.length
        seen = set()
        if blocks.contiguous >= length:
            return
        for index in self._waiting:
            region = index // region_blocks
            if index < length and region not in seen and not blocks.has(index):
                seen.add(region)
                yield region
        for want in self._ranges.values():
            end = length if want.end is None else min(want.end, length)
            if want.cursor < end:
                for region in range(want.cursor // region_blocks, (end - 1) // region_blocks + 1):
                    if region not in seen:
                        seen.add(region)
                        yield region

    # picking --------------------------------------------------------------------------------------

    def pick(
        self, peer: int, blocks: RemoteBlocks, others: Sequence[RemoteBlocks] = ()
    ) -> list[int]:
        """Blocks to ask this peer for next, **last first**; empty when it has nothing for us.

        ``others`` are what other peers have who could be asked as well.
        They may come to be in flight or stored by the time they are asked for.
        """
        self.release(peer)
        length = self._core.head.length
        if self._waiting:
            available = (i for i in self._waiting if i < length and blocks.has(i))
            found = list(islice(available, CHUNK_BLOCKS))
            if found:
                found.reverse()
                return found
        for shared in (False, True):
            for want in self._ranges.values():
                picked = self._pick_chunk(peer, want, blocks, others, length, shared)
                if picked:
                    return picked
        return []

    def release(self, peer: int) -> None:
        """The peer has asked for all of its chunk, or left."""
        if peer in self._claims.values():
            self._claims = {chunk: p for chunk, p in self._claims.items() if p != peer}

    def _pick_chunk(
        self,
        peer: int,
        want: _RangeWant,
        blocks: RemoteBlocks,
        others: Sequence[RemoteBlocks],
        length: int,
        shared: bool,
    ) -> list[int]:
        core = self._core
        end = length if want.end is None else min(want.end, length)
        if want.cursor < core.contiguous_length:
            want.cursor = core.contiguous_length
        at = want.cursor
        while at < end:
            base = at & -_STRIDE_BLOCKS
            wanted = (1 << min(end - base, _STRIDE_BLOCKS)) - (1 << (at - base))
            lacking = wanted & ~int.from_bytes(core.bitfield(base, _STRIDE_BLOCKS), "little")
            if not lacking and at == want.cursor:
                want.cursor = min(base + _STRIDE_BLOCKS, end)
            left = lacking & blocks.mask(base, _STRIDE_BLOCKS)
            for rank in _rarest_first(left, base, others):
                picked = self._claim_chunk(peer, rank, base, shared)
                if picked:
                    return picked
            at = base + _STRIDE_BLOCKS
        return []

    def _claim_chunk(self, peer: int, left: int, base: int, shared: bool) -> list[int]:
        """The first chunk of the blocks in ``left`` that is free; with ``shared``, of all."""
        in_flight = self.in_flight
        while left:
            shift = ((left & -left).bit_length() - 1) & -CHUNK_BLOCKS
            bits = left >> shift & _CHUNK_MASK
            left &= ~(_CHUNK_MASK << shift)
            chunk = (base + shift) // CHUNK_BLOCKS
            if not shared and chunk in self._claims:
                continue
            picked = [i for i in _indexes(bits, base + shift) if i not in in_flight]
            if picked:
                if chunk not in self._claims:
                    self._claims[chunk] = peer
                    picked.reverse()
                # A helper works from the end, to meet the owner of the chunk.
                return picked
        return []

    # fates ----------------------------------------------------------------------------------------

    def requested(self, index: int, peer: int) -> None:
        """The block was asked for."""
        self.in_flight[index] = peer
        self._waiting.pop(index, None)

    def arrived(self, index: int) -> None:
        """The block was verified and is stored."""
        self.in_flight.pop(index, None)
        self._waiting.pop(index, None)

    def returned(self, index: int) -> None:
        """The block did not come: somebody else should be asked."""
        self.in_flight.pop(index, None)
        self.version += 1
        if index in self._single_counts:
            self._waiting[index] = None

    def rewind(self, length: int) -> None:
        """Blocks from ``length`` on may not be stored any more, and be wanted anew."""
        self.version += 1
        self._claims.clear()
        for want in self._ranges.values():
            want.cursor = max(want.start, min(want.cursor, length))
        for index in self._single_counts:
            if index >= length and index not in self.in_flight:
                self._waiting[index] = None


def _rarest_first(blocks: int, base: int, others: Sequence[RemoteBlocks]) -> Iterator[int]:
    """``blocks`` (bit i stands for block ``base + i``) in parts, by how many of ``others`` have
    them: first what none has, then what one has, and so on. Parts that are empty are left out."""
    # ``had[n]``: what more than n of them have.
    had: list[int] = []
    for other in others:
        more = blocks & other.mask(base, _STRIDE_BLOCKS)
        for n, before in enumerate(had):
            had[n], more = before | more, before & more
        if more:
            had.append(more)
    for more in had:
        if blocks & ~more:
            yield blocks & ~more
        blocks &= more
    if blocks:
        yield blocks


def _indexes(bits: int, start: int) -> Iterator[int]:
    while bits:
        low = bits & -bits
        yield start + low.bit_length() - 1
        bits ^= low
