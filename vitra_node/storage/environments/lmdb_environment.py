"""An ``Environment`` in one LMDB file: every commit is synced, a crash loses nothing committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from weakref import WeakSet

import lmdb

from ..errors import EnvironmentFull, StorageError, StoreDamaged
from .environment import Environment, KeyRange, Writes, values_until
from .standing_view import StandingView

DATA_NAME = "cores.mdb"
"""The data file in a data directory."""

# Small, because a map is address space and sparse file, and doubling costs nothing.
INITIAL_MAP_BYTES = 64 * 1024 * 1024

# LMDB keeps one page per reader slot; all reads come from the thread of the event loop.
_MAX_READERS = 16

_DAMAGE = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.VersionMismatchError,
    lmdb.BadTxnError,
    lmdb.PanicError,
)


class LmdbEnvironment(Environment):
    """The file at ``path``, created with mode 0600 when it is not there.

    The caller holds the lock of the data directory: LMDB would let several processes write.

    Raises:
      StoreDamaged: the file is not an LMDB file, or of another LMDB version.
      StorageError: it cannot be opened or created.
    """

    waits_for_disk = True

    def __init__(self, path: Path, *, map_bytes: int = INITIAL_MAP_BYTES) -> None:
        self._path = path
        size = path.stat().st_size if path.exists() else 0
        while map_bytes < size:
            map_bytes *= 2
        try:
            # Sync flags and meminit stay at their safe values: without meminit, free parts of
            # pages would carry whatever memory held, keys included, into the file.
            self._lmdb = lmdb.open(
                str(path),
                map_size=map_bytes,
                subdir=False,
                mode=0o600,
                max_dbs=0,
                max_readers=_MAX_READERS,
                max_spare_txns=2,
            )
        except _DAMAGE as error:
            raise StoreDamaged(f"it is not a data file: {error}") from error
        except (lmdb.Error, OSError) as error:
            raise StorageError(f"{path} cannot be opened: {error}") from error
        self._map_bytes = map_bytes
        self._closed = False
        self._views: WeakSet[StandingView] = WeakSet()

    @property
    def map_bytes(self) -> int:
        """Size of the map; the file can grow up to this before ``grow`` is needed."""
        return self._map_bytes

    def get(self, key: bytes) -> bytes | None:
        try:
            with self._lmdb.begin() as transaction:
                value: bytes | None = transaction.get(key)
        except lmdb.Error as error:
            raise self._read_failed(error) from error
        return value

    def run_of_values(self, keys: Iterable[bytes], max_bytes: int) -> list[bytes]:
        # To begin a transaction costs twice what a look-up in it does.
        try:
            with self._lmdb.begin() as transaction:
                return values_until(transaction.get, keys, max_bytes)
        except lmdb.Error as error:
            raise self._read_failed(error) from error

    def items(
        self, start: bytes, end: bytes, *, limit: int | None = None, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        found: list[tuple[bytes, bytes]] = []
        try:
            with self._lmdb.begin() as transaction, transaction.cursor() as cursor:
                if reverse:
                    there = cursor.prev() if cursor.set_range(end) else cursor.last()
                    steps = cursor.iterprev()
                else:
                    there = cursor.set_range(start)
                    steps = cursor.iternext()
                if there and limit != 0:
                    for key, value in steps:
                        if key < start if reverse else key >= end:
                            break
                        found.append((key, value))
                        if len(found) == limit:
                            break
        except lmdb.Error as error:
            raise self._read_failed(error) from error
        return found

    def write(self, batches: Sequence[Writes]) -> None:
        try:
            with (
                self._lmdb.begin(write=True) as transaction,
                transaction.cursor() as cursor,
            ):
                for batch in batches:
                    for step in batch.steps:
                        if isinstance(step, KeyRange):
                            _delete_range(cursor, step)
                        else:
                            cursor.putmulti(step)
        except lmdb.MapFullError as error:
            raise EnvironmentFull(f"{self._path} fills its map") from error
        except (lmdb.Error, OSError) as error:
            raise StorageError(f"{self._path} cannot be written: {error}") from error

    def view(self) -> StandingView:
        return self.view_with({})

    def view_with(self, waiting: Mapping[bytes, bytes | None]) -> StandingView:
        """A view in which ``waiting`` counts before what is in the file."""
        try:
            view = StandingView(self._lmdb.begin(), waiting)
        except lmdb.Error as error:
            raise self._read_failed(error) from error
        self._views.add(view)
        return view

    def grow(self) -> None:
        # A map that moves must not be read from.
        for view in list(self._views):
            view.lose()
        try:
            self._lmdb.set_mapsize(self._map_bytes * 2)
        except (lmdb.Error, OSError) as error:
            raise StorageError(f"{self._path} cannot grow: {error}") from error
        self._map_bytes *= 2

    def close(self) -> None:
        self._closed = True
        for view in list(self._views):
            view.lose()
        self._lmdb.close()

    def _read_failed(self, error: lmdb.Error) -> StorageError:
        if self._closed:
            return StorageError(f"{self._path} was closed")
        return StoreDamaged(f"{self._path} cannot be read: {error}")


def _delete_range(cursor: lmdb.Cursor[bytes], keys: KeyRange) -> None:
    there = cursor.set_range(keys.start)
    while there and cursor.key() < keys.end:
        # Deleting moves the cursor to the next key; it has none at the end.
        cursor.delete()
        there = bool(cursor.key())
