"""LMDB with a journal in front: a commit costs one sync instead of two.

LMDB syncs twice in each commit, its pages and then the page that says where they are. Here small
transactions are appended to a journal (one sync) and kept in memory; when the journal is full,
all of them go to LMDB in one transaction, together with the number of the last one, and the
journal starts again. Reads look into memory first. After a crash the journal is read from where
LMDB stands, so nothing durable is lost and nothing is applied in part.

Large transactions, and those that delete ranges, go to LMDB at once, with all that waits.

To hand a write to another thread and come back costs about as much as a sync on a common SSD. So
short writes are made in place as long as the disk answers quickly; when it does not, the next
hundreds go to the other thread before it is tried again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter

import msgpack

from ..errors import EnvironmentFull, StorageError, StoreDamaged
from .environment import Environment, KeyRange, Writes, check_schema
from .journal import JOURNAL_BYTES, Journal
from .lmdb_environment import DATA_NAME, INITIAL_MAP_BYTES, LmdbEnvironment
from .standing_view import StandingView

JOURNAL_NAME = "cores.journal"

# Above this, writing everything twice costs more than a second sync.
_MAX_ENTRY_BYTES = JOURNAL_BYTES // 8

# What may be written in place, and what counts as a disk that does not answer quickly.
_SHORT_BYTES = 64 * 1024
_SLOW_SECONDS = 0.002
_TOO_SLOW = 1.5
_WRITES_ELSEWHERE = 256

_ID_BYTES = 16
_POSITION_KEY = b"\x00journal"

_Pairs = list[tuple[bytes, bytes | None]]


class JournaledEnvironment(Environment):
    """The environment in a data directory, created when it is not there.

    The caller holds the lock of the directory.

    Raises:
      StoreDamaged: one of the two files is missing, or not ours.
      StorageError: they cannot be opened or created.
    """

    waits_for_disk = True

    def __init__(
        self,
        directory: Path,
        *,
        map_bytes: int = INITIAL_MAP_BYTES,
        journal_bytes: int = JOURNAL_BYTES,
    ) -> None:
        self._lmdb = LmdbEnvironment(directory / DATA_NAME, map_bytes=map_bytes)
        self._waiting: dict[bytes, bytes | None] = {}
        self._written: _Pairs | None = None
        self._slowness = 0.0
        self._long_left = 0
        try:
            check_schema(self._lmdb)
            path = directory / JOURNAL_NAME
            self._store_id, self._number = self._read_position(path, journal_bytes)
            self._number_in_lmdb = self._number
            self._journal = Journal(path, self._store_id)
            try:
                self._recover()
            except BaseException:
                self._journal.close()
                raise
        except BaseException:
            self._lmdb.close()
            raise

    def get(self, key: bytes) -> bytes | None:
        waiting = self._waiting
        if key in waiting:
            return waiting[key]
        return self._lmdb.get(key)

    def run_of_values(self, keys: Iterable[bytes], max_bytes: int) -> list[bytes]:
        keys = list(keys)
        if self._waiting.keys().isdisjoint(keys):
            return self._lmdb.run_of_values(keys, max_bytes)
        return super().run_of_values(keys, max_bytes)

    def items(
        self, start: bytes, end: bytes, *, limit: int | None = None, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        waiting = {key: v for key, v in self._waiting.items() if start <= key < end}
        if not waiting:
            return self._lmdb.items(start, end, limit=limit, reverse=reverse)
        # Each waiting key hides at most one row, so this many rows are enough.
        enough = None if limit is None else limit + len(waiting)
        found: dict[bytes, bytes | None] = dict(
            self._lmdb.items(start, end, limit=enough, reverse=reverse)
        )
        found.update(waiting)
        pairs = [(key, found[key]) for key in sorted(found, reverse=reverse)]
        return [(key, value) for key, value in pairs if value is not None][:limit]

    def is_short(self, batches: Sequence[Writes]) -> bool:
        if self._long_left:
            self._long_left -= 1
            return False
        size = sum(batch.size_bytes for batch in batches)
        # Twice the size is more than keys and values take when they are packed.
        return (
            size <= _SHORT_BYTES
            and self._journal.has_room(2 * size)
            and not any(batch.deletes_ranges for batch in batches)
        )

    def write(self, batches: Sequence[Writes]) -> None:
        pairs = _pairs_of(batches)
        if pairs is not None:
            payload: bytes = msgpack.packb(pairs)
            if self._journal.has_room(len(payload)):
                begun = perf_counter()
                self._journal.append(self._number + 1, payload)
                self._took(perf_counter() - begun)
                self._number += 1
                self._written = pairs
                return
        self._lmdb.write([self._all_waiting(), *batches])
        self._number_in_lmdb = self._number
        self._journal.restart()
        self._written = None

    def _took(self, seconds: float) -> None:
        # One slow write may be the scheduler's doing; several close together are the disk's.
        self._slowness = 0.9 * self._slowness + (seconds > _SLOW_SECONDS)
        if self._slowness > _TOO_SLOW:
            self._slowness = 0.0
            self._long_left = _WRITES_ELSEWHERE

    def settle(self) -> None:
        if self._written is None:
            self._waiting.clear()
        else:
            self._waiting.update(self._written)

    def view(self) -> StandingView:
        return self._lmdb.view_with(dict(self._waiting))

    def grow(self) -> None:
        self._lmdb.grow()

    def close(self) -> None:
        # An empty journal makes the next opening quick. Where this fails nothing is lost.
        with suppress(StorageError):
            self._checkpoint()
        self._journal.close()
        self._lmdb.close()

    def _all_waiting(self) -> Writes:
        """What the journal holds, and the note that the data file has it."""
        writes = Writes()
        for key, value in self._waiting.items():
            if value is None:
                writes.delete(key)
            else:
                writes.put(key, value)
        writes.put(_POSITION_KEY, self._store_id + self._number.to_bytes(8, "big"))
        return writes

    def _read_position(self, journal: Path, journal_bytes: int) -> tuple[bytes, int]:
        """The id of the store, and the number of the last transaction in the data file."""
        position = self._lmdb.get(_POSITION_KEY)
        if position is None:
            if self._lmdb.items(b"\x01", b"\xff", limit=1):
                raise StoreDamaged("the data file does not say where its journal begins")
            # A new store, or one whose creation did not come to its end.
            store_id = os.urandom(_ID_BYTES)
            Journal.create(journal, store_id, journal_bytes)
            position = store_id + bytes(8)
            first = Writes()
            first.put(_POSITION_KEY, position)
            self._lmdb.write([first])
        return position[:_ID_BYTES], int.from_bytes(position[_ID_BYTES:], "big")

    def _recover(self) -> None:
        """Bring what a crash left in the journal into the data file."""
        for payload in self._journal.read_from(self._number + 1):
            try:
                pairs = msgpack.unpackb(payload, use_list=False)
            except (ValueError, msgpack.UnpackException) as error:
                raise StoreDamaged(f"transaction {self._number + 1} is damaged") from error
            self._waiting.update(pairs)
            self._number += 1
        self._checkpoint()

    def _checkpoint(self) -> None:
        while self._number != self._number_in_lmdb:
            try:
                self._lmdb.write([self._all_waiting()])
            except EnvironmentFull:
                self._lmdb.grow()
            else:
                self._number_in_lmdb = self._number
        self._waiting.clear()
        self._journal.restart()


def _pairs_of(batches: Sequence[Writes]) -> _Pairs | None:
    """The single keys that batches put and delete, in order; None if they do more than that."""
    pairs: _Pairs = []
    size = 0
    for batch in batches:
        size += batch.size_bytes
        if size > _MAX_ENTRY_BYTES:
            return None
        for step in batch.steps:
            if not isinstance(step, KeyRange):
                pairs += step
            elif step.is_one_key:
                pairs.append((step.start, None))
            else:
                return None
    return pairs
