"""Which blocks a peer says it has: a contiguous beginning and a bit per block after that.

Wire facts: specs/05-replication.md section 4. Bits are kept from block 0 on in one ``bytearray``,
lowest bit of each byte first, and only up to ``limit``: a peer that announces blocks far past the
end of our tree must not make us hold memory for them.
"""

from __future__ import annotations

from ...limits import MAX_BLOCKS_REMEMBERED_AHEAD


class RemoteBlocks:
    """The announcements of one peer for one log."""

    __slots__ = ("_bits", "clipped", "contiguous", "limit")

    def __init__(self, length: int) -> None:
        self._bits = bytearray()
        self.contiguous = 0
        self.limit = 0
        self.clipped = False
        self.set_length(length)

    def set_length(self, length: int) -> None:
        """Our tree has ``length`` blocks now: remember announcements some way past that."""
        self.limit = (length + MAX_BLOCKS_REMEMBERED_AHEAD) & ~31
        del self._bits[self.limit >> 3 :]

    def has(self, index: int) -> bool:
        """Whether the peer announced this block."""
        if index < self.contiguous:
            return True
        byte = index >> 3
        return byte < len(self._bits) and bool(self._bits[byte] >> (index & 7) & 1)

    def mask(self, start: int, length: int) -> int:
        """Bit i is set if the peer has block ``start + i``; ``start`` is a multiple of 8."""
        bits = int.from_bytes(self._bits[start >> 3 : (start + length + 7) >> 3], "little")
        if self.contiguous > start:
            bits |= (1 << min(self.contiguous - start, length)) - 1
        return bits

    def has_range(self, start: int, length: int) -> bool:
        """Whether the peer announced all these blocks."""
        if start + length <= self.contiguous:
            return True
        base = start & ~7
        want = ((1 << length) - 1) << (start - base)
        return self.mask(base, start - base + length) & want == want

    def set_range(self, start: int, length: int) -> None:
        """A ``range``: the peer has these blocks."""
        end = start + length
        if start <= self.contiguous:
            # Also for ranges that merely touch the mark: what is below it needs no bits.
            self.contiguous = max(self.contiguous, end)
            return
        if end > self.limit:
            self.clipped = True
            end = self.limit
        if start >= end:
            return
        self._grow(end)
        self._fill(start, end, 1)

    def drop_range(self, start: int, length: int) -> None:
        """A ``range`` with drop: the peer has these blocks no longer."""
        end = start + length
        if start < self.contiguous:
            kept, self.contiguous = self.contiguous, start
            if kept > end:
                self.set_range(end, kept - end)
        end = min(end, len(self._bits) * 8)
        if start < end:
            self._fill(start, end, 0)

    def set_bitfield(self, start: int, bits: bytes) -> None:
        """A ``bitfield``: the truth from ``start`` (a multiple of 32) on, as far as it goes."""
        end = start + 8 * len(bits)
        if start < self.contiguous:
            if end < self.contiguous:
                self._keep_as_bits(end)
            self.contiguous = start
        if end > self.limit:
            self.clipped = True
            end = self.limit
        if start >= end:
            return
        self._grow(end)
        self._bits[start >> 3 : end >> 3] = bits[: (end - start) >> 3]

    def _keep_as_bits(self, start: int) -> None:
        # What the contiguous mark says about the blocks from ``start`` on, before it falls.
        end = min(self.contiguous, self.limit)
        if self.contiguous > self.limit:
            self.clipped = True
        if start < end:
            self._grow(end)
            self._fill(start, end, 1)

    def _grow(self, end: int) -> None:
        missing = ((end + 7) >> 3) - len(self._bits)
        if missing > 0:
            self._bits += bytes(missing)

    def _fill(self, start: int, end: int, value: int) -> None:
        bits = self._bits
        first, last = start >> 3, end >> 3
        head = 0xFF << (start & 7) & 0xFF
        tail = (1 << (end & 7)) - 1
        if first == last:
            bits[first] = _merge(bits[first], head & tail, value)
            return
        bits[first] = _merge(bits[first], head, value)
        bits[first + 1 : last] = (b"\xff" if value else b"\x00") * (last - first - 1)
        if tail:
            bits[last] = _merge(bits[last], tail, value)


def _merge(byte: int, mask: int, value: int) -> int:
    return byte | mask if value else byte & ~mask
