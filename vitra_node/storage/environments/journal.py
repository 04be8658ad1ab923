"""A journal: transactions one after the other in a file of fixed size, each durable by one sync.

The file is filled once, when it is created. After that its size and its place on the disk never
change, so that a sync writes the data and nothing about the file. It is used from the start again
when what it held is safe elsewhere; what lies behind the newest entry is then older than that.

Layout: a header of 4 KiB (magic, 16-byte id of the store), then entries: length of the payload
(4 bytes), number (8 bytes), checksum over number and payload (16 bytes), payload. Numbers go up by
one. Reading ends at the first entry that is not complete, or not the next one. Each entry begins
in a sector of its own, so that writing it cannot tear the one before. All integers are little
endian. specs/07-storage.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from struct import Struct

from ..errors import StorageError, StoreDamaged
from ..keys.key_files import sync_directory

JOURNAL_BYTES = 2 * 1024 * 1024
"""Size of a journal: what has to be held in memory, and written at once when it is full."""

_MAGIC = b"vitraj01"
_ID_BYTES = 16
_HEADER_BYTES = 4096
_SECTOR_BYTES = 512
_ENTRY = Struct("<IQ16s")
_CHECKSUM_BYTES = 16


class Journal:
    """The journal in a file.

    Raises:
      StoreDamaged: the file is no journal, or the one of another store.
      StorageError: it cannot be opened.
    """

    def __init__(self, path: Path, store_id: bytes) -> None:
        self._path = path
        try:
            # With O_DSYNC a write returns when its data is safe: one call instead of two.
            flags = os.O_RDWR | os.O_DSYNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(path, flags)
        except FileNotFoundError as error:
            raise StoreDamaged(f"{path} is missing; it holds the newest transactions") from error
        except OSError as error:
            raise StorageError(f"{path} cannot be opened: {error.strerror}") from error
        header = os.pread(self._descriptor, len(_MAGIC) + _ID_BYTES, 0)
        if header != _MAGIC + store_id:
            os.close(self._descriptor)
            raise StoreDamaged(f"{path} is not the journal of this store")
        self._size = os.fstat(self._descriptor).st_size
        self._end = _HEADER_BYTES

    @staticmethod
    def create(path: Path, store_id: bytes, size_bytes: int = JOURNAL_BYTES) -> None:
        """Make an empty journal, durable on return; replaces one of a store that never was.

        Raises:
          StorageError: there is no room for it.
        """
        temporary = path.with_name(f".{path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write((_MAGIC + store_id).ljust(size_bytes, b"\x00"))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_directory(path.parent)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}") from error

    def has_room(self, payload_bytes: int) -> bool:
        """Whether one more entry fits."""
        return self._end + _ENTRY.size + payload_bytes <= self._size

    def append(self, number: int, payload: bytes) -> None:
        """Write the entry after the last one; durable on return.

        Raises:
          StorageError: the disk refused; the entry may be there or not.
        """
        entry = _ENTRY.pack(len(payload), number, _checksum(number, payload)) + payload
        try:
            written = os.pwrite(self._descriptor, entry, self._end)
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error.strerror}") from error
        if written != len(entry):
            raise StorageError(f"{self._path} cannot be written: the disk took half an entry")
        self._end += _whole_sectors(len(payload))

    def read_from(self, number: int) -> Iterator[bytes]:
        """The payloads of the entries from ``number`` on; the next append comes behind them.

        Raises:
          StoreDamaged: it begins with a later entry, so some are missing.
        """
        self._end = _HEADER_BYTES
        while (entry := self._read_entry()) is not None:
            found, payload = entry
            if found > number and self._end == _HEADER_BYTES:
                raise StoreDamaged(f"{self._path} begins at {found}, and {number} is the next")
            if found != number:
                return
            self._end += _whole_sectors(len(payload))
            number += 1
            yield payload

    def restart(self) -> None:
        """Use the file from its start again: all its entries are safe elsewhere."""
        self._end = _HEADER_BYTES

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _read_entry(self) -> tuple[int, bytes] | None:
        head = os.pread(self._descriptor, _ENTRY.size, self._end)
        if len(head) < _ENTRY.size:
            return None
        size, number, checksum = _ENTRY.unpack(head)
        if not self.has_room(size):
            return None
        payload = os.pread(self._descriptor, size, self._end + _ENTRY.size)
        if len(payload) != size or _checksum(number, payload) != checksum:
            return None
        return number, payload


def _whole_sectors(payload_bytes: int) -> int:
    return -(-(_ENTRY.size + payload_bytes) // _SECTOR_BYTES) * _SECTOR_BYTES


def _checksum(number: int, payload: bytes) -> bytes:
    state = blake2b(number.to_bytes(8, "little"), digest_size=_CHECKSUM_BYTES)
    state.update(payload)
    return state.digest()
