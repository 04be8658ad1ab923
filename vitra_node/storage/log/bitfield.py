"""Which blocks of one core are stored, beyond the contiguous beginning.

Bits lie in pages of ``PAGE_BITS``, lowest bit of each byte first, as on the wire. Below the
contiguous length a bit means nothing and need not be written, so a log that is held from its start
on (every writer's own, every full copy) has no pages at all.
"""

from __future__ import annotations

from ..environments.environment import Environment, Writes
from ..environments.schema import BITFIELD_TABLE, bitfield_key, index_of, rows_from
from ..errors import StoreDamaged

PAGE_BITS = 2048
_PAGE_BYTES = PAGE_BITS // 8
_FULL_PAGE = b"\xff" * _PAGE_BYTES


class Bitfield:
    """The bitfield of the core with this number in its store.

    Changes show at once; ``collect`` and ``committed`` make them durable. Pages in memory are only
    those that hold a stored block or were changed.

    Attributes:
      contiguous_length: blocks stored from block 0 on without a gap.
    """

    def __init__(self, environment: Environment, number: int, contiguous_length: int) -> None:
        self.contiguous_length = contiguous_length
        self._environment = environment
        self._number = number
        self._pages: dict[int, bytearray] = {}
        self._unwritten: set[int] = set()
        # A page that is not there: behind the end of a log, where every append looks for one.
        # Whoever makes it finds it in memory from then on.
        self._absent = -1
        # The environment's pages from here on are void: a truncation is not durable yet.
        self._void_from: int | None = None
        self._void_in_flight: int | None = None

    def has(self, index: int) -> bool:
        """Whether the block is stored."""
        if index < self.contiguous_length:
            return True
        number, bit = divmod(index, PAGE_BITS)
        page = self._load(number)
        return page is not None and bool(page[bit >> 3] >> (bit & 7) & 1)

    def add_range(self, start: int, end: int) -> None:
        """The blocks from ``start`` to before ``end`` are stored now."""
        if start <= self.contiguous_length:
            if end > self.contiguous_length:
                self.contiguous_length = end
                self._advance()
            return
        for index in range(start, end):
            number, bit = divmod(index, PAGE_BITS)
            self._page_to_change(number)[bit >> 3] |= 1 << (bit & 7)

    def remove_range(self, start: int, end: int) -> None:
        """The blocks from ``start`` to before ``end`` are not stored any more."""
        mark = self.contiguous_length
        if start >= end:
            return
        if start < mark:
            # Bits below the mark meant nothing; those above the new one have to be true.
            self.contiguous_length = start
            self.add_range(end, mark)
        for index in range(start, end):
            number, bit = divmod(index, PAGE_BITS)
            if self._load(number) is not None:
                self._page_to_change(number)[bit >> 3] &= ~(1 << (bit & 7)) & 0xFF

    def truncate(self, length: int) -> None:
        """No block from ``length`` on is stored any more."""
        self.contiguous_length = min(self.contiguous_length, length)
        edge, bit = divmod(length, PAGE_BITS)
        if self._load(edge) is not None:
            page = self._page_to_change(edge)
            kept = int.from_bytes(page, "little") & ((1 << bit) - 1)
            page[:] = kept.to_bytes(_PAGE_BYTES, "little")
        for number in [number for number in self._pages if number > edge]:
            del self._pages[number]
            self._unwritten.discard(number)
        void = self._void_from
        self._void_from = edge + 1 if void is None else min(void, edge + 1)

    def read(self, start: int, length: int) -> bytes:
        """Bits of ``length`` blocks from ``start`` on; both are multiples of 8."""
        bits = bytearray(length >> 3)
        for number, page in self._stored_pages(start, start + length).items():
            offset = (number * PAGE_BITS - start) >> 3
            part = page[max(0, -offset) : len(bits) - offset]
            bits[max(0, offset) : max(0, offset) + len(part)] = part
        filled = min(max(0, self.contiguous_length - start), length)
        bits[: filled >> 3] = b"\xff" * (filled >> 3)
        if filled & 7:
            bits[filled >> 3] |= (1 << (filled & 7)) - 1
        return bytes(bits)

    def collect(self, writes: Writes) -> None:
        """Add what has changed since the last call to a transaction."""
        if self._void_from is not None:
            writes.delete_range(*rows_from(BITFIELD_TABLE, self._number, self._void_from))
            self._void_in_flight, self._void_from = self._void_from, None
        for number in self._unwritten:
            # A page wholly below the mark means nothing.
            if (number + 1) * PAGE_BITS > self.contiguous_length:
                writes.put(bitfield_key(self._number, number), bytes(self._pages[number]))
        self._unwritten.clear()

    def committed(self) -> None:
        """What ``collect`` last added is durable."""
        self._void_in_flight = None

    def _advance(self) -> None:
        """Move the mark over blocks that were stored before the gap below them was filled."""
        index = self.contiguous_length
        while (page := self._load(index // PAGE_BITS)) is not None:
            bit = index % PAGE_BITS
            if bit == 0 and page == _FULL_PAGE:
                index += PAGE_BITS
            elif page[bit >> 3] >> (bit & 7) & 1:
                index += 1
            else:
                break
        self.contiguous_length = index

    def _page_to_change(self, number: int) -> bytearray:
        page = self._load(number)
        if page is None:
            self._pages[number] = page = bytearray(_PAGE_BYTES)
        self._unwritten.add(number)
        return page

    def _load(self, number: int) -> bytearray | None:
        page = self._pages.get(number)
        if page is None and number != self._absent and not self._is_void(number):
            stored = self._environment.get(bitfield_key(self._number, number))
            if stored is None:
                self._absent = number
            else:
                self._pages[number] = page = _check(stored)
        return page

    def _stored_pages(self, start: int, end: int) -> dict[int, bytearray]:
        first, last = start // PAGE_BITS, (end + PAGE_BITS - 1) // PAGE_BITS
        keys = bitfield_key(self._number, first), bitfield_key(self._number, last)
        pages = {index_of(key): _check(page) for key, page in self._environment.items(*keys)}
        pages = {number: page for number, page in pages.items() if not self._is_void(number)}
        pages.update((n, page) for n, page in self._pages.items() if first <= n < last)
        return pages

    def _is_void(self, number: int) -> bool:
        return any(
            void is not None and number >= void for void in (self._void_from, self._void_in_flight)
        )


def _check(page: bytes) -> bytearray:
    if len(page) != _PAGE_BYTES:
        raise StoreDamaged("a page of a bitfield is damaged")
    return bytearray(page)
