"""``StandingView``: everything an environment holds, as it was at one moment.

Writes go on meanwhile, so a copy of a store that is in use is as whole as one of a store at rest.
A view is made on the thread of the event loop, between two rounds of the committer; it may then be
read on another thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from threading import Lock

import lmdb

from ..errors import StorageError

Pair = tuple[bytes, bytes]

# Pairs read while the lock is held: short enough that a write that has to grow the map, which
# ends the view, waits for milliseconds.
_PAIRS_PER_READ = 512


class ViewLost(StorageError):
    """The data file had to grow, which ends all views of it; make another one."""


class StandingView:
    """The pairs of an environment, in order of keys.

    Resource handling: ``close`` it. As long as it is open, the data file keeps what it shows, and
    grows by what is written meanwhile.

    Args:
      transaction: a read transaction of LMDB's.
      waiting: what is not in LMDB yet, and counts before it; None stands for a deleted key.
    """

    def __init__(
        self, transaction: lmdb.Transaction[bytes] | None, waiting: Mapping[bytes, bytes | None]
    ) -> None:
        self._transaction = transaction
        self._waiting = waiting
        self._lost = False
        # Between the thread that reads and the one that has to end all reads.
        self._lock = Lock()

    def pairs(self) -> Iterator[Pair]:
        """All pairs, once.

        Raises:
          ViewLost: the file has grown.
        """
        waiting = sorted(self._waiting.items())
        at = 0
        for key, value in self._stored():
            while at < len(waiting) and waiting[at][0] < key:
                yield from _present(waiting[at])
                at += 1
            if at < len(waiting) and waiting[at][0] == key:
                yield from _present(waiting[at])
                at += 1
            else:
                yield key, value
        for pair in waiting[at:]:
            yield from _present(pair)

    def _stored(self) -> Iterator[Pair]:
        next_key = b""
        while True:
            read = self._read(next_key)
            yield from read
            if len(read) < _PAIRS_PER_READ:
                return
            next_key = read[-1][0] + b"\x00"

    def _read(self, start: bytes) -> list[Pair]:
        with self._lock:
            if self._lost:
                raise ViewLost("the data file grew while it was copied")
            if self._transaction is None:
                return []
            read: list[Pair] = []
            try:
                with self._transaction.cursor() as cursor:
                    if cursor.set_range(start) if start else cursor.first():
                        for pair in cursor.iternext():
                            read.append(pair)
                            if len(read) == _PAIRS_PER_READ:
                                break
            except lmdb.Error as error:
                raise StorageError(f"the data file cannot be read: {error}") from error
            return read

    def lose(self) -> None:
        """End the view, because the file must grow; its reader gets ``ViewLost``."""
        with self._lock:
            self._lost = True
            self._abort()

    def close(self) -> None:
        """Let go of the file; may be called again."""
        with self._lock:
            self._abort()

    def _abort(self) -> None:
        if self._transaction is not None:
            with suppress(lmdb.Error):
                self._transaction.abort()
            self._transaction = None


def _present(pair: tuple[bytes, bytes | None]) -> Iterator[Pair]:
    key, value = pair
    if value is not None:
        yield key, value
