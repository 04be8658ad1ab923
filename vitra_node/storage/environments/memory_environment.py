"""An ``Environment`` without a disk: for ``storage=None``, tests and simulations."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from ..errors import StorageError
from .environment import MAX_KEY_BYTES, Environment, KeyRange, Writes
from .standing_view import StandingView

# Keys lie in chunks of at most twice this, so that an insertion moves little.
_CHUNK_KEYS = 1024


class MemoryEnvironment(Environment):
    """Ordered keys in memory; a write is at once as durable as it will ever be."""

    waits_for_disk = False

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._order = _SortedKeys()
        self._closed = False

    def get(self, key: bytes) -> bytes | None:
        self._check_open()
        return self._values.get(key)

    def items(
        self, start: bytes, end: bytes, *, limit: int | None = None, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        self._check_open()
        found: list[tuple[bytes, bytes]] = []
        if limit == 0:
            return found
        walk = self._order.down(start, end) if reverse else self._order.up(start, end)
        for key in walk:
            found.append((key, self._values[key]))
            if len(found) == limit:
                break
        return found

    def write(self, batches: Sequence[Writes]) -> None:
        self._check_open()
        for batch in batches:
            for step in batch.steps:
                if not isinstance(step, KeyRange) and any(
                    not 0 < len(key) <= MAX_KEY_BYTES for key, _ in step
                ):
                    raise StorageError("a key is empty or too long")
        for batch in batches:
            for step in batch.steps:
                if isinstance(step, KeyRange):
                    for key in list(self._order.up(step.start, step.end)):
                        self._order.remove(key)
                        del self._values[key]
                else:
                    self._put(step)

    def _put(self, pairs: list[tuple[bytes, bytes]]) -> None:
        for key, value in pairs:
            if key not in self._values:
                self._order.add(key)
            self._values[key] = bytes(value)

    def view(self) -> StandingView:
        self._check_open()
        return StandingView(None, dict(self._values))

    def grow(self) -> None:
        raise StorageError("memory has no map to grow")

    def close(self) -> None:
        self._closed = True
        self._values.clear()
        self._order = _SortedKeys()

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("the store was closed")


class _SortedKeys:
    """A sorted set of distinct keys: a list of sorted chunks, none of them empty."""

    def __init__(self) -> None:
        self._chunks: list[list[bytes]] = []
        self._last: list[bytes] = []  # the greatest key of each chunk

    def add(self, key: bytes) -> None:
        if not self._chunks:
            self._chunks.append([key])
            self._last.append(key)
            return
        at = min(bisect_left(self._last, key), len(self._chunks) - 1)
        chunk = self._chunks[at]
        insort(chunk, key)
        if len(chunk) > 2 * _CHUNK_KEYS:
            self._chunks[at : at + 1] = [chunk[:_CHUNK_KEYS], chunk[_CHUNK_KEYS:]]
            self._last[at : at + 1] = [chunk[_CHUNK_KEYS - 1], chunk[-1]]
        else:
            self._last[at] = chunk[-1]

    def remove(self, key: bytes) -> None:
        at = bisect_left(self._last, key)
        chunk = self._chunks[at]
        del chunk[bisect_left(chunk, key)]
        if chunk:
            self._last[at] = chunk[-1]
        else:
            del self._chunks[at], self._last[at]

    def up(self, start: bytes, end: bytes) -> Iterator[bytes]:
        """Keys from ``start`` up to and without ``end``."""
        at = bisect_left(self._last, start)
        for number in range(at, len(self._chunks)):
            chunk = self._chunks[number]
            for key in chunk[bisect_left(chunk, start) :] if number == at else chunk:
                if key >= end:
                    return
                yield key

    def down(self, start: bytes, end: bytes) -> Iterator[bytes]:
        """The same keys, greatest first."""
        at = bisect_left(self._last, end)
        for number in range(min(at, len(self._chunks) - 1), -1, -1):
            chunk = self._chunks[number]
            for key in reversed(chunk[: bisect_left(chunk, end)] if number == at else chunk):
                if key < start:
                    return
                yield key
