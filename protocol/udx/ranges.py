"""Sets of sequence numbers, kept as few sorted ranges."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class RangeSet:
    """Disjoint ranges ``[start, end)`` in order; neighbours are joined."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        return len(self._starts)

    def __contains__(self, number: int) -> bool:
        position = bisect_right(self._starts, number) - 1
        return position >= 0 and number < self._ends[position]

    def up_to(self, number: int, count: int) -> list[tuple[int, int]]:
        """``count`` ranges, as few as there are: up to the one of a number, and else the lowest."""
        end = max(bisect_right(self._starts, number), count)
        window = slice(max(end - count, 0), end)
        return list(zip(self._starts[window], self._ends[window], strict=True))

    def add(self, start: int, end: int) -> list[tuple[int, int]]:
        """Add a range that is not empty; gives the parts of it that were not there."""
        starts, ends = self._starts, self._ends
        # All ranges that overlap or touch the new one.
        low = bisect_left(ends, start)
        high = bisect_right(starts, end)
        if low == high:
            starts.insert(low, start)
            ends.insert(low, end)
            return [(start, end)]
        added = []
        at = start
        for position in range(low, high):
            if at < starts[position]:
                added.append((at, starts[position]))
            at = max(at, ends[position])
        if at < end:
            added.append((at, end))
        if added:
            new_start = min(start, starts[low])
            new_end = max(end, ends[high - 1])
            starts[low:high] = [new_start]
            ends[low:high] = [new_end]
        return added

    def discard_below(self, limit: int) -> None:
        """Take out every number below ``limit``."""
        starts, ends = self._starts, self._ends
        if not starts or starts[0] >= limit:
            return
        gone = bisect_right(ends, limit)
        del starts[:gone]
        del ends[:gone]
        if starts and starts[0] < limit:
            starts[0] = limit
